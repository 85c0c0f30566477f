//! Every rule of the pack finds what breaks it and passes what keeps it: `packs/florida/fixtures`.

use etl::chunk::{ColumnKind, Mark, ReadColumn, ReadSchema, Role};
use etl::config::{self, Call, Machine, Sources, env::Env};
use etl::flow::{Event, Observer, Stop};
use etl::pack::{Check, ColumnType, Kind, Pack, Rule, Scope};
use etl::run::{self, InputSummary, Request, RunError, TargetUrl};
use etl::source::{Listing, SourceOptions, readable, resolve};
use etl::stage::{Engine, Expression, Projection, substitute};
use polars::prelude::DataFrame;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    breaks_with: Vec<String>,
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
            .filter(|column| published(column.years.0) || other.with.contains(&column.name))
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
    with: &'a [String],
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
    let machine = Machine { memory: None, threads: 1 };
    let settings = config::load(&Sources::default(), &machine).expect("defaults").settings;
    let inputs = inputs.iter().map(|path| path.display().to_string()).collect();
    let call = Call { inputs, version: "test".into(), ..Call::default() };
    let mut request = settings.request(call, &Env::new()).expect("complete");
    request.target = TargetUrl::Duckdb(folder.join("t.duckdb").into());
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

/// A rule about rows whose fixture says nothing but rows: all of them are asked at once.
fn is_plain(rule: &Rule, fixture: &Fixture) -> bool {
    let special = fixture.code.is_some() || fixture.breaks_name.is_some();
    rule.scope == Scope::Row && !special && fixture.breaks_beside.is_empty()
}

#[test]
fn every_rule_has_a_fixture() {
    let bench = Bench::open();
    let checked = bench.pack.rules.iter().filter(|rule| !matches!(rule.check, Check::Later(_)));
    let without: Vec<_> =
        checked.filter(|rule| bench.fixture(rule).is_none()).map(|rule| &rule.id).collect();
    assert!(without.is_empty(), "no fixture in packs/florida/fixtures: {without:?}");
}

