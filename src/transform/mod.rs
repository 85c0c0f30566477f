//! The `transform` agent: columns that a row's own values give.
//!
//! Its lexical half (trim, null tokens, codes padded to their width) is done by the reader while
//! the bytes are hot (`source::columns`), as this agent's configuration says. Here are the derived
//! columns of the pack, as one SQL projection a chunk.

use crate::chunk::Chunk;
use crate::stage::{Engine, Expression, Joined, Projection, Session, Stage, StageError, StageSpec};
use std::sync::Arc;

/// Name of the agent.
pub const NAME: &str = "transform";

/// Columns to derive; `enrich` is the same machine with lookups.
pub struct Derive {
    name: &'static str,
    projection: Projection,
    columns: Vec<String>,
    engine: Engine,
}

impl Derive {
    /// An agent called `name` that adds the columns of `expressions`.
    pub fn new(
        name: &'static str,
        expressions: &[Expression],
        joins: &[Joined],
        missing: &[(String, String)],
        engine: Engine,
    ) -> Arc<Self> {
        let columns = expressions.iter().map(|expression| expression.name.clone()).collect();
        Arc::new(Self {
            name,
            projection: Projection::new(name, expressions, joins, missing),
            columns,
            engine,
        })
    }
}

impl StageSpec for Arc<Derive> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        match self.columns.as_slice() {
            [] => "nothing to add".into(),
            columns => format!("adds {}", columns.join(", ")),
        }
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        let session = self.engine.session().map_err(|error| {
            StageError::new(self.name, format!("no SQL engine: {}", error.message))
        })?;
        Ok(Box::new(Deriver { spec: Arc::clone(self), session }))
    }
}

struct Deriver {
    spec: Arc<Derive>,
    session: Session,
}

impl Stage for Deriver {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let columns = self.spec.projection.run(&mut self.session, &chunk.frame)?;
        if !columns.is_empty() {
            chunk.frame = chunk
                .frame
                .hstack(&columns)
                .map_err(|error| StageError::new(self.spec.name, error.to_string()))?;
        }
        Ok(chunk)
    }
}
