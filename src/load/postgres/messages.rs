//! Messages of a COPY in one buffer, which is sent when it is full.
//!
//! The buffer is one and small: it stays in the processor, and no memory comes from the system for it (a
//! sixth of what a load took, where each block had its own). A message is as long as it was said to be
//! before it is filled, so its head is written once.

use crate::load::LoadError;

/// Bytes that are sent at a time, but for the last message's.
const SENT: usize = 128 << 10;
/// What a message begins with: its kind and its length.
const HEAD: usize = 5;
/// Bytes behind a message that may be written over, though they do not count.
pub const SLACK: usize = 16;

/// Takes messages one behind the other.
pub struct Messages<S> {
    bytes: Vec<u8>,
    /// How many of them count.
    len: usize,
    send: S,
}

impl<S: FnMut(&[u8]) -> Result<(), LoadError>> Messages<S> {
    /// Hands whole messages to `send`.
    pub fn new(send: S) -> Self {
        Self { bytes: Vec::new(), len: 0, send }
    }

    /// A message of so many bytes: `fill` gets them, and [`SLACK`] bytes behind them.
    pub fn message(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), LoadError> {
        let (from, to) = (self.len + HEAD, self.len + HEAD + length);
        if self.bytes.len() < to + SLACK {
            self.bytes.resize((to + SLACK).next_power_of_two(), 0);
        }
        self.bytes[self.len] = b'd';
        // The length counts itself.
        self.bytes[self.len + 1..from].copy_from_slice(&(length as u32 + 4).to_be_bytes());
        fill(&mut self.bytes[from..to + SLACK]);
        self.len = to;
        if self.len < SENT { Ok(()) } else { self.flush() }
    }

    /// Sends what is left.
    pub fn flush(&mut self) -> Result<(), LoadError> {
        let len = std::mem::take(&mut self.len);
        if len == 0 { Ok(()) } else { (self.send)(&self.bytes[..len]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server gets to see: the data of each message, and how often something came.
    fn sent(lengths: &[usize]) -> (Vec<Vec<u8>>, usize) {
        let (mut all, mut sends) = (Vec::new(), 0);
        let mut messages = Messages::new(|bytes: &[u8]| {
            sends += 1;
            all.extend_from_slice(bytes);
            Ok(())
        });
        for (at, length) in lengths.iter().enumerate() {
            // What is behind the message does not count.
            messages.message(*length, |bytes| bytes.fill(at as u8)).expect("taken");
        }
        messages.flush().expect("taken");
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
    fn messages_are_whole_and_several_are_sent_at_a_time() {
        for lengths in [vec![], vec![1], vec![0, 7], vec![30_000; 50], vec![10, 1 << 20, 10]] {
            let (data, sends) = sent(&lengths);
            let wanted: Vec<_> =
                lengths.iter().enumerate().map(|(at, length)| vec![at as u8; *length]).collect();
            assert_eq!(data, wanted);
            let bytes: usize = lengths.iter().sum();
            assert!(sends <= bytes / SENT + 1, "{sends}");
        }
    }
}