/// Files, names and other files: each rule in a run of its own.
#[test]
fn rules_about_files_find_what_breaks_them_and_nothing_else() {
    let bench = Bench::open();
    let mut wrong = Vec::new();
    for rule in &bench.pack.rules {
        let Some((kind, fixture)) = bench.fixture(rule) else { continue };
        if is_plain(rule, fixture) {
            continue;
        }
        let cross = rule.scope == Scope::Cross;
        let code = fixture.code.as_deref();
        let other = Other { raw: fixture.breaks_raw.as_deref(), with: &fixture.breaks_with };
        let name = fixture.breaks_name.as_deref();
        let run =
            |rows, name, other, beside| run_files(&bench, kind, rows, name, other, beside, cross);
        let broken = run(&fixture.breaks, name, other, &fixture.breaks_beside);
        if told(&broken, &rule.id, code) == 0 {
            wrong.push(format!("{}: not told", rule.id));
        }
        let held = run(&fixture.holds, None, Other::default(), &fixture.holds_beside);
        let held = told(&held, &rule.id, code);
        if held > 0 {
            wrong.push(format!("{}: told {held} times of rows that keep it", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each row by each rule of its kind, as the reader types it; and all rows that break a rule in one
/// file, as a check tells of them.
#[test]
fn rules_about_rows_find_what_breaks_them_and_nothing_else() {
    let bench = Bench::open();
    let tables: Vec<_> = bench
        .pack
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.header.as_slice(), table.rows.as_slice()))
        .collect();
    let engine = Engine::new(&tables, 256 << 20);
    let mut wrong = Vec::new();
    for kind in &bench.pack.kinds {
        let plain: Vec<(&Rule, &Fixture)> = bench
            .pack
            .rules_for(&kind.id)
            .filter_map(|rule| Some((rule, bench.fixture(rule)?)))
            .filter(|(rule, (place, fixture))| *place == kind.id && is_plain(rule, fixture))
            .map(|(rule, (_, fixture))| (rule, fixture))
            .collect();
        let rows: Vec<String> = plain
            .iter()
            .flat_map(|(_, fixture)| fixture.breaks.iter().chain(&fixture.holds).cloned())
            .collect();
        let frame = bench.typed(kind, &rows);
        let expressions: Vec<_> = plain.iter().map(|(rule, _)| bench.expression(rule)).collect();
        let mut session = engine.session();
        let projection = Projection::new("test", &expressions, &[], &[]).independent();
        let verdicts = projection.run(&mut session, &frame).expect("rules are sound");
        let mut at = 0;
        for ((rule, fixture), verdict) in plain.iter().zip(&verdicts) {
            let verdict = verdict.bool().expect("a rule is true or false");
            for (row, breaks) in fixture
                .breaks
                .iter()
                .map(|row| (row, true))
                .chain(fixture.holds.iter().map(|row| (row, false)))
            {
                if (verdict.get(at) == Some(false)) != breaks {
                    let what = if breaks { "passes" } else { "refuses" };
                    wrong.push(format!("{} {what} \"{row}\"", rule.id));
                }
                at += 1;
            }
        }
        let breaks: Vec<String> =
            plain.iter().flat_map(|(_, fixture)| fixture.breaks.iter().cloned()).collect();
        let none = BTreeMap::new();
        let checked = run_files(&bench, &kind.id, &breaks, None, Other::default(), &none, false);
        for (rule, _) in &plain {
            if told(&checked, &rule.id, None) == 0 {
                wrong.push(format!("{}: a check does not tell of it", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Bench {
    /// A rule with the parameters of the usual file.
    fn expression(&self, rule: &Rule) -> Expression {
        let Check::Row { ok, .. } = &rule.check else { panic!("{} is about rows", rule.id) };
        let parameters = BTreeMap::from([
            ("release", "'P'".to_owned()),
            ("roll_year", "2025".to_owned()),
            ("county", "16".to_owned()),
            ("submission", "1".to_owned()),
        ]);
        let sql = substitute(&self.pack.of_year(ok, Some(2025)), &parameters);
        Expression { name: rule.id.clone(), ty: Some("BOOLEAN".into()), sql }
    }

    /// Rows as the reader of a file types them; columns that the year does not have are blank.
    fn typed(&self, kind: &Kind, rows: &[String]) -> DataFrame {
        let folder = tempfile::tempdir().expect("a folder");
        let all: Vec<String> = kind.columns.iter().map(|column| column.name.clone()).collect();
        let other = Other { raw: None, with: &all };
        let path = self.write(folder.path(), &kind.id, None, rows, other);
        let headers = kind.columns.iter().map(|column| column.source.clone()).collect();
        let headers = kind.headerless.then_some(headers);
        let options = SourceOptions { headers, ..SourceOptions::default() };
        let (files, _) =
            readable(resolve(&[path.display().to_string()], &Listing::default())).expect("a file");
        let table = files[0].format.survey(&files[0].content, &options).expect("a table").remove(0);
        let column = |(field, column): (usize, &etl::pack::Column)| ReadColumn {
            kind: match column.ty {
                ColumnType::Integer => ColumnKind::Int,
                ColumnType::Money => ColumnKind::BigInt,
                ColumnType::Real => ColumnKind::Double,
                ColumnType::Date => ColumnKind::Date,
                _ => ColumnKind::Text,
            },
            width: column.width,
            role: if column.width.is_some() { Role::Code } else { Role::Plain },
            clean: true,
            ..ReadColumn::text(column.name.clone(), column.source.clone(), field)
        };
        let schema = ReadSchema {
            columns: kind.columns.iter().enumerate().map(column).collect(),
            extra: Vec::new(),
            headers: table.headers().to_vec(),
        };
        let mut source = table.open(Arc::new(schema), Mark::default()).expect("a source");
        let block = source.next_block(10_000, 8 << 20).expect("a block").expect("rows");
        let decoded = block.body.decode().expect("a sound file");
        assert_eq!(decoded.frame.height(), expand(rows).len(), "{}", kind.id);
        decoded.frame
    }
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

/// The list of rules that people read is the one that is checked.
#[test]
fn the_list_of_rules_is_up_to_date() {
    let bench = Bench::open();
    let mut text = String::from(
        "# The rules of this pack\n\nMade from `rules.toml`, which has their expressions, messages and \
         hints. `critical` refuses a row or a file,\n`warning` and `info` count; in brackets the level \
         of the source, where this pack chose another.\n\n| rule | level | looks at | files | demands | \
         basis |\n|---|---|---|---|---|---|\n",
    );
    for rule in &bench.pack.rules {
        let level = |level: etl::pack::Level| format!("{level:?}").to_lowercase();
        let source = rule.level_in_source.map_or_else(String::new, |l| format!(" ({})", level(l)));
        let looks = match (&rule.check, rule.scope) {
            (Check::Later(reason), _) => format!("**not checked**: {reason}"),
            (_, Scope::Cross) => "other files".into(),
            (_, scope) => format!("{scope:?}").to_lowercase(),
        };
        writeln!(
            text,
            "| {} | {}{source} | {looks} | {} | {} | {} |",
            rule.id,
            level(rule.level),
            rule.kinds.join(", "),
            rule.title.replace('|', "\\|"),
            rule.basis.replace('|', "\\|"),
        )
        .expect("memory takes all");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/florida/RULES.md");
    let known = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    if known != text {
        std::fs::write(path.with_extension("md.new"), &text).expect("the folder is writable");
        panic!("packs/florida/RULES.md is not up to date: look at RULES.md.new and rename it");
    }
}
