//! The types a Parquet file declares, as DuckDB names them → how they are read and loaded.

use super::int96;
use crate::chunk::ColumnKind;

/// How a column is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What to load it as, unless the schema says otherwise.
    pub kind: ColumnKind,
    /// What to select.
    pub select: Select,
    /// The largest magnitude that `kind` holds; the column is text where a value is larger.
    pub below: Option<String>,
    /// A nested type in which numbers that JSON would round are text.
    pub exact: Option<String>,
}

/// What to select of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The values as they are.
    Plain,
    /// Their text.
    Text,
    /// JSON of lists, structs and maps.
    Json,
    /// Bytes as hexadecimal digits.
    Hex,
    /// Bytes that are all valid UTF-8.
    Utf8,
    /// The same, without the NUL bytes that fill them up to a fixed length.
    FixedText,
    /// Bytes of decimals with this many digits behind the point: hexadecimal digits, of which the
    /// decoder makes the number.
    Wide(u8),
    /// Moments of 96 bits, from their bytes.
    Int96,
    /// The same as texts, where 64 bits do not hold all of their nanoseconds.
    Int96Text,
}

impl Reading {
    /// The SQL expression for a column.
    pub fn of(&self, column: &str) -> String {
        match (self.select, &self.exact) {
            (Select::Plain, _) => column.to_owned(),
            (Select::Text, _) => format!("CAST({column} AS VARCHAR)"),
            (Select::Json, None) => format!("CAST(to_json({column}) AS VARCHAR)"),
            (Select::Json, Some(exact)) => {
                format!("CAST(to_json(CAST({column} AS {exact})) AS VARCHAR)")
            }
            (Select::Hex | Select::Wide(_), _) => format!("hex({column})"),
            (Select::Int96, _) => int96::moment(column),
            (Select::Int96Text, _) => int96::text(column),
            (Select::Utf8, _) => format!("decode({column})"),
            (Select::FixedText, _) => format!("rtrim(decode({column}), chr(0))"),
        }
    }
}

/// How a column of the type that DuckDB calls `name` is read.
pub fn reading(name: &str) -> Reading {
    let plain = |kind| Reading { kind, select: Select::Plain, below: None, exact: None };
    let text = |select| Reading { kind: ColumnKind::Text, select, below: None, exact: None };
    match name {
        "BOOLEAN" => plain(ColumnKind::Bool),
        "TINYINT" | "SMALLINT" | "INTEGER" | "UTINYINT" | "USMALLINT" => plain(ColumnKind::Int),
        "UINTEGER" | "BIGINT" => plain(ColumnKind::BigInt),
        "UBIGINT" => {
            Reading { below: Some("9223372036854775808".into()), ..plain(ColumnKind::BigInt) }
        }
        "FLOAT" | "DOUBLE" => plain(ColumnKind::Double),
        "VARCHAR" => plain(ColumnKind::Text),
        "DATE" => plain(ColumnKind::Date),
        "TIMESTAMP" | "TIMESTAMP_S" | "TIMESTAMP_MS" => plain(ColumnKind::Timestamp),
        "TIMESTAMP WITH TIME ZONE" => plain(ColumnKind::TimestampTz),
        "TIMESTAMP_NS" => plain(ColumnKind::TimestampNs),
        "BLOB" => text(Select::Hex),
        _ if is_nested(name) => Reading { exact: exact(name), ..text(Select::Json) },
        _ => decimal(name).unwrap_or_else(|| text(Select::Text)),
    }
}

fn is_nested(name: &str) -> bool {
    name.ends_with(']') || ["STRUCT(", "MAP(", "UNION("].iter().any(|start| name.starts_with(start))
}

/// JSON is written by way of 64-bit floats, which hold 15 digits of any decimal: in `name`, numbers
/// with more become text. `None`: there are none.
fn exact(name: &str) -> Option<String> {
    let mut out = String::new();
    let mut changed = false;
    // Every second piece stands in quotes: the name of a field.
    for (at, piece) in name.split('"').enumerate() {
        if at > 0 {
            out.push('"');
        }
        if at % 2 == 1 {
            out.push_str(piece);
            continue;
        }
        let mut rest = piece;
        while let Some(found) = rest.find("DECIMAL(") {
            let (before, decimal) = rest.split_at(found);
            let end = decimal.find(')').map_or(decimal.len(), |end| end + 1);
            let (decimal, behind) = decimal.split_at(end);
            let width = decimal["DECIMAL(".len()..].split(',').next().unwrap_or_default();
            let wide = width.trim().parse::<u8>().is_ok_and(|width| width > 15);
            out.push_str(before);
            out.push_str(if wide { "VARCHAR" } else { decimal });
            changed |= wide;
            rest = behind;
        }
        out.push_str(rest);
    }
    changed.then_some(out)
}

/// Decimals of up to 18 digits, or whose values have no more.
fn decimal(name: &str) -> Option<Reading> {
    let (width, scale) = name.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    let (width, scale) = (width.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?);
    if scale > 18 {
        let select = Select::Plain;
        return Some(Reading { kind: ColumnKind::Text, select, below: None, exact: None });
    }
    let below = (width > 18).then(|| format!("1{}", "0".repeat(usize::from(18 - scale))));
    Some(Reading { kind: ColumnKind::Decimal(scale), select: Select::Plain, below, exact: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_become_kinds() {
        let cases = [
            ("INTEGER", ColumnKind::Int, Select::Plain),
            ("UINTEGER", ColumnKind::BigInt, Select::Plain),
            ("DECIMAL(18,2)", ColumnKind::Decimal(2), Select::Plain),
            ("TIMESTAMP WITH TIME ZONE", ColumnKind::TimestampTz, Select::Plain),
            ("UUID", ColumnKind::Text, Select::Text),
            ("HUGEINT", ColumnKind::Text, Select::Text),
            ("INTEGER[]", ColumnKind::Text, Select::Json),
            ("DECIMAL(15,2)[3]", ColumnKind::Text, Select::Json),
            ("STRUCT(a INTEGER)", ColumnKind::Text, Select::Json),
            ("STRUCT(\"a [b\" INTEGER, c VARCHAR[])", ColumnKind::Text, Select::Json),
            ("MAP(VARCHAR, DECIMAL(9,2))", ColumnKind::Text, Select::Json),
            ("BLOB", ColumnKind::Text, Select::Hex),
        ];
        for (name, kind, select) in cases {
            let expected = Reading { kind, select, below: None, exact: None };
            assert_eq!(reading(name), expected, "{name}");
        }
        assert_eq!(reading("DECIMAL(38,4)").below.as_deref(), Some("100000000000000"));
    }

    #[test]
    fn nested_numbers_are_exact_in_json() {
        let type_name = "STRUCT(a DECIMAL(38,2), \"DECIMAL(38,2)\" DECIMAL(15,2)[])[]";
        let expected = "STRUCT(a VARCHAR, \"DECIMAL(38,2)\" DECIMAL(15,2)[])[]";
        assert_eq!(exact(type_name).as_deref(), Some(expected));
        assert_eq!(exact("MAP(VARCHAR, BIGINT)"), None);
    }
}
