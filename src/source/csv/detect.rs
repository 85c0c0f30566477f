//! The grammar of a text, found from a sample of it: each candidate splits the sample, and the one
//! under which most rows have the same number of fields wins.

use super::grammar::{Escape, Escaping, Grammar, Quoting};
use super::split::{self, Ending, Span};
use super::text;
use crate::source::{SNIFF, SourceOptions};
use memchr::memmem;
use std::collections::BTreeMap;

/// Records looked at.
const RECORDS: usize = 200;
/// Delimiters in order of trust; those behind the first four need better evidence.
const DELIMITERS: [u8; 10] = [b',', b'\t', b'|', b';', b':', b'~', b'^', 0x1f, 0x01, b' '];

/// How many of them are usual.
const USUAL: usize = 4;

/// What the sample says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// How records and fields are cut.
    pub grammar: Grammar,
    /// A `\r` alone ends a line as `\n` does.
    pub mixed_ends: bool,
    score: i64,
}

/// Finds the grammar of the sample; what the user has said is not looked for.
pub fn find(sample: &[u8], options: &SourceOptions) -> Found {
    let bare = sample.windows(2).any(|pair| pair[0] == b'\r' && pair[1] != b'\n');
    if !sample.contains(&b'\n') {
        let end = if bare || sample.ends_with(b"\r") { b'\r' } else { b'\n' };
        return with_end(sample, options, end);
    }
    let found = with_end(sample, options, b'\n');
    if !bare {
        return found;
    }
    let mixed = with_end(&one_end(sample), options, b'\n');
    if mixed.score > found.score { Found { mixed_ends: true, ..mixed } } else { found }
}

/// Rows out of a thousand that a table has of one width.
const TABLE_SHARE: i64 = 900;

/// Whether the head of a text is a table: at least two rows, nearly all of one width, of two fields or more.
pub fn holds_table(head: &[u8]) -> bool {
    let options = SourceOptions::default();
    let utf16 = text::utf16(head, &options);
    let utf8 = utf16.map(|encoding| encoding.decode(head).0.into_owned().into_bytes());
    let sample = utf8.as_deref().unwrap_or(head);
    let sample = sample.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample);
    let found = find(sample, &options);
    let mut ended = if found.mixed_ends { one_end(sample) } else { sample.to_vec() };
    if head.len() < SNIFF {
        // Nothing is cut off.
        ended.push(found.grammar.end);
    }
    let seen = look(&ended, &found.grammar);
    seen.width >= 2 && seen.rows >= 2 && seen.share >= TABLE_SHARE
}

/// The sample with every `\r` alone as `\n`.
pub fn one_end(sample: &[u8]) -> Vec<u8> {
    let mut out = sample.to_vec();
    for at in memchr::memchr_iter(b'\r', sample) {
        if sample.get(at + 1) != Some(&b'\n') {
            out[at] = b'\n';
        }
    }
    out
}

fn with_end(sample: &[u8], options: &SourceOptions, end: u8) -> Found {
    let (usual, rare) = DELIMITERS.split_at(USUAL);
    if let Some(given) = options.delimiter {
        return best_of(sample, options, end, &[given as u8]);
    }
    let found = best_of(sample, options, end, usual);
    // Colons stand in times and blanks between words: they count only where nothing else does.
    if found.score >= 40_000 {
        return found;
    }
    let other = best_of(sample, options, end, rare);
    if other.score > found.score.max(80_000) { other } else { found }
}

fn best_of(sample: &[u8], options: &SourceOptions, end: u8, delimiters: &[u8]) -> Found {
    let first = delimiters.first().copied().unwrap_or(b',');
    let plain = Grammar { delimiter: first, end, ..Grammar::PLAIN };
    let mut best = Found { grammar: plain, mixed_ends: false, score: i64::MIN };
    for delimiter in delimiters.iter().copied() {
        // The first one stands for texts without any.
        if delimiter != first && !sample.contains(&delimiter) {
            continue;
        }
        for quote in quotes(sample, options) {
            for escape in escapes(sample, options, quote) {
                let padded = is_padded(sample, delimiter);
                let grammar = Grammar { delimiter, quote, escape, end, padded };
                let score = score(sample, &grammar, options);
                if let Some(score) = score.filter(|score| *score > best.score) {
                    best = Found { grammar, mixed_ends: false, score };
                }
            }
        }
    }
    best
}

