//! Numbers that come as digits, because a 64-bit float of them would say less.

use super::{ColumnBuilder, Pushed};
use crate::chunk::{ColumnKind, Marks, MisfitKind, ReadColumn, Role};
use crate::source::cell::EXACT;
use crate::source::number;
use std::borrow::Cow;

/// Digits that a 64-bit float keeps of any number.
const KEPT: usize = 15;

impl ColumnBuilder {
    /// Pushes an exact whole number: all 64 bits of it, where the column can hold them.
    pub fn push_whole(&mut self, value: i64) -> Pushed {
        match self.spec.kind {
            ColumnKind::BigInt => self.push_bigint(value),
            ColumnKind::Double if (value as f64).abs() < EXACT => self.push_double(value as f64),
            kind if kind == ColumnKind::Bool || kind == ColumnKind::Date || kind.is_moment() => {
                self.push_null();
                return Err(MisfitKind::Type);
            }
            _ => return self.push_text(itoa::Buffer::new().format(value)),
        }
        Ok(())
    }

    /// Pushes a cell of the kind `Cell::Digits`: a text column takes the digits as they are, with zeros in
    /// front and separators; any other takes the number.
    pub(super) fn push_digits(&mut self, digits: &str) -> Pushed {
        let misfit = match self.spec.kind {
            ColumnKind::Text if self.spec.role == Role::Id && may_be_rounded(digits) => {
                self.digits.mark(self.len + self.pending);
                MisfitKind::IdInexact
            }
            ColumnKind::Text => {
                if is_code(digits) {
                    self.digits.mark(self.len + self.pending);
                }
                return self.push_text(in_width(&self.spec, digits));
            }
            ColumnKind::Bool
            | ColumnKind::Date
            | ColumnKind::Timestamp
            | ColumnKind::TimestampTz
            | ColumnKind::TimestampNs => MisfitKind::Type,
            ColumnKind::BigInt => match number_of(digits).parse() {
                Ok(number) => {
                    self.push_bigint(number);
                    return Ok(());
                }
                Err(_) => MisfitKind::Overflow,
            },
            ColumnKind::Double if !number::float_keeps(&number_of(digits)) => MisfitKind::Overflow,
            ColumnKind::Int | ColumnKind::Double | ColumnKind::Decimal(_) => {
                return self.push_parsed(self.spec.kind, number_of(digits).as_bytes());
            }
        };
        self.push_null();
        Err(misfit)
    }

    /// Cells that are codes by their number format, and ids that are refused although their digits are
    /// known.
    pub fn take_digits(&mut self) -> Marks {
        std::mem::take(&mut self.digits)
    }
}

/// A code: not a number of 16 digits or more, which are kept because a float would lose some.
fn is_code(digits: &str) -> bool {
    let number = digits.strip_prefix('-').unwrap_or(digits);
    let plain = number.bytes().all(|byte| byte.is_ascii_digit());
    !plain || number.len() <= KEPT || number.starts_with('0')
}

/// A number that a 64-bit float is written as: its last digits may have been others, which an id must not
/// have.
fn may_be_rounded(digits: &str) -> bool {
    let number = number_of(digits);
    let rounded = |float: f64| float.abs() >= EXACT && float.to_string() == *number;
    number.len() > KEPT && number.parse().is_ok_and(rounded)
}

/// The number without separators and zeros in front.
fn number_of(digits: &str) -> Cow<'_, str> {
    let number = digits.strip_prefix('-').unwrap_or(digits);
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        let zeros = number.len() - number.trim_start_matches('0').len();
        return Cow::Borrowed(&digits[zeros.min(number.len().saturating_sub(1))..]);
    }
    let number: String = digits.chars().filter(char::is_ascii_digit).collect();
    Cow::Owned(number_of(&number).into_owned())
}

