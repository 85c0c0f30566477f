//! An input that was loaded under older rules of values: it is verified cell by cell, and never gone on with.
//!
//! These tests make up a list of changes, and rows as older rules would have
//! made them: a file is loaded that has the values of old, and the ledger is then told that it was the file of
//! today.

use super::pg_server::{Server, arguments, load as ingest, started};
use super::roll;
use super::support::Place;
use etl::config::{Call, Machine, Partial, Sources, load};
use etl::duck::{Database, Settings};
use etl::flow::{Event, Observer, Stop};
use etl::run::value_rules::{Change, Outcome, ValueRules};
use etl::run::{Verified, VerifiedInput, verify_under};

/// The program as it might be: a comma that people write between names is kept, thousands may have commas no more,
/// and a price may be "free".
const LATER: ValueRules = ValueRules {
    version: 3,
    changes: &[
        Change {
            version: 2,
            what: "commas in names are kept",
            touches: |_, _| true,
            explains: |difference| {
                let Outcome::Value(old) = difference.old else { return false };
                let raw = difference.raw.unwrap_or_default();
                difference.new == Outcome::Value(&raw.into())
                    && old.to_string() == raw.replace(',', "")
            },
        },
        Change {
            version: 3,
            what: "thousands have no commas",
            touches: |_, _| true,
            explains: |difference| {
                let Outcome::Value(old) = difference.old else { return false };
                let raw = difference.raw.unwrap_or_default();
                difference.new == Outcome::Refused && old.to_string() == raw.replace(',', "")
            },
        },
        Change {
            version: 3,
            what: "77 means what it says",
            touches: |_, _| true,
            explains: |difference| {
                difference.old == Outcome::Refused && difference.raw == Some("77")
            },
        },
    ],
};

/// The same program without a list: nothing is explained.
const UNEXPLAINED: ValueRules = ValueRules { version: 3, changes: &[] };

struct Silent;

impl Observer for Silent {
    fn on(&self, _event: &Event<'_>) {}
}

/// A target with a folder of files.
struct Target {
    place: Place,
    server: Option<Server>,
    to: String,
}

impl Target {
    fn both() -> [Self; 2] {
        [None, Some(Server::start())].map(|server| {
            let place = Place::new();
            let file = place.path("rolls.duckdb");
            let to = server.as_ref().map_or(format!("duckdb:{}", file.display()), Server::url);
            Self { place, server, to }
        })
    }

    fn sql(&self, sql: &str) -> Vec<Vec<String>> {
        if let Some(server) = &self.server {
            let rows = server.psql(sql);
            return rows.lines().map(|row| row.split('|').map(str::to_owned).collect()).collect();
        }
        let path = self.place.path("rolls.duckdb");
        let database = Database::open(&path, &Settings::default()).expect("it opens");
        let rows = database.connect().expect("a connection").query(sql, &[]).expect("sound SQL");
        rows.rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect()
    }

    /// Loads a file; its path is absolute, since these tests share the folder of their process.
    fn loads(&self, name: &str, text: &str, more: &[&str]) {
        let path = self.place.path(name).display().to_string();
        std::fs::write(&path, text).expect("writable");
        let output = self.place.output(&arguments(&self.to, &[&path], more));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{told}");
    }

    /// Loads `old` as if it were `today`, read by the rules of version 1.
    fn loads_as(&self, name: &str, table: &str, (old, today): (&str, &str), more: &[&str]) {
        self.loads(name, today, more);
        let known = self.sql("SELECT fingerprint, config, coalesce(identity, '') FROM etl.inputs");
        let [fingerprint, config, identity] = known[0].as_slice() else { panic!("{known:?}") };
        self.sql(&format!("DROP TABLE {table}"));
        for ledger in ["runs", "inputs", "ranges", "problems", "counts", "columns"] {
            self.sql(&format!("DELETE FROM etl.{ledger}"));
        }
        self.loads(name, old, more);
        self.sql(&format!(
            "UPDATE etl.inputs SET fingerprint = '{fingerprint}', config = '{config}', rules = NULL, \
             identity = nullif('{}', '')",
            identity.replace('\'', "''")
        ));
        std::fs::write(self.place.path(name), today).expect("writable");
    }

