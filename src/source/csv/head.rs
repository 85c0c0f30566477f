//! The first records of a text: lines above the header, the header or none, the sample.

use super::grammar::{CsvPolicy, Grammar};
use super::repair;
use super::split::{self, Ending, Span};
use crate::chunk::Mark;
use crate::source::SourceOptions;
use encoding_rs::Encoding;

/// Records kept as a sample.
const SAMPLE: usize = 1_000;
/// Fields after which no more records are looked at: each takes more memory than its text.
const FIELDS: usize = 1_000_000;
/// Most lines above a header.
const PREAMBLE: usize = 20;

/// What the first records say.
#[derive(Debug, Default, PartialEq)]
pub struct Head {
    /// Names of the fields.
    pub headers: Vec<String>,
    /// Row of the header; `None` without one.
    pub header_row: Option<u64>,
    /// The header's record as it stands, without its line end.
    pub header_line: Vec<u8>,
    /// Rows above the header that hold something.
    pub preamble: Vec<u64>,
    /// First data record.
    pub data: Mark,
    /// The first records of data.
    pub sample: Vec<Vec<String>>,
    /// The header had quotes that close nothing: they were read as text.
    pub stray_quotes: bool,
    /// Names that stand for no column: the header has one delimiter too many.
    pub surplus: usize,
}

/// A whole record of the head.
#[derive(Debug)]
struct Record {
    fields: Vec<String>,
    start: usize,
    next: usize,
    /// Row of its first line, and of the line behind it.
    row: u64,
    next_row: u64,
    /// Quotes that close nothing were read as text.
    stray: bool,
}

/// The text to look at.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The first bytes of the text.
    pub bytes: &'a [u8],
    /// Length of the mark before it.
    pub from: usize,
    /// There is more text behind: the last record may be cut off.
    pub more: bool,
    /// How it is written.
    pub grammar: Grammar,
    /// Its encoding.
    pub encoding: &'static Encoding,
}

impl Text<'_> {
    /// Finds the header. `None`: the row asked for is not in the text, or no record is whole.
    pub fn head(&self, options: &SourceOptions) -> Option<Head> {
        let mut records = self.records();
        let wanted = options.header_row.filter(|_| options.headers.is_none());
        let at = match wanted {
            _ if options.headers.is_some() => None,
            Some(0) => None,
            Some(wanted) => Some(records.iter().position(|record| record.row >= wanted)?),
            None if records.is_empty() => return None,
            None => find_header(&records),
        };
        let last = at.map(|at| at + height(options) - 1);
        let first = match (last, wanted, &options.headers) {
            (Some(last), ..) => last + 1,
            // Titles stand above a table whether or not it has a header.
            (None, None, None) => titles(&records),
            _ => 0,
        };
        if last.is_some_and(|last| last >= records.len()) {
            return None;
        }
        if let (Some(at), Some(last)) = (at, last) {
            join(&mut records, at, last);
        }
        let surplus = at.map_or(0, |at| surplus(&mut records, at, first, options));
        let header = at.map(|at| &records[at]);
        let preamble = records[..at.unwrap_or(first)].iter().map(|record| record.row).collect();
        let data = match (records.get(first), header) {
            (_, Some(header)) => Mark { record: 0, byte: header.next as u64, row: header.next_row },
            (Some(record), None) if first > 0 => {
                Mark { record: 0, byte: record.start as u64, row: record.row }
            }
            _ => Mark { record: 0, byte: self.from as u64, row: 1 },
        };
        let sample: Vec<_> = records[first..]
            .iter()
            .filter(|record| !record.stray)
            .take(SAMPLE)
            .map(|record| record.fields.clone())
            .collect();
        let headers = names(header, options, &records[first..]);
        Some(Head {
            headers: headers.iter().map(|header| clean_header(header)).collect(),
            header_row: header.map(|header| header.row),
            header_line: header
                .filter(|_| last == at)
                .map_or_else(Vec::new, |header| self.line(header)),
            preamble,
            data,
            sample,
            stray_quotes: header.is_some_and(|header| header.stray),
            surplus,
        })
    }

    /// Whether nothing stands in the text but blanks and line ends.
    pub fn is_blank(&self) -> bool {
        !self.more && self.bytes[self.from..].trim_ascii().is_empty()
    }

    /// A header of one name is too easily a value as well to be known again.
    fn line(&self, header: &Record) -> Vec<u8> {
        if header.fields.len() < 2 {
            return Vec::new();
        }
        let line = &self.bytes[header.start..header.next];
        let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        line[..end.map_or(0, |end| end + 1)].to_vec()
    }

    /// Whole records, as far as the text goes.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut spans = Vec::new();
        let (mut at, mut row, mut all) = (self.from, 1, 0);
        while at < self.bytes.len() && records.len() < SAMPLE + PREAMBLE + 1 && all < FIELDS {
            let (next, ending) = split::split(self.bytes, at, &self.grammar, &mut spans);
            let at_end = next == self.bytes.len() && !self.bytes.ends_with(&[self.grammar.end]);
            if self.more && (at_end || ending == Ending::Unclosed) {
                break;
            }
            let lines = split::count_lines(&self.bytes[at..next], self.grammar.end);
            let next_row = row + u64::from(lines);
            let stray = ending != Ending::Whole;
            if stray {
                // It may be the header: it must not be passed over for the first row of data.
                let width = common_width(&records);
                repair::requote(self.bytes, (at, next), &self.grammar, width, &mut spans);
            }
            if !split::is_blank(&spans) {
                let fields = spans.iter().map(|span| self.field(span)).collect();
                all += spans.len();
                records.push(Record { fields, start: at, next, row, next_row, stray });
            }
            (at, row) = (next, next_row);
        }
        records
    }

    fn field(&self, span: &Span) -> String {
        let text = self.encoding.decode_without_bom_handling(&self.bytes[span.range()]).0;
        let text = if span.is_escaped() { self.grammar.unescape(text) } else { text };
        text.into_owned()
    }
}

