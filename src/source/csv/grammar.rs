//! How a delimited text is written: the few bytes that matter, and what to do about broken rows.

use crate::chunk::LineGrammar;
use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What becomes of rows that break the grammar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CsvPolicy {
    /// They are refused, each with its place and reason.
    #[default]
    Strict,
    /// They are repaired where only one repair is possible, each counted; else refused.
    Lenient,
}

impl FromStr for CsvPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "strict" => Ok(Self::Strict),
            "lenient" => Ok(Self::Lenient),
            _ => Err(format!("`{text}` is no policy; use strict or lenient")),
        }
    }
}

impl fmt::Display for CsvPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Strict { "strict" } else { "lenient" })
    }
}

/// The character around values that hold delimiters or line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Quoting {
    /// Quotes are text like any other.
    None,
    /// This character, from ASCII.
    Char(char),
}

impl FromStr for Quoting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        match (text, letters.next(), letters.next()) {
            ("none", ..) => Ok(Self::None),
            ("double", ..) => Ok(Self::Char('"')),
            ("single", ..) => Ok(Self::Char('\'')),
            (_, Some(one), None) if one.is_ascii() && !one.is_ascii_alphanumeric() => {
                Ok(Self::Char(one))
            }
            _ => Err(format!("`{text}` is no quote; give one character, or none")),
        }
    }
}

impl TryFrom<String> for Quoting {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Quoting> for String {
    fn from(value: Quoting) -> Self {
        value.to_string()
    }
}

impl fmt::Display for Quoting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Char(quote) => write!(f, "{quote}"),
        }
    }
}

/// How a quote stands inside a quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Escaping {
    /// Written twice.
    Doubled,
    /// Behind this character, from ASCII.
    Char(char),
    /// As it is: a quote closes only before a delimiter or a line end.
    None,
}

impl FromStr for Escaping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = text.chars();
        match (text, letters.next(), letters.next()) {
            ("doubled", ..) => Ok(Self::Doubled),
            ("none", ..) => Ok(Self::None),
            ("backslash", ..) => Ok(Self::Char('\\')),
            (_, Some(one), None) if one.is_ascii() && !one.is_ascii_alphanumeric() => {
                Ok(Self::Char(one))
            }
            _ => Err(format!("`{text}` is no escape; use doubled, backslash, none or a character")),
        }
    }
}

impl TryFrom<String> for Escaping {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Escaping> for String {
    fn from(value: Escaping) -> Self {
        value.to_string()
    }
}

impl fmt::Display for Escaping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Doubled => f.write_str("doubled"),
            Self::None => f.write_str("none"),
            Self::Char('\\') => f.write_str("backslash"),
            Self::Char(escape) => write!(f, "{escape}"),
        }
    }
}

/// The bytes that cut a text into records and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grammar {
    /// Between fields.
    pub delimiter: u8,
    /// Around fields; `None`: quotes are text.
    pub quote: Option<u8>,
    /// How a quote stands inside quotes.
    pub escape: Escape,
    /// Line end byte: `\n`, or `\r` in files of old Macs.
    pub end: u8,
    /// Blanks behind a delimiter are no part of the value (`a, "b, c"`).
    pub padded: bool,
}

/// [`Escaping`] in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// Written twice.
    Doubled,
    /// Behind this byte.
    Byte(u8),
    /// As it is.
    None,
}

impl From<Escaping> for Escape {
    fn from(escaping: Escaping) -> Self {
        match escaping {
            Escaping::Doubled => Self::Doubled,
            Escaping::None => Self::None,
            Escaping::Char(escape) => Self::Byte(escape as u8),
        }
    }
}

impl Grammar {
    /// Commas, double quotes, `\n`.
    pub const PLAIN: Self = Self {
        delimiter: b',',
        quote: Some(b'"'),
        escape: Escape::Doubled,
        end: b'\n',
        padded: false,
    };

    /// How single lines are split again when they have been corrected by hand.
    pub fn of_lines(&self) -> LineGrammar {
        LineGrammar {
            delimiter: char::from(self.delimiter),
            quote: self.quote.map(char::from),
            escape: match self.escape {
                Escape::Byte(escape) => Some(char::from(escape)),
                Escape::Doubled | Escape::None => None,
            },
        }
    }

    /// The grammar of a single line; `None` where its characters are not single bytes.
    pub fn of(line: LineGrammar) -> Option<Self> {
        let byte = |c: char| c.is_ascii().then_some(c as u8);
        Some(Self {
            delimiter: byte(line.delimiter)?,
            quote: line.quote.map_or(Some(None), |quote| byte(quote).map(Some))?,
            escape: match line.escape {
                Some(escape) => Escape::Byte(byte(escape)?),
                None => Escape::Doubled,
            },
            ..Self::PLAIN
        })
    }

    /// The value of a field that holds escapes.
    pub fn unescape<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        let Some(quote) = self.quote.map(char::from) else { return text };
        match self.escape {
            Escape::None => text,
            Escape::Doubled => {
                let twice: String = [quote, quote].iter().collect();
                Cow::Owned(text.replace(&twice, quote.encode_utf8(&mut [0; 4])))
            }
            Escape::Byte(escape) => Cow::Owned(self.without(&text, char::from(escape))),
        }
    }

    /// Takes an escape out only before what it protects: `8\'9\"` is `8\'9"`.
    fn without(&self, text: &str, escape: char) -> String {
        let protected = |c: char| {
            c == escape
                || u8::try_from(c).is_ok_and(|b| Some(b) == self.quote || b == self.delimiter)
        };
        let mut out = String::with_capacity(text.len());
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letters.peek() {
                Some(next) if letter == escape && protected(*next) => {
                    out.push(*next);
                    letters.next();
                }
                _ => out.push(letter),
            }
        }
        out
    }
}

/// Everything known of how a text is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialect {
    /// How records and fields are cut.
    pub grammar: Grammar,
    /// Encoding of the bytes as they reach the splitter (UTF-16 is transcoded before).
    pub encoding: &'static Encoding,
    /// What becomes of broken rows.
    pub policy: CsvPolicy,
    /// The header's record as it stands in the file; empty without one. A row that equals it is no
    /// data.
    pub header_line: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_taken_out_only_where_they_protect() {
        let doubled = Grammar::PLAIN;
        assert_eq!(doubled.unescape(r#"5"" pipe"#.into()), r#"5" pipe"#);
        let backslash = Grammar { escape: Escape::Byte(b'\\'), ..doubled };
        assert_eq!(backslash.unescape(r#"8\'9\" C:\\x \,"#.into()), r#"8\'9" C:\x ,"#);
        let none = Grammar { escape: Escape::None, ..doubled };
        assert_eq!(none.unescape(r#"5"" pipe"#.into()), r#"5"" pipe"#);
    }

    #[test]
    fn flags_name_what_they_mean() {
        assert_eq!("none".parse(), Ok(Quoting::None));
        assert_eq!("'".parse(), Ok(Quoting::Char('\'')));
        assert_eq!("backslash".parse(), Ok(Escaping::Char('\\')));
        assert!("ab".parse::<Quoting>().is_err() && "a".parse::<Escaping>().is_err());
        assert_eq!("lenient".parse(), Ok(CsvPolicy::Lenient));
        for text in ["doubled", "none", "backslash", "^"] {
            assert_eq!(text.parse::<Escaping>().expect("an escape").to_string(), text);
        }
    }
}
