//! The `enrich` agent: what code tables and the row's own values say about it.
//!
//! Labels, categories, county facts, owner kind, ratios. Geography ([`geo`]) is an agent of its own
//! behind it.

pub mod geo;

use crate::stage::{Engine, Expression, Joined};
use crate::transform::Derive;
use std::sync::Arc;

/// Name of the agent.
pub const NAME: &str = "enrich";

/// An enricher that adds `expressions`, which may use the lookups `joins`.
pub fn enrich(
    expressions: &[Expression],
    joins: &[Joined],
    missing: &[(String, String)],
    engine: Engine,
) -> Arc<Derive> {
    Derive::new(NAME, expressions, joins, missing, engine)
}
