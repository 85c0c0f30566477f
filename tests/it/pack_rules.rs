//! Every rule of the pack finds what breaks it and passes what keeps it: `packs/florida/fixtures`.

use etl::config::{self, Call, Machine, Sources, env::Env};
use etl::flow::{Event, Observer, Stop};
use etl::pack::{Check, Kind, Pack, Rule, Scope};
use etl::run::{self, InputSummary, Request, RunError, TargetUrl};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    base: BTreeMap<String, String>,
    rules: BTreeMap<String, Fixture>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    breaks: Vec<String>,
    holds: Vec<String>,
    breaks_name: Option<String>,
    breaks_raw: Option<String>,
    #[serde(default)]
    breaks_without: Vec<String>,
    #[serde(default)]
    breaks_beside: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    holds_beside: BTreeMap<String, Vec<String>>,
    code: Option<String>,
}

struct Silent;

impl Observer for Silent {
    fn on(&self, _event: &Event<'_>) {}
}

/// The pack with the fixtures of each kind.
struct Bench {
    pack: Pack,
    fixtures: BTreeMap<String, Fixtures>,
}

impl Bench {
    fn open() -> Self {
        let pack = Pack::embedded("florida").expect("the pack is sound");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida/fixtures");
        let read = |kind: &Kind| {
            let path = folder.join(format!("{}.toml", kind.id));
            let text = std::fs::read_to_string(&path).expect("fixtures of each kind");
            let fixtures =
                toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (kind.id.clone(), fixtures)
        };
        let fixtures = pack.kinds.iter().map(read).collect();
        Self { pack, fixtures }
    }

    /// Where the fixture of a rule stands.
    fn fixture(&self, rule: &Rule) -> Option<(&str, &Fixture)> {
        let of = |(kind, all): (&String, &'_ Fixtures)| {
            all.rules.contains_key(&rule.id).then(|| kind.clone())
        };
        let kind = self.fixtures.iter().find_map(of)?;
        let (kind, all) = self.fixtures.get_key_value(&kind)?;
        Some((kind, &all.rules[&rule.id]))
    }

    /// Writes a file of a kind: rows as they differ from the sound one.
    fn write(
        &self,
        folder: &Path,
        kind: &str,
        name: Option<&str>,
        rows: &[String],
        other: Other<'_>,
    ) -> PathBuf {
        let kind = self.pack.kind(kind).expect("a kind of the pack");
        let base = &self.fixtures[&kind.id].base;
        let year = |text: &str| text.get(6..10).and_then(|year| year.parse::<u16>().ok());
        let usual = match kind.id.as_str() {
            id @ ("navn" | "navd") => format!("{}162501.TXT", id.to_uppercase()),
            id => format!("{}16P202501.csv", id.to_uppercase()),
        };
        let name = name.unwrap_or(&usual);
        let published =
            |from: Option<u16>| from.unwrap_or(0) <= year(name).unwrap_or(2025).max(2025);
        let columns: Vec<_> = kind
            .columns
            .iter()
            .filter(|column| published(column.years.0) && !other.without.contains(&column.name))
            .collect();
        let mut text = String::new();
        if !kind.headerless {
            let names: Vec<_> = columns.iter().map(|column| column.source.as_str()).collect();
            writeln!(text, "{}", names.join(",")).expect("memory takes all");
        }
        for (at, row) in expand(rows).iter().enumerate() {
            let changed = parsed(row);
            for name in changed.keys() {
                assert!(kind.column(name).is_some(), "{} has no column {name}", kind.id);
            }
            let cell = |name: &str| {
                let text =
                    changed.get(name).or_else(|| base.get(name)).cloned().unwrap_or_default();
                let text = text.replace("{n}", &format!("{:06}", at + 1));
                text.replace("{i}", &(at + 1).to_string())
            };
            let cells: Vec<_> = columns.iter().map(|column| cell(&column.name)).collect();
            writeln!(text, "{}", cells.join(",")).expect("memory takes all");
        }
        if let Some(raw) = other.raw {
            writeln!(text, "{raw}").expect("memory takes all");
        }
        let path = folder.join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path
    }
}

#[derive(Default, Clone, Copy)]
struct Other<'a> {
    raw: Option<&'a str>,
    without: &'a [String],
}

/// `row * 60` is sixty rows.
fn expand(rows: &[String]) -> Vec<String> {
    let times = |row: &String| match row.rsplit_once(" * ") {
        Some((row, times)) => vec![row.to_owned(); times.parse().expect("a number")],
        None => vec![row.clone()],
    };
    rows.iter().flat_map(times).collect()
}

