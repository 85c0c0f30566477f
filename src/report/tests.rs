//! Pages made from models: nothing foreign is markup, nothing is fetched, every picture has its words.

use super::*;
use crate::chunk::{Example, Place, Severity, Tally};

const HOSTILE: &str = "<script>alert(\"x\")</script><img src=x onerror='y'> & \u{202e}";

fn example(value: &str) -> (String, Example) {
    let place = Place { row: 17, byte: None };
    (HOSTILE.into(), Example { place, cell: None, value: Some(value.into()) })
}

fn input(tally: Tally) -> InputReport {
    InputReport {
        name: format!("rolls/{HOSTILE}.csv"),
        fingerprint: "ab".repeat(32),
        kind: "nal".into(),
        plain: "NAL = parcels: one row each".into(),
        county: Some(HOSTILE.into()),
        year: Some(2025),
        release: Some("2025P01".into()),
        table: "parcels".into(),
        mode: "merge".into(),
        bytes: 1_000,
        tally,
        seconds: 1.5,
        warnings: vec![HOSTILE.into()],
        failed_file: Some(HOSTILE.into()),
        resumed_from: Some(100),
        already_loaded_by: None,
        agents: vec![AgentReport {
            agent: "read".into(),
            rows: 10,
            busy_ms: 900,
            waiting_ms: 100,
            longest_queue: 3,
        }],
        facts: vec![(HOSTILE.into(), 3)],
    }
}

fn charts() -> Vec<Chart> {
    let bins = vec![Bin { from: 0.0, to: 1.0, rows: 4 }, Bin { from: 1.0, to: 2.0, rows: 0 }];
    let numbers = Shape::Numbers { min: 0.0, median: 0.5, max: 9.0, growing: true, bins };
    let top =
        vec![TopValue { value: HOSTILE.into(), rows: 3 }, TopValue { value: "".into(), rows: 1 }];
    let chart = |column: &str, shape| Chart {
        column: column.into(),
        label: HOSTILE.into(),
        unit: HOSTILE.into(),
        filled: 4,
        empty: 5,
        shape,
    };
    vec![chart("jv", numbers), chart("own_name", Shape::Words { distinct: 2, top })]
}

fn finding() -> FindingReport {
    FindingReport {
        severity: Severity::Critical,
        code: "E301".into(),
        rule: HOSTILE.into(),
        column: HOSTILE.into(),
        message: HOSTILE.into(),
        hint: HOSTILE.into(),
        count: 3,
        examples: vec![example(HOSTILE)],
    }
}

fn table() -> TableReport {
    let column = |name: &str, filled, refused| ColumnReport {
        name: name.into(),
        label: HOSTILE.into(),
        ty: "VARCHAR".into(),
        filled,
        refused,
        doubtful: 0,
    };
    let lookup = LookupReport {
        table: HOSTILE.into(),
        column: HOSTILE.into(),
        asked: 9,
        found: 4,
        unknown: vec![TopValue { value: HOSTILE.into(), rows: 5 }],
    };
    TableReport {
        name: "parcels".into(),
        rows: 9,
        all_rows: 20,
        columns: vec![column(HOSTILE, 4, 2), column("co_no", 9, 0), column("blank", 0, 0)],
        charts: charts(),
        lookups: vec![lookup],
        places: vec![PlaceCount { match_status: Some(HOSTILE.into()), precision: None, rows: 9 }],
    }
}

/// A report in which every text that comes from outside tries to be markup.
fn hostile() -> Report {
    let tally = Tally { read: 12, inserted: 8, duplicate: 1, rejected: 3, ..Tally::default() };
    let county = |number, rows, value| CountyReport {
        number,
        name: HOSTILE.into(),
        rows,
        value,
        read: rows,
        rejected: rows / 4,
        outline: vec![vec![(0, 0), (10, 0), (10, 10)]],
    };
    let run = |run: &str| PastRun {
        run: run.into(),
        started: "2025-07-01 10:00:00".into(),
        status: HOSTILE.into(),
        tally,
        seconds: 3.0,
    };
    Report {
        title: HOSTILE.into(),
        run: Some("01RUN".into()),
        status: "done".into(),
        command: HOSTILE.into(),
        version: "0.1.0".into(),
        target: Some(HOSTILE.into()),
        started: "2025-07-01 10:00:00".into(),
        made: "2025-07-01 10:00:09".into(),
        seconds: 3.0,
        peak_memory: Some(200 << 20),
        memory_limit: 512 << 20,
        retries: 1,
        tally,
        gap: 0,
        inputs: vec![input(tally), input(tally)],
        findings: vec![finding()],
        changes: vec![finding()],
        tables: vec![table()],
        maps: vec![CountyMap {
            table: "parcels".into(),
            measure: HOSTILE.into(),
            unit: "USD".into(),
            counties: vec![county(11, 8, Some(10.0)), county(12, 4, None), county(13, 0, None)],
        }],
        skipped: vec!["d/Layout.pdf: a PDF".into()],
        warnings: vec!["E205: d/empty.csv holds no rows".into()],
        failed_inputs: Vec::new(),
        trend: vec![run("01OLD"), run("01RUN")],
    }
}