    fn verify(&self, rules: &ValueRules, run: &str) -> (bool, VerifiedInput) {
        let to = self.to.parse().expect("an address");
        let flags = Partial { to: Some(to), ..Partial::default() };
        let sources = Sources { flags, ..Sources::default() };
        let machine = Machine { memory: None, threads: 2 };
        let settings = load(&sources, &machine).expect("sound settings").settings;
        let request = settings.request(Call::default(), &Default::default()).expect("complete");
        let verified = verify_under(&request, run, rules, &Silent, &Stop::default());
        let Verified { holds, mut inputs, .. } = verified.expect("it can be verified");
        (holds, inputs.remove(0))
    }
}

/// A plain file as older rules have read it, and as it is written: row 3 has a name with a comma, row 4 a number
/// with one.
const OLD: &str = "id,name,size\n1,Ann,10\n2,Roe Bob,20\n3,Cy,1234\n4,Ed,5\n";
const TODAY: &str = "id,name,size\n1,Ann,10\n2,\"Roe, Bob\",20\n3,Cy,\"1,234\"\n4,Ed,5\n";

/// A roll with the same in rows 3 and 4; row 5 was refused then, row 6 is refused by both.
fn parcels(owner: &str, thousands: &str, number: &str) -> String {
    let rows = [("ANN", "10"), (owner, "20"), ("CY", thousands), ("DI", number), ("ED", "none")];
    let row = |(at, (owner, value)): (usize, &(&str, &str))| {
        let mut row = roll::parcel(16, at as u32, 5, owner);
        row.iter_mut().filter(|(name, _)| *name == "JV").for_each(|(_, jv)| *jv = (*value).into());
        row
    };
    roll::file("nal", &rows.iter().enumerate().map(row).collect::<Vec<_>>())
}

/// (version, cells, first example) of each change.
fn changes(found: &VerifiedInput) -> Vec<(u32, u64, String)> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
    let one = |change: &etl::run::RuleDifference| {
        let cell = &change.examples[0];
        let told =
            format!("{} {}: {} {}", cell.row, cell.column, value(&cell.was), value(&cell.is));
        (change.version, change.cells, told)
    };
    found.changes.iter().map(one).collect()
}

#[test]
fn what_a_listed_change_explains_is_counted_and_no_fault() {
    for target in Target::both() {
        target.loads_as("plain.csv", "plain", (OLD, TODAY), &[]);
        let (holds, found) = target.verify(&LATER, "latest");
        assert!(holds, "{}: {found:?}", target.to);
        assert_eq!(
            (found.rules, found.read, found.same, found.by_rules),
            (1, 4, 2, 2),
            "{found:?}"
        );
        let expected = [
            (2, 1, "3 name: Roe Bob Roe, Bob".to_owned()),
            (3, 1, "4 size: 1234 (refused)".to_owned()),
        ];
        assert_eq!(changes(&found), expected, "{}", target.to);
        // Nothing of it is explained by rules that have not changed since.
        for rules in [UNEXPLAINED, ValueRules::current()] {
            let (holds, found) = target.verify(&rules, "latest");
            assert!(!holds && !found.wrong.is_empty(), "{}: {found:?}", target.to);
        }
        let (_, found) = target.verify(&UNEXPLAINED, "latest");
        assert_eq!((found.different, found.extra, found.by_rules), (1, 1, 0), "{found:?}");
        assert_eq!(found.rows, [3, 4]);
    }
}

