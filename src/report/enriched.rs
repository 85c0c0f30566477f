//! What enrichment has found: code tables, places, answers from memory.

use super::bars::bar;
use super::markup::{clipped, escape};
use super::model::{LookupReport, PlaceCount, Report, TableReport};
use super::number::{count, plural, share};

/// Whether there is anything to tell.
pub fn has_any(report: &Report) -> bool {
    let told = |table: &TableReport| !table.lookups.is_empty() || !table.places.is_empty();
    report.tables.iter().any(told) || report.inputs.iter().any(|input| !input.facts.is_empty())
}

/// Code tables and places of each table, then what the agents have counted.
pub fn enriched(report: &Report) -> String {
    let several = report.tables.len() > 1;
    let mut out = String::new();
    for table in &report.tables {
        if several && !(table.lookups.is_empty() && table.places.is_empty()) {
            out.push_str(&format!("<h3>Table {}</h3>", escape(&table.name)));
        }
        out.push_str(&lookups(&table.lookups));
        out.push_str(&places(&table.places, table.rows));
    }
    out + &facts(report)
}

fn lookups(lookups: &[LookupReport]) -> String {
    if lookups.is_empty() {
        return String::new();
    }
    let row = |lookup: &LookupReport| {
        let unknown: Vec<_> = lookup
            .unknown
            .iter()
            .map(|code| {
                format!("<q>{}</q>&nbsp;×&nbsp;{}", clipped(&code.value, 40), count(code.rows))
            })
            .collect();
        format!(
            "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"wide\">{}</td><td class=\"n\">{}</td>\
             <td class=\"codes\">{}</td></tr>",
            escape(&lookup.table),
            escape(&lookup.column),
            count(lookup.asked),
            count(lookup.found),
            bar(&[("plain", lookup.found as f64)], lookup.asked as f64),
            escape(&share(lookup.found, lookup.asked)),
            unknown.join(", "),
        )
    };
    format!(
        "<div class=\"scroll\"><table class=\"dense\"><thead><tr><th>code table</th><th>by column</th>\
         <th class=\"n\">asked</th><th class=\"n\">found</th><th class=\"wide\" colspan=\"2\">share</th>\
         <th>codes that it does not have</th></tr></thead><tbody>{}</tbody></table></div>",
        lookups.iter().map(row).collect::<String>()
    )
}

/// What a way of finding a parcel means.
fn meaning(place: &PlaceCount) -> &'static str {
    match (place.match_status.as_deref(), place.precision.as_deref()) {
        (Some("matched"), _) => "the id stands among the places as it is written",
        (Some("matched_loosely"), _) => {
            "by letters and digits of the id alone, which one place has"
        }
        (Some("ambiguous"), Some("zip")) => {
            "several places have these letters and digits; the middle of the ZIP code stands in"
        }
        (Some("ambiguous"), _) => "several places have these letters and digits: no point",
        (_, Some("zip")) => "not among the places; the middle of the ZIP code stands in",
        (_, Some(_)) => "the point of the parcel",
        (_, None) => "not among the places, and no known ZIP code: no point",
    }
}

fn places(places: &[PlaceCount], rows: u64) -> String {
    if places.is_empty() {
        return String::new();
    }
    let row = |place: &PlaceCount| {
        let word = |text: &Option<String>| text.as_deref().map_or("–".into(), escape);
        format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"wide\">{}</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            word(&place.match_status),
            word(&place.precision),
            count(place.rows),
            bar(&[("plain", place.rows as f64)], rows as f64),
            escape(&share(place.rows, rows)),
            meaning(place),
        )
    };
    format!(
        "<h3>Places</h3><div class=\"scroll\"><table class=\"dense\"><thead><tr><th>match_status</th>\
         <th>precision</th><th class=\"n\">rows</th><th class=\"wide\" colspan=\"2\">share</th>\
         <th>meaning</th></tr></thead><tbody>{}</tbody></table></div>",
        places.iter().map(row).collect::<String>()
    )
}

/// What agents have counted while they worked.
fn facts(report: &Report) -> String {
    let mut out = String::new();
    for input in report.inputs.iter().filter(|input| !input.facts.is_empty()) {
        let told: Vec<_> = input
            .facts
            .iter()
            .map(|(what, number)| {
                format!("<span><b>{}</b> {}</span>", count(*number), escape(what))
            })
            .collect();
        let only = match (input.resumed_from, report.retries) {
            (Some(row), _) => format!(" of {} from row {} on", escape(&input.name), count(row)),
            (None, 0) => format!(" of {}", escape(&input.name)),
            (None, times) => {
                let times = plural(times, "time");
                format!(" of {}, since the run went on by itself ({times})", escape(&input.name))
            }
        };
        out.push_str(&format!("<h3>Counted{only}</h3><p class=\"tally\">{}</p>", told.join("")));
    }
    out
}