#[test]
fn foreign_text_is_never_markup() {
    let page = html(&hostile());
    for bad in ["<script", "<img", "onerror='", "\u{202e}"] {
        assert!(!page.contains(bad), "{bad}");
    }
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let page = html(&hostile());
    for bad in
        ["http://", "https://", "//cdn", "@import", "javascript:", " onclick", "<link", "src="]
    {
        let foreign = page.replace("src=x", "");
        assert!(!foreign.contains(bad), "{bad}");
    }
    let ours = page.matches("url(").count();
    assert_eq!(ours, page.matches("url(#").count(), "only patterns of the page itself");
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_picture_says_what_it_shows() {
    let page = html(&hostile());
    let pictures: Vec<_> =
        page.split("<svg").skip(1).filter(|p| !p.contains("aria-hidden=\"true\"><defs")).collect();
    assert_eq!(pictures.len(), 5, "flow, histogram, two maps, trend");
    for picture in pictures {
        let head = picture.split('>').next().expect("a tag");
        assert!(head.contains("role=\"img\"") && head.contains("aria-label=\""), "{head}");
        assert!(picture.contains("<title>"), "{head}");
    }
}

/// Tags that open are closed, in order.
#[test]
fn the_page_is_well_formed() {
    let page = html(&hostile());
    let body = page.split("</style>").nth(1).expect("a style");
    let mut open: Vec<&str> = vec!["html", "head"];
    for tag in body.split('<').skip(1) {
        let inside = tag.split('>').next().expect("a tag ends");
        let name = inside.trim_start_matches('/').split([' ', '/']).next().expect("a name");
        match () {
            () if inside.starts_with('/') => assert_eq!(open.pop(), Some(name), "…<{inside}"),
            () if inside.ends_with('/') || matches!(name, "br" | "meta") => {}
            () => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_gap_is_the_first_thing_told() {
    let mut report = hostile();
    report.gap = 2;
    let page = html(&report);
    assert!(page.contains("The account does not hold") && page.contains("2 rows unaccounted for"));
}

#[test]
fn an_empty_report_is_a_page_too() {
    let mut report = hostile();
    report.inputs.clear();
    report.findings.clear();
    report.changes.clear();
    report.tables.clear();
    report.maps.clear();
    report.trend.clear();
    report.tally = Tally::default();
    let page = html(&report);
    assert!(page.contains("No rule found anything") && page.ends_with("</html>\n"));
    assert!(!page.contains("NaN") && !page.contains(">inf"));
}

/// The colours of text against the paper, and of marks against it, in both schemes: 4.5 and 3 to 1.
#[test]
fn colours_have_contrast() {
    let style = include_str!("style.css");
    let (light, rest) = style.split_once("@media screen and (prefers").expect("two schemes");
    let dark = rest.split_once("\n}\n").expect("it ends").0;
    for (scheme, text) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| luminance(after(text, &format!("--{name}: #")));
        let contrast = |name: &str| {
            let (a, b) = (colour("paper"), colour(name));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for name in ["ink", "quiet", "rejected", "warn", "good"] {
            assert!(contrast(name) >= 4.5, "{scheme} {name}: {}", contrast(name));
        }
        let marks = ["inserted", "updated", "unchanged", "superseded", "duplicate", "filtered"];
        for name in marks {
            assert!(contrast(name) >= 3.0, "{scheme} {name}: {}", contrast(name));
        }
    }
}

fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    let rest = text.split_once(mark).expect("the colour is set").1;
    rest.split(';').next().expect("it ends")
}

fn luminance(hex: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}