#[test]
fn a_roll_is_held_against_the_list_as_well() {
    for target in Target::both() {
        let old = parcels("ROE BOB", "1234", "seventy");
        let today = parcels("\"ROE, BOB\"", "\"1,234\"", "77");
        target.loads_as("NAL16P202501.csv", "parcels", (&old, &today), &[]);
        let (holds, found) = target.verify(&LATER, "latest");
        assert!(holds, "{}: {found:?}", target.to);
        assert_eq!(
            (found.read, found.same, found.refused, found.by_rules),
            (5, 1, 1, 3),
            "{found:?}"
        );
        let told = changes(&found);
        assert_eq!(told[0].2, "3 own_name: ROE BOB ROE, BOB", "{told:?}");
        assert!(told[1..].contains(&(3, 1, "4 jv: 1234 (refused)".into())), "{told:?}");
        assert!(told[1..].contains(&(3, 1, "5 jv: (refused) 77".into())), "{told:?}");
        let (_, found) = target.verify(&UNEXPLAINED, "latest");
        assert_eq!((found.different, found.extra, found.missing), (1, 1, 1), "{found:?}");
        // Rows that a later release has rewritten are its own.
        let run = target.sql("SELECT run FROM etl.runs").remove(0).remove(0);
        let next = parcels("NEXT", "1234", "78").replace(",ANN", ",ANNA");
        target.loads("NAL16F202501.csv", &next, &[]);
        let (holds, found) = target.verify(&LATER, &run);
        assert!(holds && found.later == 3, "{}: {found:?}", target.to);
    }
}

#[test]
fn a_change_of_rules_hides_no_other_change() {
    let tampering = [
        ("UPDATE plain SET name = 'Anna' WHERE id = 1", "altered"),
        ("UPDATE plain SET name = 'Bob Roe' WHERE id = 2", "altered"),
        ("DELETE FROM plain WHERE id = 4", "missing"),
        (
            "INSERT INTO plain (_etl_run, _etl_source, _etl_row) SELECT _etl_run, _etl_source, 9 FROM plain \
          WHERE id = 1",
            "extra",
        ),
    ];
    for target in Target::both() {
        for (sql, what) in tampering {
            target.loads_as("plain.csv", "plain", (OLD, TODAY), &[]);
            target.sql(sql);
            let (holds, found) = target.verify(&LATER, "latest");
            let counted = match what {
                "altered" => found.altered,
                "missing" => found.missing,
                _ => found.extra,
            };
            assert!(!holds && counted == 1, "{} {sql}: {found:?}", target.to);
            target.sql("DROP TABLE plain");
            target.sql("DELETE FROM etl.inputs");
            target.sql("DELETE FROM etl.runs");
        }
    }
}

#[test]
fn a_table_without_hashes_is_compared_by_its_cells() {
    for target in Target::both() {
        target.loads("plain.csv", OLD, &["--provenance", "minimal"]);
        let minimal = ["--provenance", "minimal"];
        let verify = || {
            let all = [&["verify", "--to", &target.to, "--format", "json"][..], &minimal].concat();
            let output = target.place.output(&all);
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&told);
            (output.status.code(), found["inputs"][0].clone())
        };
        let (code, found) = verify();
        assert_eq!((code, &found["same"]), (Some(0), &4.into()), "{}: {found}", target.to);
        target.sql("UPDATE plain SET size = 6 WHERE id = 4");
        let (code, found) = verify();
        assert_eq!((code, &found["different"]), (Some(1), &1.into()), "{}: {found}", target.to);
    }
}

#[test]
fn rules_of_a_newer_program_are_not_guessed() {
    let target = &Target::both()[0];
    target.loads("plain.csv", OLD, &[]);
    assert_eq!(target.sql("SELECT rules FROM etl.inputs"), [["2"]]);
    target.sql("UPDATE etl.inputs SET rules = 9");
    let output = target.place.output(&["verify", "--to", &target.to]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("version 9") && told.contains("newer program"), "{told}");
}

