//! A writer that tells of each commit.

use super::{LoadError, Piece, Seal, Writer};
use crate::flow::{Event, Observer};

/// Tells an observer when a group has become durable.
pub struct Telling<'a, W> {
    writer: W,
    observer: &'a dyn Observer,
    input: usize,
}

impl<'a, W: Writer> Telling<'a, W> {
    /// Tells of the commits of `writer`, which works on the input at position `input` of the run.
    pub fn new(writer: W, observer: &'a dyn Observer, input: usize) -> Self {
        Self { writer, observer, input }
    }
}

impl<W: Writer> Writer for Telling<'_, W> {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        self.writer.write(piece)
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        let to_record = seal.to.record;
        self.writer.seal(seal)?;
        self.observer.on(&Event::Committed { input: self.input, to_record });
        Ok(())
    }

    fn close(&mut self) -> Result<(), LoadError> {
        self.writer.close()
    }
}
