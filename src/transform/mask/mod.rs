//! Masking: values that must not leave the source.
//!
//! Two agents of one name. The first one ([`Veil`]) stands before all others and draws a veil over the
//! raw records, from which messages, examples and failed records take their values. The last one
//! ([`Mask`]) masks the typed columns, when rules and derived columns have seen what they need and
//! before anything is hashed, compared or written.
//!
//! Every way of masking leaves what it has masked as it is, so that a failed record, which holds only
//! masked values, gives the same row when it is replayed.

mod veil;
mod way;

pub use veil::Veil;
pub use way::{MaskKey, Masking};

use crate::chunk::{Chunk, Notes, blank};
use crate::stage::{Stage, StageError, StageSpec};
use polars::prelude::{Column, IntoColumn, StringChunked};
use std::sync::Arc;

/// Name of both agents.
pub const NAME: &str = "mask";

/// A column that is masked.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskedColumn {
    /// Name in the chunk.
    pub name: String,
    /// Its field in the source: position and header; derived columns have none.
    pub field: Option<(usize, String)>,
    /// How.
    pub way: Masking,
}

/// What is masked in an input, and the key of its hashes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Masks {
    /// The columns.
    pub columns: Vec<MaskedColumn>,
    /// The key; without one nothing is hashed.
    pub key: Option<MaskKey>,
}

impl Masks {
    /// The masked text; `None`: no value is left.
    fn masked(&self, way: Masking, text: &str) -> Option<String> {
        way.masked(text, self.key.as_ref())
    }

    /// Whether a column of the source, by its header, is masked.
    pub fn hides(&self, header: &str) -> bool {
        self.columns.iter().filter_map(|column| column.field.as_ref()).any(|(_, h)| h == header)
    }

    /// Takes the values out of the examples of findings about masked columns, and of findings that
    /// name no column.
    pub fn veil(&self, notes: &mut Notes) {
        if !self.columns.is_empty() {
            notes.hide_values(|key| key.column.is_empty() || self.hides(&key.column));
        }
    }
}

/// Masks the typed columns of a chunk.
pub struct Mask {
    /// What.
    pub masks: Masks,
}

impl StageSpec for Arc<Mask> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let told = |column: &MaskedColumn| {
            let header = column.field.as_ref().map(|(_, header)| header);
            let name = if column.name.is_empty() { header } else { Some(&column.name) };
            format!("{} {}", column.way.verb(), name.unwrap_or(&column.name))
        };
        self.masks.columns.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Masker { spec: Arc::clone(self) }))
    }
}

struct Masker {
    spec: Arc<Mask>,
}

impl Stage for Masker {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        for MaskedColumn { name, way, .. } in &self.spec.masks.columns {
            // What an agent that was left out would have made is not there.
            let Some(at) = chunk.frame.get_column_index(name) else { continue };
            let trouble = |error: polars::prelude::PolarsError| {
                StageError::new(NAME, format!("{name}: {error}"))
            };
            if *way == Masking::Drop {
                chunk.frame = chunk.frame.drop(name).map_err(trouble)?;
                continue;
            }
            let masked = self.column(&chunk.frame.columns()[at], *way).map_err(trouble)?;
            chunk.frame.replace_column(at, masked).map_err(trouble)?;
        }
        Ok(chunk)
    }
}

impl Masker {
    fn column(
        &self,
        column: &Column,
        way: Masking,
    ) -> Result<Column, polars::prelude::PolarsError> {
        let (name, rows) = (column.name().clone(), column.len());
        if way == Masking::Null || column.null_count() == rows {
            return Ok(blank(name, rows, column.dtype()).into_column());
        }
        let masks = &self.spec.masks;
        let masked = |text: Option<&str>| text.and_then(|text| masks.masked(way, text));
        let texts: StringChunked = column.str()?.iter().map(masked).collect();
        Ok(texts.with_name(name).into_column())
    }
}

#[cfg(test)]
mod tests;
