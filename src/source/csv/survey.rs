//! What is known of a text file before its rows are read: fingerprint, dialect, header, footer.

use super::cut::{CsvSource, LONGEST_RECORD, too_long};
use super::detect;
use super::footer::{self, Footer};
use super::grammar::{CsvPolicy, Dialect, Escape, Escaping, Grammar, Quoting};
use super::head::{Head, Text};
use super::scan::{Scan, scan};
use super::text::{self, Transport};
use crate::chunk::{Fingerprint, Mark, Part, ReadSchema};
use crate::source::resolve::{SNIFF, read_full};
use crate::source::watch::WatchedSource;
use crate::source::{
    Content, Earlier, Extent, Source, SourceError, SourceErrorKind, SourceOptions, Table,
    check_width,
};
use encoding_rs::Encoding;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// A surveyed text file.
pub struct CsvTable {
    pub(super) content: Content,
    pub(super) dialect: Arc<Dialect>,
    pub(super) transport: Transport,
    /// Every quote opens, closes or doubles: record ends can be found by counting.
    pub(super) regular: bool,
    /// Where the data ends.
    pub(super) data_end: u64,
    /// The last line has a line end.
    is_ended: bool,
    /// Under which it was surveyed.
    options: SourceOptions,
    head: Head,
    ends: &'static str,
    fingerprint: Fingerprint,
    bytes: u64,
    footer: Option<(u64, Footer)>,
    notes: Vec<String>,
}

/// Reads the whole content once.
pub fn survey(content: &Content, options: &SourceOptions) -> Result<CsvTable, SourceError> {
    check_options(content, options)?;
    let raw = content.head(SNIFF)?;
    let mut transport = Transport { utf16: text::utf16(&raw, options), mixed_ends: false };
    let (sample, _) = text_head(content, transport, SNIFF)?;
    let mark = if sample.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let found = detect::find(&sample[mark..], options);
    transport.mixed_ends = found.mixed_ends;
    let scan = scan(content, transport, &found.grammar)?;
    let label = content.label();
    let mut notes = Vec::new();
    let encoding = text::decide(label, options, transport.utf16, &scan.evidence, &mut notes)?;
    let head = find_head(content, options, transport, mark, found.grammar, encoding)?;
    check_head(content, options, &head)?;
    check_width(label, head.headers.len())?;
    let ends = line_ends(&sample, &found);
    let footer = find_footer(&scan, &head, &found.grammar, encoding);
    tell(&head, footer.as_ref(), &mut notes);
    let dialect = Dialect {
        grammar: found.grammar,
        encoding,
        policy: options.csv,
        header_line: head.header_line.clone(),
    };
    Ok(CsvTable {
        content: content.clone(),
        dialect: Arc::new(dialect),
        transport,
        regular: scan.regular,
        is_ended: scan.tail.ends_with(&[found.grammar.end]),
        options: options.clone(),
        data_end: scan.bytes - footer.as_ref().map_or(0, |(_, footer)| footer.bytes),
        head,
        ends,
        fingerprint: scan.fingerprint,
        bytes: scan.bytes,
        footer,
        notes,
    })
}

fn check_options(content: &Content, options: &SourceOptions) -> Result<(), SourceError> {
    let refuse = |what: &str, c: char| {
        let message = format!("the {what} {c:?} is not a single byte");
        Err(SourceError::new(SourceErrorKind::Header, content.label(), message))
    };
    match (options.delimiter, options.quote, options.escape) {
        (Some(c), ..) if !c.is_ascii() => refuse("delimiter", c),
        (_, Some(Quoting::Char(c)), _) if !c.is_ascii() => refuse("quote", c),
        (.., Some(Escaping::Char(c))) if !c.is_ascii() => refuse("escape", c),
        (Some(d), Some(Quoting::Char(q)), _) if d == q => {
            let message = format!("{d:?} cannot be delimiter and quote at once");
            Err(SourceError::new(SourceErrorKind::Header, content.label(), message))
        }
        _ => Ok(()),
    }
}

