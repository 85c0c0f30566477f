//! The types a Parquet file declares, as DuckDB names them → how they are read and loaded.

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
}

impl Select {
    /// The SQL expression for a column.
    pub fn of(self, column: &str) -> String {
        match self {
            Self::Plain => column.to_owned(),
            Self::Text => format!("CAST({column} AS VARCHAR)"),
            Self::Json => format!("CAST(to_json({column}) AS VARCHAR)"),
            Self::Hex => format!("hex({column})"),
        }
    }
}

/// How a column of the type that DuckDB calls `name` is read.
pub fn reading(name: &str) -> Reading {
    let plain = |kind| Reading { kind, select: Select::Plain, below: None };
    let text = |select| Reading { kind: ColumnKind::Text, select, below: None };
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
        "TIMESTAMP"
        | "TIMESTAMP WITH TIME ZONE"
        | "TIMESTAMP_S"
        | "TIMESTAMP_MS"
        | "TIMESTAMP_NS" => plain(ColumnKind::Timestamp),
        "BLOB" => text(Select::Hex),
        _ if is_nested(name) => text(Select::Json),
        _ => decimal(name).unwrap_or_else(|| text(Select::Text)),
    }
}

fn is_nested(name: &str) -> bool {
    name.ends_with(']') || ["STRUCT(", "MAP(", "UNION("].iter().any(|start| name.starts_with(start))
}

/// Decimals of up to 18 digits, or whose values have no more.
fn decimal(name: &str) -> Option<Reading> {
    let (width, scale) = name.strip_prefix("DECIMAL(")?.strip_suffix(')')?.split_once(',')?;
    let (width, scale) = (width.trim().parse::<u8>().ok()?, scale.trim().parse::<u8>().ok()?);
    if scale > 18 {
        return Some(Reading { kind: ColumnKind::Text, select: Select::Plain, below: None });
    }
    let below = (width > 18).then(|| format!("1{}", "0".repeat(usize::from(18 - scale))));
    Some(Reading { kind: ColumnKind::Decimal(scale), select: Select::Plain, below })
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
            ("TIMESTAMP WITH TIME ZONE", ColumnKind::Timestamp, Select::Plain),
            ("UUID", ColumnKind::Text, Select::Text),
            ("HUGEINT", ColumnKind::Text, Select::Text),
            ("INTEGER[]", ColumnKind::Text, Select::Json),
            ("DECIMAL(18,2)[3]", ColumnKind::Text, Select::Json),
            ("STRUCT(a INTEGER)", ColumnKind::Text, Select::Json),
            ("STRUCT(\"a [b\" INTEGER, c VARCHAR[])", ColumnKind::Text, Select::Json),
            ("MAP(VARCHAR, DECIMAL(9,2))", ColumnKind::Text, Select::Json),
            ("BLOB", ColumnKind::Text, Select::Hex),
        ];
        for (name, kind, select) in cases {
            assert_eq!(reading(name), Reading { kind, select, below: None }, "{name}");
        }
        assert_eq!(reading("DECIMAL(38,4)").below.as_deref(), Some("100000000000000"));
    }
}
