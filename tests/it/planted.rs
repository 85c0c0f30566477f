//! Rolls with planted damage: the report, as JSON and as a page, finds every kind of it where it was
//! planted, says what it is and what to do, and nothing that is sound is refused or doubted. What finds
//! what stands in `benches/planted.md`, which this test keeps true.

use super::support::{Place, roll};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Names that damage is counted under where the truth names none.
const NAMES: [(&str, &str); 3] = [
    ("fraction-money", "fraction"),
    ("id-enotation", "short_form"),
    ("id-lost-zeros", "lost_zeros"),
];

/// A damaged row.
struct Planted {
    row: u64,
    kind: String,
    column: String,
    written: String,
    right: String,
    end: String,
    code: String,
    rule: String,
}

fn truth(path: &Path) -> Vec<Planted> {
    let mut reader = csv::Reader::from_path(path).expect("the truth lies beside the roll");
    let headers = reader.headers().expect("a header").clone();
    let one = |record: csv::StringRecord| {
        let cell = |name: &str| {
            let at = headers.iter().position(|header| header == name).expect("a column");
            record[at].to_owned()
        };
        let kind = cell("kind");
        let named = NAMES.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name);
        Planted {
            row: cell("row").parse().expect("a number"),
            column: if matches!(cell("code").as_str(), "E202" | "E302") {
                String::new()
            } else {
                cell("column")
            },
            written: cell("written"),
            right: cell("right"),
            end: cell("end"),
            code: cell("code"),
            rule: named.map_or_else(|| cell("rule"), str::to_owned),
            kind,
        }
    };
    reader.records().map(|record| one(record.expect("a record"))).collect()
}

