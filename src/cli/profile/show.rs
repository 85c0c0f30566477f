//! A profile as people read it: a line for each column that holds something, then what looks wrong.

use crate::cli::text::{Align, Paint, clip, count, plural, safe, table, wrap};
use crate::profile::{ColumnProfile, Drift, Finding, Profile};

/// How it is printed.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Colours.
    pub paint: Paint,
    /// Characters of a line.
    pub width: usize,
    /// Values and shapes of each column too.
    pub all: bool,
}

/// Characters of a name, and of a value in the table.
const NAME: usize = 20;
const VALUE: usize = 14;
/// Values and shapes of a column with `-v`.
const TOLD: usize = 5;

/// All profiles, each with its drift.
pub fn render(profiles: &[Profile], drift: Option<&[Vec<Drift>]>, style: Style) -> String {
    let mut lines = Vec::new();
    for (at, profile) in profiles.iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.extend(one(profile, style));
        if let Some(drift) = drift.and_then(|drift| drift.get(at)) {
            lines.extend(changes(drift, style));
        }
    }
    lines.join("\n") + "\n"
}

fn one(profile: &Profile, style: Style) -> Vec<String> {
    let paint = style.paint;
    let mut lines = vec![paint.bold(&safe(&profile.input))];
    let width = plural(profile.columns.len() as u64, "column");
    let mut facts = vec![plural(profile.rows, "row"), width];
    if profile.refused > 0 {
        facts.push(paint.red(&format!("{} could not be split", plural(profile.refused, "row"))));
    }
    if profile.kind != "generic" {
        facts.push(format!("the columns of {}", profile.kind.to_uppercase()));
    }
    lines.push(format!("  {}", facts.join(" · ")));
    for key in &profile.keys {
        lines.push(format!("  every row has its own {}", safe(&key.join(" with "))));
    }
    for note in &profile.notes {
        lines.push(format!("  {} {}", paint.yellow("note:"), safe(note)));
    }
    lines.push(String::new());
    lines.extend(columns(profile, style));
    let empty: Vec<_> = profile.columns.iter().filter(|column| column.filled == 0).collect();
    if !empty.is_empty() && profile.rows > 0 {
        let names: Vec<_> = empty.iter().map(|column| safe(&column.name)).collect();
        let told = format!("blank in every row: {}", names.join(", "));
        lines.push(String::new());
        lines.extend(hanging(&told, style.width));
    }
    lines.extend(findings(profile, style));
    lines
}

fn columns(profile: &Profile, style: Style) -> Vec<String> {
    let head = ["column", "type", "filled", "values", "least", "median", "most"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let filled = || profile.columns.iter().filter(|column| column.filled > 0);
    rows.extend(filled().map(row));
    let align = [
        Align::Left,
        Align::Left,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
        Align::Right,
    ];
    let mut lines = table(&rows, &align, "  ");
    if let Some(first) = lines.first_mut() {
        *first = style.paint.dim(first);
    }
    if style.all {
        let told: Vec<_> = filled().map(|column| details(column, style)).collect();
        let rest = lines.split_off(1);
        for (line, told) in rest.into_iter().zip(told) {
            lines.push(line);
            lines.extend(told);
        }
    }
    lines
}

fn row(column: &ColumnProfile) -> Vec<String> {
    let about = if column.distinct_exact { "" } else { "~" };
    let value = |value: &Option<String>| clip(&safe(value.as_deref().unwrap_or("")), VALUE);
    let median = column.quantiles.iter().find(|quantile| quantile.share == 0.5);
    vec![
        clip(&safe(&column.name), NAME),
        column.ty.to_lowercase(),
        percent(column.filled_share()),
        format!("{about}{}", count(column.distinct)),
        value(&column.min),
        value(&median.map(|median| median.value.clone())),
        value(&column.max),
    ]
}

/// `100 %` only where it is all.
fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round() / 10.0;
    match tenths {
        _ if share >= 1.0 => "100 %".into(),
        t if t >= 100.0 => "99.9 %".into(),
        t => format!("{t:.1} %"),
    }
}

fn details(column: &ColumnProfile, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    let at_least = |error: u64| if error > 0 { "≥" } else { "" };
    let list = |found: &[crate::profile::Frequent], error: u64| -> String {
        let told = found.iter().take(TOLD);
        let one = |found: &crate::profile::Frequent| {
            format!("{} ({}{})", clip(&safe(&found.value), 30), at_least(error), count(found.count))
        };
        told.map(one).collect::<Vec<_>>().join(", ")
    };
    if !column.top.is_empty() && column.distinct < column.filled {
        lines.push(format!("values  {}", list(&column.top, column.top_error)));
    }
    if !column.is_number() && !column.shapes.is_empty() {
        lines.push(format!("shapes  {}", list(&column.shapes, column.shapes_error)));
    }
    if let (Some(mean), Some(deviation)) = (column.mean, column.deviation) {
        lines.push(format!("mean    {mean:.2}, deviation {deviation:.2}"));
    }
    let wrapped = lines.iter().flat_map(|line| wrap(line, style.width.saturating_sub(6)));
    wrapped.map(|line| style.paint.dim(&format!("      {line}"))).collect()
}

fn findings(profile: &Profile, style: Style) -> Vec<String> {
    let told = |finding: &&Finding| !["empty", "constant"].contains(&finding.kind.as_str());
    let mut lines = Vec::new();
    for column in &profile.columns {
        for finding in column.findings.iter().filter(told) {
            let name = style.paint.yellow(&safe(&column.name));
            let cells = plural(finding.cells, "cell");
            lines.push(format!("  {name}: {} ({cells})", safe(&finding.message)));
            let example = |example: &crate::profile::FindingExample| {
                let value = format!("\"{}\"", clip(&safe(&example.value), 30));
                example.row.map_or(value.clone(), |row| format!("row {} {value}", count(row)))
            };
            let examples: Vec<_> = finding.examples.iter().map(example).collect();
            if !examples.is_empty() {
                lines.push(style.paint.dim(&format!("      {}", examples.join(", "))));
            }
        }
    }
    if !lines.is_empty() {
        lines.splice(..0, [String::new(), style.paint.bold("What looks wrong")]);
    }
    lines
}

fn changes(drift: &[Drift], style: Style) -> Vec<String> {
    let mut lines = vec![String::new(), style.paint.bold("What has changed")];
    if drift.is_empty() {
        lines.push("  nothing out of the ordinary".into());
    }
    for change in drift {
        let column = change.column.as_deref().map(|name| format!("{}: ", safe(name)));
        let text = format!("{}{}", column.unwrap_or_default(), safe(&change.message));
        let text = if change.grave { style.paint.yellow(&text) } else { text };
        lines.push(format!("  {text}"));
    }
    lines
}

fn hanging(text: &str, width: usize) -> Vec<String> {
    wrap(text, width.saturating_sub(4)).into_iter().map(|line| format!("  {line}")).collect()
}