fn parsed(row: &str) -> BTreeMap<String, String> {
    let parts = row.split('|').map(str::trim).filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or_else(|| panic!("{part}: column=value"));
        (name.to_owned(), value.to_owned())
    };
    parts.map(pair).collect()
}

fn request(inputs: &[PathBuf], folder: &Path) -> Request {
    let machine = Machine { memory: None, threads: 2 };
    let settings = config::load(&Sources::default(), &machine).expect("defaults").settings;
    let inputs = inputs.iter().map(|path| path.display().to_string()).collect();
    let call = Call { inputs, version: "test".into(), ..Call::default() };
    let mut request = settings.request(call, &Env::new()).expect("complete");
    request.target = TargetUrl::Duckdb(folder.join("t.duckdb"));
    request.errors.max_rate = None;
    request
}

/// How often a rule was told.
fn told(result: &Result<run::Summary, RunError>, rule: &str, code: Option<&str>) -> u64 {
    let summary = match result {
        Ok(summary) => summary,
        Err(error) if error.rule.as_deref() == Some(rule) => return 1,
        Err(error) => panic!("{rule}: {error}"),
    };
    let of_input = |input: &InputSummary| -> u64 {
        let mine = input.problems.iter().filter(|problem| match code {
            Some(code) => problem.code == code,
            None => problem.rule == rule,
        });
        let named = input.warnings.iter().filter(|text| text.contains(&format!("(rule {rule})")));
        mine.map(|problem| problem.count).sum::<u64>() + named.count() as u64
    };
    summary.inputs.iter().map(of_input).sum()
}

/// Checks one file, or loads it with those beside it.
fn run_files(
    bench: &Bench,
    kind: &str,
    rows: &[String],
    name: Option<&str>,
    other: Other<'_>,
    beside: &BTreeMap<String, Vec<String>>,
    cross: bool,
) -> Result<run::Summary, RunError> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = vec![bench.write(folder.path(), kind, name, rows, other)];
    for (kind, rows) in beside {
        files.push(bench.write(folder.path(), kind, None, rows, Other::default()));
    }
    let request = request(&files, folder.path());
    let stop = Stop::default();
    if cross { run::ingest(&request, &Silent, &stop) } else { run::check(&request, &Silent, &stop) }
}

#[test]
fn every_rule_finds_what_breaks_it_and_nothing_else() {
    let bench = Bench::open();
    let mut wrong = Vec::new();
    for rule in &bench.pack.rules {
        if let Check::Later(reason) = &rule.check {
            assert!(!reason.is_empty());
            continue;
        }
        let Some((kind, fixture)) = bench.fixture(rule) else {
            wrong.push(format!("{}: no fixture in packs/florida/fixtures", rule.id));
            continue;
        };
        let cross = rule.scope == Scope::Cross;
        let code = fixture.code.as_deref();
        let other = Other { raw: fixture.breaks_raw.as_deref(), without: &fixture.breaks_without };
        let name = fixture.breaks_name.as_deref();
        let run =
            |rows, name, other, beside| run_files(&bench, kind, rows, name, other, beside, cross);
        let broken =
            told(&run(&fixture.breaks, name, other, &fixture.breaks_beside), &rule.id, code);
        // A row rule is told once for each of its rows; other rules once at least.
        let exact = rule.scope == Scope::Row && code.is_none();
        if broken == 0 || (exact && broken != fixture.breaks.len() as u64) {
            wrong.push(format!("{}: told {broken} times of {}", rule.id, fixture.breaks.len()));
        }
        let held = told(
            &run(&fixture.holds, None, Other::default(), &fixture.holds_beside),
            &rule.id,
            code,
        );
        if held > 0 {
            wrong.push(format!("{}: told {held} times of rows that keep it", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A fixture of a rule that is gone, or a row that is not sound, would prove nothing.
#[test]
fn fixtures_are_of_rules_and_their_sound_rows_are_sound() {
    let bench = Bench::open();
    for (kind, fixtures) in &bench.fixtures {
        for id in fixtures.rules.keys() {
            let rule = bench.pack.rules.iter().find(|rule| rule.id == *id);
            assert!(rule.is_some(), "{kind}: {id} is no rule");
        }
        let none = BTreeMap::new();
        let result =
            run_files(&bench, kind, &[String::new()], None, Other::default(), &none, false);
        let summary = result.expect("a sound row");
        assert_eq!(summary.tally.rejected, 0, "{kind}: {:#?}", summary.inputs[0].problems);
        assert!(summary.inputs[0].problems.is_empty(), "{kind}: {:#?}", summary.inputs[0].problems);
    }
}