fn report(place: &Place, file: &str) -> Value {
    let output = place.output(&["report", file, "--json", "--progress", "none"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn page(place: &Place, file: &str) -> String {
    let output = place.output(&["report", file, "--out", "page.html", "--progress", "none"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(place.path("page.html")).expect("a page")
}

/// What was found and what was changed.
fn all(report: &Value) -> Vec<Value> {
    let of = |name: &str| report[name].as_array().expect("a list").clone();
    [of("findings"), of("changes")].concat()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The level that damage with this end is told with, in the JSON and on the page.
fn level(end: &str) -> (&'static str, &'static str) {
    match end {
        "rejected" => ("critical", "refused"),
        "duplicate" | "warning" => ("warning", "warning"),
        _ => ("info", "changed"),
    }
}

/// Text as a page has it.
fn on_page(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// The line of the page about a finding has all that the JSON says of it.
fn is_on_page(page: &str, finding: &Value, word: &str) {
    let code = |name: &str| format!("<code>{}</code>", on_page(name));
    let names = ["rule", "column"].map(|name| text(finding, name));
    let names: Vec<_> =
        names.iter().filter(|name| !name.is_empty()).map(|name| code(name)).collect();
    let mark = match word {
        // Changes stand under a heading of their kind.
        "changed" => format!("<tr><td>{}</td>", code(text(finding, "column"))),
        word => format!(
            "</span> {word}</span></td><td>{} {}</td>",
            text(finding, "code"),
            names.join(" ")
        ),
    };
    let at = page.find(&mark).unwrap_or_else(|| panic!("{mark} is not on the page"));
    let line = page[at..].split("</tr>").next().expect("a line ends");
    for name in ["message", "hint"] {
        assert!(line.contains(&on_page(text(finding, name))), "{mark}: no {name}");
    }
    assert!(line.contains(&format!(">{}<", finding["count"])), "{mark}: no number");
    let row = finding["examples"][0][1]["place"]["row"].to_string();
    assert!(
        line.replace(',', "").contains(&format!("row {row}")),
        "{mark}: row {row} is not shown"
    );
}

/// What was planted, by (code, rule, column) under which it must be told.
fn by_finding(planted: &[Planted]) -> BTreeMap<(&str, &str, &str), Vec<&Planted>> {
    let mut all: BTreeMap<_, Vec<&Planted>> = BTreeMap::new();
    for one in planted.iter().filter(|one| one.code != "E201") {
        all.entry((one.code.as_str(), one.rule.as_str(), one.column.as_str()))
            .or_default()
            .push(one);
    }
    all
}

/// One finding speaks of these rows and no others.
fn explains(finding: &Value, planted: &[&Planted]) {
    assert_eq!(finding["severity"], level(&planted[0].end).0, "{finding}");
    assert_eq!(finding["count"], planted.len(), "{finding}");
    assert!(!text(finding, "message").is_empty() && !text(finding, "hint").is_empty(), "{finding}");
    let examples = finding["examples"].as_array().expect("examples");
    assert_eq!(examples.len(), planted.len().min(3), "{finding}");
    for (_, example) in examples.iter().filter_map(|pair| Some((pair.get(0)?, pair.get(1)?))) {
        let row = example["place"]["row"].as_u64();
        let there = planted.iter().find(|one| Some(one.row) == row);
        let one = there.unwrap_or_else(|| panic!("nothing was planted in {example}: {finding}"));
        if !matches!(one.code.as_str(), "E202" | "E302") {
            assert_eq!(example["value"], one.written.as_str(), "{finding}");
        }
    }
}

/// A row that stands twice repeats its master id and its number, too.
fn is_of_repeats(finding: &Value, planted: &[Planted]) -> bool {
    let mut repeated = planted.iter().filter(|one| one.end == "duplicate").map(|one| one.row);
    let mut examples = finding["examples"].as_array().expect("examples").iter();
    matches!(text(finding, "rule"), "NAL-08" | "FILE-08")
        && examples.all(|pair| repeated.any(|row| pair[1]["place"]["row"] == row))
}

/// Damages a roll, looks at its report, and gives the lines of the table.
fn judged(kind: &str, kinds_of_damage: usize) -> String {
    let place = Place::new();
    let name = format!("{}16P202501.csv", kind.to_uppercase());
    std::fs::create_dir(place.path("clean")).expect("the folder is writable");
    let clean = format!("clean/{name}");
    roll(&place, &[kind, "--rows", "950", "--damage", "9%", "--out", &name, "--clean", &clean]);
    let sound = report(&place, &clean);
    assert_eq!(sound["tally"]["rejected"], 0, "nothing sound is refused");
    let doubts = all(&sound);
    let doubts: Vec<_> = doubts.iter().filter(|finding| finding["severity"] != "info").collect();
    assert!(doubts.is_empty(), "nothing sound is doubted: {doubts:?}");

    let planted = truth(&place.path(&format!("{name}.truth.csv")));
    let (found, page) = (report(&place, &name), page(&place, &name));
    let ended = |end: &str| planted.iter().filter(|one| one.end == end).count();
    assert_eq!(found["tally"]["rejected"], ended("rejected"), "refused is what was planted");
    assert_eq!(found["tally"]["duplicate"], ended("duplicate"));
    assert_eq!(found["gap"], 0);

    let findings = all(&found);
    let key =
        |finding: &Value| ["code", "rule", "column"].map(|name| text(finding, name).to_owned());
    let mut told = BTreeSet::new();
    let expected = by_finding(&planted);
    for ((code, rule, column), planted) in &expected {
        let finding = findings
            .iter()
            .find(|finding| key(finding) == [code, rule, column].map(ToString::to_string))
            .unwrap_or_else(|| panic!("{} is not told ({code} {rule} {column})", planted[0].kind));
        explains(finding, planted);
        is_on_page(&page, finding, level(&planted[0].end).1);
        told.insert(key(finding));
    }
    let clean_ones: BTreeSet<_> = all(&sound).iter().map(key).collect();
    for finding in findings.iter().filter(|finding| !told.contains(&key(finding))) {
        let expected = clean_ones.contains(&key(finding)) || is_of_repeats(finding, &planted);
        assert!(expected, "nothing like this was planted: {finding}");
    }
    let bytes = planted.iter().filter(|one| one.code == "E201").count();
    let warnings = found["inputs"][0]["warnings"].as_array().expect("warnings");
    let warnings: Vec<_> = warnings.iter().filter_map(Value::as_str).collect();
    if bytes > 0 {
        let warning = warnings.iter().find(|warning| warning.contains(&format!("E201: {bytes} ")));
        let warning =
            warning.unwrap_or_else(|| panic!("{bytes} bad bytes are not told: {warnings:?}"));
        assert!(page.contains(&on_page(warning)), "{warning}");
    }
    let lines = lines(&planted, &findings, &warnings);
    assert_eq!(lines.lines().count(), kinds_of_damage, "{lines}");
    lines
}

/// A line of the table for each kind of damage.
fn lines(planted: &[Planted], findings: &[Value], warnings: &[&str]) -> String {
    let mut kinds: BTreeMap<&str, Vec<&Planted>> = BTreeMap::new();
    planted.iter().for_each(|one| kinds.entry(one.kind.as_str()).or_default().push(one));
    let mut out = String::new();
    for (kind, planted) in kinds {
        let one = planted[0];
        let finding = findings.iter().find(|finding| {
            text(finding, "code") == one.code
                && text(finding, "rule") == one.rule
                && text(finding, "column") == one.column
        });
        let columns: BTreeSet<_> = planted.iter().map(|one| one.column.as_str()).collect();
        let columns: Vec<_> = columns.into_iter().filter(|column| !column.is_empty()).collect();
        let value = |text: &str| if text.is_empty() { "blank".into() } else { format!("`{text}`") };
        let (what, place) = match finding {
            Some(finding) => {
                let told = format!("{}. *{}*", text(finding, "message"), text(finding, "hint"));
                (told, if finding["severity"] == "info" { "Changes" } else { "Findings" })
            }
            None => {
                let warning = warnings.iter().find(|warning| warning.starts_with(&one.code));
                ((*warning.expect("it is told")).to_owned(), "Account, about the files")
            }
        };
        let names = [one.code.as_str(), one.rule.as_str()].join(" ");
        writeln!(
            out,
            "| {kind} | {} | {} → {} | {} | {} | {} | {place} | {} |",
            columns.join(", "),
            value(&one.right),
            value(&one.written),
            planted.len(),
            names.trim_end(),
            level(&one.end).1,
            what.replace('|', "\\|"),
        )
        .expect("memory takes all");
    }
    out
}

#[test]
fn every_planted_problem_is_found_and_explained_and_nothing_sound_is_refused() {
    let mut table = String::from(
        "# What finds what\n\nKinds of damage that `examples/roll` plants into rolls of 950 rows, and what \
         `etl report` says of them: the\ncode and the rule that find it, the level, the part of the page, \
         and the first words that an analyst reads. The\nsame rolls without damage give no refusal and no \
         warning. Kept by `tests/it/planted.rs`, which also compares\nnumbers, rows and values of every \
         finding with what was planted.\n",
    );
    for (kind, plain, number) in
        [("nal", "Parcels (NAL)", 16), ("sdf", "Sales (SDF)", 15), ("nap", "Accounts (NAP)", 11)]
    {
        write!(
            table,
            "\n## {plain}\n\n| damage | column | for example | rows | found by | level | shown under | told \
             |\n|---|---|---|--:|---|---|---|---|\n{}",
            judged(kind, number)
        )
        .expect("memory takes all");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/planted.md");
    let known = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    if known != table {
        std::fs::write(path.with_extension("md.new"), &table).expect("the folder is writable");
        panic!("benches/planted.md is not up to date: look at planted.md.new and rename it");
    }
}
