//! Single values, as they go into parameters and come out of small results.

use std::fmt;

use libduckdb_sys as sys;

/// One cell, or one parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// Any integer that fits 64 bits.
    Int(i64),
    /// HUGEINT, and unsigned integers beyond 64 signed bits.
    HugeInt(i128),
    /// FLOAT or DOUBLE.
    Double(f64),
    /// DECIMAL: `value` / 10^`scale`.
    Decimal {
        /// The digits as an integer.
        value: i128,
        /// How many of them stand after the point.
        scale: u8,
    },
    /// VARCHAR, and every type that has no variant of its own.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01 UTC. Bound as TIMESTAMP WITH TIME ZONE.
    Timestamp(i64),
    /// UUID, most significant byte first.
    Uuid(u128),
}

impl Value {
    /// The integer, whatever its width in the database.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::HugeInt(value) => i64::try_from(*value).ok(),
            Value::Decimal { value, scale: 0 } => i64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// The text of a VARCHAR.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value of a BOOLEAN.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// True for NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Value { Value::$variant(value.into()) }
        })*
    };
}
from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, i128 => HugeInt, f64 => Double,
      &str => Text, String => Text);

impl From<u64> for Value {
    fn from(value: u64) -> Value {
        i64::try_from(value).map_or(Value::HugeInt(value.into()), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::from(value as u64)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// Text as DuckDB itself would print it; NULL prints as nothing.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::HugeInt(value) => write!(f, "{value}"),
            Value::Double(value) => write_double(f, *value),
            Value::Decimal { value, scale } => write_decimal(f, *value, *scale),
            Value::Text(text) => f.write_str(text),
            Value::Blob(bytes) => bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02X}")),
            Value::Date(days) => write_date(f, i64::from(*days)),
            Value::Timestamp(micros) => write_timestamp(f, *micros),
            Value::Uuid(uuid) => write_uuid(f, *uuid),
        }
    }
}

fn write_double(f: &mut fmt::Formatter<'_>, value: f64) -> fmt::Result {
    if value.is_finite() {
        f.write_str(ryu::Buffer::new().format_finite(value))
    } else if value.is_nan() {
        f.write_str("nan")
    } else {
        f.write_str(if value > 0.0 { "inf" } else { "-inf" })
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, value: i128, scale: u8) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let digits = value.unsigned_abs();
    if scale == 0 {
        return write!(f, "{sign}{digits}");
    }
    let unit = 10u128.pow(u32::from(scale.min(38)));
    write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit, width = usize::from(scale))
}

fn write_date(f: &mut fmt::Formatter<'_>, days: i64) -> fmt::Result {
    match days {
        days if days == i64::from(i32::MAX) => f.write_str("infinity"),
        days if days == -i64::from(i32::MAX) => f.write_str("-infinity"),
        _ => {
            let (year, month, day) = civil(days);
            if year > 0 {
                write!(f, "{year:04}-{month:02}-{day:02}")
            } else {
                write!(f, "{:04}-{month:02}-{day:02} (BC)", 1 - year)
            }
        }
    }
}

fn write_timestamp(f: &mut fmt::Formatter<'_>, micros: i64) -> fmt::Result {
    if micros == i64::MAX || micros == -i64::MAX {
        return f.write_str(if micros > 0 { "infinity" } else { "-infinity" });
    }
    let day = 86_400_000_000;
    write_date(f, micros.div_euclid(day))?;
    let rest = micros.rem_euclid(day);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    write!(f, " {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if fraction == 0 {
        return Ok(());
    }
    let digits = format!("{fraction:06}");
    write!(f, ".{}", digits.trim_end_matches('0'))
}

fn write_uuid(f: &mut fmt::Formatter<'_>, uuid: u128) -> fmt::Result {
    let part = |shift: u32, bits: u32| (uuid >> shift) & ((1 << bits) - 1);
    let (a, b, c) = (part(96, 32), part(80, 16), part(64, 16));
    write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", part(48, 16), part(0, 48))
}

/// Year, month and day of a day number (Howard Hinnant's `civil_from_days`): the whole range of
/// DuckDB's DATE, which is wider than chrono's.
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u32;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// The type of a result column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are DuckDB's own")]
pub enum ColumnType {
    Null,
    Bool,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    HugeInt,
    UHugeInt,
    Float,
    Double,
    Decimal {
        width: u8,
        scale: u8,
    },
    Varchar,
    Blob,
    Date,
    Timestamp,
    TimestampTz,
    TimestampS,
    TimestampMs,
    TimestampNs,
    Uuid,
    /// A type without a variant of its own, by its number in the C API; read as text.
    Other(u32),
}

/// How the cells of a column lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    I128,
    U128,
    Bytes,
    Unknown,
}

impl ColumnType {
    pub(super) fn from_id(id: u32, (width, scale): (u8, u8)) -> ColumnType {
        use ColumnType::*;
        match id {
            sys::DUCKDB_TYPE_DUCKDB_TYPE_SQLNULL => Null,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_BOOLEAN => Bool,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TINYINT => TinyInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_SMALLINT => SmallInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_INTEGER => Integer,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_BIGINT => BigInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_UTINYINT => UTinyInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_USMALLINT => USmallInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_UINTEGER => UInteger,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_UBIGINT => UBigInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_HUGEINT => HugeInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_UHUGEINT => UHugeInt,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_FLOAT => Float,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_DOUBLE => Double,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_DECIMAL => Decimal { width, scale },
            sys::DUCKDB_TYPE_DUCKDB_TYPE_VARCHAR => Varchar,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_BLOB => Blob,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_DATE => Date,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP => Timestamp,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_TZ => TimestampTz,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_S => TimestampS,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_MS => TimestampMs,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_TIMESTAMP_NS => TimestampNs,
            sys::DUCKDB_TYPE_DUCKDB_TYPE_UUID => Uuid,
            other => Other(other),
        }
    }

    /// How DuckDB lays out a vector of this type.
    pub(super) fn physical(self) -> Physical {
        use ColumnType::*;
        match self {
            Bool | UTinyInt => Physical::U8,
            TinyInt => Physical::I8,
            SmallInt => Physical::I16,
            USmallInt => Physical::U16,
            Integer | Date => Physical::I32,
            UInteger => Physical::U32,
            BigInt | Timestamp | TimestampTz | TimestampS | TimestampMs | TimestampNs => {
                Physical::I64
            }
            UBigInt => Physical::U64,
            HugeInt | Uuid => Physical::I128,
            UHugeInt => Physical::U128,
            Float => Physical::F32,
            Double => Physical::F64,
            Decimal { width: 0..=4, .. } => Physical::I16,
            Decimal { width: 5..=9, .. } => Physical::I32,
            Decimal { width: 10..=18, .. } => Physical::I64,
            Decimal { .. } => Physical::I128,
            Varchar | Blob => Physical::Bytes,
            Null | Other(_) => Physical::Unknown,
        }
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    /// Its name, as the query gives it.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
}

/// A small result, all of it in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The columns, in order.
    pub columns: Vec<ResultColumn>,
    /// The rows, each with one value a column.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// The first cell of the first row: the answer of `SELECT count(*)` and the like.
    pub fn scalar(&self) -> Option<&Value> {
        self.rows.first().and_then(|row| row.first())
    }

    /// The position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
