//! The page: one file, made from the model alone.

use super::flow::{fates, flow};
use super::model::{Report, TableReport};
use super::number::{binary, count, duration, plural, share};
use super::{agents, changes, columns, enriched, findings, histogram, lineage, map, trend};
use crate::chunk::Severity;
use crate::report::markup::escape;

const STYLE: &str = include_str!("style.css");
/// Findings about files that are listed; the JSON has all.
const WARNINGS: usize = 8;

/// The report as a page.
pub fn html(report: &Report) -> String {
    let title = format!("etl report: {}", report.title);
    let sections = sections(report);
    let links: String =
        sections.iter().map(|(id, name, ..)| format!("<a href=\"#{id}\">{name}</a>")).collect();
    let body: String = sections
        .iter()
        .map(|(id, _, title, body)| {
            format!("<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{title}</h2>{body}</section>")
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'\">\n<meta name=\"generator\" content=\"etl {}\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{}\
         <nav aria-label=\"Sections\">{links}</nav>\n<main>{}{body}</main>\n{}</body>\n</html>\n",
        escape(env!("CARGO_PKG_VERSION")),
        escape(&title),
        patterns(),
        head(report),
        foot(report),
    )
}

/// A part of the page: its id, its name in the list of sections, its heading, what it says.
type Section = (&'static str, &'static str, &'static str, String);

fn sections(report: &Report) -> Vec<Section> {
    let mut all: Vec<Section> = vec![
        ("account", "Account", "What became of the rows", account(report)),
        ("findings", "Findings", "What the rules found", findings::findings(report)),
    ];
    if !report.changes.is_empty() {
        all.push((
            "changes",
            "Changes",
            "What was changed on the way in",
            changes::changes(report),
        ));
    }
    let drawn: Vec<_> = report.maps.iter().filter(|map| map::has_rows(map)).collect();
    if !drawn.is_empty() {
        let named = |name: &str| match drawn.len() {
            1 => String::new(),
            _ => format!("<h3>Table {}</h3>", escape(name)),
        };
        let body = drawn.iter().map(|map| named(&map.table) + &map::maps(map));
        all.push(("counties", "Counties", "County by county", body.collect()));
    }
    if report.tables.iter().any(|table| !table.charts.is_empty()) {
        let body = each_table(report, &charts);
        all.push(("distributions", "Distributions", "How the values are distributed", body));
    }
    if enriched::has_any(report) {
        let body = enriched::enriched(report);
        all.push(("enrichment", "Enrichment", "What was found for the rows", body));
    }
    let columns = each_table(report, &columns::columns);
    all.push(("columns", "Columns", "Completeness and validity", columns));
    if report.run.is_some() {
        all.push(("trend", "Runs", "Run by run", trend::trend(report)));
    }
    all.push(("agents", "Time", "Where the time went", agents::agents(report)));
    all.push(("lineage", "Lineage", "Where the rows come from", lineage::lineage(report)));
    all
}

/// What there is to say of each table, under its name where there are several.
fn each_table(report: &Report, body: &dyn Fn(&TableReport) -> String) -> String {
    let titled = |table: &TableReport| match report.tables.len() {
        0 | 1 => body(table),
        _ => format!("<h3>Table {}</h3>{}", escape(&table.name), body(table)),
    };
    report.tables.iter().map(titled).collect()
}

fn charts(table: &TableReport) -> String {
    let charts: String = table.charts.iter().map(histogram::chart).collect();
    format!("<div class=\"charts\">{charts}</div>")
}

/// The verdict in a word and in a sentence, before everything else.
fn head(report: &Report) -> String {
    let tally = &report.tally;
    let (class, sign, verdict) = verdict(report);
    let loaded = tally.inserted + tally.updated;
    let warned = report.findings.iter().filter(|f| f.severity == Severity::Warning).count() as u64;
    let mut facts = vec![
        ("rows read", count(tally.read)),
        (if report.run.is_some() { "rows loaded" } else { "rows sound" }, count(loaded)),
        (
            "rows refused",
            format!(
                "{} <small>{}</small>",
                count(tally.rejected),
                escape(&share(tally.rejected, tally.read))
            ),
        ),
        ("kinds of warnings", count(warned)),
        ("time", duration(report.seconds)),
    ];
    if let Some(peak) = report.peak_memory {
        let limit = match report.memory_limit {
            0 => String::new(),
            limit => format!(" <small>of {}</small>", binary(limit)),
        };
        facts.push(("peak memory", format!("{}{limit}", binary(peak))));
    }
    let facts: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"))
        .collect();
    format!(
        "<header><p class=\"verdict {class}\"><span aria-hidden=\"true\">{sign}</span> {verdict}</p>\
         <h1>{}</h1><p class=\"about\">{}</p><dl class=\"facts\">{facts}</dl></header>",
        escape(&report.title),
        about(report),
    )
}

fn verdict(report: &Report) -> (&'static str, &'static str, &'static str) {
    match () {
        () if report.gap != 0 => ("bad", "✕", "The account does not hold"),
        () if report.status == "unfinished" => ("bad", "…", "Unfinished"),
        () if !report.failed_inputs.is_empty() => {
            ("bad", "!", "Some inputs could not be read or loaded")
        }
        () if report.tally.rejected > 0 && report.run.is_none() => {
            ("warn", "!", "Checked: some rows would be refused")
        }
        () if report.tally.rejected > 0 => ("warn", "!", "Loaded, some rows refused"),
        () if report.run.is_none() => ("good", "✓", "Checked: every row would be loaded"),
        () => ("good", "✓", "Loaded, no row refused"),
    }
}

fn about(report: &Report) -> String {
    let mut parts = Vec::new();
    parts.extend(report.target.as_ref().map(|target| format!("into {}", escape(target))));
    parts.extend(report.run.as_ref().map(|run| format!("run <code>{}</code>", escape(run))));
    parts.push(format!("{} UTC", escape(&report.started)));
    if report.retries > 0 {
        parts.push(format!("went on by itself {}", plural(report.retries, "time")));
    }
    parts.join(" · ")
}

/// The equation in words, the picture, and the table for those who do not see it.
fn account(report: &Report) -> String {
    let tally = &report.tally;
    let shown: Vec<_> = fates(tally).into_iter().filter(|fate| fate.rows > 0).collect();
    let terms: Vec<String> = shown
        .iter()
        .map(|fate| format!("<b>{}</b>&nbsp;{}", count(fate.rows), fate.name))
        .collect();
    let right = if terms.is_empty() { "0".into() } else { terms.join(" + ") };
    let proof = match report.gap {
        0 => "Every row is accounted for.".to_owned(),
        gap => format!("<strong>{} unaccounted for.</strong>", plural(gap.unsigned_abs(), "row")),
    };
    let several = report.inputs.len() > 1;
    let told =
        report.inputs.iter().flat_map(|input| input.warnings.iter().map(move |w| (input, w)));
    let mut told: Vec<String> = told
        .map(|(input, warning)| match several {
            true => format!("<li><b>{}</b>: {}</li>", escape(&input.name), escape(warning)),
            false => format!("<li>{}</li>", escape(warning)),
        })
        .collect();
    let (first, last) = about_files(report);
    told.splice(0..0, first);
    told.extend(last);
    let mut warnings: String = told.iter().take(WARNINGS).map(String::as_str).collect();
    if told.len() > WARNINGS {
        warnings.push_str(&format!("<li>… and {} more</li>", told.len() - WARNINGS));
    }
    let warnings = match warnings.as_str() {
        "" => String::new(),
        list => format!("<h3>About the files</h3><ul class=\"remarks\">{list}</ul>"),
    };
    format!(
        "<p class=\"equation\"><b>{}</b>&nbsp;read = {right}. {proof}</p>\
         <div class=\"scroll\">{}</div>{warnings}",
        count(tally.read),
        flow(report)
    )
}

/// What there is to tell of files beside the inputs that were read: before what these have to tell, and
/// after it.
fn about_files(report: &Report) -> (Vec<String>, Vec<String>) {
    let failed = report.failed_inputs.iter().map(|failed| {
        let code = failed.code.as_deref().map_or_else(String::new, |code| format!("{code}: "));
        let (input, message) = (escape(&failed.input), escape(&failed.message));
        format!("<li><strong>Failed: {input}</strong>: {}{message}</li>", escape(&code))
    });
    let warnings = report.warnings.iter().map(|told| format!("<li>{}</li>", escape(told)));
    let skipped = report.skipped.iter().map(|told| format!("<li>Not read: {}</li>", escape(told)));
    (failed.chain(warnings).collect(), skipped.collect())
}

/// Hatchings, so that what is refused or unknown is seen without colours.
fn patterns() -> &'static str {
    "<svg width=\"0\" height=\"0\" class=\"hidden\" aria-hidden=\"true\"><defs>\
     <pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
     patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" class=\"hatch-back\"/>\
     <rect width=\"2.5\" height=\"6\" class=\"hatch-line\"/></pattern>\
     <pattern id=\"none\" width=\"14\" height=\"14\" patternUnits=\"userSpaceOnUse\" \
     patternTransform=\"rotate(45)\"><rect width=\"14\" height=\"14\" class=\"none-back\"/>\
     <rect width=\"2\" height=\"14\" class=\"none-line\"/></pattern></defs></svg>\n"
}

fn foot(report: &Report) -> String {
    format!(
        "<footer>Made {} UTC by etl {}. Everything is in this file; it asks nothing of the network. \
         County outlines after the US Census Bureau.<br><code>{}</code></footer>\n",
        escape(&report.made),
        escape(env!("CARGO_PKG_VERSION")),
        escape(&report.command),
    )
}