fn quotes(sample: &[u8], options: &SourceOptions) -> Vec<Option<u8>> {
    match options.quote {
        Some(Quoting::None) => return vec![None],
        Some(Quoting::Char(quote)) => return vec![Some(quote as u8)],
        None => {}
    }
    let mut quotes = vec![Some(b'"')];
    if sample.contains(&b'\'') {
        quotes.push(Some(b'\''));
    }
    if sample.contains(&b'"') {
        quotes.push(None);
    }
    quotes
}

fn escapes(sample: &[u8], options: &SourceOptions, quote: Option<u8>) -> Vec<Escape> {
    match (options.escape, quote) {
        (Some(Escaping::Char(escape)), Some(quote)) if escape as u8 == quote => {
            return vec![Escape::Doubled];
        }
        (Some(given), _) => return vec![given.into()],
        (None, None) => return vec![Escape::Doubled],
        (None, Some(_)) => {}
    }
    let mut escapes = vec![Escape::Doubled];
    let Some(quote) = quote else { return escapes };
    if memmem::find(sample, &[b'\\', quote]).is_some() {
        escapes.push(Escape::Byte(b'\\'));
    }
    if sample.contains(&quote) {
        escapes.push(Escape::None);
    }
    escapes
}

/// Blanks behind delimiters are padding where most delimiters have one.
fn is_padded(sample: &[u8], delimiter: u8) -> bool {
    if delimiter == b' ' {
        return false;
    }
    let mut all = 0;
    let mut padded = 0;
    for at in memchr::memchr_iter(delimiter, sample) {
        // Behind the last field stands the line end.
        match sample.get(at + 1) {
            None | Some(b'\r' | b'\n') => {}
            Some(next) => {
                all += 1;
                padded += usize::from(*next == b' ');
            }
        }
    }
    all >= 4 && padded * 10 >= all * 7
}

/// How well a grammar explains the sample; `None`: it cannot be meant.
fn score(sample: &[u8], grammar: &Grammar, options: &SourceOptions) -> Option<i64> {
    let seen = look(sample, grammar);
    if options.quote.is_none() && grammar.quote == Some(b'\'') && seen.quoted < 2 {
        return None;
    }
    let free = options.escape.is_none();
    if free && grammar.escape == Escape::None && grammar.quote.is_some() {
        // One stray quote is damage; a grammar shows in most places where quotes stand in values.
        let doubled = look(sample, &Grammar { escape: Escape::Doubled, ..*grammar });
        if doubled.broken < 2 || doubled.broken <= doubled.escaped {
            return None;
        }
    }
    if options.quote.is_none() && grammar.quote.is_none() {
        // Quotes are text only where none of them ever closes.
        let quoted = look(sample, &Grammar { quote: Some(b'"'), ..*grammar });
        if quoted.broken < 3 || quoted.quoted > 0 {
            return None;
        }
    }
    let mut score = match seen.width {
        0 => 0,
        // Rows of one field say little, but quotes that close say something.
        1 => seen.share / 10,
        width => seen.share * 100 + (width as i64).min(90),
    };
    // Words are no fields: every row must agree.
    let words = options.delimiter.is_none() && grammar.delimiter == b' ';
    if words && (seen.share < 950 || seen.width < 3) {
        return None;
    }
    score -= match grammar.quote {
        Some(b'"') => 0,
        Some(_) => 200,
        None => 3_000,
    };
    score -= match grammar.escape {
        Escape::Doubled => 0,
        Escape::Byte(_) => 20,
        Escape::None => 40,
    };
    Some(score)
}

struct Seen {
    /// The number of fields that most rows have.
    width: usize,
    /// Rows that have it, in thousandths.
    share: i64,
    /// Fields in quotes.
    quoted: usize,
    /// Fields in quotes that hold escaped quotes.
    escaped: usize,
    /// Records with a quote out of place.
    broken: usize,
    /// Records that hold something.
    rows: usize,
}

