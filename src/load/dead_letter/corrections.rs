//! What a person changed: corrected rows by id, compared with the records they belong to.

use super::error::Faults;
use super::grid::Grid;
use super::record::LINE;
use super::sheet::{ID, Layout, OURS, line_ends, shows, spreadsheet_damage, unguard};
use super::{Record, RecordId};
use std::collections::HashMap;

/// What is replayed of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// As it was recorded.
    AsRecorded,
    /// These values for its fields, in header order.
    Fields(Vec<String>),
    /// This text for its line.
    Line(String),
}

/// Corrected rows that wait for their records.
pub(super) struct Corrections {
    grids: Vec<Grid>,
    rows: HashMap<RecordId, Corrected>,
    /// Which cell holds which raw column, by grid and layout.
    maps: HashMap<(usize, Layout), Result<Vec<usize>, String>>,
}

enum Corrected {
    Sheet { grid: usize, row: u64, cells: Vec<String> },
    Record { line: u64, record: Box<Record> },
}

impl Corrected {
    fn place(&self, grids: &[Grid]) -> String {
        match self {
            Self::Sheet { grid, row, .. } => format!("{}row {row}", grids[*grid].label),
            Self::Record { line, .. } => format!("line {line}"),
        }
    }
}

impl Corrections {
    /// Rows of sheets, by id.
    pub fn of_grids(mut grids: Vec<Grid>, faults: &mut Faults) -> Self {
        let mut rows: HashMap<RecordId, Corrected> = HashMap::new();
        for (index, grid) in grids.iter_mut().enumerate() {
            let label = &grid.label;
            let Some(id_column) = grid.header.iter().position(|name| name == ID) else { continue };
            for (row, cells) in std::mem::take(&mut grid.rows) {
                let text = cells.get(id_column).map_or("", |text| text.trim());
                if text.is_empty() {
                    faults.add(format!(
                        "{label}row {row}: no {ID}; new rows cannot be added here, only corrected"
                    ));
                    continue;
                }
                match text.parse::<RecordId>() {
                    Err(error) => faults.add(format!("{label}row {row}: {error}")),
                    Ok(id) => match rows.get(&id) {
                        Some(Corrected::Sheet { row: first, .. }) => faults.add(format!(
                            "{label}row {row}: the id {id} stands in row {first} already; keep one \
                             of the two rows"
                        )),
                        _ => {
                            rows.insert(id, Corrected::Sheet { grid: index, row, cells });
                        }
                    },
                }
            }
        }
        Self { grids, rows, maps: HashMap::new() }
    }

    /// Records of a corrected JSONL, by id.
    pub fn of_records(records: Vec<(u64, Record)>, faults: &mut Faults) -> Self {
        let mut rows: HashMap<RecordId, Corrected> = HashMap::new();
        for (line, record) in records {
            let id = record.id;
            let record = Corrected::Record { line, record: Box::new(record) };
            if let Some(Corrected::Record { line: first, .. }) = rows.insert(id, record) {
                faults.add(format!("line {line}: the id {id} stands in line {first} already"));
            }
        }
        Self { grids: Vec::new(), rows, maps: HashMap::new() }
    }

    /// Whether a record is corrected here.
    pub fn contains(&self, id: RecordId) -> bool {
        self.rows.contains_key(&id)
    }

    /// Rows whose record was not found.
    pub fn unknown(&self, found: impl Fn(RecordId) -> bool, faults: &mut Faults) {
        let mut lost: Vec<_> = self.rows.iter().filter(|(id, _)| !found(**id)).collect();
        lost.sort_by_key(|(_, row)| match row {
            Corrected::Sheet { grid, row, .. } => (*grid, *row),
            Corrected::Record { line, .. } => (0, *line),
        });
        for (id, row) in lost {
            let place = row.place(&self.grids);
            faults.add(format!(
                "{place}: no failed record has the id {id}; give the folder of the failed-record \
                 files with --failed"
            ));
        }
    }

    /// What to replay of a record, and the names of the fields that differ from it.
    pub fn apply(&mut self, record: &Record) -> Result<(Content, Vec<String>), Vec<String>> {
        let Some(row) = self.rows.get(&record.id) else {
            return Ok((Content::AsRecorded, Vec::new()));
        };
        let place = row.place(&self.grids);
        let named = |faults: Vec<String>| -> Vec<String> {
            faults.into_iter().map(|fault| format!("{place}: {fault}")).collect()
        };
        match row {
            Corrected::Record { record: corrected, .. } => {
                from_record(record, corrected).map_err(|fault| named(vec![fault]))
            }
            Corrected::Sheet { grid, cells, .. } => {
                let layout = Layout::of(record);
                let header = &self.grids[*grid].header;
                let guarded = self.grids[*grid].guarded;
                let map = self
                    .maps
                    .entry((*grid, layout))
                    .or_insert_with_key(|(_, layout)| columns(header, guarded, layout));
                let map = map.as_ref().map_err(|fault| named(vec![fault.clone()]))?;
                if let Some(extra) = cells.iter().skip(header.len()).find(|cell| !cell.is_empty()) {
                    let fault = format!("\"{extra}\" stands to the right of the last column");
                    return Err(named(vec![fault]));
                }
                let row = Row { cells, map, guarded };
                row.compare(record).map_err(named)
            }
        }
    }
}

