//! Changes as a log: CSV for programs, Markdown for people.

use super::{COLUMNS, Change, ChangeCount, DiffSummary};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

/// Changes of one kind that a Markdown log lists.
const LISTED: usize = 500;

/// A log that takes changes one by one.
pub enum ChangeLog<W: Write> {
    /// All changes, with a header.
    Csv(Box<csv::Writer<W>>),
    /// The first changes of each kind, under headings.
    Markdown {
        /// Where it goes.
        out: W,
        /// What was listed, by kind in order.
        sections: Vec<Section>,
    },
}

/// Changes of one kind.
pub struct Section {
    title: String,
    rows: Vec<String>,
    all: usize,
}

impl<W: Write> ChangeLog<W> {
    /// Markdown where the file is called so, else CSV.
    pub fn new(path: &Path, out: W) -> io::Result<Self> {
        let extension =
            path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if ["md", "markdown"].iter().any(|known| extension.eq_ignore_ascii_case(known)) {
            return Ok(Self::Markdown { out, sections: Vec::new() });
        }
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self::Csv(Box::new(writer)))
    }

    /// One more change.
    pub fn add(&mut self, change: &Change) -> io::Result<()> {
        match self {
            Self::Csv(writer) => Ok(writer.write_record(fields(change))?),
            Self::Markdown { sections, .. } => {
                let title = match change.level.as_str() {
                    "alert" => format!("{}: alerts", change.change),
                    _ => change.change.clone(),
                };
                let known = sections.iter().position(|section| section.title == title);
                let at = known.unwrap_or_else(|| {
                    sections.push(Section { title, rows: Vec::new(), all: 0 });
                    sections.len() - 1
                });
                let section = &mut sections[at];
                section.all += 1;
                if section.rows.len() < LISTED {
                    section.rows.push(line(change));
                }
                Ok(())
            }
        }
    }

    /// The end, with the summary where there is room for one.
    pub fn finish(self, summary: &DiffSummary) -> io::Result<()> {
        match self {
            Self::Csv(mut writer) => writer.flush(),
            Self::Markdown { mut out, sections } => {
                out.write_all(markdown(summary, &sections).as_bytes())?;
                out.flush()
            }
        }
    }
}

fn fields(change: &Change) -> [String; 9] {
    let text = |value: &Option<String>| guarded(value.as_deref().unwrap_or_default());
    [
        change.co_no.to_string(),
        guarded(&change.parcel_id),
        change.change.clone(),
        change.level.clone(),
        text(&change.was),
        text(&change.is_now),
        change.amount.map(|amount| amount.to_string()).unwrap_or_default(),
        change.share.map(|share| share.to_string()).unwrap_or_default(),
        text(&change.note),
    ]
}

/// A text that no spreadsheet takes for a formula; numbers stay.
fn guarded(text: &str) -> String {
    let formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if formula { format!("'{text}") } else { text.to_owned() }
}

/// Text of a cell: what Markdown or HTML would read as more is made harmless.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn line(change: &Change) -> String {
    let text = |value: &Option<String>| cell(value.as_deref().unwrap_or_default());
    let amount = change.amount.map(|amount| amount.to_string()).unwrap_or_default();
    let share = change.share.map(|share| format!("{:.1} %", share * 100.0)).unwrap_or_default();
    format!(
        "| {} | {} | {} | {} | {amount} | {share} | {} |",
        change.co_no,
        cell(&change.parcel_id),
        text(&change.was),
        text(&change.is_now),
        text(&change.note)
    )
}

fn markdown(summary: &DiffSummary, sections: &[Section]) -> String {
    let mut out = String::new();
    let (before, after) = (&summary.before, &summary.after);
    // Writing into memory cannot fail.
    let _ = writeln!(out, "# {} → {}\n", cell(&before.name), cell(&after.name));
    let _ = writeln!(out, "{} rows before, {} after.\n", before.rows, after.rows);
    for side in [before, after].into_iter().filter(|side| side.refused > 0) {
        let told = "rows were refused; such parcels seem to be missing.";
        let _ = writeln!(out, "{}: {} {told}\n", cell(&side.name), side.refused);
    }
    out.push_str("| change | level | parcels | amount |\n|---|---|--:|--:|\n");
    for count in &summary.counts {
        let ChangeCount { change, level, parcels, amount } = count;
        let _ = writeln!(out, "| {change} | {level} | {parcels} | {amount} |");
    }
    for section in sections {
        let _ = writeln!(out, "\n## {} ({})\n", section.title, section.all);
        out.push_str("| county | parcel | was | is now | amount | share | note |\n");
        out.push_str("|--:|---|---|---|--:|--:|---|\n");
        section.rows.iter().for_each(|row| {
            let _ = writeln!(out, "{row}");
        });
        if section.all > section.rows.len() {
            let _ = writeln!(out, "\n… and {} more", section.all - section.rows.len());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::diff::SideSummary;

    fn change(level: &str) -> Change {
        Change {
            co_no: 16,
            parcel_id: "0001".into(),
            change: "value".into(),
            level: level.into(),
            was: Some("100".into()),
            is_now: Some("<b>|x".into()),
            amount: Some(-5),
            share: Some(-0.05),
            note: None,
        }
    }

    fn summary() -> DiffSummary {
        let side = |name: &str| SideSummary { name: name.into(), rows: 3, refused: 0 };
        let (change, level) = ("value".into(), "alert".into());
        DiffSummary {
            before: side("roll 2024"),
            after: side("roll 2025"),
            counties: vec![16],
            left_out: vec![],
            counts: vec![ChangeCount { change, level, parcels: 1, amount: -5 }],
            alerts: vec![],
            table: None,
            seconds: 0.0,
        }
    }

    fn written(name: &str, changes: &[Change]) -> String {
        let mut out = Vec::new();
        let mut log = ChangeLog::new(Path::new(name), &mut out).expect("memory takes all");
        changes.iter().for_each(|change| log.add(change).expect("memory takes all"));
        log.finish(&summary()).expect("memory takes all");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_table_has_all_columns() {
        assert_eq!(
            written("a.csv", &[change("listed")]),
            "co_no,parcel_id,change,level,was,is_now,amount,share,note\n\
             16,0001,value,listed,100,<b>|x,-5,-0.05,\n"
        );
    }

    #[test]
    fn nothing_in_a_table_is_a_formula() {
        let mut owner = change("listed");
        owner.was = Some("=HYPERLINK(\"http://x\")".into());
        let text = written("a.csv", &[owner]);
        assert!(text.contains(",\"'=HYPERLINK(\"\"http://x\"\")\","), "{text}");
        assert!(written("a.csv", &[change("listed")]).contains(",-5,-0.05,"));
    }

    #[test]
    fn a_text_is_sorted_under_headings_and_harmless() {
        let text = written("a.MD", &[change("alert"), change("listed"), change("listed")]);
        assert!(text.starts_with("# roll 2024 → roll 2025\n"), "{text}");
        assert!(text.contains("## value: alerts (1)") && text.contains("## value (2)"), "{text}");
        assert!(text.contains("| 16 | 0001 | 100 | &lt;b>\\|x | -5 | -5.0 % |  |"), "{text}");
    }
}
