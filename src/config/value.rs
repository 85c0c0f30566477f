//! Values of settings: how each is written in a file, in the environment and as a flag.
//!
//! One way of parsing for all layers, so that `512MiB` means the same everywhere.

use super::secret::{Reference, Secret, Webhook};
use crate::run::{DateSetting, Mode, OnAbort, TableName, Zone};
use crate::source::csv::{CsvPolicy, Escaping, Quoting};
use crate::source::excel::range::SheetRange;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::json;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::str::FromStr;

/// What a setting can hold.
pub trait Value: Sized {
    /// From the environment or a flag.
    fn parse(text: &str) -> Result<Self, String>;
    /// As `etl config show` prints it; never a secret.
    fn show(&self) -> serde_json::Value;
    /// JSON schema of the value in a file.
    fn schema() -> serde_json::Value;
}

/// Bytes: `512MiB`, `512MB`, `1g` (binary), or a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no size; write it like 512MiB, 512MB or 2g");
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(end);
        let number: f64 = number.parse().map_err(|_| bad())?;
        let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return Err(bad()),
        };
        let bytes = number * factor as f64;
        // Beyond 2^53 a float no longer counts single bytes, and no machine has that much.
        if bytes > 9e15 { Err(bad()) } else { Ok(Self(bytes as u64)) }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(size, _)| self.0 >= *size && self.0.is_multiple_of(*size)) {
            Some((size, name)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A share: `1%` or `0.01`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no share; write it like 1% or 0.01");
        let trimmed = text.trim();
        let rate = match trimmed.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().map_err(|_| bad())? / 100.0,
            None => trimmed.parse().map_err(|_| bad())?,
        };
        if (0.0..=1.0).contains(&rate) { Ok(Self(rate)) } else { Err(bad()) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten digits hide the error of dividing by a hundred.
        let percent = (self.0 * 1e12).round() / 1e10;
        write!(f, "{percent}%")
    }
}

/// One character between fields; `tab`, `comma`, `semicolon`, `pipe` and `\t` are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(pub char);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        match (text, letters.next(), letters.next()) {
            ("tab" | "\\t", ..) => Ok(Self('\t')),
            ("comma", ..) => Ok(Self(',')),
            ("semicolon", ..) => Ok(Self(';')),
            ("pipe", ..) => Ok(Self('|')),
            (_, Some(one), None) if one != '"' && one != '\n' && one != '\r' => Ok(Self(one)),
            _ => Err(format!("`{text}` is no delimiter; give one character, or tab")),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == '\t' { f.write_str("tab") } else { write!(f, "{}", self.0) }
    }
}

/// How loud a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleLevel {
    /// The row is refused, or the run stops where the rule is about the file.
    Critical,
    /// Counted, with examples.
    Warning,
    /// Counted.
    Info,
    /// Not evaluated.
    Off,
}

/// Columns that say where a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provenance {
    /// All of them.
    Full,
    /// Those that loading itself needs.
    Minimal,
}

/// What is done with a text that is longer than its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLong {
    /// The row is refused.
    Reject,
    /// The text is cut.
    Cut,
}

/// How progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressKind {
    /// Bars on a terminal, lines elsewhere.
    Auto,
    /// Bars.
    Bar,
    /// A line now and then.
    Log,
    /// One JSON object a line.
    Json,
    /// Nothing.
    None,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A closed list of words for a type: both ways of writing and the schema come from it.
macro_rules! words {
    ($type:ty { $($word:literal => $value:expr),+ $(,)? }) => {
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($value),)+
                    _ => Err(unknown_word(text, &[$($word),+])),
                }
            }

            fn show(&self) -> serde_json::Value {
                $(if *self == $value { return json!($word); })+
                json!(null)
            }

            fn schema() -> serde_json::Value {
                json!({ "enum": [$($word),+] })
            }
        }
    };
}

words!(Mode { "merge" => Mode::Merge, "append" => Mode::Append, "replace" => Mode::Replace });
words!(CsvPolicy { "strict" => CsvPolicy::Strict, "lenient" => CsvPolicy::Lenient });
words!(Provenance { "full" => Provenance::Full, "minimal" => Provenance::Minimal });
words!(TooLong { "reject" => TooLong::Reject, "cut" => TooLong::Cut });
words!(DateSetting {
    "mdy" => DateSetting::Mdy,
    "dmy" => DateSetting::Dmy,
    "ymd" => DateSetting::Ymd,
    "text" => DateSetting::Text,
});
words!(OnAbort { "keep" => OnAbort::Keep, "rollback" => OnAbort::Rollback });
words!(RuleLevel {
    "critical" => RuleLevel::Critical,
    "warning" => RuleLevel::Warning,
    "info" => RuleLevel::Info,
    "off" => RuleLevel::Off,
});
words!(ProgressKind {
    "auto" => ProgressKind::Auto,
    "bar" => ProgressKind::Bar,
    "log" => ProgressKind::Log,
    "json" => ProgressKind::Json,
    "none" => ProgressKind::None,
});
words!(ColorWhen {
    "auto" => ColorWhen::Auto,
    "always" => ColorWhen::Always,
    "never" => ColorWhen::Never,
});