#[test]
fn rows_without_a_key_that_a_server_has_refused_are_no_fault() {
    let [_, target] = Target::both();
    target.sql("CREATE TABLE plain (id bigint, name text, size bigint CHECK (size <> 20))");
    target.loads("plain.csv", OLD, &["--evolve"]);
    let verify = ["verify", "--to", &target.to, "--format", "json"];
    let found = |code: i32| -> serde_json::Value {
        let output = target.place.output(&verify);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{told}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let input = &found(0)["inputs"][0];
    assert_eq!((&input["refused"], &input["same"]), (&1.into(), &3.into()), "{input}");
    // One more is gone: that is no refusal.
    target.sql("DELETE FROM plain WHERE id = 4");
    assert_eq!(found(1)["inputs"][0]["missing"], 1);
}

/// A load that is killed behind its first commits, and what it was.
const SALES: &str = "sales.csv";

/// Sales with a date, of which some have years of two digits, whose reading has changed, and without one.
fn sales(rows: u32, has_date: bool) -> String {
    let header = if has_date { "id,sold,price\n" } else { "id,price\n" };
    let row = |id: u32| match has_date {
        true => {
            let year = if id % 1_000 == 999 { "91" } else { "2024" };
            format!("{id},{}/{}/{year},{}\n", id % 12 + 1, id % 28 + 1, id * 3)
        }
        false => format!("{id},{}\n", id * 3),
    };
    header.to_owned() + &(1..=rows).map(row).collect::<String>()
}

const SMALL: [&str; 6] = ["--commit-rows", "200", "--chunk-rows", "100", "--writers", "1"];

#[test]
fn rows_of_two_versions_of_the_rules_are_never_mixed() {
    for target in Target::both() {
        let Target { place, to, .. } = &target;
        let dated = [&SMALL[..], &["--type-of", "sold=DATE"]].concat();
        std::fs::write(place.path(SALES), sales(20_000, true)).expect("writable");
        let mut child = started(place, to, SALES, &dated, 2);
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
        // Opened by the program first: what a kill has left of a commit is cut off.
        let (code, _, told) = ingest(place, to, &["missing.csv"], &[]);
        assert_eq!(code, 6, "{told}");
        let rows =
            || target.sql("SELECT count(*), max(_etl_row), min(_etl_run) FROM sales").remove(0);
        let ledger = || target.sql("SELECT run, status, rules FROM etl.inputs ORDER BY run");
        for (rules, whose) in [("0", "an older etl"), ("7", "a newer etl")] {
            target.sql(&format!("UPDATE etl.inputs SET rules = {rules}"));
            let before = (rows(), ledger());
            let (code, _, told) = ingest(place, to, &[SALES], &dated);
            assert_eq!(code, 6, "{to}: {told}");
            let version = format!("with {whose}, by version {rules} of the rules");
            for words in ["E502", "--fresh", "the program that has begun it", &version] {
                assert!(told.contains(words), "{to}: {words}: {told}");
            }
            let output = place.output(&["plan", SALES, "--to", to, "--type-of", "sold=DATE"]);
            let planned = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                planned.contains("would not be loaded") && planned.contains(whose),
                "{planned}"
            );
            assert_eq!((rows(), ledger()), before, "{to}: nothing is changed");
        }
        // A newer program has brought the ledger up to date since: the old one cannot read it any more.
        target.sql("UPDATE etl.inputs SET rules = 0");
        target.sql("UPDATE etl.ledger SET since = now()");
        let (code, _, told) = ingest(place, to, &[SALES], &dated);
        assert!(code == 6 && !told.contains("the program that has begun it"), "{to}: {told}");
        let (code, summary, told) =
            ingest(place, to, &[SALES], &["--fresh", "--type-of", "sold=DATE"]);
        assert_eq!(code, 3, "{told}");
        assert_eq!(summary["inputs"][0]["resumed_from"], serde_json::Value::Null);
        let inserted = summary["tally"]["inserted"].to_string();
        let run = summary["run"].as_str().expect("an id");
        assert_eq!(rows()[0], inserted, "{to}: the rows of the old run are gone");
        assert_eq!(rows()[2], run, "{to}: all are of the new one");
    }
}

