//! Values as SQL writes them, and as the server's texts give them back.

use super::session::Column;
use crate::duck::{ColumnType, ResultColumn, Value};
use crate::load::{LoadError, LoadErrorKind};

/// Types by their numbers in the server, as its catalogue has fixed them.
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const OID: u32 = 26;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
}

/// Puts values in the place of `?`, as literals. Question marks inside quotes are left alone.
pub fn bind(sql: &str, values: &[Value]) -> Result<String, LoadError> {
    if values.is_empty() {
        return Ok(sql.to_owned());
    }
    let mut out = String::with_capacity(sql.len() + values.len() * 16);
    let (mut quote, mut given) = (None, values.iter());
    for sign in sql.chars() {
        match (sign, quote) {
            ('?', None) => {
                let value = given.next().ok_or_else(|| internal("a value too few"))?;
                out.push_str(&literal(value));
                continue;
            }
            ('\'' | '"', None) => quote = Some(sign),
            (sign, Some(open)) if sign == open => quote = None,
            _ => {}
        }
        out.push(sign);
    }
    match given.next() {
        Some(_) => Err(internal("a value too many")),
        None => Ok(out),
    }
}

/// Whether nothing stands behind the first semicolon. One inside quotes of another kind than `'` and
/// `"` counts as well: that errs on the side of refusing.
pub fn is_one_statement(sql: &str) -> bool {
    let mut quote = None;
    for (at, sign) in sql.char_indices() {
        match (sign, quote) {
            (';', None) => return sql[at + 1..].trim().is_empty(),
            ('\'' | '"', None) => quote = Some(sign),
            (sign, Some(open)) if sign == open => quote = None,
            _ => {}
        }
    }
    true
}

fn internal(what: &str) -> LoadError {
    LoadError::new(LoadErrorKind::Target, format!("internal error: {what} for a statement"))
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(value) => value.to_string(),
        // In brackets: two minus signs would be a comment.
        Value::Int(value) if *value < 0 => format!("({value})"),
        Value::HugeInt(value) if *value < 0 => format!("({value})"),
        Value::Int(_) | Value::HugeInt(_) | Value::Decimal { .. } => value.to_string(),
        Value::Uuid(_) => format!("'{value}'::uuid"),
        other => text_literal(&other.to_string()),
    }
}

/// A text, whatever it holds and however the server is set.
pub fn text_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!("E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// A column of an answer as the rest of the program knows it.
pub fn column(column: &Column) -> ResultColumn {
    let kind = match column.oid {
        oid::BOOL => ColumnType::Bool,
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => ColumnType::BigInt,
        oid::FLOAT4 | oid::FLOAT8 => ColumnType::Double,
        oid::UUID => ColumnType::Uuid,
        oid::NUMERIC => ColumnType::Decimal { width: 38, scale: 0 },
        _ => ColumnType::Varchar,
    };
    ResultColumn { name: column.name.clone(), kind }
}

/// A value of an answer. What does not fit its type stays text.
pub fn value(column: &Column, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    let known = match column.oid {
        oid::BOOL => Some(Value::Bool(text == "t")),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => text.parse().ok().map(Value::Int),
        oid::FLOAT4 | oid::FLOAT8 => text.parse().ok().map(Value::Double),
        oid::NUMERIC => decimal(text),
        oid::UUID => uuid(text).map(Value::Uuid),
        _ => None,
    };
    known.unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn decimal(text: &str) -> Option<Value> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let scale = u8::try_from(part.len()).ok().filter(|scale| *scale <= 38)?;
    let value = format!("{whole}{part}").parse().ok()?;
    Some(Value::Decimal { value, scale })
}

/// `00000000-0000-…` as a number.
pub fn uuid(text: &str) -> Option<u128> {
    let mut number = 0u128;
    let mut digits = 0;
    for byte in text.bytes().filter(|byte| *byte != b'-') {
        number = number << 4 | u128::from(char::from(byte).to_digit(16)?);
        digits += 1;
    }
    (digits == 32).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_where_the_marks_were() {
        let values = [Value::from("it's \\ ?"), Value::from(-5i64), Value::Null, Value::Uuid(1)];
        let sql = bind("SELECT '?', \"a?\", ?, 1-?, ?, ?", &values).expect("as many marks");
        assert_eq!(
            sql,
            "SELECT '?', \"a?\", E'it''s \\\\ ?', 1-(-5), NULL, \
             '00000000-0000-0000-0000-000000000001'::uuid"
        );
        assert!(bind("SELECT ?", &[]).is_ok());
        assert!(bind("SELECT ?, ?", &values[..1]).is_err());
        assert!(bind("SELECT 1", &values[..1]).is_err());
    }

    #[test]
    fn a_question_is_one_statement() {
        assert!(is_one_statement("SELECT ';' FROM \"a;b\" ; \n"));
        assert!(!is_one_statement("SELECT 1; DELETE FROM t"));
    }

    #[test]
    fn texts_of_the_server_become_values() {
        let of = |oid, text| value(&Column { name: String::new(), oid }, Some(text));
        assert_eq!(of(oid::INT8, "-7"), Value::Int(-7));
        assert_eq!(of(oid::BOOL, "t"), Value::Bool(true));
        assert_eq!(of(oid::NUMERIC, "-12.50"), Value::Decimal { value: -1250, scale: 2 });
        assert_eq!(of(oid::NUMERIC, "NaN"), Value::Text("NaN".into()));
        assert_eq!(of(oid::UUID, "00000000-0000-0000-0000-0000000000ff"), Value::Uuid(255));
        assert_eq!(of(25, "x"), Value::Text("x".into()));
    }
}
