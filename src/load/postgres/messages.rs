//! Fields and rows on their way into a COPY: its messages in one buffer, which is sent when it is full.
//!
//! The buffer is one and small: it stays in the processor, and no memory comes from the system for it (a
//! sixth of what a load took, where each block had its own). Room for a row is made once, so that a
//! field is one write of a fixed size, of which a part may not count: the next field writes over it.

use crate::load::LoadError;

/// Bytes that are sent at a time, but for the last row's.
const SENT: usize = 128 << 10;
/// Bytes of a message, but for its last row's. The server takes each one in whole before it looks at it.
const MESSAGE: usize = 32 << 10;
/// What a message begins with: its kind and its length.
const HEAD: usize = 5;

/// Rows as messages of COPY.
pub struct Messages<S> {
    /// All that is allocated.
    bytes: Vec<u8>,
    /// How much of it counts.
    len: usize,
    /// Where the open message begins.
    begun: usize,
    send: S,
}

impl<S: FnMut(&[u8]) -> Result<(), LoadError>> Messages<S> {
    /// Hands whole messages to `send`.
    pub fn new(send: S) -> Self {
        let mut messages = Self { bytes: vec![0; SENT + MESSAGE], len: 0, begun: 0, send };
        messages.open();
        messages
    }

    fn open(&mut self) {
        self.begun = self.len;
        self.room(HEAD);
        self.put([b'd', 0, 0, 0, 0], HEAD);
    }

    /// The length stands in front of what it is the length of, and counts itself.
    fn close(&mut self) {
        let length = (self.len - self.begun - 1) as u32;
        self.bytes[self.begun + 1..self.begun + HEAD].copy_from_slice(&length.to_be_bytes());
    }

    /// Room for so many bytes more.
    #[inline]
    pub fn room(&mut self, bytes: usize) {
        if self.bytes.len() - self.len < bytes {
            self.bytes.resize((self.len + bytes).next_power_of_two(), 0);
        }
    }

    /// Writes `bytes`, of which `count` count. There must be room for all of them.
    #[inline]
    pub fn put<const N: usize>(&mut self, bytes: [u8; N], count: usize) {
        self.bytes[self.len..self.len + N].copy_from_slice(&bytes);
        self.len += count;
    }

    /// Writes `bytes`. There must be room for them.
    #[inline]
    pub fn put_all(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Ends a row: here a message may end, and what is full is sent.
    #[inline]
    pub fn end_row(&mut self) -> Result<(), LoadError> {
        if self.len - self.begun < MESSAGE {
            return Ok(());
        }
        self.close();
        if self.len >= SENT {
            (self.send)(&self.bytes[..self.len])?;
            self.len = 0;
        }
        self.open();
        Ok(())
    }

    /// Sends what is left.
    pub fn finish(mut self) -> Result<(), LoadError> {
        self.close();
        (self.send)(&self.bytes[..self.len])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server gets to see of rows of these lengths: the data of each message.
    fn sent(rows: &[usize]) -> (Vec<Vec<u8>>, usize) {
        let (mut all, mut sends) = (Vec::new(), 0);
        let mut messages = Messages::new(|bytes: &[u8]| {
            sends += 1;
            all.extend_from_slice(bytes);
            Ok(())
        });
        for (row, length) in rows.iter().enumerate() {
            messages.room(length + 4);
            messages.put_all(&vec![row as u8; *length]);
            // What does not count is written over.
            messages.put([0xee; 4], 0);
            messages.end_row().expect("taken");
        }
        messages.finish().expect("taken");
        let (mut data, mut rest) = (Vec::new(), all.as_slice());
        while let [b'd', a, b, c, d, more @ ..] = rest {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize - 4;
            data.push(more[..length].to_vec());
            rest = &more[length..];
        }
        assert!(rest.is_empty(), "no message was cut");
        (data, sends)
    }

    #[test]
    fn messages_are_whole_rows_and_nothing_is_lost() {
        for rows in [vec![], vec![1], vec![1_000; 500], vec![10, 1 << 20, 10], vec![MESSAGE; 9]] {
            let (data, _) = sent(&rows);
            let wanted: Vec<u8> = rows
                .iter()
                .enumerate()
                .flat_map(|(row, length)| vec![row as u8; *length])
                .collect();
            assert_eq!(data.concat(), wanted);
            assert!(data.iter().all(|message| message.len() < MESSAGE + (2 << 20)));
        }
    }

    #[test]
    fn several_messages_are_sent_at_a_time() {
        let (data, sends) = sent(&vec![1_000; 1_000]);
        assert!(data.len() >= 29 && sends <= 9, "{} {sends}", data.len());
    }
}
