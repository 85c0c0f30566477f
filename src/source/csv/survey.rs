//! The first pass: fingerprint, encoding, dialect, regularity of the quotes, header, sample.

use super::cut::CsvSource;
use super::dialect::{self, Dialect};
use super::split::{self, Ending, Span};
use crate::chunk::{Fingerprint, Mark, Part, ReadSchema};
use crate::source::input::{SNIFF, read_full};
use crate::source::{Content, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use std::io::Read;
use std::sync::Arc;

/// Records kept as a sample.
const SAMPLE: usize = 1_000;
/// Bytes read at a time; large enough that hashing uses wide vectors.
const BUFFER: usize = 4 << 20;

/// A surveyed text file.
pub struct CsvTable {
    pub(super) content: Content,
    pub(super) dialect: Dialect,
    /// Transcoded from UTF-16 while reading.
    pub(super) utf16: Option<&'static Encoding>,
    /// Every quote opens, closes or doubles: record ends can be found by counting.
    pub(super) regular: bool,
    /// First data record.
    pub(super) data: Mark,
    fingerprint: Fingerprint,
    headers: Vec<String>,
    sample: Vec<Vec<String>>,
    bytes: u64,
    notes: Vec<String>,
}

/// What one pass over all bytes finds out.
struct Scan {
    fingerprint: Fingerprint,
    bytes: u64,
    utf8: bool,
    high_bytes: u64,
    first_bad: Option<u64>,
    regular: bool,
}

/// Reads the whole content once.
pub fn survey(content: &Content, options: &SourceOptions) -> Result<CsvTable, SourceError> {
    let head = content.head(SNIFF)?;
    let utf16 = utf16(&head, options);
    let text_head = match utf16 {
        Some(encoding) => encoding.decode(&head).0.into_owned().into_bytes(),
        None => head,
    };
    let bom = if text_head.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let end = dialect::find_end(&text_head);
    let delimiter = match options.delimiter {
        Some(c) => u8::try_from(c).map_err(|_| bad_delimiter(content, c))?,
        None => dialect::find_delimiter(&text_head[bom..], end),
    };
    let scan = scan(content, utf16, delimiter, end)?;
    let mut notes = Vec::new();
    let encoding = encoding(content, options, utf16, &scan, &mut notes)?;
    let mut dialect = Dialect { delimiter, end, encoding, header_row: Some(1) };
    if options.headers.is_some() || options.header_row == Some(0) {
        dialect.header_row = None;
    } else if let Some(row) = options.header_row {
        dialect.header_row = Some(row);
    }
    let found = Head::read(content, &text_head, bom, &dialect, options)?;
    dialect.header_row = found.header_row;
    Ok(CsvTable {
        content: content.clone(),
        dialect,
        utf16,
        regular: scan.regular,
        data: found.data,
        fingerprint: scan.fingerprint,
        headers: found.headers,
        sample: found.sample,
        bytes: scan.bytes,
        notes,
    })
}

fn bad_delimiter(content: &Content, c: char) -> SourceError {
    SourceError::new(
        SourceErrorKind::Header,
        content.label(),
        format!("the delimiter {c:?} is not a single byte"),
    )
}

fn utf16(head: &[u8], options: &SourceOptions) -> Option<&'static Encoding> {
    let named = options.encoding.as_deref().and_then(|label| Encoding::for_label(label.as_bytes()));
    match (head, named) {
        ([0xff, 0xfe, ..], _) => Some(encoding_rs::UTF_16LE),
        ([0xfe, 0xff, ..], _) => Some(encoding_rs::UTF_16BE),
        (_, Some(named)) if named == encoding_rs::UTF_16LE || named == encoding_rs::UTF_16BE => {
            Some(named)
        }
        _ => None,
    }
}

fn scan(
    content: &Content,
    utf16: Option<&'static Encoding>,
    delimiter: u8,
    end: u8,
) -> Result<Scan, SourceError> {
    let mut reader = text_reader(content, utf16, 0)?;
    let mut hasher = blake3::Hasher::new();
    let mut quotes = QuoteCheck { delimiter, end, state: QuoteState::FieldStart, regular: true };
    let mut scan = Scan {
        fingerprint: Fingerprint([0; 32]),
        bytes: 0,
        utf8: true,
        high_bytes: 0,
        first_bad: None,
        regular: true,
    };
    let mut buffer = vec![0; BUFFER];
    let mut carry = 0;
    loop {
        let read = read_full(&mut reader, &mut buffer[carry..])
            .map_err(|error| SourceError::io(content.label(), error))?;
        let fresh = &buffer[carry..carry + read];
        rayon::join(|| hasher.update(fresh), || quotes.feed(fresh));
        carry = check_utf8(&mut scan, &mut buffer, carry + read, read == 0);
        scan.bytes += read as u64;
        if read == 0 {
            break;
        }
    }
    scan.fingerprint = Fingerprint(*hasher.finalize().as_bytes());
    scan.regular = quotes.regular && !matches!(quotes.state, QuoteState::Inside);
    Ok(scan)
}

