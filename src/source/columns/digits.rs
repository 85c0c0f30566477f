//! Numbers that come as digits, because a 64-bit float of them would say less.

use super::{ColumnBuilder, EXACT, Pushed};
use crate::chunk::{ColumnKind, Marks, MisfitKind, ReadColumn, Role};
use std::borrow::Cow;

/// Digits that a spreadsheet keeps of a number; it makes zeros of all behind them.
const KEPT: usize = 15;

impl ColumnBuilder {
    /// Pushes an exact whole number: all 64 bits of it, where the column can hold them.
    pub fn push_whole(&mut self, value: i64) -> Pushed {
        match self.spec.kind {
            ColumnKind::BigInt => self.push_bigint(value),
            ColumnKind::Double if (value as f64).abs() < EXACT => self.push_double(value as f64),
            ColumnKind::Bool | ColumnKind::Date | ColumnKind::Timestamp => {
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
            ColumnKind::Text if self.spec.role == Role::Id && is_cut(digits) => {
                self.digits.mark(self.len + self.pending);
                MisfitKind::IdInexact
            }
            ColumnKind::Text => {
                if is_code(digits) {
                    self.digits.mark(self.len + self.pending);
                }
                return self.push_text(in_width(&self.spec, digits));
            }
            ColumnKind::Bool | ColumnKind::Date | ColumnKind::Timestamp => MisfitKind::Type,
            ColumnKind::BigInt => match number_of(digits).parse() {
                Ok(number) => {
                    self.push_bigint(number);
                    return Ok(());
                }
                Err(_) => MisfitKind::Overflow,
            },
            ColumnKind::Double if is_rounded(&number_of(digits)) => MisfitKind::Overflow,
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

/// A number of which a spreadsheet may have cut digits off, as an id must not have it.
fn is_cut(digits: &str) -> bool {
    let number = digits.trim_start_matches('0');
    number.len() > KEPT && number.bytes().skip(KEPT).all(|byte| byte == b'0')
}

/// The number without separators.
fn number_of(digits: &str) -> Cow<'_, str> {
    let number = digits.strip_prefix('-').unwrap_or(digits);
    if number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(digits);
    }
    Cow::Owned(digits.chars().filter(char::is_ascii_digit).collect())
}

/// Whether a float of these digits is another number.
fn is_rounded(digits: &str) -> bool {
    let exact = |float: f64| format!("{float:.0}") == digits || float.abs() < EXACT;
    !digits.parse().is_ok_and(exact)
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
