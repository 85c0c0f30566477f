//! The `clean` agent: texts brought into one form, before anything is checked.
//!
//! A [`Recipe`] names a column and the [`Step`]s that its texts pass, in order. The result takes the
//! place of the text, or stands in a column of its own (`into`); it may have another type than text, and
//! what then does not fit is a misfit like any the reader finds. Every change is counted by step and
//! column, with examples, and can be kept beside the row (`keep_raw`: `_extra -> '_raw'`), and so can what
//! the reader has changed before.
//!
//! A column in which nothing changes is not copied.

mod address;
mod owners;
mod raw;
mod steps;
mod typed;
mod words;
mod zip;

pub use address::AddressWords;
pub use owners::OwnerWords;
pub use raw::Kept;
pub use steps::{Done, Letters, Replacement, States, Step};
pub use typed::{NumberFormat, Typing};

use crate::chunk::{Chunk, Code, ColumnKind, Example, Misfit, NoteKey, Severity, quotable};
use crate::stage::{Stage, StageError, StageSpec};
use polars::prelude::{Column, IntoColumn, PolarsError, StringChunked};
use polars_arrow::array::{MutablePlString, Utf8ViewArray};
use raw::Raws;
use std::sync::Arc;

/// Name of the agent.
pub const NAME: &str = "clean";

/// What is done with one column.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Name in the chunk.
    pub column: String,
    /// Name in the source, for findings.
    pub header: String,
    /// Position among the columns as read, for misfits.
    pub position: u16,
    /// What the texts pass, in order.
    pub steps: Vec<Step>,
    /// What becomes of them then, where that is not text.
    pub typing: Option<Typing>,
    /// The column that gets the result; `None`: the column itself.
    pub into: Option<String>,
    /// Whether the text as it was is kept beside the row.
    pub keep_raw: bool,
    /// Whether no example may show the text.
    pub masked: bool,
}

/// Cleans columns.
pub struct Clean {
    /// In the order in which they are followed.
    pub recipes: Vec<Recipe>,
    /// Columns whose texts are kept where the reader has changed them.
    pub kept: Vec<Kept>,
}

impl StageSpec for Arc<Clean> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        let told = |recipe: &Recipe| {
            let steps = recipe.steps.iter().map(Step::name);
            let steps: Vec<_> = steps.chain(recipe.typing.as_ref().map(Typing::name)).collect();
            let into = recipe.into.as_ref().map_or(String::new(), |into| format!(" → {into}"));
            format!("{} ({}){into}", recipe.column, steps.join(", "))
        };
        let columns = (!self.kept.is_empty()).then(|| match self.kept.len() {
            1 => "texts of 1 column are kept as they were read".to_owned(),
            many => format!("texts of {many} columns are kept as they were read"),
        });
        self.recipes.iter().map(told).chain(columns).collect::<Vec<_>>().join(", ")
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Cleaner { spec: Arc::clone(self), one: String::new(), other: String::new() }))
    }
}

struct Cleaner {
    spec: Arc<Clean>,
    /// Texts between two steps.
    one: String,
    other: String,
}

/// What a recipe has changed.
struct Changes<'r> {
    recipe: &'r Recipe,
    /// For each step the frame rows that it has changed.
    rows: Vec<Vec<u32>>,
    examples: Vec<Vec<String>>,
}

impl Stage for Cleaner {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let spec = Arc::clone(&self.spec);
        let mut raws = Raws::default();
        raws.keep_read(&chunk, &spec.kept);
        for recipe in &spec.recipes {
            self.follow(recipe, &mut chunk, &mut raws)
                .map_err(|error| StageError::new(NAME, format!("{}: {error}", recipe.column)))?;
        }
        raws.store(&mut chunk).map_err(|error| StageError::new(NAME, error.to_string()))?;
        chunk.misfits.sort_by_key(|misfit| misfit.record);
        Ok(chunk)
    }
}

impl Cleaner {
    fn follow(
        &mut self,
        recipe: &Recipe,
        chunk: &mut Chunk,
        raws: &mut Raws,
    ) -> Result<(), PolarsError> {
        let Some(at) = chunk.frame.get_column_index(&recipe.column) else { return Ok(()) };
        let column = chunk.frame.columns()[at].clone();
        let series = column.as_materialized_series().rechunk();
        let texts = series.str()?;
        let Some(texts) = texts.downcast_iter().next() else { return Ok(()) };
        let mut changes = Changes::of(recipe);
        let cleaned = match column.null_count() == column.len() {
            true => None,
            false => self.texts(texts, &mut changes, raws),
        };
        let name = recipe.into.as_ref().unwrap_or(&recipe.column).as_str();
        let cleaned = match cleaned {
            Some(array) => Some(array),
            // An added column is there even where nothing differs; a type must be given all the same.
            None if recipe.into.is_some() || recipe.typing.is_some() => Some(texts.clone()),
            None => None,
        };
        if let Some(array) = cleaned {
            let made = self.typed(name, &array, recipe, chunk);
            if recipe.into.is_none() {
                chunk.frame.replace_column(at, made)?;
            } else {
                chunk.frame = chunk.frame.hstack(&[made])?;
            }
        }
        changes.note(chunk);
        Ok(())
    }