/// A code of a known width comes with as many zeros as that takes, and not with more because its cell
/// shows more.
fn in_width<'a>(spec: &ReadColumn, digits: &'a str) -> &'a str {
    let (Role::Code, Some(width)) = (spec.role, spec.width) else { return digits };
    let surplus = digits.len().saturating_sub(width);
    match digits.as_bytes()[..surplus].iter().all(|byte| *byte == b'0') {
        true => &digits[surplus..],
        false => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::AnyValue;

    /// The value and the misfit of one cell in a column.
    fn pushed(kind: ColumnKind, role: Role, width: Option<usize>, digits: &str) -> String {
        let text = ReadColumn::text("c", "c", 0);
        let mut builder = ColumnBuilder::new(&ReadColumn { kind, role, width, ..text }, 1);
        let result = builder.push_digits(digits);
        let column = builder.finish();
        let value = match column.get(0).expect("one cell") {
            AnyValue::Null => "-".to_owned(),
            AnyValue::Float64(value) => format!("{value:?}"),
            value => value.str_value().into_owned(),
        };
        match result {
            Ok(()) => value,
            Err(misfit) => format!("{value} {misfit:?}"),
        }
    }

    #[test]
    fn a_text_column_takes_the_digits_and_any_other_the_number() {
        use ColumnKind::{BigInt, Date, Decimal, Double, Int, Text};
        let cases = [
            (Text, "02035", "02035"),
            (Int, "02035", "2035"),
            (BigInt, "00000", "0"),
            (Double, "02035", "2035.0"),
            (Decimal(2), "02035", "2035.00"),
            (Text, "012-34-5678", "012-34-5678"),
            (Int, "012-34-5678", "12345678"),
            (Date, "02035", "- Type"),
            (Text, "568883383628111873", "568883383628111873"),
            (BigInt, "568883383628111873", "568883383628111873"),
            (BigInt, "-9223372036854775808", "-9223372036854775808"),
            (BigInt, "9223372036854775808", "- Overflow"),
            (Int, "9007199254740993", "- Overflow"),
            (Double, "9007199254740994", "9007199254740994.0"),
            (Double, "9007199254740993", "- Overflow"),
            (Double, "-9007199254740993", "- Overflow"),
            (Double, "100000000000000000000000", "1e23"),
            (Double, "0000012345678901234", "12345678901234.0"),
            (Int, "0000000000000000000002035", "2035"),
            (Int, "000-00-0000", "0"),
            (Decimal(0), "568883383628111873", "568883383628111873"),
            (Decimal(2), "568883383628111873", "- Overflow"),
        ];
        for (kind, digits, expected) in cases {
            assert_eq!(pushed(kind, Role::Plain, None, digits), expected, "{kind:?} {digits}");
        }
    }

    #[test]
    fn an_id_keeps_its_zeros_and_is_refused_where_its_last_digits_may_be_others() {
        let id = |digits| pushed(ColumnKind::Text, Role::Id, None, digits);
        assert_eq!(id("074119030001"), "074119030001");
        assert_eq!(id("9007199254740993"), "9007199254740993");
        assert_eq!(id("568883383628111873"), "568883383628111873");
        assert_eq!(id("0009007199254740991"), "0009007199254740991");
        assert_eq!(id("9007199254740994"), "- IdInexact");
        assert_eq!(id("4741190300030005000"), "- IdInexact");
        assert_eq!(id("49402520000000000"), "- IdInexact");
        assert_eq!(id("049402520000000000"), "- IdInexact");
    }

    #[test]
    fn a_code_has_the_zeros_of_its_width() {
        let code = |digits| pushed(ColumnKind::Text, Role::Code, Some(2), digits);
        assert_eq!(code("011"), "11");
        assert_eq!(code("00000"), "00");
        assert_eq!(code("111"), "111");
        assert_eq!(code("01"), "01");
        let wide = pushed(ColumnKind::Text, Role::Code, Some(5), "02035");
        assert_eq!(wide, "02035");
    }
}
