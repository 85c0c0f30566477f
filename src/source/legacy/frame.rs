//! How sheets travel from the process that parses to the one that loads: frames of a tag, a length
//! and as many bytes. Who reads them believes nothing: not the lengths, not the order, not that the
//! end is the end.

use crate::source::SourceErrorKind;
use crate::source::cell::Cell;
use std::io::{self, Read, Write};

/// Most bytes of a frame. A row of Excel may hold more in theory; no real one does.
pub const LARGEST: usize = 64 << 20;

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A sheet begins.
    Sheet {
        /// Its name.
        name: String,
        /// Whether it is shown.
        visible: bool,
        /// Whether it can hold cells.
        cells: bool,
    },
    /// A row of the sheet begun; its cells are in the payload.
    Row {
        /// From 1.
        number: u32,
    },
    /// The sheet is complete and had so many rows.
    End {
        /// Rows told.
        rows: u32,
    },
    /// The sheet cannot be read.
    SheetFault(Fault),
    /// The workbook cannot be read; nothing follows.
    Fault(Fault),
    /// The workbook is complete and had so many sheets; nothing follows.
    Done {
        /// Sheets told.
        sheets: u32,
    },
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of trouble.
    pub kind: SourceErrorKind,
    /// In words.
    pub message: String,
}

/// Kinds of trouble that can be told, by their number.
const KINDS: [SourceErrorKind; 6] = [
    SourceErrorKind::Broken,
    SourceErrorKind::Password,
    SourceErrorKind::NotTheFormat,
    SourceErrorKind::Limit,
    SourceErrorKind::ReaderDied,
    SourceErrorKind::OldFormat,
];

/// Writes one frame.
pub fn write(out: &mut dyn Write, told: &Told, payload: &[u8]) -> io::Result<()> {
    let (tag, bytes) = match told {
        Told::Sheet { name, visible, cells } => {
            let flags = u8::from(*visible) | u8::from(*cells) << 1;
            (b'S', [&[flags], name.as_bytes()].concat())
        }
        Told::Row { number } => {
            let length = (payload.len() + 4) as u32;
            out.write_all(b"R")?;
            out.write_all(&length.to_le_bytes())?;
            out.write_all(&number.to_le_bytes())?;
            return out.write_all(payload);
        }
        Told::End { rows } => (b'E', rows.to_le_bytes().to_vec()),
        Told::SheetFault(fault) => (b'F', fault.bytes()),
        Told::Fault(fault) => (b'X', fault.bytes()),
        Told::Done { sheets } => (b'Z', sheets.to_le_bytes().to_vec()),
    };
    out.write_all(&[tag])?;
    out.write_all(&(bytes.len() as u32).to_le_bytes())?;
    out.write_all(&bytes)
}

impl Fault {
    fn bytes(&self) -> Vec<u8> {
        let number = KINDS.iter().position(|kind| *kind == self.kind).unwrap_or(0);
        let most = self.message.floor_char_boundary(4_096);
        [&[number as u8], &self.message.as_bytes()[..most]].concat()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (number, message) = bytes.split_first()?;
        let kind = *KINDS.get(usize::from(*number))?;
        Some(Self { kind, message: String::from_utf8_lossy(message).into_owned() })
    }
}

