//! Lines of a file with their number and byte offset, whatever the bytes are.

use std::io::{self, BufRead, Read};

/// Longest line; a damaged file without line ends is an error, not all of memory.
const LONGEST: u64 = 512 << 20;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// From 1.
    pub line: u64,
    /// First byte.
    pub byte: u64,
    /// Bytes up to and without the line end.
    pub length: u64,
    /// Ends with a line end.
    pub whole: bool,
}

/// Reads one line after another into a buffer of its own.
pub(super) struct Lines<R> {
    reader: R,
    next: u64,
    line: u64,
    pub(super) text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, next: 0, line: 0, text: Vec::new() }
    }

    /// Reads the next line into `text`, without its line end; `None` at the end of the file.
    pub(super) fn advance(&mut self) -> io::Result<Option<At>> {
        self.text.clear();
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.text)? as u64;
        if read == 0 {
            return Ok(None);
        }
        if read == LONGEST {
            let message = format!("line {} is longer than 512 MiB", self.line + 1);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let whole = self.text.last() == Some(&b'\n');
        if whole {
            self.text.pop();
        }
        self.line += 1;
        let at = At { line: self.line, byte: self.next, length: self.text.len() as u64, whole };
        self.next += read;
        Ok(Some(at))
    }
}

/// Without a byte-order mark, which some editors put in front.
pub(super) fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}
