//! What an old build has loaded, half-loaded and refused is the new build's to go on with: the same commands
//! change no row, resume, replay and verify.
//!
//! The fixtures are written by `scripts/upgrade-fixtures.sh`. Everything here is about behaviour; what the
//! ledger looks like inside is no matter.

use super::loaded::failed;
use super::upgrade_place::{BOTH, Given, Kind, Old, commands, restored};
use serde_json::Value;
use std::collections::BTreeMap;

/// Columns that differ between two loads of the same file.
const OF_THE_RUN: [&str; 2] = ["_etl_run", "_etl_loaded_at"];

/// Compares all tables, and names the first row that differs.
fn same_tables(
    before: &BTreeMap<String, Vec<String>>,
    after: &BTreeMap<String, Vec<String>>,
    what: &str,
) {
    let names = |tables: &BTreeMap<String, Vec<String>>| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(before), names(after), "{what}: tables");
    for (name, rows) in before {
        same_rows(rows, &after[name], &format!("{what}: {name}"));
    }
}

fn same_rows(before: &[String], after: &[String], what: &str) {
    for (old, new) in before.iter().zip(after) {
        assert_eq!(old, new, "{what}");
    }
    assert_eq!(before.len(), after.len(), "{what}: rows, with the line of the columns");
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_same_commands_change_no_row() {
    for old in restored("loaded") {
        let before = old.tables();
        let runs = old.runs();
        for given in commands("loaded", old.kind).iter().filter(|given| given.again == "same") {
            let (code, summary, told) = old.again(given);
            let what = format!("{:?}: {}", old.kind, given.words.join(" "));
            assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{what}: {told}");
            assert_eq!(old.runs(), runs, "{what}: it has begun a run");
        }
        same_tables(&before, &old.tables(), &format!("{:?}", old.kind));
    }
}

/// What `runs show` says of a run, without times, sizes and what only the end of a run knows.
fn essence(shown: &Value) -> Value {
    let mut inputs = shown["inputs"].as_array().cloned().unwrap_or_default();
    // The mode of an input that is unfinished was guessed by old builds.
    let known = shown["status"] == "done";
    for input in &mut inputs {
        let mode = known.then(|| input["mode"].clone());
        *input = serde_json::json!({
            "input": input["input"], "fingerprint": input["fingerprint"], "kind": input["kind"],
            "release": input["release"], "table": input["table"], "tally": input["tally"],
            "problems": input["problems"], "failed_file": input["failed_file"], "mode": mode,
        });
    }
    serde_json::json!({
        "run": shown["run"], "status": shown["status"], "tally": shown["tally"], "inputs": inputs
    })
}

#[test]
fn old_runs_are_told_as_they_were() {
    for list in ["loaded", "half", "replay"] {
        for old in restored(list) {
            // First as the old build has left it, then behind a load of the new one.
            told_as_they_were(&old, list);
            let (code, summary, told) =
                old.does(&["ingest", "money_2026.csv", "--table", "newest"]);
            assert_eq!((code, &summary["status"]), (0, &"done".into()), "{told}");
            // A load closes a replay that was stopped.
            if list != "replay" {
                told_as_they_were(&old, list);
            }
        }
    }
}

fn told_as_they_were(old: &Old, list: &str) {
    let output = old.etl(&["runs", "list", "--format", "json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let listed = listed.as_array().expect("a list");
    let given: Vec<_> = commands(list, old.kind).into_iter().filter(Given::is_run).collect();
    let shown = old.shown();
    assert_eq!(given.len(), shown.len(), "{list}: each command has begun one run");
    for (given, before) in given.iter().zip(&shown) {
        let what = format!("{list}, {:?}: {}", old.kind, given.words.join(" "));
        let run = before["run"].as_str().expect("an id");
        let row = listed.iter().find(|row| row["run"] == run).unwrap_or_else(|| panic!("{what}"));
        let status = match given.exit.split(':').next() {
            Some("0" | "3") => "done",
            Some("4") => "over budget",
            Some("int") => "interrupted",
            Some("kill") => "running",
            _ => "failed",
        };
        assert_eq!(row["status"], status, "{what}");
        assert_eq!(row["command"], given.words[0].as_str(), "{what}");
        let output = old.etl(&["runs", "show", run, "--format", "json"]);
        let now: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(essence(&now), essence(before), "{what}");
    }
}

#[test]
fn questions_need_no_upgrade() {
    for old in restored("loaded") {
        let run = old.etl(&["runs", "list", "--format", "json"]);
        let runs: Value = serde_json::from_slice(&run.stdout).expect("JSON");
        let sales = runs.as_array().expect("a list").last().expect("a run")["run"].clone();
        let sales = sales.as_str().expect("an id");
        for words in [
            vec!["runs", "counts"],
            vec!["sql", "SELECT count(*) FROM sales"],
            vec!["failures", "list"],
            vec!["failures", "show", sales],
            vec!["report", sales, "--out", "report.html"],
            vec!["doctor"],
            vec!["plan", "SDF16F202502.csv"],
        ] {
            let output = old.etl(&words);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{:?}, {words:?}: {told}", old.kind);
        }
    }
}

/// Flags and inputs of a command, for `verify`.
fn verify_words(given: &Given, run: &str) -> Vec<String> {
    let mut words = given.words.clone();
    words.splice(0..1, ["verify".to_owned(), run.to_owned()]);
    if let Some(file) = &given.stdin {
        words.iter_mut().filter(|word| *word == "-").for_each(|word| word.clone_from(file));
    }
    words
}

#[test]
fn what_was_loaded_is_verified() {
    for old in restored("loaded") {
        verified(&old, "loaded", Given::is_done);
    }
}

#[test]
fn what_was_loaded_under_older_rules_is_verified_cell_by_cell() {
    for old in restored("loaded") {
        // A load brings the ledger up to date; 0 is older than any version.
        let (code, _, told) = old.does(&["ingest", "money_2026.csv", "--table", "newest"]);
        assert_eq!(code, 0, "{told}");
        old.ask("UPDATE etl.inputs SET rules = 0");
        verified(&old, "loaded", Given::is_done);
    }
}

/// Verifies the runs of a list, each with the files and flags of its command.
fn verified(old: &Old, list: &str, which: impl Fn(&Given) -> bool) {
    let given = commands(list, old.kind).into_iter().filter(Given::is_run);
    for (given, run) in given.zip(old.runs()) {
        if !which(&given) || given.words[0] != "ingest" {
            continue;
        }
        let again = Given { words: verify_words(&given, &run), stdin: None, ..given };
        let (code, verified, told) = old.again(&again);
        let what = format!("{:?}: {}", old.kind, again.words.join(" "));
        assert_eq!((code, &verified["holds"]), (0, &true.into()), "{what}: {verified} {told}");
    }
}

#[test]
fn what_was_changed_since_is_found() {
    let changes = [
        ("sales_told", "told.csv", "UPDATE sales_told SET sale_prc = 1 WHERE _etl_row = 5"),
        ("permits", "permits.csv", "UPDATE permits SET cost = 1 WHERE _etl_row = 2"),
        ("staff", "offices.xlsx --sheet Staff", "DELETE FROM staff WHERE _etl_row = 2"),
    ];
    for old in restored("loaded") {
        let given: Vec<_> =
            commands("loaded", old.kind).into_iter().filter(Given::is_run).collect();
        for (table, file, sql) in changes {
            old.ask(sql);
            let wanted = format!("ingest {file}");
            let place = given.iter().position(|given| {
                let words = given.words.join(" ");
                words.starts_with(&wanted) && (table == "permits" || words.contains(table))
            });
            let place = place.expect("a command of the list");
            let again = Given {
                words: verify_words(&given[place], &old.runs()[place]),
                ..given[place].clone()
            };
            let (code, verified, told) = old.again(&again);
            assert_eq!(code, 1, "{:?}, {table}: {verified} {told}", old.kind);
        }
    }
}

/// Runs a list from its beginning on an empty target, as if nothing had been killed. Summaries by command.
fn undisturbed(list: &str, kind: Kind) -> (Old, BTreeMap<String, Value>) {
    let new = Old::empty(kind);
    let mut summaries = BTreeMap::new();
    for given in commands(list, kind) {
        match given.exit.as_str() {
            "sql" => drop(new.ask(&given.words.join(" "))),
            "sheet" => correct(&new, &given.words[0], &given.words[1]),
            _ => {
                let (code, summary, told) = new.again(&given);
                assert!(matches!(code, 0 | 3), "{:?}: exit {code}: {told}", given.words);
                summaries.insert(given.words.join(" "), summary);
            }
        }
    }
    (new, summaries)
}

/// A corrected sheet of the refused rows of an input.
fn correct(old: &Old, stem: &str, sheet: &str) {
    let file = old.failed_file(stem, 0);
    let output = old.etl(&["failures", "export", &file, "--format", "csv", "--out", sheet]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    rewrite(old, sheet, ",much,", ",95000,");
}

fn rewrite(old: &Old, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(old.place.path(file)).expect("readable");
    assert!(text.contains(from), "{file} has no {from}");
    std::fs::write(old.place.path(file), text.replace(from, to)).expect("writable");
}

fn without_runs(old: &Old) -> BTreeMap<String, Vec<String>> {
    old.names().into_iter().map(|name| (name.clone(), old.table(&name, &OF_THE_RUN))).collect()
}

#[test]
fn a_half_done_load_ends_as_if_undisturbed() {
    for kind in BOTH {
        let (whole, summaries) = undisturbed("half", kind);
        let old = Old::restore("half", kind);
        let mut resumed = 0;
        for given in commands("half", kind).iter().filter(|given| given.again == "goes-on") {
            let what = format!("{kind:?}: {}", given.words.join(" "));
            let (code, summary, told) = old.again(given);
            assert!(matches!(code, 0 | 3), "{what}: exit {code}: {told}");
            let expected = &summaries[&given.words.join(" ")];
            assert_eq!(summary["tally"], expected["tally"], "{what}");
            for (input, expected) in summary["inputs"]
                .as_array()
                .into_iter()
                .flatten()
                .zip(expected["inputs"].as_array().expect("a list"))
            {
                assert_eq!(input["problems"], expected["problems"], "{what}");
                resumed += usize::from(input["resumed_from"].as_u64() > Some(1));
            }
        }
        assert!(resumed > 4, "{kind:?}: {resumed} inputs went on behind their first row");
        same_tables(&without_runs(&whole), &without_runs(&old), &format!("{kind:?}"));
        assert_eq!(failed(&old.place), failed(&whole.place), "{kind:?}: refused rows");
        for given in commands("half", kind).iter().filter(|given| given.again != "-") {
            let (code, summary, told) = old.again(given);
            assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{told}");
        }
        verified(&old, "half", |given| given.again == "goes-on");
        if kind == Kind::Postgres {
            let index = "SELECT count(*) FROM pg_indexes WHERE indexname = 'dials_station'";
            assert_eq!(old.one(index), "1", "an index that was set aside is made again");
        }
    }
}

#[test]
fn a_half_done_load_may_begin_anew() {
    for old in restored("half") {
        for (file, table, rows) in
            [("SDF18P202501.csv", "sales", 1_468), ("readings.csv", "readings", 1_499)]
        {
            let (code, summary, told) = old.does(&["ingest", file, "--fresh"]);
            assert_eq!(code, 3, "{told}");
            assert_eq!(summary["inputs"][0]["resumed_from"], Value::Null);
            let counted = old.one(&format!("SELECT count(*) FROM {table}"));
            assert_eq!(counted, rows.to_string(), "{:?}: {summary}", old.kind);
        }
    }
}

#[test]
fn a_stopped_replay_goes_on() {
    for kind in BOTH {
        let (whole, _) = undisturbed("replay", kind);
        for closed_by_another in [false, true] {
            let old = Old::restore("replay", kind);
            if closed_by_another {
                let (code, _, told) = old.does(&["ingest", "money.csv", "--table", "another"]);
                assert_eq!(code, 0, "{told}");
                let open = old.one("SELECT count(*) FROM etl.inputs WHERE status = 'running'");
                assert_eq!(open, "0", "the stopped replay is closed");
            }
            let replay = ["reprocess-failures", "corrected_74.csv"];
            let (code, _, told) = old.does(&replay);
            assert!(matches!(code, 0 | 3), "{kind:?}: exit {code}: {told}");
            let name = whole.names().remove(0);
            let rows = whole.table(&name, &OF_THE_RUN);
            same_rows(&rows, &old.table(&name, &OF_THE_RUN), &format!("{kind:?}"));
            assert_eq!(failed(&old.place), failed(&whole.place), "{kind:?}: refused rows");
            let left = "SELECT count(*) FROM etl.failed_rows";
            assert_eq!(old.one(left), whole.one(left), "{kind:?}: etl.failed_rows");
            let (code, summary, told) = old.does(&replay);
            assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{told}");
        }
    }
}

#[test]
fn refused_rows_of_the_old_build_are_replayed() {
    let masks =
        ["--mask", "own_name:hash", "--mask", "own_addr1:null", "--mask-key", "env:MASK_KEY"];
    for old in restored("loaded") {
        let told = old.failed_file("told", 0);
        let permits = old.failed_file("permits", 0);
        rewrite(&old, &told, "\"much\"]", "\"95000\"]");
        rewrite(&old, &permits, "one field too many,x", "in order");
        let told_flags = ["--type", "sdf"];
        // Words, flags, table, question, the answer when the rows are there.
        let replays: [(&str, &[&str], &str, &str); 4] = [
            (&told, &told_flags, "SELECT count(*) FROM sales_told WHERE sale_prc = 95000", "2"),
            (&permits, &[], "SELECT note FROM permits WHERE no = 5", "in order"),
            (
                "corrected_23.xlsx",
                &masks,
                "SELECT count(*) FROM parcels WHERE jv = 95000 AND substr(own_name, 1, 1) = '#' \
                 AND own_addr1 IS NULL AND co_no = 23",
                "2",
            ),
            ("corrected_16.csv", &[], "SELECT count(*) FROM sales WHERE co_no = 16", "70"),
        ];
        for (file, flags, question, answer) in replays {
            let what = format!("{:?}: {file}", old.kind);
            let words = [&["reprocess-failures", file], flags].concat();
            let (code, summary, told) = old.does(&words);
            assert!(matches!(code, 0 | 3), "{what}: {told}");
            assert!(number(&summary["tally"]["read"]) > 0, "{what}: {summary}");
            assert_eq!(old.one(question), answer, "{what}: {summary}");
            let before = old.tables();
            let (code, summary, told) = old.does(&words);
            assert_eq!((code, &summary["status"]), (0, &"already_loaded".into()), "{what}: {told}");
            same_tables(&before, &old.tables(), &what);
        }
    }
}

#[test]
fn the_next_release_meets_the_rows_of_the_old_build() {
    for old in restored("loaded") {
        let (code, summary, told) = old.does(&["ingest", "SDF16F202502.csv"]);
        assert_eq!(code, 0, "{told}");
        assert_eq!(number(&summary["tally"]["updated"]), 69, "{summary}");
        let sales = "SELECT count(*), count(DISTINCT _etl_release), min(sale_prc), max(sale_prc) FROM sales \
                     WHERE co_no = 16";
        assert_eq!(old.one(sales), "70|2|150900|306900", "{:?}", old.kind);
        let (code, summary, told) = old.does(&["ingest", "NAL23F202501.csv", "--mode", "replace"]);
        assert_eq!(code, 0, "{told}");
        assert_eq!(number(&summary["tally"]["inserted"]), 22, "{summary}");
        let parcels = "SELECT string_agg(co_no || ' ' || n, ', ' ORDER BY co_no) FROM (SELECT co_no, \
                       count(*) AS n FROM parcels GROUP BY co_no) AS t";
        assert_eq!(old.one(parcels), "16 25, 23 22", "{:?}", old.kind);
        // The preliminary roll that was replaced ranks below what stands there: it changes nothing.
        let before = old.tables();
        let (code, summary, told) = old.does(&["ingest", "NAL16P202501.csv"]);
        assert_eq!(code, 3, "{told}");
        assert_eq!(number(&summary["tally"]["superseded"]), 23, "{summary}");
        assert_eq!(number(&summary["tally"]["inserted"]), 5, "{summary}");
        let kept = |rows: &[String]| -> Vec<String> {
            rows.iter().filter(|row| row.contains("2025F")).cloned().collect()
        };
        let name = before.keys().find(|name| name.ends_with(".parcels")).expect("a table").clone();
        same_rows(&kept(&before[&name]), &kept(&old.tables()[&name]), "rows of the final roll");
    }
}

#[test]
fn plain_tables_of_the_old_build_take_more_rows() {
    let loads: [(&[&str], &str, &str); 5] = [
        (
            &["ingest", "permits_2026.csv", "--table", "permits"],
            "SELECT no, cost, share = 1e-9, open, note FROM permits WHERE no = 9",
            "9|12.25|t|t|added by the new build",
        ),
        (
            &["ingest", "money_2026.csv", "--table", "money"],
            "SELECT string_agg(CAST(sale AS VARCHAR), ' ' ORDER BY sale) FROM money",
            "10 20 30",
        ),
        (
            &["ingest", "dotted_2026.csv", "--table", "county.permits"],
            "SELECT string_agg(CAST(size AS VARCHAR), ' ' ORDER BY size) FROM \"county.permits\"",
            "2 4 6",
        ),
        (
            &["ingest", "inspections_2026.csv", "--table", "inspections", "--mode", "replace"],
            "SELECT string_agg(grade, ' ' ORDER BY grade) FROM inspections",
            "E",
        ),
        (&["ingest", "meters.csv", "--max-errors", "5"], "SELECT count(*) FROM meters", "38"),
    ];
    for old in restored("loaded") {
        for (words, question, answer) in loads {
            let (code, summary, told) = old.does(words);
            assert!(matches!(code, 0 | 3), "{:?}, {words:?}: {told}", old.kind);
            let answered = old.one(question).replace("true", "t");
            assert_eq!(answered, answer, "{:?}, {words:?}: {summary}", old.kind);
        }
        let long =
            "SELECT count(*) FROM a_very_long_name_of_a_file_that_a_server_cuts_behind_its_63rd_b";
        std::fs::write(
            old.place.path(
                "a_very_long_name_of_a_file_that_a_server_cuts_behind_its_63rd_byte_2024.csv",
            ),
            "id,part\n3,c\n",
        )
        .expect("writable");
        let file = "a_very_long_name_of_a_file_that_a_server_cuts_behind_its_63rd_byte_2024.csv";
        let (code, summary, told) = old.does(&["ingest", file]);
        assert_eq!(code, 0, "{told}");
        assert_eq!(old.one(long), "3", "{summary}");
    }
}
