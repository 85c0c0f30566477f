//! A place in a text that somebody wrote, to draw it.

use std::ops::Range;
use std::sync::Arc;

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextPlace {
    /// The file as named.
    pub file: String,
    /// Its text.
    pub text: Arc<str>,
    /// The bytes concerned.
    pub span: Range<usize>,
}
