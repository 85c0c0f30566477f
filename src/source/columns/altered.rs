//! Cells that a builder has changed: marked while they pass, told with the finished columns.

use super::ColumnBuilder;
use crate::chunk::{Alteration, Altered, Marks, MisfitKind, ReadColumn};
use crate::source::cell::EXACT;
use crate::source::number;
use polars::prelude::Column;

/// Marked cells of a column, by what was done to them.
#[derive(Debug, Default)]
pub(super) struct AlteredCells {
    /// Blanks around the value were left out.
    trimmed: Marks,
    /// The text means "no value".
    no_value: Marks,
    /// A fraction of zeros was left out.
    zero_fraction: Marks,
    /// The offset from UTC was left out.
    pub offset: Marks,
    /// Nanoseconds were left out.
    pub nanos: Marks,
}

impl AlteredCells {
    /// The digits of cell `at` of a column of ids or codes that was kept as floats. An id of more digits than a
    /// float keeps is refused.
    pub fn without_zeros<'t>(&mut self, text: &'t str, at: usize) -> Result<&'t str, MisfitKind> {
        let Some(digits) = number::without_zeros(text.as_bytes()) else { return Ok(text) };
        if number::real(digits).is_ok_and(|value| value.abs() >= EXACT) {
            return Err(MisfitKind::IdInexact);
        }
        self.zero_fraction.mark(at);
        Ok(&text[..digits.len()])
    }
}

impl ColumnBuilder {
    /// Whether a text that is not blank means "no value". `whole`: its length before it was trimmed.
    #[inline]
    pub(super) fn is_no_value(&mut self, text: &str, whole: usize) -> bool {
        judge(&self.spec, text, whole, &mut self.altered, self.len + self.pending)
    }

    /// A whole number; a fraction of zeros is left out and counted.
    #[inline(always)]
    pub(super) fn whole(&mut self, text: &[u8]) -> Result<i64, MisfitKind> {
        match number::whole(text) {
            Err(MisfitKind::Fraction) => self.whole_of_fraction(text),
            sound => sound,
        }
    }

    #[cold]
    fn whole_of_fraction(&mut self, text: &[u8]) -> Result<i64, MisfitKind> {
        let digits = number::without_zeros(text).ok_or(MisfitKind::Fraction)?;
        let value = number::whole(digits)?;
        self.altered.zero_fraction.mark(self.len + self.pending);
        Ok(value)
    }

    /// Finished columns, and what was done to cells on the way.
    pub fn finish_all(builders: Vec<Self>) -> (Vec<Column>, Vec<Altered>) {
        let mut altered = Vec::new();
        let finished = |(column, mut builder): (usize, Self)| {
            let AlteredCells { trimmed, no_value, zero_fraction, offset, nanos } =
                std::mem::take(&mut builder.altered);
            let all = [
                (Alteration::Trimmed, trimmed),
                (Alteration::NoValue, no_value),
                (Alteration::ZeroFraction, zero_fraction),
                (Alteration::InUtc, offset),
                (Alteration::Nanoseconds, nanos),
            ];
            for (what, rows) in all.into_iter().filter(|(_, rows)| !rows.is_empty()) {
                altered.push(Altered { column: column as u16, what, rows });
            }
            builder.finish()
        };
        let columns = builders.into_iter().enumerate().map(finished).collect();
        (columns, altered)
    }
}

/// Whether the text of cell `at` means "no value"; marks it where it does, or was trimmed.
#[inline(always)]
pub(super) fn judge(
    spec: &ReadColumn,
    text: &str,
    whole: usize,
    altered: &mut AlteredCells,
    at: usize,
) -> bool {
    if !spec.nulls.is_empty() && spec.nulls.iter().any(|token| token == text) {
        altered.no_value.mark(at);
        return true;
    }
    if text.len() < whole {
        altered.trimmed.mark(at);
    }
    false
}