    fn typed(
        &self,
        name: &str,
        array: &Utf8ViewArray,
        recipe: &Recipe,
        chunk: &mut Chunk,
    ) -> Column {
        let Some(typing) = &recipe.typing else {
            return StringChunked::with_chunk(name.into(), array.clone()).into_column();
        };
        let (index, misfits) = (&chunk.index, &mut chunk.misfits);
        typing.column(name, array, |row, kind| {
            misfits.push(Misfit { record: index[row], column: recipe.position, kind });
        })
    }

    /// The texts after all steps; `None` where none has changed.
    fn texts(
        &mut self,
        texts: &Utf8ViewArray,
        changes: &mut Changes<'_>,
        raws: &mut Raws,
    ) -> Option<Utf8ViewArray> {
        let recipe = changes.recipe;
        let mut made: Option<MutablePlString> = None;
        for row in 0..texts.len() {
            let Some(text) = texts.get(row) else {
                made.iter_mut().for_each(|made| made.push_null());
                continue;
            };
            let same = self.one_text(text, row, changes);
            if same {
                made.iter_mut().for_each(|made| made.push_value(text));
                continue;
            }
            let made = made.get_or_insert_with(|| {
                let mut made = MutablePlString::with_capacity(texts.len());
                (0..row).for_each(|before| made.push(texts.get(before)));
                made
            });
            // A text of nothing is no value.
            made.push((!self.one.is_empty()).then_some(self.one.as_str()));
            if recipe.keep_raw && !recipe.masked && recipe.into.is_none() {
                raws.keep(row, recipe.position, &recipe.column, text);
            }
        }
        made.map(Into::into)
    }

    /// Takes one text through all steps; the result is in `self.one`. Returns whether it is the same.
    fn one_text(&mut self, text: &str, row: usize, changes: &mut Changes<'_>) -> bool {
        let mut same = true;
        for (at, step) in changes.recipe.steps.iter().enumerate() {
            let from = if same { text } else { self.one.as_str() };
            self.other.clear();
            match step.apply(from, &mut self.other) {
                Done::Same => continue,
                Done::Blank => self.other.clear(),
                Done::Changed => {}
            }
            changes.add(at, row, from, &self.other);
            std::mem::swap(&mut self.one, &mut self.other);
            same = false;
            if self.one.is_empty() {
                break;
            }
        }
        same
    }
}

impl<'r> Changes<'r> {
    /// Examples of a step in a chunk; no more are ever shown.
    const EXAMPLES: usize = crate::chunk::Note::EXAMPLES;

    fn of(recipe: &'r Recipe) -> Self {
        let steps = recipe.steps.len();
        Self { recipe, rows: vec![Vec::new(); steps], examples: vec![Vec::new(); steps] }
    }

    fn add(&mut self, step: usize, row: usize, from: &str, to: &str) {
        // An added column changes nothing.
        if self.recipe.into.is_some() {
            return;
        }
        self.rows[step].push(row as u32);
        if self.examples[step].len() < Self::EXAMPLES && !self.recipe.masked {
            self.examples[step].push(quotable(&format!("{from} → {to}")));
        }
    }

    fn note(self, chunk: &mut Chunk) {
        let Self { recipe, rows, examples } = self;
        for ((step, rows), examples) in recipe.steps.iter().zip(rows).zip(examples) {
            let mut examples = examples.into_iter();
            let key = NoteKey {
                code: Code::E301,
                rule: step.name().to_owned(),
                column: recipe.header.clone(),
            };
            let message = || format!("{} {}", recipe.header, step.told());
            let (raw, index) = (&chunk.raw, &chunk.index);
            let records = rows.into_iter().map(|row| index[row as usize]);
            chunk.notes.add_each(records, key, Severity::Info, message, |record| Example {
                place: raw.place(record),
                cell: None,
                value: examples.next(),
            });
        }
    }
}

/// The kind of a column after its recipe.
pub fn kind_of(typing: Option<&Typing>) -> ColumnKind {
    typing.map_or(ColumnKind::Text, |typing| typing.kind)
}

#[cfg(test)]
mod tests;
