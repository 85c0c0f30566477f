//! The `validate` agent: cells that did not fit, keys that are missing, rules of the pack.
//!
//! Each finding is a refused row (critical) or a note (warning, info). A rule whose columns a file
//! does not have is left out and said so in the plan; a rule is true unless its expression is
//! false, so a blank never breaks a rule that speaks of values. A row that is refused is not noted
//! as well: notes are about rows that are loaded.

mod cells;
mod facts;
mod guard;
mod measures;
mod order;
mod outliers;
mod rules;
mod unique;
mod whole;
mod words;

pub use cells::{CellChecks, IdFormat};
pub use facts::{FileConstant, FileSequence};
pub use measures::{FileFresh, FileRows};
pub use outliers::FileOutliers;
pub use rules::{RowRule, RuleChecks};
pub use unique::{FileUnique, SeenKeys};
pub use whole::{FactInput, FactRule, FileFact};

use guard::Sessions;

use crate::chunk::{Chunk, Notes};
use crate::stage::{Engine, Stage, StageError, StageSpec};
use std::collections::HashSet;
use std::sync::Arc;

/// Name of the agent.
pub const NAME: &str = "validate";
/// Its name where no rules are asked for: types and keys are checked all the same, for a cell that does
/// not fit must not become an empty one in silence.
pub const TYPES: &str = "types";

/// What to validate in one input.
pub struct Validate {
    /// [`NAME`] or [`TYPES`].
    pub name: &'static str,
    /// Cells and keys.
    pub cells: CellChecks,
    /// Rules on rows.
    pub rules: RuleChecks,
    /// Columns with one value throughout.
    pub constants: Vec<FileConstant>,
    /// Columns that count the rows.
    pub sequences: Vec<FileSequence>,
    /// What is known when all rows were seen.
    pub facts: Vec<Arc<dyn FileFact>>,
    /// SQL.
    pub engine: Engine,
}

impl StageSpec for Arc<Validate> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        format!(
            "types and lengths of {} columns, key, {} rules on rows, {} on the file",
            self.cells.schema.columns.len(),
            self.rules.rows.len(),
            self.constants.len() + self.sequences.len() + self.facts.len()
        )
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        let sessions = Sessions::new(&self.engine);
        Ok(Box::new(Validator { spec: Arc::clone(self), sessions }))
    }

    fn looks_at_all_rows(&self) -> bool {
        !self.sequences.is_empty() || !self.facts.is_empty()
    }

    fn findings(&self) -> Notes {
        let mut notes = Notes::default();
        for sequence in &self.sequences {
            notes.merge(sequence.finding(&self.cells.schema));
        }
        for fact in &self.facts {
            notes.merge(fact.finding(&self.cells.schema));
        }
        notes
    }
}

struct Validator {
    spec: Arc<Validate>,
    sessions: Sessions,
}

impl Stage for Validator {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let Validate { cells, rules, constants, sequences, facts, .. } = &*self.spec;
        let misfits = std::mem::take(&mut chunk.misfits);
        let mut problems = cells.problems(&chunk, &misfits);
        for constant in constants {
            constant.check(&mut chunk, &cells.schema)?;
        }
        sequences.iter().for_each(|sequence| sequence.see(&chunk));
        let found = rules.found(&chunk, &cells.schema, &mut self.sessions)?;
        let unreadable: HashSet<(usize, String)> = problems
            .iter()
            .filter_map(|(row, problem)| Some((*row, problem.column.clone()?)))
            .collect();
        for broken in &found.broken {
            let is_unreadable = |row, header: &str| unreadable.contains(&(row, header.to_owned()));
            broken.problems(&chunk, &cells.schema, is_unreadable, &mut problems);
        }
        let mut refused = vec![false; chunk.kept()];
        problems.iter().for_each(|(row, _)| refused[*row] = true);
        cells.note(&mut chunk, &misfits, &refused);
        cells.note_altered(&mut chunk, &refused);
        found.broken.iter().for_each(|broken| broken.note(&mut chunk, &refused));
        for undecided in &found.undecided {
            undecided.note(&mut chunk, &cells.schema, &refused);
        }
        chunk.reject(NAME, problems);
        for fact in facts {
            fact.see(&chunk, &cells.schema)?;
        }
        Ok(chunk)
    }
}