/// Checks `buffer[..filled]` and moves an unfinished character to the front; returns its length.
fn check_utf8(scan: &mut Scan, buffer: &mut [u8], filled: usize, last: bool) -> usize {
    let mut from = 0;
    loop {
        match std::str::from_utf8(&buffer[from..filled]) {
            Ok(_) => return 0,
            Err(error) => {
                let at = from + error.valid_up_to();
                match error.error_len() {
                    None if !last => {
                        buffer.copy_within(at..filled, 0);
                        return filled - at;
                    }
                    length => {
                        scan.utf8 = false;
                        scan.high_bytes += 1;
                        scan.first_bad.get_or_insert(scan.bytes + at as u64);
                        from = at + length.unwrap_or(filled - at);
                    }
                }
            }
        }
    }
}

/// UTF-8 where the bytes are, Windows-1252 where they are not, unless the user decided.
fn encoding(
    content: &Content,
    options: &SourceOptions,
    utf16: Option<&'static Encoding>,
    scan: &Scan,
    notes: &mut Vec<String>,
) -> Result<&'static Encoding, SourceError> {
    if utf16.is_some() {
        return Ok(UTF_8);
    }
    if let Some(label) = &options.encoding {
        return Encoding::for_label(label.as_bytes()).ok_or_else(|| {
            SourceError::new(
                SourceErrorKind::Encoding,
                content.label(),
                format!("unknown encoding `{label}`"),
            )
            .with_hint("use utf-8, windows-1252, latin1 or utf-16")
        });
    }
    if scan.utf8 {
        return Ok(UTF_8);
    }
    notes.push(format!(
        "E201: {} byte sequences are not UTF-8 (the first at byte {}); the whole file is read as \
         windows-1252. If names look wrong, give --encoding",
        scan.high_bytes,
        scan.first_bad.unwrap_or(0)
    ));
    Ok(WINDOWS_1252)
}

/// A reader of the text from a byte offset of the (transcoded) content.
pub(super) fn text_reader(
    content: &Content,
    utf16: Option<&'static Encoding>,
    offset: u64,
) -> Result<Box<dyn Read + Send>, SourceError> {
    let Some(encoding) = utf16 else { return content.open_at(offset) };
    let mut reader = Transcoder::new(content.open()?, encoding);
    std::io::copy(&mut reader.by_ref().take(offset), &mut std::io::sink())
        .map_err(|error| SourceError::io(content.label(), error))?;
    Ok(Box::new(reader))
}

/// UTF-16 to UTF-8 while reading.
struct Transcoder {
    inner: Box<dyn Read + Send>,
    decoder: encoding_rs::Decoder,
    text: Vec<u8>,
    at: usize,
    done: bool,
}

impl Transcoder {
    fn new(inner: Box<dyn Read + Send>, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Self { inner, decoder, text: Vec::new(), at: 0, done: false }
    }
}

