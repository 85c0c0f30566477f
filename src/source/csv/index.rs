//! Many records into fields at once, by bit masks of 64 bytes.
//!
//! Works where every quote opens, closes or doubles, and where there is none: then a separator is
//! one that an even number of quotes precedes, which costs a few instructions for eight bytes and
//! no branch a byte.

use super::grammar::Grammar;
use super::masks::{GROUP, each_group, equal, lowest, quoted};
use super::split::{MOST_FIELDS, Span};
use memchr::memchr;

/// Takes what is found, in order.
pub trait Sink {
    /// A field. Of a record of [`MOST_FIELDS`] and more not all are told.
    fn field(&mut self, span: Span);
    /// Fields of one record, one after the other.
    fn fields(&mut self, spans: &[Span]) {
        spans.iter().for_each(|span| self.field(*span));
    }
    /// The record that began at `start` ends before `next`. `broken`: a quoted field did not end
    /// with its quote, so the record must be split with care. `lines`: how many lines it covers.
    fn end(&mut self, start: usize, next: usize, broken: bool, lines: u32);
}

/// The masks of one group of 64 bytes.
#[derive(Clone, Copy, Default)]
struct Masks {
    delimiters: u64,
    ends: u64,
    quotes: u64,
}

/// One pass over `bytes[from..to]`, which must begin and end at record boundaries.
pub struct Indexer<'a> {
    bytes: &'a [u8],
    grammar: Grammar,
    /// The quote, where the stretch holds any.
    quote: Option<u8>,
    record: usize,
    field: usize,
    fields: usize,
    inside: bool,
    broken: bool,
    /// The last line end seen inside quotes.
    inner_end: usize,
    /// Fields of a group.
    spans: [Span; GROUP],
}

impl<'a> Indexer<'a> {
    /// An indexer of a stretch; `quoted`: it may hold quotes, all of them regular.
    pub fn new(bytes: &'a [u8], grammar: Grammar, quoted: bool) -> Self {
        let quote = grammar.quote.filter(|_| quoted);
        Self {
            bytes,
            grammar,
            quote,
            record: 0,
            field: 0,
            fields: 0,
            inside: false,
            broken: false,
            inner_end: 0,
            spans: [Span::plain(0, 0); GROUP],
        }
    }

    /// Cuts `bytes[from..to]`.
    pub fn run(&mut self, from: usize, to: usize, sink: &mut impl Sink) {
        self.quote = self.quote.filter(|quote| memchr(*quote, &self.bytes[from..to]).is_some());
        (self.record, self.field, self.fields) = (from, from, 0);
        let mut at = from;
        let bytes = self.bytes;
        each_group(&bytes[from..to], |group, real| {
            let masks = self.masks(group, lowest(real));
            self.group(at, masks, sink);
            at += real;
        });
        if self.field < to || self.fields > 0 {
            // The last line has no line end.
            self.separator(to, true, sink);
        }
    }

    #[inline(always)]
    fn masks(&self, group: &[u8; GROUP], real: u64) -> Masks {
        Masks {
            delimiters: equal(group, self.grammar.delimiter) & real,
            ends: equal(group, self.grammar.end) & real,
            quotes: self.quote.map_or(0, |quote| equal(group, quote) & real),
        }
    }

    #[inline(always)]
    fn group(&mut self, at: usize, masks: Masks, sink: &mut impl Sink) {
        let quoted = quoted(masks.quotes, self.inside);
        if self.quote.is_some() {
            self.inside = quoted >> 63 == 1;
            let inner = masks.ends & quoted;
            if inner != 0 {
                self.inner_end = at + 63 - inner.leading_zeros() as usize;
            }
        }
        let mut ends = masks.ends & !quoted;
        let mut delimiters = masks.delimiters & !quoted;
        while ends != 0 {
            let end = ends.trailing_zeros();
            ends &= ends - 1;
            let before = delimiters & ((1 << end) - 1);
            self.delimited(at, before, masks.quotes, sink);
            self.separator(at + end as usize, true, sink);
            delimiters &= !before;
        }
        self.delimited(at, delimiters, masks.quotes, sink);
    }

