//! The `transform` agent: columns that a row's own values give.
//!
//! Its lexical half (trim, null tokens, codes padded to their width) is done by the reader while
//! the bytes are hot (`source::columns`), as this agent's configuration says. Here are the derived
//! columns of the pack, as one SQL projection a chunk.

pub mod clean;
pub mod mask;

use crate::chunk::Chunk;
use crate::stage::{Engine, Expression, Joined, Projection, Session, Stage, StageError, StageSpec};
use polars::prelude::DataFrame;
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
        Ok(Box::new(Deriver { spec: Arc::clone(self), session: self.engine.session() }))
    }
}

/// Makes other columns out of those of the chunk, which go. What the file had beyond its kind stays.
pub struct Remap {
    projection: Projection,
    columns: Vec<String>,
    engine: Engine,
}

/// Name of the agent that makes the columns of a mapping.
pub const MAP: &str = "map";

/// Columns that no mapping makes and none takes away.
const KEPT: &str = "_extra";

impl Remap {
    /// An agent whose columns are `expressions`.
    pub fn new(
        expressions: &[Expression],
        missing: &[(String, String)],
        engine: Engine,
    ) -> Arc<Self> {
        Arc::new(Self {
            // Names of the table may be those of the roll with another meaning.
            projection: Projection::new(MAP, expressions, &[], missing).independent().by_sql(),
            columns: expressions.iter().map(|expression| expression.name.clone()).collect(),
            engine,
        })
    }
}

impl StageSpec for Arc<Remap> {
    fn name(&self) -> &'static str {
        MAP
    }

    fn describe(&self) -> String {
        format!("makes {}", self.columns.join(", "))
    }

    fn build(&self) -> Result<Box<dyn Stage>, StageError> {
        Ok(Box::new(Remapper { spec: Arc::clone(self), session: self.engine.session() }))
    }
}

struct Remapper {
    spec: Arc<Remap>,
    session: Session,
}

impl Stage for Remapper {
    fn apply(&mut self, mut chunk: Chunk) -> Result<Chunk, StageError> {
        let mut columns = self.spec.projection.run(&mut self.session, &chunk.frame)?;
        for (column, name) in columns.iter_mut().zip(&self.spec.columns) {
            column.rename(name.as_str().into());
        }
        columns.extend(chunk.frame.column(KEPT).ok().cloned());
        chunk.frame = DataFrame::new(chunk.kept(), columns)
            .map_err(|error| StageError::new(MAP, error.to_string()))?;
        Ok(chunk)
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