fn unknown_word(text: &str, known: &[&str]) -> String {
    let meant = super::error::nearest(text, known.iter().copied())
        .map_or_else(String::new, |word| format!("; did you mean `{word}`?"));
    format!("`{text}` is not one of {}{meant}", known.join(", "))
}

/// Values written as text that [`FromStr`] and `Display` know.
macro_rules! textual {
    ($($type:ty => $schema:expr),+ $(,)?) => {$(
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.parse()
            }

            fn show(&self) -> serde_json::Value {
                json!(self.to_string())
            }

            fn schema() -> serde_json::Value {
                $schema
            }
        }
    )+};
}

textual! {
    ByteSize => json!({ "type": ["string", "integer"], "examples": ["512MiB", "2GB"] }),
    Rate => json!({ "type": ["string", "number"], "examples": ["1%", 0.01] }),
    Delimiter => json!({ "type": "string", "examples": [",", ";", "tab"] }),
    Quoting => json!({ "type": "string", "examples": ["\"", "'", "none"] }),
    Escaping => json!({ "type": "string", "examples": ["doubled", "backslash", "none"] }),
    SheetRange => json!({ "type": "string", "examples": ["A3:F200", "A3:F", "Sheet!A3:F200"] }),
    Zone => json!({ "type": "string", "examples": ["America/New_York", "UTC"] }),
    TableName => json!({ "type": "string" }),
    Reference => json!({ "type": "string", "examples": ["env:MASK_KEY", "file:mask.key"] }),
    Webhook => json!({ "type": "string", "examples": ["env:ALERT_WEBHOOK"] }),
    Secret => json!({ "type": "string", "examples": ["duckdb:rolls.duckdb", "env:DATABASE_URL"] }),
}

/// Reads a value from text or a number of a TOML file by its one way of parsing.
struct ByParsing<T>(PhantomData<T>);

impl<T: Value> Visitor<'_> for ByParsing<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::parse(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! deserialize_by_parsing {
    ($($type:ty),+) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(ByParsing(PhantomData))
            }
        }
    )+};
}

deserialize_by_parsing!(
    Reference,
    Webhook,
    ByteSize,
    Rate,
    Delimiter,
    Secret,
    RuleLevel,
    ProgressKind,
    ColorWhen,
    TooLong,
    Provenance
);

/// Values that TOML has a type for.
macro_rules! plain {
    ($($type:ty: $schema:tt, $what:literal);+ $(;)?) => {$(
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| format!("`{text}` is no {}", $what))
            }

            fn show(&self) -> serde_json::Value {
                json!(self)
            }

            fn schema() -> serde_json::Value {
                json!($schema)
            }
        }
    )+};
}

plain! {
    u16: { "type": "integer", "minimum": 0, "maximum": 65535 }, "whole number below 65,536";
    u64: { "type": "integer", "minimum": 0 }, "whole number";
    usize: { "type": "integer", "minimum": 0 }, "whole number";
    String: { "type": "string" }, "text";
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("`{text}` is neither true nor false")),
        }
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "boolean" })
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("the path is empty".into()) } else { Ok(text.into()) }
    }

    fn show(&self) -> serde_json::Value {
        json!(self.display().to_string())
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "string" })
    }
}

impl Value for Vec<String> {
    fn parse(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        Ok(items.map(str::to_owned).collect())
    }

    fn show(&self) -> serde_json::Value {
        json!(self)
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": { "type": "string" } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_binary_and_decimal_units() {
        let size = |text: &str| text.parse::<ByteSize>().map(|size| size.0);
        assert_eq!(size("512MiB"), Ok(512 << 20));
        assert_eq!(size("512MB"), Ok(512_000_000));
        assert_eq!(size("1g"), Ok(1 << 30));
        assert_eq!(size(" 1.5 GiB "), Ok(3 << 29));
        assert_eq!(size("4096"), Ok(4096));
        for wrong in ["", "MiB", "12 parsecs", "-1m", "1e9", "99999999t", "1.2.3k"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_print_as_they_are_written() {
        for text in ["512MiB", "3GiB", "1KiB", "1000B"] {
            assert_eq!(text.parse::<ByteSize>().expect("valid").to_string(), text);
        }
    }

    #[test]
    fn rates_are_percent_or_fraction_and_never_above_one() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("1%"), Ok(Rate(0.01)));
        assert_eq!(rate("0.01"), Ok(Rate(0.01)));
        assert_eq!(rate("7%").map(|rate| rate.to_string()), Ok("7%".into()));
        assert!(rate("5").is_err());
        assert!(rate("-1%").is_err());
        assert!(rate("NaN").is_err());
    }

    #[test]
    fn delimiters_have_names() {
        assert_eq!("tab".parse(), Ok(Delimiter('\t')));
        assert_eq!(";".parse(), Ok(Delimiter(';')));
        assert!("::".parse::<Delimiter>().is_err());
        assert!("\"".parse::<Delimiter>().is_err());
    }
}