fn look(sample: &[u8], grammar: &Grammar) -> Seen {
    let mut spans = Vec::new();
    let mut widths = BTreeMap::<usize, i64>::new();
    let (mut quoted, mut escaped, mut broken, mut records) = (0, 0, 0, 0);
    let mut pos = 0;
    while pos < sample.len() && records < RECORDS {
        let (next, ending) = split::split(sample, pos, grammar, &mut spans);
        // The last record of the sample may be cut off: it says nothing.
        if next == sample.len() && !sample.ends_with(&[grammar.end]) && records > 0 {
            break;
        }
        pos = next;
        if ending != Ending::Whole {
            broken += 1;
        } else if split::is_blank(&spans) {
            continue;
        } else {
            *widths.entry(spans.len()).or_default() += 1;
            let opened = |span: &&Span| {
                span.start > 0 && Some(sample[span.start as usize - 1]) == grammar.quote
            };
            quoted += spans.iter().filter(opened).count();
            escaped += spans.iter().filter(|span| span.is_escaped()).count();
        }
        records += 1;
    }
    let most = widths.iter().max_by_key(|(width, count)| (**count, **width));
    let (width, count) = most.map_or((0, 0), |(width, count)| (*width, *count));
    let share = count * 1_000 / (records as i64).max(1);
    Seen { width, share, quoted, escaped, broken, rows: records }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Found {
        find(text.as_bytes(), &SourceOptions::default())
    }

    #[test]
    fn delimiters_are_found_from_the_lines() {
        let cases: &[(&str, u8)] = &[
            ("a,b,c\n1,2,3\n", b','),
            ("a|b|c\n1|2|3,5\n", b'|'),
            ("a;b\n1,5;2\n3,5;4\n", b';'),
            ("a\tb\n\"x,y\"\tz\n", b'\t'),
            ("single\nvalue\n", b','),
            ("a~b~c\n1~2~3\n", b'~'),
            ("x y z\n1 \"2 3\" 4\n5 6 7\n", b' '),
            ("Report of May\n\na;b;c\n1;2;3\n4;5;6\n", b';'),
        ];
        for (text, delimiter) in cases {
            assert_eq!(found(text).grammar.delimiter, *delimiter, "{text:?}");
        }
    }

    #[test]
    fn quotes_and_escapes_are_found_where_they_are_used() {
        let grammar = |text: &str| {
            let Grammar { quote, escape, .. } = found(text).grammar;
            (quote, escape)
        };
        let double = Some(b'"');
        let cases: &[(&str, (Option<u8>, Escape))] = &[
            ("a,b\n\"x, y\",1\n", (double, Escape::Doubled)),
            ("a,b\n'x, y',1\n'z, w',2\n", (Some(b'\''), Escape::Doubled)),
            ("a,b\nO'Hara,1\nD'Arcy,2\n", (double, Escape::Doubled)),
            ("a,b\n\"5\\\" pipe, long\",1\n\"6\\\" x, y\",2\n", (double, Escape::Byte(b'\\'))),
            ("a,b\n\"5\"\" pipe\",1\n\"C:\\\\\",2\n", (double, Escape::Doubled)),
            ("a,b\n\"5\" in, x\",1\n\"6\" in\",2\n\"7\" in\",3\n", (double, Escape::None)),
            ("a\tb\n\"5 pipe\t1\n\"6 pipe\t2\n\"7 pipe\t3\n", (None, Escape::Doubled)),
            ("a,b\n\"x\"y,1\n2,3\n4,5\n6,7\n", (double, Escape::Doubled)),
        ];
        for (text, expected) in cases {
            assert_eq!(grammar(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn line_ends_and_padding_are_found() {
        let of = |text: &str| {
            let Found { grammar, mixed_ends, .. } = found(text);
            (grammar.end, mixed_ends, grammar.padded)
        };
        assert_eq!(of("a,b\r\n1,2\r\n"), (b'\n', false, false));
        assert_eq!(of("a,b\r1,2\r"), (b'\r', false, false));
        assert_eq!(of("a,b\r1,2\n3,4\r\n5,6\r"), (b'\n', true, false));
        assert_eq!(of("a,b\n1,x\ry\n3,4\n"), (b'\n', false, false));
        assert_eq!(of("a, b, c\n1, \"2, 3\", 4\n"), (b'\n', false, true));
    }

    #[test]
    fn what_the_user_says_is_not_looked_for() {
        let options = SourceOptions {
            delimiter: Some(';'),
            quote: Some(Quoting::None),
            escape: Some(Escaping::Char('^')),
            ..SourceOptions::default()
        };
        let grammar = find(b"a,b\n\"1\",2\n", &options).grammar;
        let expected = (b';', None, Escape::Byte(b'^'));
        assert_eq!((grammar.delimiter, grammar.quote, grammar.escape), expected);
    }
}
