//! CSV and other delimited text, cut at true record ends and typed in place.
//!
//! A first pass over the whole file (it must be read for the fingerprint anyway) settles the
//! encoding, the dialect and whether quotes are regular. Where they are, a record end is a line end
//! behind an even number of quotes, which costs one vectorised count a block; where they are not,
//! the cutter walks record by record. Workers then split and type the blocks in parallel. A record
//! that cannot be split (ragged, text behind a closing quote) is a reject with its raw line.

mod cut;
mod decode;
mod dialect;
mod split;
mod survey;

pub use decode::split_line;
pub use dialect::Dialect;

use super::{Confidence, Content, Format, SourceError, SourceOptions, Table};
use std::sync::Arc;

/// Delimited text.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn sniff(&self, head: &[u8], _name: &str) -> Confidence {
        if dialect::looks_like_text(head) { Confidence::Fallback } else { Confidence::No }
    }

    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        Ok(vec![Arc::new(survey::survey(content, options)?)])
    }
}