/// The first `bytes` of the text, and whether there are more.
fn text_head(
    content: &Content,
    transport: Transport,
    bytes: usize,
) -> Result<(Vec<u8>, bool), SourceError> {
    let mut reader = text::reader(content, transport, 0, &Arc::new(AtomicU64::new(0)))?;
    let mut head = vec![0; bytes + 1];
    let read = read_full(&mut reader, &mut head)
        .map_err(|error| SourceError::io(content.label(), error))?;
    head.truncate(read.min(bytes));
    Ok((head, read > bytes))
}

/// Reads as much of the text as the header needs.
fn find_head(
    content: &Content,
    options: &SourceOptions,
    transport: Transport,
    from: usize,
    grammar: Grammar,
    encoding: &'static Encoding,
) -> Result<Head, SourceError> {
    let mut size = SNIFF;
    loop {
        let (bytes, more) = text_head(content, transport, size)?;
        let text = Text { bytes: &bytes, from, more, grammar, encoding };
        if text.is_blank() {
            let message = "the file holds blank lines only";
            return Err(SourceError::new(SourceErrorKind::Empty, content.label(), message));
        }
        match text.head(options) {
            // Names of the columns of a file without a header come from its first record.
            Some(head) if !more || !(head.sample.is_empty() || head.headers.is_empty()) => {
                return Ok(head);
            }
            found if size >= LONGEST_RECORD => {
                return found
                    .filter(|head| !head.headers.is_empty())
                    .ok_or_else(|| too_long(content.label(), 1));
            }
            None if !more => return Err(no_header(content, options.header_row)),
            _ => size = (size * 8).min(LONGEST_RECORD),
        }
    }
}

/// A header with stray quotes names the wrong columns unless someone has looked at it.
fn check_head(content: &Content, options: &SourceOptions, head: &Head) -> Result<(), SourceError> {
    if !head.stray_quotes || options.csv == CsvPolicy::Lenient {
        return Ok(());
    }
    let row = head.header_row.unwrap_or(1);
    let message = format!("the header at row {row} has a quote that closes nothing");
    Err(SourceError::new(SourceErrorKind::Quote, content.label(), message).with_hint(
        "mend the header, give its row with --header-row, or read its quotes as text with \
         --csv lenient",
    ))
}

fn no_header(content: &Content, wanted: Option<u64>) -> SourceError {
    let wanted = wanted.unwrap_or(1);
    SourceError::new(
        SourceErrorKind::Header,
        content.label(),
        format!("no header found at row {wanted}: the file ends before"),
    )
    .with_hint("give the row of the header with --header-row, or 0 where there is none")
}

fn line_ends(sample: &[u8], found: &detect::Found) -> &'static str {
    let all = memchr::memchr_iter(b'\n', sample).count();
    let windows = memchr::memmem::find_iter(sample, b"\r\n").count();
    match (found.mixed_ends, found.grammar.end, windows) {
        (true, ..) => "mixed, \\r alone included",
        (_, b'\r', _) => "\\r",
        (.., 0) => "\\n",
        _ if windows == all => "\\r\\n",
        _ => "mixed \\n and \\r\\n",
    }
}

fn find_footer(
    scan: &Scan,
    head: &Head,
    grammar: &Grammar,
    encoding: &'static Encoding,
) -> Option<(u64, Footer)> {
    let behind = scan.bytes.saturating_sub(head.data.byte);
    let whole = behind <= scan.tail.len() as u64;
    let from = if whole { scan.tail.len() - behind as usize } else { 0 };
    let tail = &scan.tail[from..];
    let found = footer::find(tail, whole, grammar, encoding, head.headers.len())?;
    let last_line = u64::from(!scan.tail.ends_with(&[grammar.end]));
    let row = (scan.lines + last_line + 1).saturating_sub(found.rows);
    Some((row, found))
}

