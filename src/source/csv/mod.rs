//! CSV and other delimited text, cut at true record ends and typed in place.
//!
//! A first look at the head finds the grammar (delimiter, quote, escape, line ends); a pass over the
//! whole file (it must be read for the fingerprint anyway) settles the encoding, whether quotes are
//! regular, and what stands behind the data. Where quotes are regular, a record end is a line end
//! behind an even number of them, which costs one vectorised count a block; where they are not, the
//! cutter goes from quote to quote. Workers then split and type the blocks in parallel. A record out
//! of the ordinary (ragged, stray quotes, the header again) is refused with its raw line, or under
//! `--csv lenient` repaired where only one repair is possible, and counted.

mod batch;
mod cut;
mod decode;
mod detect;
mod footer;
mod grammar;
mod head;
mod index;
mod masks;
mod repair;
mod rows;
mod scan;
mod split;
mod survey;
mod text;

#[cfg(test)]
mod tests;

pub use decode::split_line;
pub use detect::holds_table;
pub use grammar::{CsvPolicy, Escaping, Quoting};

use super::{Confidence, Content, Format, SourceError, SourceOptions, Table};
use grammar::Escape;
use std::sync::Arc;

/// Name of the format.
pub const NAME: &str = "csv";

/// Delimited text.
pub struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        NAME
    }

    fn sniff(&self, head: &[u8], _name: &str) -> Confidence {
        if text::looks_like_text(head) { Confidence::Fallback } else { Confidence::No }
    }

    fn survey(
        &self,
        content: &Content,
        options: &SourceOptions,
    ) -> Result<Vec<Arc<dyn Table>>, SourceError> {
        Ok(vec![Arc::new(survey::survey(content, options)?)])
    }
}
