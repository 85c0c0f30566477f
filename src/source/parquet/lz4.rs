//! LZ4 as Parquet's retired codec of that name has it: bare blocks, or blocks in Hadoop's frames.
//!
//! The length of the result is known from the page, so nothing grows beyond it.

/// Unpacks a page to exactly `length` bytes; `None`: it is damaged.
pub fn page(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length == 0 {
        return Some(Vec::new());
    }
    // Which of the two it is stands nowhere; frames that fit to the byte are no accident.
    framed(packed, length).or_else(|| {
        let mut out = Vec::new();
        block(packed, &mut out, length)?;
        (out.len() == length).then_some(out)
    })
}

/// Frames: the unpacked length, then blocks with their packed length before each, until it is reached.
/// Numbers are big-endian.
fn framed(mut packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while !packed.is_empty() {
        let until = out.len().checked_add(number(&mut packed)?)?;
        if until > length {
            return None;
        }
        while out.len() < until {
            let size = number(&mut packed)?;
            let one = packed.split_off(..size)?;
            let before = out.len();
            block(one, &mut out, until)?;
            if out.len() == before {
                return None;
            }
        }
    }
    (out.len() == length).then_some(out)
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let four = bytes.split_off(..4)?;
    Some(u32::from_be_bytes(four.try_into().ok()?) as usize)
}

/// Appends one block; `out` must not become longer than `most`.
fn block(packed: &[u8], out: &mut Vec<u8>, most: usize) -> Option<()> {
    let start = out.len();
    let mut rest = packed;
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        let literals = size(usize::from(token >> 4), &mut rest)?;
        let text = rest.split_off(..literals)?;
        if text.len() > most - out.len() {
            return None;
        }
        out.extend_from_slice(text);
        // The last sequence has no match.
        if rest.is_empty() {
            break;
        }
        let back = usize::from(u16::from_le_bytes(rest.split_off(..2)?.try_into().ok()?));
        let length = size(usize::from(token & 15), &mut rest)?.checked_add(4)?;
        if back == 0 || back > out.len() - start || length > most - out.len() {
            return None;
        }
        // A match may reach into what it writes itself.
        let from = out.len() - back;
        for at in from..from + length {
            out.push(out[at]);
        }
    }
    Some(())
}

/// A length of four bits that goes on in whole bytes.
fn size(start: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut length = start;
    if start == 15 {
        loop {
            let byte = *rest.split_off_first()?;
            length = length.checked_add(usize::from(byte))?;
            if byte < 255 {
                break;
            }
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `abcabcabc…`: three literals, a match that overlaps itself, then five literals.
    const PACKED: &[u8] = &[0x3f, b'a', b'b', b'c', 3, 0, 8, 0x50, b'v', b'w', b'x', b'y', b'z'];

    fn expected() -> Vec<u8> {
        let mut text = b"abc".repeat(10);
        text.extend(b"vwxyz");
        text
    }

    fn frame(blocks: &[&[u8]], unpacked: u32) -> Vec<u8> {
        let mut out = unpacked.to_be_bytes().to_vec();
        for block in blocks {
            out.extend((block.len() as u32).to_be_bytes());
            out.extend(*block);
        }
        out
    }

    #[test]
    fn bare_blocks_and_frames_are_told_apart() {
        let text = expected();
        assert_eq!(page(PACKED, text.len()), Some(text.clone()));
        assert_eq!(page(&frame(&[PACKED], 35), 35), Some(text.clone()));
        // Two blocks in one frame, and two frames.
        let twice = [text.clone(), text.clone()].concat();
        assert_eq!(page(&frame(&[PACKED, PACKED], 70), 70), Some(twice.clone()));
        let two = [frame(&[PACKED], 35), frame(&[PACKED], 35)].concat();
        assert_eq!(page(&two, 70), Some(twice));
        assert_eq!(page(&[], 0), Some(Vec::new()));
    }

    #[test]
    fn damage_is_never_more_bytes_than_asked_for() {
        let text = expected();
        for wrong in [0, 1, 34, 36] {
            assert_eq!(page(PACKED, wrong).filter(|out| out.len() != wrong), None, "{wrong}");
            assert!(wrong == 0 || page(PACKED, wrong).is_none(), "{wrong}");
        }
        for cut in 0..PACKED.len() {
            assert_eq!(page(&PACKED[..cut], text.len()), None, "cut at {cut}");
        }
        // A match before the beginning; lengths beyond any memory.
        assert_eq!(page(&[0x10, b'a', 9, 0, 0x10, b'b'], 6), None);
        assert_eq!(page(&frame(&[PACKED], u32::MAX), 35), None);
        assert_eq!(page(&[0xff; 64], 1 << 20), None);
    }
}
