//! Rules that found something: how often, what they mean, and the first rows.

use super::bars::bar;
use super::markup::{clipped, escape};
use super::model::{FindingReport, Report};
use super::number::{count, share};
use crate::chunk::{Example, Severity};

/// The table of findings.
pub fn findings(report: &Report) -> String {
    if report.findings.is_empty() {
        return "<p class=\"quiet\">No rule found anything.</p>".into();
    }
    let most = report.findings.iter().map(|finding| finding.count).max().unwrap_or(1) as f64;
    let several = report.inputs.len() > 1;
    let rows: String = report
        .findings
        .iter()
        .map(|finding| row(finding, report.tally.read, most, several))
        .collect();
    format!(
        "<div class=\"scroll\"><table class=\"findings\"><thead><tr><th>level</th><th>rule</th>\
         <th>what was found</th><th class=\"n\">rows</th><th class=\"n\">share</th></tr></thead>\
         <tbody>{rows}</tbody></table></div>"
    )
}

/// Word, sign and class of a level: the sign and the word say what the colour says.
pub fn level(severity: Severity) -> (&'static str, &'static str, &'static str) {
    match severity {
        Severity::Critical => ("refused", "✕", "critical"),
        Severity::Warning => ("warning", "!", "warning"),
        Severity::Info => ("note", "i", "info"),
    }
}

fn row(finding: &FindingReport, read: u64, most: f64, several: bool) -> String {
    let (word, sign, class) = level(finding.severity);
    let place = [&finding.rule, &finding.column];
    let place: Vec<String> = place
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| format!("<code>{}</code>", escape(text)))
        .collect();
    let hint = match finding.hint.as_str() {
        "" => String::new(),
        hint => format!("<br><span class=\"hint\">{}</span>", escape(hint)),
    };
    let examples = examples(finding, several);
    format!(
        "<tr><td><span class=\"level {class}\"><span aria-hidden=\"true\">{sign}</span> {word}</span>\
         </td><td>{} {}</td><td>{}{hint}{examples}</td><td class=\"n\">{}{}</td>\
         <td class=\"n\">{}</td></tr>",
        escape(&finding.code),
        place.join(" "),
        escape(&finding.message),
        count(finding.count),
        bar(&[(class, finding.count as f64)], most),
        escape(&share(finding.count, read)),
    )
}

/// The first rows; `several`: with their files.
pub fn examples(finding: &FindingReport, several: bool) -> String {
    let examples: String =
        finding.examples.iter().map(|(input, example)| shown(input, example, several)).collect();
    match examples.as_str() {
        "" => String::new(),
        text => format!("<ul class=\"examples\">{text}</ul>"),
    }
}

fn shown(input: &str, example: &Example, several: bool) -> String {
    let place = match &example.cell {
        Some(cell) => format!("cell {}", escape(cell)),
        None => format!("row {}", count(example.place.row)),
    };
    let file = if several { format!("{} ", clipped(input, 40)) } else { String::new() };
    let value = example.value.as_ref();
    let value = value.map_or(String::new(), |value| format!(": <q>{}</q>", clipped(value, 90)));
    format!("<li>{file}{place}{value}</li>")
}
