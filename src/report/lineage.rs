//! Where the rows come from and where they are: file, run, table, each with what identifies it.

use super::markup::escape;
use super::model::{InputReport, Report};
use super::number::{count, decimal, duration, plural};

/// A line for each input.
pub fn lineage(report: &Report) -> String {
    report.inputs.iter().map(|input| line(report, input)).collect()
}

fn line(report: &Report, input: &InputReport) -> String {
    format!(
        "<div class=\"lineage\">{}<span class=\"arrow\" aria-label=\"by\">→</span>{}\
         <span class=\"arrow\" aria-label=\"into\">→</span>{}</div>",
        file(input),
        run(report, input),
        table(report, input)
    )
}

fn node(title: &str, name: &str, facts: &[(&str, String)]) -> String {
    let facts: String = facts
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{name}</dt><dd>{value}</dd>"))
        .collect();
    format!(
        "<div class=\"node\"><h4>{title}</h4><p class=\"name\">{name}</p><dl>{facts}</dl></div>"
    )
}

fn file(input: &InputReport) -> String {
    let size = if input.bytes > 0 { decimal(input.bytes as f64) } else { String::new() };
    let year = input.year.map(|year| year.to_string());
    let what: Vec<String> = [input.county.as_deref(), input.release.as_deref().or(year.as_deref())]
        .into_iter()
        .flatten()
        .map(escape)
        .collect();
    node(
        "file",
        &escape(&input.name),
        &[
            ("BLAKE3", format!("<code class=\"hash\">{}</code>", escape(&input.fingerprint))),
            ("kind", escape(input.plain.split(':').next().unwrap_or(&input.kind))),
            ("of", what.join(", ")),
            ("size", size),
            ("rows", count(input.tally.read)),
        ],
    )
}

fn run(report: &Report, input: &InputReport) -> String {
    let name = match (&input.already_loaded_by, &report.run) {
        (Some(run), _) | (None, Some(run)) => format!("<code>{}</code>", escape(run)),
        (None, None) => "a check, nothing was loaded".into(),
    };
    let resumed = input.resumed_from.map(|row| format!("at row {}", count(row)));
    node(
        "run",
        &name,
        &[
            ("started", format!("{} UTC", escape(&report.started))),
            ("took", duration(input.seconds)),
            ("program", format!("etl {}", escape(&report.version))),
            ("mode", escape(&input.mode)),
            ("resumed", resumed.unwrap_or_default()),
            (
                "earlier",
                if input.already_loaded_by.is_some() {
                    "loaded before".into()
                } else {
                    String::new()
                },
            ),
        ],
    )
}

fn table(report: &Report, input: &InputReport) -> String {
    let found = report.tables.iter().find(|table| table.name == input.table);
    let rows =
        found.map(|table| format!("{} of {}", count(table.rows), plural(table.all_rows, "row")));
    let failed = input.failed_file.as_deref().filter(|_| input.tally.rejected > 0);
    node(
        "table",
        &escape(&input.table),
        &[
            ("target", report.target.as_deref().map(escape).unwrap_or_default()),
            ("of this run", rows.unwrap_or_default()),
            ("refused rows", failed.map(escape).unwrap_or_default()),
        ],
    )
}
