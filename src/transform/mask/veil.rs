//! The veil over raw records: who looks through it sees masked values.

use super::{MaskedColumn, Masks, NAME};
use crate::chunk::{Chunk, Earlier, LineGrammar, Mark, Place, RawRows};
use crate::stage::{Stage, StageError, StageSpec};
use std::sync::Arc;

/// The only field of a record that could not be split.
const LINE: &str = "_line";
/// What to do about a row that is hidden as a whole.
const HIDDEN: &str = "the row is hidden, because columns are masked and it could not be told where \
    they are: look it up in the source";

/// Veils the records of a chunk, and what the reader has already said about them.
pub struct Veil {
    /// What is masked.
    pub masks: Masks,
    /// Fields of a sound record, where a record can have more or fewer.
    pub fields: Option<usize>,
}

impl StageSpec for Arc<Veil> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        "hides what is masked in messages and failed records".into()
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Veiler { spec: Arc::clone(self) }))
    }
}

struct Veiler {
    spec: Arc<Veil>,
}

impl Stage for Veiler {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        chunk.raw =
            Arc::new(Veiled { inner: Arc::clone(&chunk.raw), veil: Arc::clone(&self.spec) });
        self.spec.masks.veil(&mut chunk.notes);
        for reject in &mut chunk.rejects {
            let hidden = is_line(&chunk.raw.fields(reject.record));
            for problem in &mut reject.problems {
                let known = problem.column.as_ref().filter(|_| !hidden);
                if known.is_none_or(|column| self.spec.masks.hides(column)) {
                    problem.value = None;
                }
                if hidden {
                    problem.hint = Some(HIDDEN.to_owned());
                }
            }
        }
        Ok(chunk)
    }
}

fn is_line(fields: &[(String, String)]) -> bool {
    matches!(fields, [(name, _)] if name == LINE)
}

#[derive(Debug)]
struct Veiled {
    inner: Arc<dyn RawRows>,
    veil: Arc<Veil>,
}

impl std::fmt::Debug for Veil {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Veil").field("columns", &self.masks.columns).finish_non_exhaustive()
    }
}

impl Veiled {
    fn masked(&self, column: &MaskedColumn, text: &str) -> String {
        self.veil.masks.masked(column.way, text).unwrap_or_default()
    }

    fn veiled(&self, field: usize, text: Option<String>) -> Option<String> {
        let text = text?;
        Some(match self.column(|(at, _)| *at == field) {
            Some(column) => self.masked(column, &text),
            None => text,
        })
    }

    fn column(&self, is: impl Fn(&(usize, String)) -> bool) -> Option<&MaskedColumn> {
        let columns = &self.veil.masks.columns;
        columns.iter().find(|column| column.field.as_ref().is_some_and(&is))
    }
}

impl RawRows for Veiled {
    fn place(&self, record: u32) -> Place {
        self.inner.place(record)
    }

    fn fields(&self, record: u32) -> Vec<(String, String)> {
        let mut fields = self.inner.fields(record);
        // Where fields are missing or too many, any of them may hold what is masked.
        if self.veil.fields.is_some_and(|sound| sound != fields.len()) || is_line(&fields) {
            return vec![(LINE.to_owned(), String::new())];
        }
        for (name, text) in &mut fields {
            if let Some(column) = self.column(|(_, header)| header == name) {
                *text = self.masked(column, text);
            }
        }
        fields
    }

    fn field(&self, record: u32, field: usize) -> Option<String> {
        self.veiled(field, self.inner.field(record, field))
    }

    fn texts(&self, record: u32, fields: &[usize]) -> Vec<Option<String>> {
        let texts = self.inner.texts(record, fields);
        fields.iter().zip(texts).map(|(field, text)| self.veiled(*field, text)).collect()
    }

    fn grammar(&self) -> Option<LineGrammar> {
        self.inner.grammar()
    }

    fn earlier(&self, record: u32) -> Option<Earlier> {
        self.inner.earlier(record)
    }

    fn after(&self, record: u32) -> Mark {
        self.inner.after(record)
    }

    fn address(&self, record: u32, field: usize) -> Option<String> {
        self.inner.address(record, field)
    }
}
