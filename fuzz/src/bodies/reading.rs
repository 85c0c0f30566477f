//! A table read in every way that must give the same rows:
//!
//! * in large blocks and in small ones;
//! * from the start, and from behind a record in the middle, as a resumed load reads;
//! * into columns, a batch at a time, and record by record, as refused rows are written out;
//! * as text, and typed with the types found over the whole of it, which every cell must fit.

use etl::chunk::{Mark, MisfitKind, ReadColumn, ReadSchema};
use etl::source::{Content, Decoded, Format, SourceError, SourceOptions, Table, infer};
use std::path::Path;
use std::sync::Arc;

/// Records of one table that are looked at; the inputs are small, so more would be a loop.
const MOST: u64 = 5_000_000;

/// A record with its row number.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// From 0, whatever became of the records before.
    pub record: u64,
    /// As an editor shows it.
    pub number: u64,
    /// Its cells; `None`: blank, or refused.
    pub cells: Vec<Option<String>>,
}

/// What was read of a table; then the refusal of the rest of it, if any.
#[derive(Debug, PartialEq)]
pub struct Seen {
    /// Records that became rows.
    pub rows: Vec<Row>,
    /// Records that were refused: number, row and why.
    pub refused: Vec<(u64, u64, String)>,
    /// Lines that are the header once more.
    pub repeated: u64,
    /// The code of the error that ended it.
    pub ended: Result<(), &'static str>,
    /// Cells that did not fit: record, column.
    pub misfits: Vec<(u64, u16)>,
}

impl Seen {
    /// What lies behind the first `records`.
    fn behind(&self, records: u64) -> (Vec<&Row>, Vec<&(u64, u64, String)>) {
        let rows = self.rows.iter().filter(|row| row.record >= records);
        let refused = self.refused.iter().filter(|refused| refused.0 >= records);
        (rows.collect(), refused.collect())
    }
}

/// About how large a block is.
#[derive(Clone, Copy)]
pub struct Size {
    rows: usize,
    bytes: usize,
}

/// All of a small input.
pub const LARGE: Size = Size { rows: 100_000, bytes: 64 << 20 };
/// A few rows.
pub const SMALL: Size = Size { rows: 3, bytes: 64 };

/// How exactly a format tells of damage.
#[derive(Clone, Copy, PartialEq)]
pub enum Damage {
    /// The same in blocks of any size.
    Same,
    /// Perhaps only where a block ends in it.
    Anywhere,
}