/// Names of the fields: as given, as the header has them, else numbers.
fn names(header: Option<&Record>, options: &SourceOptions, rows: &[Record]) -> Vec<String> {
    match (header, &options.headers) {
        (_, Some(given)) => given.clone(),
        (Some(header), _) => header.fields.clone(),
        (None, None) => (1..=common_width(rows)).map(|n| format!("column_{n}")).collect(),
    }
}

/// Rows that the header takes.
fn height(options: &SourceOptions) -> usize {
    options.header_rows.map_or(1, |rows| rows.clamp(1, PREAMBLE as u64) as usize)
}

/// Joins a header of several rows into its first, column by column.
fn join(records: &mut [Record], at: usize, last: usize) {
    let (header, more) = records[at..=last].split_at_mut(1);
    let header = &mut header[0];
    for record in more {
        header.fields.resize(header.fields.len().max(record.fields.len()), String::new());
        for (name, part) in header.fields.iter_mut().zip(&record.fields) {
            if !name.trim().is_empty() && !part.trim().is_empty() {
                name.push(' ');
            }
            name.push_str(part.trim());
        }
        header.stray |= record.stray;
        (header.next, header.next_row) = (record.next, record.next_row);
    }
}

/// Takes blank names out of a header that has more names than any row has fields, where that makes
/// them fit and the policy allows repairs; says how many.
fn surplus(records: &mut [Record], at: usize, first: usize, options: &SourceOptions) -> usize {
    let rows = &records[first..];
    let widest = rows.iter().map(|record| record.fields.len()).max().unwrap_or(0);
    let (width, names) = (common_width(rows), &records[at].fields);
    let blank = names.iter().filter(|name| name.trim().is_empty()).count();
    let fits = widest == width && names.len() == width + blank;
    if options.csv != CsvPolicy::Lenient || blank == 0 || !fits || rows.len() < 2 {
        return 0;
    }
    records[at].fields.retain(|name| !name.trim().is_empty());
    blank
}

fn clean_header(header: &str) -> String {
    header.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned()
}

