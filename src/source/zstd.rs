//! Zstandard, frame after frame, as one stream of bytes.
//!
//! Nothing is passed over: a frame that is cut off, whose checksum differs, or that holds another
//! number of bytes than it says is an error, and so is anything behind the last frame. Memory is
//! bounded by the window of a frame, 128 MiB at most, whatever the frame unpacks to.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// Whether content begins with a frame, or with one to be skipped before it.
pub fn is_zstd(head: &[u8]) -> bool {
    let skippable = |head: &[u8]| matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable(head)
}

/// Reads all frames of `source`.
pub struct ZstdReader<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    /// Bytes of this frame handed over.
    given: u64,
}

impl<R: BufRead> ZstdReader<R> {
    /// A reader from the first frame on.
    pub fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), in_frame: false, given: 0 }
    }

    /// Goes to the next frame that holds something; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    (self.in_frame, self.given) = (true, 0);
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let mut skipped = self.source.by_ref().take(length);
                    if io::copy(&mut skipped, &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
        Ok(false)
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        let said = self.decoder.content_size();
        if said != 0 && said != self.given {
            return Err(damaged("a frame holds another number of bytes than it says"));
        }
        match self.decoder.get_checksum_from_data() {
            Some(said) if self.decoder.get_calculated_checksum() != Some(said) => {
                Err(damaged("a checksum differs"))
            }
            _ => Ok(()),
        }
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if self.in_frame && self.decoder.can_collect() > 0 {
                let read = self.decoder.read(buf)?;
                self.given += read as u64;
                return Ok(read);
            }
            if self.in_frame && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(damaged)?;
                continue;
            }
            if self.in_frame {
                self.end_frame()?;
            }
            if !self.next_frame()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn packed(content: &[u8]) -> Vec<u8> {
        compress_to_vec(content, CompressionLevel::Fastest)
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        ZstdReader::new(bytes).read_to_end(&mut all).map(|_| all)
    }

    fn rows() -> Vec<u8> {
        (0..40_000).flat_map(|n| format!("{n},{}\n", n * 7).into_bytes()).collect()
    }

    #[test]
    fn frames_follow_each_other_and_skippable_ones_are_passed_over() {
        let (first, second) = (rows(), b"the end\n".to_vec());
        let mut bytes = vec![0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        assert!(is_zstd(&bytes));
        bytes.extend(packed(&first));
        bytes.extend(packed(&second));
        assert_eq!(unpacked(&bytes).expect("sound"), [first, second].concat());
        assert!(is_zstd(&packed(b"x")) && !is_zstd(b"id,name\n"));
        assert_eq!(unpacked(&packed(b"")).expect("an empty frame is sound"), b"");
    }

    #[test]
    fn a_stream_cut_off_anywhere_is_an_error() {
        let content = rows();
        let bytes = packed(&content);
        let step = (bytes.len() / 200).max(1);
        for end in (1..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let error = unpacked(&bytes[..end]).expect_err("cut off");
            let kind = error.kind();
            let expected = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
            assert!(expected.contains(&kind), "{end}: {kind}");
        }
    }

    #[test]
    fn a_changed_byte_is_an_error_or_changes_nothing() {
        let content = rows();
        let bytes = packed(&content);
        for at in (0..bytes.len()).step_by(97) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            if let Ok(other) = unpacked(&changed) {
                assert!(other == content, "byte {at} changes the content unnoticed");
            }
        }
    }

    #[test]
    fn what_stands_behind_the_last_frame_is_an_error() {
        let bytes = [packed(b"a,b\n"), b"more".to_vec()].concat();
        assert_eq!(unpacked(&bytes).expect_err("garbage").kind(), io::ErrorKind::InvalidData);
    }
}