/// Every column as text, as it stands.
pub fn texts(table: &dyn Table) -> Arc<ReadSchema> {
    let column = |(field, header): (usize, &String)| {
        ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let headers = table.headers().to_vec();
    let columns = headers.iter().enumerate().map(column).collect();
    Arc::new(ReadSchema { columns, extra: Vec::new(), headers })
}

/// Reads a table as text from the start.
pub fn read(table: &dyn Table, size: Size) -> Seen {
    Reader::new(size).run(table, Mark::default())
}

/// Surveys a file and reads its tables in every way. Gives each table and its rows to `each`.
pub fn tables(
    format: &dyn Format,
    path: &Path,
    options: &SourceOptions,
    damage: Damage,
    mut each: impl FnMut(&dyn Table, &Seen),
) {
    let surveyed = match format.survey(&Content::plain(path), options) {
        Ok(tables) => tables,
        Err(error) => return in_words(&error),
    };
    for table in surveyed {
        let large = every_way(&*table, damage);
        each(&*table, &large);
    }
}

/// Reads one table in every way; returns what it holds.
pub fn every_way(table: &dyn Table, damage: Damage) -> Seen {
    let mut reader = Reader::new(LARGE);
    let large = reader.run(table, Mark::default());
    let small = read(table, SMALL);
    if large.ended.is_err() || small.ended.is_err() {
        let same = damage == Damage::Anywhere || large == small;
        assert!(same, "{large:?} and {small:?} in other blocks");
        return large;
    }
    assert_eq!(large, small, "the same rows in blocks of any size");
    resumed(table, &large, &reader.marks);
    // A type that the file declares is a claim; what breaks it is refused.
    if table.declared().is_none() {
        typed(table, &large);
    }
    large
}

/// Reading goes on behind any record as if it had never stopped.
fn resumed(table: &dyn Table, whole: &Seen, marks: &[Mark]) {
    let middle = marks.len() / 2;
    let Some(mark) = marks.get(middle) else { return };
    let first = middle as u64 + 1;
    let mut reader = Reader { record: first, ..Reader::new(SMALL) };
    let rest = reader.run(table, Mark { record: first, ..*mark });
    assert_eq!(rest.ended, Ok(()), "resumed behind record {middle}");
    assert_eq!(rest.behind(0), whole.behind(first), "resumed behind record {middle} at {mark:?}");
}

/// Types found over the whole table are such that every cell fits.
fn typed(table: &dyn Table, whole: &Seen) {
    let found = match infer::infer(table, 1) {
        Ok(found) => found,
        Err(error) => panic!("read as text without an error, but not for its types: {error}"),
    };
    let column = |(field, header): (usize, &String)| ReadColumn {
        kind: found[field].kind,
        clean: true,
        ..ReadColumn::text(format!("c{field}"), header.clone(), field)
    };
    let headers = table.headers().to_vec();
    let columns = headers.iter().enumerate().map(column).collect();
    let schema = Arc::new(ReadSchema { columns, extra: Vec::new(), headers });
    let mut records = 0;
    let counted = blocks(table, &schema, Mark::default(), LARGE, |decoded| {
        records += u64::from(decoded.records);
        for misfit in &decoded.misfits {
            // What has no type, or cannot be stored, is told whatever the column is.
            let any = matches!(misfit.kind, MisfitKind::CellError | MisfitKind::Unstorable);
            let kind = found[usize::from(misfit.column)].kind;
            let text = decoded.raw.field(misfit.record, usize::from(misfit.column));
            assert!(any, "{text:?} does not fit the type found, {kind:?}: {misfit:?}");
        }
    });
    assert!(counted.is_ok(), "read as text without an error, but not typed: {counted:?}");
    assert_eq!(records, (whole.rows.len() + whole.refused.len()) as u64, "records when typed");
}

/// Decodes block after block.
fn blocks(
    table: &dyn Table,
    schema: &Arc<ReadSchema>,
    from: Mark,
    size: Size,
    mut each: impl FnMut(&Decoded),
) -> Result<(), SourceError> {
    let mut source = table.open(Arc::clone(schema), from)?;
    let mut records = 0;
    while let Some(block) = source.next_block(size.rows, size.bytes)? {
        let decoded = block.body.decode()?;
        records += u64::from(decoded.records);
        assert!(records < MOST, "the blocks never end");
        each(&decoded);
    }
    Ok(())
}

/// Collects what a table holds.
struct Reader {
    size: Size,
    /// Number of the next record.
    record: u64,
    /// Behind each record.
    marks: Vec<Mark>,
}

impl Reader {
    fn new(size: Size) -> Self {
        Self { size, record: 0, marks: Vec::new() }
    }

    fn run(&mut self, table: &dyn Table, from: Mark) -> Seen {
        let mut seen = Seen {
            rows: Vec::new(),
            refused: Vec::new(),
            repeated: 0,
            ended: Ok(()),
            misfits: Vec::new(),
        };
        let ended = blocks(table, &texts(table), from, self.size, |decoded| {
            self.block(table, decoded, &mut seen);
        });
        if let Err(error) = ended {
            in_words(&error);
            seen.ended = Err(error.kind.code());
        }
        seen
    }

    fn block(&mut self, table: &dyn Table, decoded: &Decoded, seen: &mut Seen) {
        let kept = decoded.index.len();
        assert_eq!(decoded.frame.height(), kept, "a row for each index");
        let records = decoded.records as usize;
        assert_eq!(records, kept + decoded.rejects.len(), "the account of a block");
        for (at, record) in decoded.index.iter().enumerate() {
            let cells = decoded.frame.columns().iter().take(table.headers().len());
            let cells = cells.map(|column| column.str().expect("text").get(at).map(str::to_owned));
            let row = Row {
                record: self.record + u64::from(*record),
                number: decoded.raw.place(*record).row,
                cells: cells.collect(),
            };
            alone(decoded, *record, &row);
            seen.rows.push(row);
        }
        for reject in &decoded.rejects {
            let problem = reject.problems.first().expect("a reject has a reason");
            assert!(!decoded.raw.fields(reject.record).is_empty(), "a reject has its record");
            let record = self.record + u64::from(reject.record);
            seen.refused.push((record, reject.place.row, format!("{:?}", problem.code)));
        }
        for misfit in &decoded.misfits {
            seen.misfits.push((self.record + u64::from(misfit.record), misfit.column));
        }
        let again = decoded.notes.iter().filter(|(key, _)| key.rule == "repeated_header");
        seen.repeated += again.map(|(_, note)| note.count).sum::<u64>();
        self.marks.extend((0..decoded.records).map(|record| decoded.raw.after(record)));
        self.record += u64::from(decoded.records);
    }
}

/// A record read alone is the record of the columns.
fn alone(decoded: &Decoded, record: u32, row: &Row) {
    let fields = decoded.raw.fields(record);
    // Lenient reading keeps what overflows elsewhere; such a record stands as its line. NULs around a
    // value it leaves out.
    let line = fields.first().is_some_and(|(name, _)| name == "_line");
    if line || fields.len() != row.cells.len() || fields.iter().any(|(_, it)| it.contains('\0')) {
        return;
    }
    for (field, (cell, (name, text))) in row.cells.iter().zip(&fields).enumerate() {
        let misfit =
            |it: &etl::chunk::Misfit| it.record == record && usize::from(it.column) == field;
        let same = match cell {
            Some(cell) => cell == text,
            None => text.is_empty() || decoded.misfits.iter().any(misfit),
        };
        assert!(same, "row {}, {name:?}: {cell:?} in its column, {text:?} alone", row.number);
    }
}

/// A refusal says something.
pub fn in_words(error: &SourceError) {
    assert!(error.to_string().len() > 10, "a refusal in words: {error}");
}