/// The number of fields that most records have.
fn common_width(records: &[Record]) -> usize {
    let mut counts = std::collections::BTreeMap::<usize, usize>::new();
    for record in records {
        *counts.entry(record.fields.len()).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(0, |(width, _)| width)
}

fn filled(record: &Record) -> usize {
    record.fields.iter().filter(|field| !field.trim().is_empty()).count()
}

/// How many records stand above the table: lines of few words, before the first record that is as
/// wide as the others and fuller than a title.
fn titles(records: &[Record]) -> usize {
    let width = common_width(records);
    let is_title = |record: &Record| {
        let filled = filled(record);
        let narrow = record.fields.len() != width && filled * 2 <= width;
        narrow || (width > 2 && filled <= 1)
    };
    if width < 2 {
        return 0;
    }
    let count = records.iter().take(PREAMBLE).take_while(|record| is_title(record)).count();
    let begins = records.get(count).is_some_and(|record| record.fields.len() == width);
    if begins { count } else { 0 }
}

/// The header's position; `None` where the first record of the table is like those behind it.
fn find_header(records: &[Record]) -> Option<usize> {
    let at = titles(records);
    let first = records.get(at)?;
    let width = first.fields.len();
    let rows: Vec<_> =
        records[at + 1..].iter().filter(|record| record.fields.len() == width).collect();
    let (mut header, mut data) = (0, 0);
    for (field, name) in first.fields.iter().enumerate() {
        let cells = rows.iter().map(|row| row.fields[field].trim()).filter(|cell| !cell.is_empty());
        let (values, all) = cells
            .fold((0, 0), |(values, all), cell| (values + usize::from(is_value(cell)), all + 1));
        let name = name.trim();
        if all == 0 || values * 10 < all * 9 || name.is_empty() {
            continue;
        }
        match is_value(name) {
            // Years head columns of numbers.
            true if is_year(name) => {}
            true => data += 1,
            false => header += 1,
        }
    }
    (data == 0 || header > 0).then_some(at)
}

/// A number, an amount, a date or a time, as far as its characters tell.
fn is_value(text: &str) -> bool {
    let known = |b: u8| b.is_ascii_digit() || b"+-.,:/%$() ".contains(&b);
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().all(known)
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.parse().is_ok_and(|year: u16| (1_900..=2_100).contains(&year))
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::UTF_8;

    fn head(text: &str) -> Head {
        let bytes = text.as_bytes();
        let grammar = Grammar::PLAIN;
        let text = Text { bytes, from: 0, more: false, grammar, encoding: UTF_8 };
        text.head(&SourceOptions::default()).expect("a head")
    }

    #[test]
    fn the_header_is_found_below_titles() {
        let found = head("Sales 2025\n\n\"as of May, 1\"\nid,name,price\n1,a,2\n2,b,3\n");
        assert_eq!((found.header_row, found.preamble.clone()), (Some(4), vec![1, 3]));
        assert_eq!((found.data.row, found.sample.len()), (5, 2));
        assert_eq!(found.header_line, b"id,name,price");
        assert_eq!(head("Sales,,,\nid,name,price,x\n1,a,2,y\n").header_row, Some(2));
        // A short row below the header is no reason to look for another header.
        assert_eq!(head("id,name,price\n1\n2,b,3\n").header_row, Some(1));
        // Trailing delimiters in every row but the header are no reason either.
        assert_eq!(head("a,b,c\n1,2,3,\n4,5,6,\n").header_row, Some(1));
    }

    #[test]
    fn a_header_of_several_rows_is_joined() {
        let text = "Sales\n,2024,2024\nid,Jan,Feb\n1,2,3\n4,5,6\n";
        let (bytes, grammar) = (text.as_bytes(), Grammar::PLAIN);
        let text = Text { bytes, from: 0, more: false, grammar, encoding: UTF_8 };
        let options = |row, rows| SourceOptions {
            header_row: row,
            header_rows: Some(rows),
            ..SourceOptions::default()
        };
        let found = text.head(&options(Some(2), 2)).expect("a head");
        assert_eq!(found.headers, ["id", "2024 Jan", "2024 Feb"]);
        assert_eq!((found.header_row, found.data.row, found.sample.len()), (Some(2), 4, 2));
        assert!(found.header_line.is_empty(), "no row of the data can be it again");
        assert_eq!(text.head(&options(Some(2), 9)), None, "the file ends before");
    }

    #[test]
    fn a_first_row_like_the_others_is_no_header() {
        let cases = [
            ("28/01/2018,00:15,a\n29/01/2018,00:20,b\n", None),
            ("1,x\n2,y\n", None),
            ("id,2019,2020\n1,5,6\n", Some(1)),
            ("2019,2020\n5,6\n", Some(1)),
            ("a,b\nc,d\n", Some(1)),
            ("name,1\nx,2\n", None),
            ("id,n1\n5,x\n6,y\n", Some(1)),
        ];
        for (text, row) in cases {
            assert_eq!(head(text).header_row, row, "{text:?}");
        }
        let found = head("1,x\n2,y\n");
        assert_eq!(found.headers, ["column_1", "column_2"]);
        assert_eq!((found.data.byte, found.data.row, found.sample.len()), (0, 1, 2));
    }

    #[test]
    fn what_is_cut_off_is_no_sample() {
        let grammar = Grammar::PLAIN;
        let text = Text { bytes: b"a,b\n1,2\n3,", from: 0, more: true, grammar, encoding: UTF_8 };
        assert_eq!(text.head(&SourceOptions::default()).expect("a head").sample, [["1", "2"]]);
        let none = Text { bytes: b"a,b", ..text };
        assert_eq!(none.head(&SourceOptions::default()), None);
    }
}
