//! A source that hands nothing over which may come from another content than the one surveyed.

use crate::source::{Block, Content, Source, SourceError};

/// Asks before each block, at the end and behind every error whether the file has changed.
pub struct WatchedSource {
    content: Content,
    source: Box<dyn Source>,
}

impl WatchedSource {
    /// `open` opens the table of `content`.
    pub fn open<S: Source + 'static>(
        content: &Content,
        open: impl FnOnce() -> Result<S, SourceError>,
    ) -> Result<Box<dyn Source>, SourceError> {
        let source = open().map_err(|error| content.blame(error))?;
        Ok(Box::new(Self { content: content.clone(), source: Box::new(source) }))
    }
}

impl Source for WatchedSource {
    fn next_block(&mut self, rows: usize, bytes: usize) -> Result<Option<Block>, SourceError> {
        let block = self.source.next_block(rows, bytes);
        let block = block.map_err(|error| self.content.blame(error))?;
        self.content.unchanged()?;
        Ok(block)
    }
}
