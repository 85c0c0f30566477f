//! The `validate` agent: cells that did not fit, keys that are missing, rules of the pack.
//!
//! Each finding is a refused row (critical) or a note (warning, info). A rule whose columns a file
//! does not have is left out and said so in the plan; a rule is true unless its expression is
//! false, so a blank never breaks a rule that speaks of values.

mod cells;
mod rules;

pub use cells::{CellChecks, IdFormat};
pub use rules::{FileConstant, RowRule, RuleChecks};

use crate::chunk::Chunk;
use crate::stage::{Engine, Session, Stage, StageError, StageSpec};
use std::sync::Arc;

/// Name of the agent.
pub const NAME: &str = "validate";

/// What to validate in one input.
pub struct Validate {
    /// Cells and keys.
    pub cells: CellChecks,
    /// Rules.
    pub rules: RuleChecks,
    /// SQL.
    pub engine: Engine,
}

impl StageSpec for Arc<Validate> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn describe(&self) -> String {
        format!(
            "types and lengths of {} columns, key, {} rules on rows, {} on the file",
            self.cells.schema.columns.len(),
            self.rules.rows.len(),
            self.rules.constants.len()
        )
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        let session = self
            .engine
            .session()
            .map_err(|error| StageError::new(NAME, format!("no SQL engine: {}", error.message)))?;
        Ok(Box::new(Validator { spec: Arc::clone(self), session }))
    }
}

struct Validator {
    spec: Arc<Validate>,
    session: Session,
}

impl Stage for Validator {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let mut problems = self.spec.cells.check(&mut chunk);
        self.spec.rules.check_file(&chunk, &self.spec.cells.schema)?;
        let broken =
            self.spec.rules.check_rows(&mut chunk, &self.spec.cells.schema, &mut self.session)?;
        problems.extend(broken);
        chunk.reject(NAME, problems);
        Ok(chunk)
    }
}
