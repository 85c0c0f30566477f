//! Messages of rules: with the values of a row, or without values for a count.

use crate::chunk::{Chunk, ReadSchema, quotable};

/// Puts the row's raw values into the message: `{jv}` → `250000`.
pub(super) fn with_values(
    template: &str,
    chunk: &Chunk,
    row: usize,
    schema: &ReadSchema,
) -> String {
    replace_names(template, |name| {
        let column = &schema.columns[schema.position(name)?];
        let value = chunk.raw.field(chunk.index[row], column.field).unwrap_or_default();
        let value = value.trim();
        Some(if value.is_empty() { "blank".into() } else { quotable(value) })
    })
}

/// The message without values, for counts: a value in quotes or brackets is left out, any other
/// becomes the name of its column. `use code '{dor_uc}' is not in the list` → `use code is not in
/// the list`, `{jv} is too high` → `JV is too high`.
pub(super) fn without_values(template: &str) -> String {
    let mut text = template.to_owned();
    for (open, close) in [("(", ")"), ("'", "'")] {
        text = drop_enclosed(&text, open, close);
    }
    replace_names(&text, |_| None).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Drops `open … close` where a placeholder stands between.
fn drop_enclosed(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(open) {
        let inside = &rest[at + open.len()..];
        let Some(end) = inside.find(close) else { break };
        out.push_str(&rest[..at]);
        if !inside[..end].contains('{') {
            out.push_str(&rest[at..at + open.len() + end + close.len()]);
        }
        rest = &inside[end + close.len()..];
    }
    out.push_str(rest);
    out
}

fn replace_names(template: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + close];
        out.push_str(&value(name).unwrap_or_else(|| name.to_uppercase()));
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_columns_or_values() {
        let template = "AV_SD {av_sd} exceeds JV {jv}";
        let values = |name: &str| (name == "jv").then(|| "250".to_owned());
        assert_eq!(replace_names(template, values), "AV_SD AV_SD exceeds JV 250");
    }

    #[test]
    fn counts_read_as_sentences() {
        let told = [
            ("use code '{dor_uc}' is not in the list", "use code is not in the list"),
            ("fields are filled in part (flag '{fg}')", "fields are filled in part"),
            ("a change ({a}, {b}) is held", "a change is held"),
            ("assessed {av} is above {jv}", "assessed AV is above JV"),
            ("a parcel's own (no value) words", "a parcel's own (no value) words"),
        ];
        for (template, text) in told {
            assert_eq!(without_values(template), text);
        }
    }
}
