//! The failed-record file from the first refusal to the replay.

mod files;
mod replaying;
mod sheets;

use super::{Context, Record};
use crate::chunk::{
    Code, Fingerprint, LineGrammar, Mark, Origin, Part, Place, Problem, RawRows, Reject,
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// One raw row of a text file.
#[derive(Debug)]
struct OneRow(Vec<(String, String)>);

impl RawRows for OneRow {
    fn place(&self, _: u32) -> Place {
        Place { row: 0, byte: None }
    }
    fn fields(&self, _: u32) -> Vec<(String, String)> {
        self.0.clone()
    }
    fn field(&self, _: u32, _: usize) -> Option<String> {
        None
    }
    fn grammar(&self) -> Option<LineGrammar> {
        Some(LineGrammar { delimiter: ',', quote: Some('"'), escape: None })
    }
    fn after(&self, _: u32) -> Mark {
        Mark::default()
    }
}

fn moment(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_760_000_000 + second, 0).expect("a time")
}

fn origin() -> Origin {
    Origin {
        path: "rolls/broward é.csv".into(),
        part: Part::Whole,
        fingerprint: Fingerprint([7; 32]),
    }
}

/// A record of `row` with the given raw fields, refused for its column JV.
fn record_in(range: &str, row: u64, raw: &[(&str, &str)]) -> Record {
    let problem = Problem::new(Code::E301, "\"N/A\" is not a whole number")
        .with_column("JV")
        .with_value("N/A")
        .with_hint("correct the value");
    record_with(range, row, raw, vec![problem], &["PARCEL_ID", "JV", "NAME"])
}

fn record_with(
    range: &str,
    row: u64,
    raw: &[(&str, &str)],
    problems: Vec<Problem>,
    headers: &[&str],
) -> Record {
    let headers: Vec<String> = headers.iter().map(|name| (*name).to_owned()).collect();
    let raw = raw.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let place = Place { row, byte: Some(row * 100) };
    let reject = Reject { record: 0, place, stage: "validate", problems };
    let facts = BTreeMap::from([("release".to_owned(), "F".to_owned())]);
    let context = Context {
        run: "01RUN",
        range,
        origin: &origin(),
        kind: "nal",
        table: "nal",
        facts: &facts,
        headers: &headers,
        config: "c0ffee",
        now: moment(0),
    };
    Record::of(&reject, &OneRow(raw), &context)
}

fn plain(row: u64) -> Record {
    let id = format!("{row:06}");
    record_in("r1", row, &[("PARCEL_ID", &id), ("JV", "N/A"), ("NAME", "Núñez")])
}

/// Raw values that sheets, JSON and CSV each have trouble with.
fn hostile() -> Vec<Record> {
    let values = [
        "=1+1",
        "+5",
        "-5",
        "@x",
        "\tx",
        "\rx",
        "'=1",
        "''-2",
        "'quoted",
        "a\nb",
        "a\r\nb",
        "a,\"b\";c",
        "  blanks  ",
        "",
        "474119030010",
        "0012",
        "1E5",
        "1,234.50",
        "ünïcödé 漢字 😀",
        "_x0041_",
        "nul\0bell\u{7}",
        "TRUE",
        "2025-01-02",
        "#N/A",
        "\u{feff}bom",
        "x\u{fffe}y",
    ];
    (2..)
        .zip(values)
        .map(|(row, value)| {
            record_in("r1", row, &[("PARCEL_ID", "00077"), ("JV", value), ("NAME", value)])
        })
        .collect()
}

fn ok(records: &[Record]) -> Vec<Result<Record, super::DeadLetterError>> {
    records.iter().cloned().map(Ok).collect()
}
