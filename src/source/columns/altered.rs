//! Cells that a builder has changed: marked while they pass, told with the finished columns.

use super::ColumnBuilder;
use crate::chunk::{Alteration, Altered, Marks, ReadColumn};
use polars::prelude::Column;

impl ColumnBuilder {
    /// Whether a text that is not blank means "no value". `whole`: its length before it was trimmed.
    #[inline]
    pub(super) fn is_no_value(&mut self, text: &str, whole: usize) -> bool {
        judge(&self.spec, text, whole, &mut self.altered, self.len + self.pending)
    }

    /// Finished columns, and what was done to cells on the way.
    pub fn finish_all(builders: Vec<Self>) -> (Vec<Column>, Vec<Altered>) {
        let mut altered = Vec::new();
        let finished = |(column, mut builder): (usize, Self)| {
            let [trimmed, no_value] = std::mem::take(&mut builder.altered);
            let both = [(Alteration::Trimmed, trimmed), (Alteration::NoValue, no_value)];
            for (what, rows) in both.into_iter().filter(|(_, rows)| !rows.is_empty()) {
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
    altered: &mut [Marks; 2],
    at: usize,
) -> bool {
    if !spec.nulls.is_empty() && spec.nulls.iter().any(|token| token == text) {
        altered[1].mark(at);
        return true;
    }
    if text.len() < whole {
        altered[0].mark(at);
    }
    false
}
