//! What was changed on the way in, by kind of change, with examples.

use super::bars::bar;
use super::findings::examples;
use super::markup::escape;
use super::model::{FindingReport, Report};
use super::number::{count, plural, share};
use std::collections::BTreeMap;

/// The table of changes: a line for each kind with its number, below it its columns.
pub fn changes(report: &Report) -> String {
    let mut kinds: BTreeMap<&str, Vec<&FindingReport>> = BTreeMap::new();
    report.changes.iter().for_each(|one| kinds.entry(one.rule.as_str()).or_default().push(one));
    let sum = |of: &[&FindingReport]| of.iter().map(|one| one.count).sum::<u64>();
    let mut kinds: Vec<_> = kinds.into_iter().map(|(kind, of)| (kind, sum(&of), of)).collect();
    kinds.sort_by_key(|(kind, all, _)| (std::cmp::Reverse(*all), *kind));
    let most = report.changes.iter().map(|one| one.count).max().unwrap_or(1) as f64;
    let several = report.inputs.len() > 1;
    let body: String = kinds
        .iter()
        .map(|(kind, all, of)| {
            let columns = plural(of.len() as u64, "column");
            let head = format!(
                "<tr class=\"kind\"><th scope=\"rowgroup\" colspan=\"2\"><code>{}</code></th>\
                 <td class=\"n\"><b>{}</b></td><td class=\"n\">{columns}</td></tr>",
                escape(kind),
                count(*all)
            );
            let rows = of.iter().map(|one| row(one, report.tally.read, most, several));
            head + &rows.collect::<String>()
        })
        .collect();
    format!(
        "<p class=\"quiet\">Counted are cells; a change refuses nothing. <code>--no-fix</code> leaves \
         texts as they are written, <code>--keep-raw</code> keeps beside the row what was read.</p><div class=\"scroll\"><table class=\"findings changes\"><thead><tr><th>column</th>\
         <th>what was changed</th><th class=\"n\">cells</th><th class=\"n\">share of rows</th></tr>\
         </thead><tbody>{body}</tbody></table></div>"
    )
}

fn row(change: &FindingReport, read: u64, most: f64, several: bool) -> String {
    let hint = match change.hint.as_str() {
        "" => String::new(),
        hint => format!("<br><span class=\"hint\">{}</span>", escape(hint)),
    };
    format!(
        "<tr><td><code>{}</code></td><td>{}{hint}{}</td><td class=\"n\">{}{}</td>\
         <td class=\"n\">{}</td></tr>",
        escape(&change.column),
        escape(&change.message),
        examples(change, several),
        count(change.count),
        bar(&[("info", change.count as f64)], most),
        escape(&share(change.count, read)),
    )
}
