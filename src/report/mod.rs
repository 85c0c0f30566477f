//! What a run did, to look at: the model of a report as plain data, and the page made from it.
//!
//! Nothing here asks a database or reads a file: [`Report`] is filled by `run`, serialised as JSON or
//! rendered by [`html`]. The page is one file without a script and without a word to the network. Every
//! text in it that comes from outside passes `markup::escape`; no colour carries a meaning alone.

mod agents;
mod bars;
mod changes;
mod columns;
mod edges;
mod enriched;
mod findings;
mod flow;
mod histogram;
mod html;
mod lineage;
mod map;
mod markup;
mod model;
pub mod number;
#[cfg(test)]
mod tests;
mod trend;

pub use edges::edges;
pub use html::html;
pub use model::{
    AgentReport, Bin, Chart, ColumnReport, CountyMap, CountyReport, FailedReport, FindingReport,
    InputReport, LookupReport, PastRun, PlaceCount, Report, Shape, TableReport, TopValue,
};
