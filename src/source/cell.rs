//! One cell of a format that stores types, and the one text form of each value.

use std::borrow::Cow;

/// Below this, every whole number is exact in a 64-bit float.
pub const EXACT: f64 = 9_007_199_254_740_992.0;

/// One cell of a workbook, as stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// Nothing.
    Blank,
    /// Text.
    Text(&'a str),
    /// A number without a date format.
    Number(f64),
    /// A number whose digits say more than a float of it: a code with zeros in front or separators, as
    /// its number format shows it (`02035`), or a whole number too large to be exact as a float.
    Digits(&'a str),
    /// TRUE or FALSE.
    Bool(bool),
    /// A number with a date format: microseconds since 1970-01-01.
    Moment(i64),
    /// `#N/A` and the like.
    Error(&'a str),
}

impl<'a> Cell<'a> {
    /// The text by which people and failed-record files name the value.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Blank => Cow::Borrowed(""),
            Self::Text(text) | Self::Digits(text) | Self::Error(text) => Cow::Borrowed(text),
            Self::Number(value) => Cow::Owned(number_text(value)),
            Self::Bool(value) => Cow::Borrowed(if value { "TRUE" } else { "FALSE" }),
            Self::Moment(micros) => Cow::Owned(moment_text(micros)),
        }
    }

    /// Nothing, or text of blanks only.
    pub fn is_blank(self) -> bool {
        match self {
            Self::Blank => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

/// The shortest text that means this very number, without `.0` and never in scientific notation.
pub fn number_text(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < EXACT {
        itoa::Buffer::new().format(value as i64).to_owned()
    } else {
        value.to_string()
    }
}

/// ISO text of a moment; a bare date where the time is midnight, no more decimals than there are.
pub fn moment_text(micros: i64) -> String {
    let Some(moment) = chrono::DateTime::from_timestamp_micros(micros) else {
        return micros.to_string();
    };
    let format =
        if micros.rem_euclid(86_400_000_000) == 0 { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S%.f" };
    moment.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_write_them() {
        for (value, text) in [
            (1842.0, "1842"),
            (-0.0, "0"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (4.74119e11, "474119000000"),
            (1e21, "1000000000000000000000"),
        ] {
            assert_eq!(number_text(value), text);
        }
    }

    #[test]
    fn moments_keep_their_decimals() {
        assert_eq!(moment_text(0), "1970-01-01");
        assert_eq!(moment_text(1_000_000), "1970-01-01 00:00:01");
        assert_eq!(moment_text(-500_000), "1969-12-31 23:59:59.500");
    }
}