impl Read for Transcoder {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.text.len() && !self.done {
            let mut raw = vec![0; 64 * 1024];
            let read = read_full(&mut self.inner, &mut raw)?;
            self.done = read < raw.len();
            let room = self.decoder.max_utf8_buffer_length(read).unwrap_or(read * 3 + 16);
            self.text.resize(room, 0);
            let (_, _, written, _) =
                self.decoder.decode_to_utf8(&raw[..read], &mut self.text, self.done);
            self.text.truncate(written);
            self.at = 0;
        }
        let count = buf.len().min(self.text.len() - self.at);
        buf[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Follows quotes through the whole text to learn whether counting them is enough to cut records.
struct QuoteCheck {
    delimiter: u8,
    end: u8,
    state: QuoteState,
    regular: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum QuoteState {
    FieldStart,
    Plain,
    Inside,
    Closing,
}

impl QuoteCheck {
    fn feed(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() && self.regular {
            let byte = bytes[at];
            self.state = match self.state {
                QuoteState::Inside => match memchr::memchr(b'"', &bytes[at..]) {
                    Some(close) => {
                        at += close + 1;
                        self.state = QuoteState::Closing;
                        continue;
                    }
                    None => return,
                },
                QuoteState::Closing if byte == b'"' => QuoteState::Inside,
                QuoteState::FieldStart if byte == b'"' => QuoteState::Inside,
                _ if byte == self.delimiter || byte == self.end => QuoteState::FieldStart,
                QuoteState::Closing if byte == b'\r' => QuoteState::Closing,
                QuoteState::Closing => {
                    self.regular = false;
                    QuoteState::Plain
                }
                _ => {
                    self.regular = byte != b'"' || self.ignorable_bom(at);
                    QuoteState::Plain
                }
            };
            at += 1;
        }
    }

    /// A quoted first header behind a byte-order mark is regular; it costs exact cutting, no more.
    fn ignorable_bom(&self, _at: usize) -> bool {
        false
    }
}

/// Header, first data record and sample, read from the head of the text.
struct Head {
    headers: Vec<String>,
    header_row: Option<u64>,
    data: Mark,
    sample: Vec<Vec<String>>,
}

impl Head {
    fn read(
        content: &Content,
        head: &[u8],
        bom: usize,
        dialect: &Dialect,
        options: &SourceOptions,
    ) -> Result<Self, SourceError> {
        let mut records = Records { bytes: head, dialect, at: bom, row: 1, spans: Vec::new() };
        let headers = match (&options.headers, dialect.header_row) {
            (Some(given), _) => given.clone(),
            (None, None) => Vec::new(),
            (None, Some(wanted)) => loop {
                let before = records.row;
                let Some(fields) = records.next() else { return Err(no_header(content, wanted)) };
                if before >= wanted {
                    break fields;
                }
            },
        };
        let data = Mark { record: 0, byte: records.at as u64, row: records.row };
        let header_row = dialect.header_row.map(|_| data.row.saturating_sub(1).max(1));
        let sample: Vec<_> = std::iter::from_fn(|| records.next()).take(SAMPLE).collect();
        let headers = if headers.is_empty() {
            let width = sample.first().map_or(0, Vec::len);
            (1..=width).map(|n| format!("column_{n}")).collect()
        } else {
            headers.iter().map(|header| clean_header(header)).collect()
        };
        Ok(Self { headers, header_row, data, sample })
    }
}

fn clean_header(header: &str) -> String {
    header.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

fn no_header(content: &Content, wanted: u64) -> SourceError {
    SourceError::new(
        SourceErrorKind::Header,
        content.label(),
        format!("no header found at row {wanted}: the file ends before"),
    )
    .with_hint("give the row of the header with --header-row, or 0 where there is none")
}

/// Walks the records of a text in memory, as strings.
struct Records<'a> {
    bytes: &'a [u8],
    dialect: &'a Dialect,
    at: usize,
    row: u64,
    spans: Vec<Span>,
}

impl Records<'_> {
    fn next(&mut self) -> Option<Vec<String>> {
        while self.at < self.bytes.len() {
            let Dialect { delimiter, end, encoding, .. } = *self.dialect;
            let (next, ending) = split::split(self.bytes, self.at, delimiter, end, &mut self.spans);
            // The head may end inside a record: what is cut off is no sample.
            let cut_off = next == self.bytes.len()
                && self.bytes.len() >= SNIFF
                && self.bytes.last() != Some(&end);
            if cut_off {
                return None;
            }
            let lines = memchr::memchr_iter(end, &self.bytes[self.at..next]).count();
            self.row += lines.max(1) as u64;
            self.at = next;
            if dialect::is_blank(&self.spans) || ending != Ending::Whole {
                continue;
            }
            let field = |span: &Span| {
                let raw = &self.bytes[span.start as usize..span.end as usize];
                let text = encoding.decode_without_bom_handling(raw).0;
                if span.doubled { text.replace("\"\"", "\"") } else { text.into_owned() }
            };
            return Some(self.spans.iter().map(field).collect());
        }
        None
    }
}

impl Table for CsvTable {
    fn part(&self) -> Part {
        Part::Whole
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn headers(&self) -> &[String] {
        &self.headers
    }

    fn sample(&self) -> &[Vec<String>] {
        &self.sample
    }

    fn extent(&self) -> Extent {
        Extent { bytes: Some(self.bytes), rows: None }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let delimiter = match self.dialect.delimiter {
            b'\t' => "tab".to_owned(),
            other => format!("`{}`", char::from(other)),
        };
        let encoding = self.utf16.unwrap_or(self.dialect.encoding);
        let header = self.dialect.header_row.map_or("none".into(), |row| format!("row {row}"));
        let quotes = if self.regular { "regular" } else { "irregular: cut record by record" };
        vec![
            ("delimiter".into(), delimiter),
            ("encoding".into(), encoding.name().to_lowercase()),
            ("header".into(), header),
            ("quotes".into(), quotes.into()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        let from = if from.byte == 0 { self.data } else { from };
        Ok(Box::new(CsvSource::open(self, schema, from)?))
    }
}
