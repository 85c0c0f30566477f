//! Completeness and validity, column by column. Columns that are always or never filled are only named:
//! what is worth looking at stands between them.

use super::bars::bar;
use super::markup::{clipped, escape};
use super::model::{ColumnReport, TableReport};
use super::number::{count, plural, share};

/// What there is to say of the columns of a table.
pub fn columns(table: &TableReport) -> String {
    if table.rows == 0 {
        return "<p class=\"quiet\">No row of the table bears this run, so there is nothing to \
                measure.</p>"
            .into();
    }
    let clean = |column: &&ColumnReport| column.refused == 0 && column.doubtful == 0;
    let (full, others): (Vec<_>, Vec<_>) =
        table.columns.iter().partition(|c| c.filled == table.rows && clean(c));
    let (empty, partial): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|c| c.filled == 0 && clean(c));
    let mut out = format!(
        "<p class=\"tally\"><span><b>{}</b> filled in every row</span><span><b>{}</b> filled in some, \
         or with findings</span><span><b>{}</b> always empty</span></p>",
        plural(full.len() as u64, "column"),
        plural(partial.len() as u64, "column"),
        plural(empty.len() as u64, "column"),
    );
    if !partial.is_empty() {
        out.push_str(&measured(&partial, table.rows));
    }
    out.push_str(&named("Filled in every row", &full));
    out.push_str(&named("Always empty", &empty));
    out
}

fn measured(columns: &[&ColumnReport], rows: u64) -> String {
    let row = |column: &&ColumnReport| {
        let number = |number: u64| if number == 0 { "–".into() } else { count(number) };
        format!(
            "<tr><th scope=\"row\"><code>{}</code> <small>{}</small></th><td><small>{}</small></td>\
             <td class=\"wide\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td></tr>",
            clipped(&column.name, 40),
            clipped(&column.label, 40),
            escape(&column.ty.to_lowercase()),
            bar(&[("plain", column.filled as f64)], rows as f64),
            escape(&share(column.filled, rows)),
            number(column.refused),
            number(column.doubtful),
        )
    };
    format!(
        "<div class=\"scroll\"><table class=\"dense\"><thead><tr><th>column</th><th>type</th>\
         <th class=\"wide\" colspan=\"2\">filled</th><th class=\"n\">rows refused</th>\
         <th class=\"n\">doubtful</th></tr></thead><tbody>{}</tbody></table></div>",
        columns.iter().map(row).collect::<String>()
    )
}

fn named(title: &str, columns: &[&ColumnReport]) -> String {
    if columns.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns
        .iter()
        .map(|c| format!("<code title=\"{}\">{}</code>", escape(&c.label), clipped(&c.name, 40)))
        .collect();
    format!("<p class=\"names\"><b>{title}:</b> {}</p>", names.join(" "))
}