/// What is left out is said.
fn tell(head: &Head, footer: Option<&(u64, Footer)>, notes: &mut Vec<String>) {
    if let Some(last) = head.preamble.last() {
        let rows = head.preamble.len();
        notes.push(format!(
            "{rows} row(s) above the header (up to row {last}) are not read as data"
        ));
    }
    if head.stray_quotes {
        notes.push("E203: a quote in the header closes nothing; it is read as text".into());
    }
    if head.surplus > 0 {
        let names = head.surplus;
        notes.push(format!(
            "E202: the header has {names} blank name(s) more than the rows have fields"
        ));
    }
    if let Some((row, footer)) = footer {
        let said = crate::chunk::quotable(&footer.lines.join(" / "));
        notes.push(format!("what stands behind the data is not loaded (from row {row}): {said}"));
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
        &self.head.headers
    }

    fn sample(&self) -> &[Vec<String>] {
        &self.head.sample
    }

    fn extent(&self) -> Extent {
        Extent { bytes: Some(self.bytes), rows: None }
    }

    fn facts(&self) -> Vec<(String, String)> {
        let grammar = &self.dialect.grammar;
        let shown = |byte: u8| match byte {
            b'\t' => "tab".to_owned(),
            b' ' => "blank".to_owned(),
            byte if byte.is_ascii_control() => format!("0x{byte:02x}"),
            byte => format!("`{}`", char::from(byte)),
        };
        let mut delimiter = shown(grammar.delimiter);
        if grammar.padded {
            delimiter.push_str(" and blanks");
        }
        let inside = match grammar.escape {
            Escape::Doubled => "doubled inside".to_owned(),
            Escape::Byte(escape) => format!("{} before it inside", shown(escape)),
            Escape::None => "not escaped inside".to_owned(),
        };
        let regular = if self.regular { "regular" } else { "irregular: cut record by record" };
        let quotes = grammar.quote.map_or_else(
            || "none".to_owned(),
            |quote| format!("{}, {inside}, {regular}", shown(quote)),
        );
        let encoding = self.transport.utf16.unwrap_or(self.dialect.encoding);
        let header = self.head.header_row.map_or("none".into(), |row| format!("row {row}"));
        let mut facts = vec![
            ("delimiter".into(), delimiter),
            ("encoding".into(), encoding.name().to_lowercase()),
            ("header".into(), header),
            ("quotes".into(), quotes),
            ("line ends".into(), self.ends.into()),
        ];
        if let Some((row, footer)) = &self.footer {
            let lines = if footer.rows == 1 { "1 line" } else { &format!("{} lines", footer.rows) };
            facts.push(("footer".into(), format!("{lines} from row {row}")));
        }
        if self.dialect.policy == CsvPolicy::Lenient {
            facts.push(("broken rows".into(), "repaired where only one repair is possible".into()));
        }
        facts
    }

    fn reading(&self) -> Vec<(&'static str, String)> {
        let grammar = &self.dialect.grammar;
        let mut delimiter = char::from(grammar.delimiter).to_string();
        if grammar.padded {
            delimiter.push_str(" and blanks");
        }
        let quote = grammar.quote.map_or("none".into(), |quote| char::from(quote).to_string());
        let escape = match grammar.escape {
            _ if grammar.quote.is_none() => "none".into(),
            Escape::Doubled => "doubled".into(),
            Escape::Byte(escape) => char::from(escape).to_string(),
            Escape::None => "none".into(),
        };
        let encoding = self.transport.utf16.unwrap_or(self.dialect.encoding);
        vec![
            ("delimiter", delimiter),
            ("quote", quote),
            ("escape", escape),
            ("encoding", encoding.name().to_lowercase()),
            ("header-row", self.head.header_row.unwrap_or(0).to_string()),
        ]
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    fn open(&self, schema: Arc<ReadSchema>, from: Mark) -> Result<Box<dyn Source>, SourceError> {
        let from = if from.byte == 0 { self.head.data } else { from };
        WatchedSource::open(&self.content, || CsvSource::open(self, schema, from))
    }

    fn continues(&self, earlier: &Earlier) -> Result<bool, SourceError> {
        let Earlier { fingerprint, bytes, committed } = *earlier;
        // Offsets of UTF-16 are not those of the file.
        let impossible = bytes >= self.bytes || self.transport.utf16.is_some() || !self.regular;
        if impossible || committed > bytes.min(self.data_end) {
            return Ok(false);
        }
        let Ok(old) = survey(&self.content.first(bytes), &self.options) else {
            return self.content.unchanged().map(|()| false);
        };
        let last_is_whole = committed < bytes || old.is_ended;
        Ok(old.fingerprint == fingerprint
            && last_is_whole
            && old.regular
            && old.transport == self.transport
            && old.dialect == self.dialect
            && old.head.data == self.head.data
            && old.head.headers == self.head.headers)
    }

    fn unchanged(&self) -> Result<(), SourceError> {
        self.content.unchanged()
    }
}