/// Finds the cell of each raw column. Columns may have been moved; of columns of one name the order
/// counts.
fn columns(header: &[String], guarded: bool, layout: &Layout) -> Result<Vec<usize>, String> {
    let plain = |name: &str| {
        let name = if guarded { unguard(name) } else { name };
        line_ends(name).trim().to_owned()
    };
    let mut free: HashMap<String, Vec<usize>> = HashMap::new();
    for (position, name) in header.iter().enumerate().rev() {
        free.entry(plain(name)).or_default().push(position);
    }
    for ours in OURS {
        free.get_mut(ours).and_then(Vec::pop);
    }
    let mut map = Vec::new();
    let mut missing = Vec::new();
    for name in layout.raw_columns() {
        let name = line_ends(&name).trim().to_owned();
        match free.get_mut(&name).and_then(Vec::pop) {
            Some(position) => map.push(position),
            None => missing.push(format!("\"{name}\"")),
        }
    }
    let mut extra: Vec<_> = free
        .iter()
        .flat_map(|(name, left)| left.iter().map(move |at| (at, name)))
        .filter(|(_, name)| !name.is_empty())
        .collect();
    extra.sort();
    let extra: Vec<_> = extra.iter().map(|(_, name)| format!("\"{name}\"")).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(map);
    }
    let mut fault = "the header was changed:".to_owned();
    if !missing.is_empty() {
        fault.push_str(&format!(" {} is missing", missing.join(", ")));
    }
    if !extra.is_empty() {
        let and = if missing.is_empty() { "" } else { " and" };
        fault.push_str(&format!("{and} {} does not belong to the record", extra.join(", ")));
    }
    Err(fault + "; restore the column names of the export")
}

/// A corrected row with the way from raw columns to cells.
struct Row<'a> {
    cells: &'a [String],
    map: &'a [usize],
    guarded: bool,
}

impl Row<'_> {
    fn cell(&self, column: usize) -> &str {
        self.cells.get(self.map[column]).map_or("", String::as_str)
    }

    /// A cell without its guard.
    fn value(&self, column: usize) -> &str {
        let cell = self.cell(column);
        if self.guarded { unguard(cell) } else { cell }
    }

    fn unchanged(&self, column: usize, original: &str) -> bool {
        // A workbook saved as CSV carries no guards: the bare cell counts as well.
        shows(self.cell(column), original) || shows(self.value(column), original)
    }

    fn compare(&self, record: &Record) -> Result<(Content, Vec<String>), Vec<String>> {
        match record.line() {
            Some((text, split)) => self.compare_line(text, &split.headers),
            None => self.compare_fields(record),
        }
    }

    fn compare_line(
        &self,
        text: &str,
        headers: &[String],
    ) -> Result<(Content, Vec<String>), Vec<String>> {
        let filled = |i: &usize| !self.cell(i + 1).is_empty();
        let changed: Vec<_> =
            (0..headers.len()).filter(filled).map(|i| headers[i].clone()).collect();
        match (self.unchanged(0, text), changed.is_empty()) {
            (true, true) => Ok((Content::AsRecorded, Vec::new())),
            (false, true) => Ok((Content::Line(self.value(0).to_owned()), vec![LINE.to_owned()])),
            (true, false) => {
                let fields = (1..=headers.len()).map(|i| self.value(i).to_owned()).collect();
                Ok((Content::Fields(fields), changed))
            }
            (false, false) => Err(vec![format!(
                "both {LINE} and single fields were changed; change one or the other"
            )]),
        }
    }

    fn compare_fields(&self, record: &Record) -> Result<(Content, Vec<String>), Vec<String>> {
        let mut changed = Vec::new();
        let mut damaged = Vec::new();
        let mut fields = Vec::with_capacity(record.raw.len());
        for (column, (name, original)) in record.raw.iter().enumerate() {
            if self.unchanged(column, original) {
                fields.push(original.clone());
                continue;
            }
            let value = self.value(column);
            let blamed = record.errors.iter().any(|error| error.column.as_ref() == Some(name));
            match spreadsheet_damage(value, original) {
                // Where the column was wrong anyway, a person may well have meant it.
                Some(how) if !blamed => damaged.push(format!(
                    "{name}: \"{original}\" has become \"{value}\": a spreadsheet took it for a \
                     number and {how}; correct the XLSX export, whose cells are text"
                )),
                _ => {
                    changed.push(name.clone());
                    fields.push(value.to_owned());
                }
            }
        }
        if !damaged.is_empty() {
            return Err(damaged);
        }
        if changed.is_empty() {
            return Ok((Content::AsRecorded, changed));
        }
        Ok((Content::Fields(fields), changed))
    }
}

/// A record edited as JSON.
fn from_record(record: &Record, corrected: &Record) -> Result<(Content, Vec<String>), String> {
    if let (Some((old, _)), Some((new, _))) = (record.line(), corrected.line()) {
        return Ok(match old == new {
            true => (Content::AsRecorded, Vec::new()),
            false => (Content::Line(new.to_owned()), vec![LINE.to_owned()]),
        });
    }
    let headers = record.headers();
    if !headers.iter().eq(corrected.raw.iter().map(|(name, _)| name)) {
        return Err("the names in \"raw\" were changed; restore those of the record".into());
    }
    let old = |i: usize| match record.line() {
        Some(_) => "",
        None => record.raw[i].1.as_str(),
    };
    let differing = corrected.raw.iter().enumerate().filter(|(i, (_, value))| value != old(*i));
    let changed: Vec<_> = differing.map(|(_, (name, _))| name.clone()).collect();
    if changed.is_empty() && record.line().is_none() {
        return Ok((Content::AsRecorded, changed));
    }
    let fields = corrected.raw.iter().map(|(_, value)| value.clone()).collect();
    Ok((Content::Fields(fields), changed))
}