/// Reads one frame; of a row, the cells stay in `buffer` behind the first 4 bytes. `None` at the end
/// of the stream.
pub fn read(from: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<Option<Told>> {
    let mut head = [0; 5];
    match crate::source::resolve::read_full(from, &mut head)? {
        0 => return Ok(None),
        5 => {}
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    }
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > LARGEST + 4 {
        return Err(nonsense("a frame is too long"));
    }
    buffer.clear();
    // The length is a claim: memory follows the bytes that come.
    if from.take(length as u64).read_to_end(buffer)? < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let number = || {
        let bytes = buffer.get(..4).ok_or_else(|| nonsense("a frame is too short"))?;
        Ok::<u32, io::Error>(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let fault = || Fault::read(buffer).ok_or_else(|| nonsense("an unknown kind of trouble"));
    Ok(Some(match head[0] {
        b'S' => {
            let (flags, name) =
                buffer.split_first().ok_or_else(|| nonsense("a sheet without a name"))?;
            let name = String::from_utf8_lossy(name).into_owned();
            Told::Sheet { name, visible: flags & 1 != 0, cells: flags & 2 != 0 }
        }
        b'R' => Told::Row { number: number()? },
        b'E' => Told::End { rows: number()? },
        b'F' => Told::SheetFault(fault()?),
        b'X' => Told::Fault(fault()?),
        b'Z' => Told::Done { sheets: number()? },
        _ => return Err(nonsense("an unknown frame")),
    }))
}

fn nonsense(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Appends a cell to the payload of a row; blank ones are left out.
pub fn put(payload: &mut Vec<u8>, column: u16, cell: Cell<'_>) {
    let (kind, value) = match cell {
        Cell::Blank | Cell::Text("") => return,
        Cell::Text(text) | Cell::Digits(text) | Cell::Error(text) => {
            payload.extend(column.to_le_bytes());
            payload.push(match cell {
                Cell::Text(_) => b't',
                Cell::Digits(_) => b'd',
                _ => b'e',
            });
            payload.extend((text.len() as u32).to_le_bytes());
            payload.extend(text.as_bytes());
            return;
        }
        Cell::Number(value) => (b'n', value.to_bits()),
        Cell::Moment(micros) => (b'm', micros.cast_unsigned()),
        Cell::Bool(value) => (b'b', u64::from(value)),
    };
    payload.extend(column.to_le_bytes());
    payload.push(kind);
    payload.extend(value.to_le_bytes());
}

/// The cells of a row, in the order in which they were put.
pub struct Cells<'a>(pub &'a [u8]);

impl<'a> Cells<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(head)
    }

    /// The next cell; `Ok(None)` at the end.
    pub fn next(&mut self) -> io::Result<Option<(u16, Cell<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        self.cell().map(Some).ok_or_else(|| nonsense("a cell is cut off or unknown"))
    }

    fn cell(&mut self) -> Option<(u16, Cell<'a>)> {
        let head = self.take(3)?;
        let column = u16::from_le_bytes([head[0], head[1]]);
        let cell = if matches!(head[2], b't' | b'd' | b'e') {
            let length = u32::from_le_bytes(self.take(4)?.try_into().ok()?);
            let text = std::str::from_utf8(self.take(length as usize)?).ok()?;
            match head[2] {
                b't' => Cell::Text(text),
                b'd' => Cell::Digits(text),
                _ => Cell::Error(text),
            }
        } else {
            let bits = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
            match head[2] {
                b'n' => Cell::Number(f64::from_bits(bits)),
                b'm' => Cell::Moment(bits.cast_signed()),
                b'b' => Cell::Bool(bits != 0),
                _ => return None,
            }
        };
        Some((column, cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Vec<Told> {
        let fault = |kind| Fault { kind, message: "because".into() };
        vec![
            Told::Sheet { name: "Löhne".into(), visible: true, cells: false },
            Told::Row { number: 7 },
            Told::SheetFault(fault(SourceErrorKind::Password)),
            Told::End { rows: 1 },
            Told::Fault(fault(SourceErrorKind::OldFormat)),
            Told::Done { sheets: 3 },
        ]
    }

    fn cells() -> [(u16, Cell<'static>); 5] {
        [
            (0, Cell::Text("é")),
            (1, Cell::Number(-0.25)),
            (3, Cell::Moment(-5)),
            (300, Cell::Bool(true)),
            (16_383, Cell::Error("#N/A")),
        ]
    }

    fn stream() -> Vec<u8> {
        let mut payload = Vec::new();
        put(&mut payload, 9, Cell::Blank);
        cells().into_iter().for_each(|(column, cell)| put(&mut payload, column, cell));
        let mut bytes = Vec::new();
        told().iter().for_each(|frame| write(&mut bytes, frame, &payload).expect("in memory"));
        bytes
    }

    #[test]
    fn frames_and_cells_come_back_as_they_were() {
        let bytes = stream();
        let (mut rest, mut buffer) = (bytes.as_slice(), Vec::new());
        for expected in told() {
            let frame = read(&mut rest, &mut buffer).expect("sound").expect("a frame");
            assert_eq!(frame, expected);
            if matches!(frame, Told::Row { .. }) {
                let mut all = Cells(&buffer[4..]);
                for cell in cells() {
                    assert_eq!(all.next().expect("sound"), Some(cell));
                }
                assert_eq!(all.next().expect("sound"), None);
            }
        }
        assert!(read(&mut rest, &mut buffer).expect("the end").is_none());
    }

    #[test]
    fn a_stream_cut_off_anywhere_never_ends_well() {
        let bytes = stream();
        for end in 0..bytes.len() {
            let (mut rest, mut buffer) = (&bytes[..end], Vec::new());
            let mut last = None;
            let whole = loop {
                match read(&mut rest, &mut buffer) {
                    Ok(Some(frame)) => last = Some(frame),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            let done = matches!(last, Some(Told::Done { .. }));
            assert!(!(whole && done), "{end} bytes of {} pass for all", bytes.len());
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        let mut buffer = Vec::new();
        let huge = [b'R', 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
        assert!(read(&mut huge.as_slice(), &mut buffer).is_err());
        let text = [0, 0, b't', 0xff, 0xff, 0xff, 0xff, b'a'];
        assert!(Cells(&text).next().is_err());
        assert!(Cells(&[0, 0, b'?', 0, 0, 0, 0, 0, 0, 0, 0]).next().is_err());
        assert!(Cells(&[0]).next().is_err());
    }
}