    /// Fields that end at delimiters of one group. Of one that begins here, too, the masks tell all: it has
    /// no quotes, or one at either end; any other is looked at.
    #[inline(always)]
    fn delimited(&mut self, at: usize, delimiters: u64, quotes: u64, sink: &mut impl Sink) {
        let (mut count, mut left) = (0, delimiters);
        while left != 0 {
            let bit = left.trailing_zeros() as usize;
            left &= left - 1;
            let (start, stop) = (self.field, at + bit);
            let length = stop - start;
            let inner = (start >= at).then(|| quotes >> (start - at) & ((1 << length) - 1));
            let span = match inner {
                Some(0) => Span::plain(start, stop),
                Some(inner) if length >= 2 && inner == 1 << (length - 1) | 1 => {
                    Span::plain(start + 1, stop - 1)
                }
                _ => {
                    self.hand_over(count, sink);
                    count = 0;
                    self.separator(stop, false, sink);
                    continue;
                }
            };
            self.spans[count % GROUP] = span;
            count += 1;
            self.field = stop + 1;
        }
        self.hand_over(count, sink);
    }

    /// Tells the sink of fields, unless the record has more than any.
    #[inline(always)]
    fn hand_over(&mut self, count: usize, sink: &mut impl Sink) {
        if self.fields < MOST_FIELDS {
            sink.fields(&self.spans[..count]);
        }
        self.fields += count;
    }

    #[inline(always)]
    fn separator(&mut self, at: usize, ends: bool, sink: &mut impl Sink) {
        let start = self.field;
        let mut stop = at;
        if ends && stop > start && self.bytes[stop - 1] == b'\r' {
            stop -= 1;
        }
        let mut span = Span::plain(start, stop);
        if let Some(quote) = self.quote
            && stop > start
            && self.bytes[start] == quote
        {
            span = self.unquoted(start, stop, quote);
        }
        if self.fields < MOST_FIELDS {
            sink.field(span);
        }
        self.field = at + 1;
        self.fields += 1;
        if ends {
            self.end(at, sink);
        }
    }

    #[inline]
    fn unquoted(&mut self, start: usize, stop: usize, quote: u8) -> Span {
        if stop < start + 2 || self.bytes[stop - 1] != quote {
            self.broken = true;
            return Span::plain(start, stop);
        }
        match memchr(quote, &self.bytes[start + 1..stop - 1]) {
            None => Span::plain(start + 1, stop - 1),
            Some(_) => Span::escaped(start + 1, stop - 1),
        }
    }

    #[inline]
    fn end(&mut self, at: usize, sink: &mut impl Sink) {
        let next = (at + 1).min(self.bytes.len());
        let spans_lines = self.inner_end > self.record;
        let lines = if spans_lines {
            super::split::count_lines(&self.bytes[self.record..next], self.grammar.end)
        } else {
            1
        };
        sink.end(self.record, next, self.broken, lines);
        self.record = next;
        self.field = next;
        self.fields = 0;
        self.broken = false;
    }
}

#[cfg(test)]
mod tests {
    use super::super::split::{self, Ending};
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Collected {
        fields: Vec<Span>,
        records: Vec<(usize, usize, u32, Vec<Span>)>,
    }

    impl Sink for Collected {
        fn field(&mut self, span: Span) {
            self.fields.push(span);
        }

        fn end(&mut self, start: usize, next: usize, broken: bool, lines: u32) {
            assert!(!broken);
            let fields = std::mem::take(&mut self.fields);
            self.records.push((start, next, lines, fields));
        }
    }

    fn by_split(bytes: &[u8]) -> Vec<(usize, usize, u32, Vec<Span>)> {
        let mut at = 0;
        let mut records = Vec::new();
        let mut spans = Vec::new();
        while at < bytes.len() {
            let (next, ending) = split::split(bytes, at, &Grammar::PLAIN, &mut spans);
            assert_eq!(ending, Ending::Whole);
            let lines = split::count_lines(&bytes[at..next], b'\n');
            records.push((at, next, lines, spans.clone()));
            at = next;
        }
        records
    }

    proptest! {
        #[test]
        fn masks_find_what_the_grammar_finds(
            records in prop::collection::vec(
                prop::collection::vec("[a-z]{0,9}|\"([a-z,\n]|\"\"){0,80}\"", 1..12), 0..20),
            crlf: bool, last_end: bool,
        ) {
            let end = if crlf { "\r\n" } else { "\n" };
            let lines: Vec<_> = records.iter().map(|fields| fields.join(",")).collect();
            let mut text = lines.join(end);
            if last_end {
                text.push_str(end);
            }
            let mut found = Collected::default();
            Indexer::new(text.as_bytes(), Grammar::PLAIN, true).run(0, text.len(), &mut found);
            prop_assert_eq!(found.records, by_split(text.as_bytes()));
        }
    }
}
