//! Facts about the file as a whole that are known when every row was seen: rows that repeat a key,
//! values far from the others, the newest day, the number of rows.
//!
//! A chunk gives its part on the worker that has it; the parts are put together in the order of the
//! file, so that findings and their examples are the same for any number of threads. Only rows that are
//! loaded count. No row can be refused for such a fact any more, so none is critical.

use super::NAME;
use crate::chunk::{Chunk, Code, NoteKey, Notes, ReadColumn, ReadSchema, Severity, advised};
use crate::stage::StageError;

/// A fact about a file.
pub trait FileFact: Send + Sync {
    /// Looks at the rows of a chunk that are loaded.
    fn see(&self, chunk: &Chunk, schema: &ReadSchema) -> Result<(), StageError>;
    /// What was found once every chunk was seen.
    fn finding(&self, schema: &ReadSchema) -> Notes;
}

/// What all facts say about themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct FactRule {
    /// Rule id.
    pub id: String,
    /// How bad; critical ones are told as warnings.
    pub severity: Severity,
    /// Columns, by their names in the table.
    pub columns: Vec<String>,
    /// What a finding says.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl FactRule {
    pub(super) fn severity(&self) -> Severity {
        self.severity.min(Severity::Warning)
    }

    /// The columns that the file has.
    pub(super) fn bound<'a>(&self, schema: &'a ReadSchema) -> Vec<&'a ReadColumn> {
        let bound = |name: &String| schema.position(name).map(|at| &schema.columns[at]);
        self.columns.iter().filter_map(bound).collect()
    }

    pub(super) fn key(&self, schema: &ReadSchema) -> NoteKey {
        let headers: Vec<_> = self.bound(schema).iter().map(|column| &*column.header).collect();
        NoteKey { code: Code::E304, rule: self.id.clone(), column: headers.join(", ") }
    }

    /// One finding about the file, and nothing about a row.
    pub(super) fn told(&self, schema: &ReadSchema, message: &str) -> Notes {
        let mut notes = Notes::default();
        notes.add_count(self.key(schema), self.severity(), &self.advised(message), 1);
        notes
    }

    /// A sentence with what to do.
    pub(super) fn advised(&self, message: &str) -> String {
        advised(message, &self.hint)
    }

    pub(super) fn error(&self, what: impl std::fmt::Display) -> StageError {
        StageError::new(NAME, format!("rule {}: {what}", self.id))
    }
}
