//! Delimited text. Two bytes in front choose what the user says of it.

use super::file;
use super::reading::{Damage, LARGE, Seen, read, tables};
use etl::source::csv::{Csv, CsvPolicy, Escaping, Quoting};
use etl::source::{Content, Format, SourceOptions, Table};

/// How many of the smallest blocks, of four KiB each, a repeated text fills.
const BLOCKS: usize = 3;

/// The first byte: policy, repeated, header, encoding. The second: delimiter, quote, escape.
pub fn csv(data: &[u8]) {
    let [flags, grammar, text @ ..] = data else { return };
    let options = options(*flags, *grammar);
    let times = if flags & 2 == 0 { 1 } else { BLOCKS * 4_096 / text.len().max(1) + 1 };
    let text = text.repeat(times);
    let path = file("t.csv", &text);
    tables(&Csv, &path, &options, Damage::Same, |table, seen| {
        if seen.ended.is_err() || !is_plain(table, &options) {
            return;
        }
        let text = std::str::from_utf8(&text).ok();
        // Of these everybody has an idea of their own.
        if let Some(text) = text.filter(|text| !text.contains(['\r', '\0', '\u{feff}'])) {
            as_the_library(table, seen, text, &options);
            with_care(table, seen, text, &options);
        }
    });
}

fn options(flags: u8, grammar: u8) -> SourceOptions {
    let delimiters =
        [None, Some(','), Some(';'), Some('\t'), Some('|'), Some(' '), Some('\\'), None];
    let quotes = [
        None,
        Some(Quoting::Char('"')),
        Some(Quoting::Char('\'')),
        Some(Quoting::None),
        Some(Quoting::Char('\\')),
        Some(Quoting::Char(',')),
        None,
        None,
    ];
    let escapes = [None, Some(Escaping::Doubled), Some(Escaping::Char('\\')), Some(Escaping::None)];
    SourceOptions {
        csv: if flags & 1 == 0 { CsvPolicy::Strict } else { CsvPolicy::Lenient },
        header_row: [None, Some(0), Some(1), Some(2)][usize::from(flags >> 2 & 3)],
        header_rows: (flags & 16 != 0).then_some(2),
        encoding: [None, Some("utf-8"), Some("windows-1252"), Some("utf-16")]
            [usize::from(flags >> 5 & 3)]
        .map(str::to_owned),
        delimiter: delimiters[usize::from(grammar & 7)],
        quote: quotes[usize::from(grammar >> 3 & 7)],
        escape: escapes[usize::from(grammar >> 6)],
        ..SourceOptions::default()
    }
}

/// Whether the file is read by the plain grammar of which everybody has the same idea.
fn is_plain(table: &dyn Table, options: &SourceOptions) -> bool {
    let facts = table.facts();
    let fact = |name: &str| facts.iter().find(|(key, _)| key == name).map(|(_, it)| it.as_str());
    let told = options.csv == CsvPolicy::Strict
        && options.delimiter.is_some()
        && options.quote == Some(Quoting::Char('"'))
        && options.escape == Some(Escaping::Doubled)
        && options.header_row == Some(1)
        && options.header_rows.is_none()
        && options.encoding.as_deref() == Some("utf-8");
    let regular = fact("quotes").is_some_and(|quotes| quotes.ends_with(", regular"));
    let padded = fact("delimiter").is_some_and(|delimiter| delimiter.ends_with("blanks"));
    let ends = fact("line ends") == Some("\\n");
    told && regular && !padded && ends && fact("footer").is_none()
}

/// The library `csv` finds the same records.
fn as_the_library(table: &dyn Table, seen: &Seen, text: &str, options: &SourceOptions) {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(options.delimiter.map_or(b',', |delimiter| delimiter as u8))
        .terminator(::csv::Terminator::Any(b'\n'))
        .from_reader(text.as_bytes());
    let records = reader.records().map(|record| record.expect("valid text"));
    let records: Vec<Vec<String>> =
        records.map(|record| record.iter().map(str::to_owned).collect()).collect();
    let Some((header, rows)) = records.split_first() else { return };
    let width = table.headers().len();
    // The header once more is refused; of a lone blank field nobody knows whether it is a row.
    let counts =
        |row: &[String]| row.len() == width && row != header && !(width == 1 && row[0].is_empty());
    let expected: Vec<&[String]> =
        rows.iter().map(Vec::as_slice).filter(|row| counts(row)).collect();
    let own: Vec<Vec<String>> = seen
        .rows
        .iter()
        .map(|row| row.cells.iter().map(|cell| cell.clone().unwrap_or_default()).collect())
        .collect();
    let found: Vec<&[String]> = own.iter().map(Vec::as_slice).filter(|row| counts(row)).collect();
    assert_eq!(found, expected, "the records that the library finds");
}

/// Where one quote stands out of place, all records are read with care, one by one: the same rows.
fn with_care(table: &dyn Table, seen: &Seen, text: &str, options: &SourceOptions) {
    let mut twin = text.as_bytes().to_vec();
    if !twin.ends_with(b"\n") {
        twin.push(b'\n');
    }
    let width = table.headers().len().max(1);
    twin.extend(b"q\"");
    twin.extend(std::iter::repeat_n(options.delimiter.map_or(b',', |it| it as u8), width - 1));
    twin.extend(b"\n");
    let path = file("twin.csv", &twin);
    let Ok(tables) = Csv.survey(&Content::plain(&path), options) else {
        panic!("a row more makes the file unreadable")
    };
    let mut careful = read(&*tables[0], LARGE);
    assert_eq!(tables[0].headers(), table.headers(), "the same header with a row more");
    careful.rows.pop();
    assert_eq!(&careful, seen, "the same rows, read with care");
}
