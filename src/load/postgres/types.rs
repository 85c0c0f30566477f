//! Types of columns: as a table is made with them, and which existing ones can take our values.
//!
//! Specs name types as DuckDB does. A value goes over the wire in the binary form of its column, so
//! what is allowed is what that form can hold without loss: a whole number into a wider one or into
//! `numeric`, never a number with a fraction into anything but its own type.

/// The binary form in which a column of the server takes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `text`, `varchar`, `char`.
    Text,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`.
    Int8,
    /// `double precision`.
    Float8,
    /// `numeric`.
    Numeric,
    /// `boolean`.
    Bool,
    /// `date`.
    Date,
    /// `timestamp`, with or without time zone: the same bytes, ours are UTC.
    Timestamp,
    /// `uuid`.
    Uuid,
    /// `real`.
    Float4,
    /// Types whose binary form is their text: enums, `json`, `citext`, `xml`.
    Label,
    /// `jsonb`.
    Jsonb,
}

impl Form {
    /// Whether a column of this form takes the texts of a plain file, though it is none of texts.
    pub fn takes_texts(self) -> bool {
        match self {
            Self::Int2 | Self::Float4 | Self::Numeric | Self::Uuid | Self::Label | Self::Jsonb => {
                true
            }
            Self::Text
            | Self::Int4
            | Self::Int8
            | Self::Float8
            | Self::Bool
            | Self::Date
            | Self::Timestamp => false,
        }
    }
}

/// The type of a new column for a type of DuckDB. What has no counterpart is text.
pub fn ddl(duckdb: &str) -> String {
    let plain = match duckdb {
        "BIGINT" | "UINTEGER" => "bigint",
        "INTEGER" | "USMALLINT" => "integer",
        "SMALLINT" | "TINYINT" | "UTINYINT" => "smallint",
        "DOUBLE" | "FLOAT" => "double precision",
        "BOOLEAN" => "boolean",
        "DATE" => "date",
        "TIMESTAMP" => "timestamp",
        "TIMESTAMP WITH TIME ZONE" => "timestamptz",
        "UUID" => "uuid",
        "HUGEINT" | "UBIGINT" => "numeric(39,0)",
        _ => "text",
    };
    match duckdb.strip_prefix("DECIMAL") {
        Some(size) => format!("numeric{size}"),
        None => plain.to_owned(),
    }
}

/// The form of a type of the server, by its name as `format_type` gives it.
pub fn form(server: &str) -> Option<Form> {
    Some(match server {
        "text" | "character varying" => Form::Text,
        _ if limit(server).is_some() => Form::Text,
        "smallint" => Form::Int2,
        "integer" => Form::Int4,
        "bigint" => Form::Int8,
        "double precision" => Form::Float8,
        "boolean" => Form::Bool,
        "date" => Form::Date,
        "timestamp without time zone" | "timestamp with time zone" => Form::Timestamp,
        "uuid" => Form::Uuid,
        "real" => Form::Float4,
        "json" | "citext" | "xml" => Form::Label,
        "jsonb" => Form::Jsonb,
        "numeric" => Form::Numeric,
        // A scale below zero, or above the precision, rounds or bounds in ways of its own.
        _ if size(server).is_some_and(|(all, behind)| behind <= all) => Form::Numeric,
        _ => return None,
    })
}

/// Most characters of a text column; `None` where there is no limit.
pub fn limit(server: &str) -> Option<usize> {
    let sized = ["character varying(", "character("];
    let inside = sized.iter().find_map(|name| server.strip_prefix(name))?;
    inside.strip_suffix(')')?.parse().ok()
}

/// Whether a column of the server can take every value of a type of DuckDB.
pub fn fits(duckdb: &str, server: &str) -> bool {
    let Some(form) = form(server) else { return false };
    let wanted = ddl(duckdb);
    let whole = |digits: u32| match size(server) {
        None => true,
        Some((precision, scale)) => precision.saturating_sub(scale) >= digits,
    };
    match (wanted.as_str(), form) {
        ("text", Form::Text)
        | ("smallint", Form::Int2 | Form::Int4 | Form::Int8)
        | ("integer", Form::Int4 | Form::Int8)
        | ("bigint", Form::Int8)
        | ("double precision", Form::Float8)
        | ("boolean", Form::Bool)
        | ("date", Form::Date)
        | ("uuid", Form::Uuid) => true,
        ("date" | "timestamp" | "timestamptz", Form::Timestamp) => true,
        ("smallint", Form::Numeric) => whole(5),
        ("integer", Form::Numeric) => whole(10),
        ("bigint", Form::Numeric) => whole(19),
        (_, Form::Numeric) => match (size(&wanted), size(server)) {
            (Some(_), None) => true,
            (Some((precision, scale)), Some((there, behind))) => {
                behind >= scale && there - behind >= precision - scale
            }
            (None, _) => false,
        },
        _ => false,
    }
}

/// The type to which a column can be made wider, so that it keeps all its values and takes those of a type of
/// DuckDB; `None` where no such type is known to be safe.
pub fn wider(server: &str, duckdb: &str) -> Option<String> {
    let wanted = ddl(duckdb);
    let numbers = ["smallint", "integer", "bigint"];
    let rank = |ty: &str| numbers.iter().position(|known| *known == ty);
    let digits = |ty: &str| Some([5, 10, 19][rank(ty)?]).map(|whole| (whole, 0));
    let of = |ty: &str| size(ty).or_else(|| digits(ty)).map(|(all, scale)| (all - scale, scale));
    match (rank(server), rank(&wanted)) {
        (Some(there), Some(needed)) => (needed > there).then_some(wanted),
        _ if form(server)? == Form::Text => Some("text".to_owned()),
        // The text of an exact number is that number.
        (there, _) if wanted == "text" => {
            (there.is_some() || server.starts_with("numeric")).then_some(wanted)
        }
        _ => {
            let ((whole, scale), (more, behind)) = (of(server)?, of(&wanted)?);
            let (whole, scale) = (whole.max(more), scale.max(behind));
            Some(format!("numeric({},{scale})", whole + scale))
        }
    }
}

/// `numeric(18,2)` → (18, 2).
pub fn size(server: &str) -> Option<(u32, u32)> {
    let inside = server.strip_prefix("numeric(")?.strip_suffix(')')?;
    let (precision, scale) = inside.split_once(',').unwrap_or((inside, "0"));
    Some((precision.trim().parse().ok()?, scale.trim().parse().ok()?))
}

/// The name that DuckDB has for a type of the server; others keep their own.
pub fn duckdb(server: &str) -> String {
    match form(server) {
        Some(Form::Text) => "VARCHAR".into(),
        Some(Form::Int2) => "SMALLINT".into(),
        Some(Form::Int4) => "INTEGER".into(),
        Some(Form::Int8) => "BIGINT".into(),
        Some(Form::Float8) => "DOUBLE".into(),
        Some(Form::Bool) => "BOOLEAN".into(),
        Some(Form::Date) => "DATE".into(),
        Some(Form::Timestamp) if server == "timestamp with time zone" => {
            "TIMESTAMP WITH TIME ZONE".into()
        }
        Some(Form::Timestamp) => "TIMESTAMP".into(),
        Some(Form::Uuid) => "UUID".into(),
        Some(Form::Numeric) => server.replace("numeric", "DECIMAL"),
        Some(Form::Float4 | Form::Label | Form::Jsonb) | None => server.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_column_takes_what_it_was_made_for() {
        let types = ["VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE", "DECIMAL(18,2)"];
        for duck in types {
            assert!(fits(duck, &ddl(duck)), "{duck}");
            assert_eq!(duckdb(&ddl(duck)), duck);
        }
        assert!(fits("TIMESTAMP", "timestamp without time zone"));
        assert!(fits("UUID", "uuid") && fits("VARCHAR", "character varying"));
    }

    #[test]
    fn a_column_is_only_ever_made_wider() {
        let cases = [
            ("integer", "BIGINT", Some("bigint")),
            ("bigint", "INTEGER", None),
            ("numeric(10,2)", "INTEGER", Some("numeric(12,2)")),
            ("numeric(10,2)", "DECIMAL(18,4)", Some("numeric(18,4)")),
            ("integer", "DECIMAL(18,2)", Some("numeric(18,2)")),
            ("character varying(5)", "DATE", Some("text")),
            ("numeric", "INTEGER", None),
            ("real", "DOUBLE", None),
            ("boolean", "VARCHAR", None),
            ("timestamp with time zone", "DATE", None),
        ];
        for (there, needed, wanted) in cases {
            assert_eq!(wider(there, needed).as_deref(), wanted, "{there} {needed}");
        }
    }

    #[test]
    fn values_never_lose_anything() {
        assert!(fits("INTEGER", "bigint") && !fits("BIGINT", "integer"));
        assert!(fits("BIGINT", "numeric") && fits("BIGINT", "numeric(19,0)"));
        assert!(!fits("BIGINT", "numeric(18,0)") && !fits("BIGINT", "numeric(20,2)"));
        assert!(fits("DECIMAL(18,2)", "numeric(20,4)") && !fits("DECIMAL(18,2)", "numeric(18,4)"));
        assert!(!fits("DOUBLE", "numeric") && !fits("DOUBLE", "real"));
        assert!(fits("VARCHAR", "character varying(20)") && !fits("DATE", "text"));
        assert_eq!(limit("character(2)"), Some(2));
        assert_eq!(limit("text"), None);
    }
}