#[test]
fn a_load_goes_on_where_no_change_of_the_rules_touches_its_columns() {
    for target in Target::both() {
        let Target { place, to, .. } = &target;
        std::fs::write(place.path(SALES), sales(20_000, false)).expect("writable");
        let mut child = started(place, to, SALES, &SMALL, 2);
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
        let (code, _, told) = ingest(place, to, &["missing.csv"], &[]);
        assert_eq!(code, 6, "{told}");
        target.sql("UPDATE etl.inputs SET rules = 1");
        let (code, summary, told) = ingest(place, to, &[SALES], &SMALL);
        assert_eq!(code, 0, "{to}: {told}");
        assert!(summary["inputs"][0]["resumed_from"].as_u64() > Some(1), "{summary}");
        let sums = target.sql("SELECT count(*), sum(id), sum(price) FROM sales");
        assert_eq!(sums, [["20000", "200010000", "600030000"]], "{to}");
        let verified = place.output(&["verify", "--to", to]);
        assert!(verified.status.success(), "{to}: {}", String::from_utf8_lossy(&verified.stderr));
    }
}

#[test]
fn a_load_that_has_committed_nothing_begins_anew_under_the_rules_of_today() {
    for target in Target::both() {
        let Target { place, to, .. } = &target;
        std::fs::write(place.path("plain.csv"), "id,size\n1,2\n2,3,x\n").expect("writable");
        let (code, _, told) = ingest(place, to, &["plain.csv"], &["--max-errors", "0"]);
        assert_eq!(code, 4, "{told}");
        target.sql("UPDATE etl.inputs SET rules = 0");
        let (code, summary, told) = ingest(place, to, &["plain.csv"], &[]);
        assert_eq!(code, 3, "{to}: {told}");
        assert_eq!(summary["tally"]["inserted"], 1, "{summary}");
        let done = target.sql("SELECT rules FROM etl.inputs WHERE status = 'done'");
        assert_eq!(done, [["2"]], "{to}");
    }
}

#[test]
fn what_is_loaded_stays_loaded_whatever_its_rules_were() {
    for target in Target::both() {
        target.loads("plain.csv", OLD, &[]);
        target.sql("UPDATE etl.inputs SET rules = 0");
        let path = target.place.path("plain.csv").display().to_string();
        let (code, summary, told) = ingest(&target.place, &target.to, &[&path], &[]);
        assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{told}");
        assert_eq!(target.sql("SELECT rules FROM etl.inputs"), [["0"]]);
    }
}

/// The same file again with `--fresh`: rows that older rules have read otherwise are updated, and it is said why.
#[test]
fn a_fresh_load_of_a_roll_says_that_rules_have_changed() {
    for target in Target::both() {
        let old = parcels("ROE BOB", "1234", "seventy");
        let today = parcels("ROE BOB", "1299", "77.0");
        target.loads_as("NAL16P202501.csv", "parcels", (&old, &today), &[]);
        let path = target.place.path("NAL16P202501.csv").display().to_string();
        let output = target.place.output(&arguments(&target.to, &[&path], &["--fresh"]));
        assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let tally = &summary["inputs"][0]["tally"];
        assert_eq!((&tally["updated"], &tally["inserted"]), (&1.into(), &1.into()), "{summary}");
        let told = summary["inputs"][0]["warnings"].to_string();
        assert!(told.contains("1 row of this content was loaded under older rules"), "{told}");
        assert!(told.contains("a year has four digits"), "{told}");
        // Once more: they are as the rules of today have them.
        let output = target.place.output(&arguments(&target.to, &[&path], &["--fresh"]));
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(!told.contains("older rules"), "{told}");
    }
}
