//! Findings about single cells: misfits of the reader, missing keys, damaged ids.

use crate::chunk::{
    Alteration, Altered, Chunk, Code, Misfit, MisfitKind, NoteKey, Problem, ReadColumn, ReadSchema,
    Role, Severity, Wording, quotable,
};
use std::sync::Arc;

/// What is known about the ids of a column in this county.
#[derive(Debug, Clone, PartialEq)]
pub struct IdFormat {
    /// Column of the ids.
    pub column: String,
    /// Every id of the county has this many characters.
    pub length: usize,
    /// The county, for messages.
    pub county: String,
}

/// Checks of cells.
#[derive(Debug, Clone)]
pub struct CellChecks {
    /// The columns as read.
    pub schema: Arc<ReadSchema>,
    /// Id formats of the county.
    pub ids: Vec<IdFormat>,
}

type Found = Vec<(usize, Problem)>;

impl CellChecks {
    /// Cells that did not fit (`misfits`, ordered by record), blank keys and shortened ids.
    pub(super) fn problems(&self, chunk: &Chunk, misfits: &[Misfit]) -> Found {
        let mut found = Vec::new();
        self.check_misfits(chunk, misfits, &mut found);
        self.check_keys(chunk, misfits, &mut found);
        self.check_ids(chunk, &mut found);
        found
    }

    /// Counts repairs and long texts in the rows that are not refused.
    pub(super) fn note(&self, chunk: &mut Chunk, misfits: &[Misfit], refused: &[bool]) {
        for misfit in misfits {
            let Ok(row) = chunk.index.binary_search(&misfit.record) else { continue };
            let column = &self.schema.columns[usize::from(misfit.column)];
            if refused[row] || !is_note(misfit.kind, column) {
                continue;
            }
            match misfit.kind {
                MisfitKind::Padded => note_padded(chunk, row, column),
                _ => note_too_long(chunk, row, column),
            }
        }
    }

    /// Counts cells of rows that are not refused which the reader has changed.
    pub(super) fn note_altered(&self, chunk: &mut Chunk, refused: &[bool]) {
        for Altered { column, what, rows } in std::mem::take(&mut chunk.altered) {
            let Some(column) = self.schema.columns.get(usize::from(column)) else { continue };
            let rows: Vec<_> =
                rows.iter().filter(|row| refused.get(*row) == Some(&false)).collect();
            if !rows.is_empty() {
                note_altered(chunk, column, what, &rows);
            }
        }
    }

    fn check_misfits(&self, chunk: &Chunk, misfits: &[Misfit], found: &mut Found) {
        for misfit in misfits {
            let Ok(row) = chunk.index.binary_search(&misfit.record) else { continue };
            let column = &self.schema.columns[usize::from(misfit.column)];
            if !is_note(misfit.kind, column) {
                let value = chunk.raw.field(misfit.record, column.field).unwrap_or_default();
                found.push((row, problem(misfit.kind, column, &value)));
            }
        }
    }

    fn check_keys(&self, chunk: &Chunk, misfits: &[Misfit], found: &mut Found) {
        for (position, column) in self.schema.columns.iter().enumerate() {
            if !column.key {
                continue;
            }
            for row in blank_rows(chunk, &column.name) {
                let record = chunk.index[row];
                let from = misfits.partition_point(|misfit| misfit.record < record);
                let mut of_row = misfits[from..].iter().take_while(|m| m.record == record);
                let explained = of_row.any(|misfit| usize::from(misfit.column) == position);
                if !explained {
                    found.push((row, missing_key(column)));
                }
            }
        }
    }

    fn check_ids(&self, chunk: &Chunk, found: &mut Found) {
        for format in &self.ids {
            let Some(position) = self.schema.position(&format.column) else { continue };
            let column = &self.schema.columns[position];
            let Ok(values) = chunk.frame.column(&format.column) else { continue };
            let Ok(values) = values.str() else { continue };
            for (row, value) in values.iter().enumerate() {
                let Some(value) = value else { continue };
                let short = value.len() < format.length;
                if short && value.bytes().all(|byte| byte.is_ascii_digit()) {
                    found.push((row, lost_zeros(column, value, format)));
                }
            }
        }
    }
}

/// Whether a misfit is only told, and the row loaded.
fn is_note(kind: MisfitKind, column: &ReadColumn) -> bool {
    kind == MisfitKind::Padded || kind == MisfitKind::TooLong && !column.key
}

fn blank_rows(chunk: &Chunk, name: &str) -> Vec<usize> {
    match chunk.frame.column(name) {
        Ok(column) if column.null_count() > 0 => column
            .is_null()
            .iter()
            .enumerate()
            .filter_map(|(row, blank)| (blank == Some(true)).then_some(row))
            .collect(),
        _ => Vec::new(),
    }
}

fn note_key(code: Code, rule: &str, column: &ReadColumn) -> NoteKey {
    NoteKey { code, rule: rule.into(), column: column.header.clone() }
}

fn note_padded(chunk: &mut Chunk, row: usize, column: &ReadColumn) {
    let field = column.field;
    chunk.note(
        row,
        note_key(Code::E301, "padded", column),
        Severity::Info,
        || {
            let width = column.width.unwrap_or_default();
            let header = &column.header;
            Wording::new(
                format!("{header} had lost its leading zeros and was padded to {width} digits"),
                "a spreadsheet drops leading zeros; format the column as text before opening it",
            )
        },
        |raw, record| raw.field(record, field),
    );
}

fn note_altered(chunk: &mut Chunk, column: &ReadColumn, what: Alteration, rows: &[usize]) {
    let (rule, told) = match what {
        Alteration::Trimmed => ("trimmed", "held blanks around its value, which are left out"),
        Alteration::NoValue => ("no_value", "held a text that means no value"),
        Alteration::InUtc => {
            ("in_utc", "held times with an offset, which are loaded as the time in UTC")
        }
        Alteration::Nanoseconds => (
            "nanoseconds",
            "held more than six decimals of a second; its type keeps six, the rest is left out",
        ),
        Alteration::ZeroFraction => (
            "zero_fraction",
            "held whole numbers with decimals of zero (180.0), which are left out",
        ),
    };
    let message = format!("{} {told}", column.header);
    let key = note_key(Code::E301, rule, column);
    chunk.note_rows(rows, key, Severity::Info, message, |raw, record| {
        raw.field(record, column.field).map(|text| quotable(&text))
    });
}

fn note_too_long(chunk: &mut Chunk, row: usize, column: &ReadColumn) {
    let field = column.field;
    chunk.note(
        row,
        note_key(Code::E301, "length", column),
        Severity::Warning,
        || {
            let max = column.max_len.unwrap_or_default();
            Wording::new(
                format!("{} is longer than {max} characters; loaded as it is", column.header),
                "look for two values in one cell, or for cells that have moved to the side",
            )
        },
        |raw, record| raw.field(record, field),
    );
}

/// What to say about a cell that did not fit.
fn problem(kind: MisfitKind, column: &ReadColumn, value: &str) -> Problem {
    let plain = column.kind.plain();
    let shown = crate::chunk::quotable(value);
    let (code, message, hint) = match kind {
        MisfitKind::Fraction if column.role == Role::Money => (
            Code::E301,
            format!("\"{shown}\" is not whole dollars"),
            "the roll holds whole dollars; correct the value, do not round it by guess".into(),
        ),
        MisfitKind::Type | MisfitKind::Fraction | MisfitKind::Padded => (
            Code::E301,
            format!("\"{shown}\" is not {plain}"),
            format!("correct the value, or if \"{shown}\" means no value, leave the cell blank"),
        ),
        MisfitKind::Overflow | MisfitKind::LeadingZeros | MisfitKind::Rounded => {
            let (message, hint) = digits(kind, &shown);
            (Code::E301, message, hint.into())
        }
        MisfitKind::IdScientific => (
            Code::E306,
            format!("\"{shown}\" is a spreadsheet's short form of an id; its digits are lost"),
            "take the id from the original file; format the column as text before opening it"
                .into(),
        ),
        MisfitKind::IdInexact => (
            Code::E306,
            format!(
                "the id is stored as the number {shown}: a spreadsheet keeps 15 digits, the rest \
                 is lost"
            ),
            "take the id from the original file; format the column as text before opening it"
                .into(),
        ),
        MisfitKind::CellError => (
            Code::E301,
            format!("the cell holds the error {shown}"),
            "correct the formula, or paste the value".into(),
        ),
        MisfitKind::Unstorable => (
            Code::E303,
            format!("\"{shown}\" holds a NUL character, which no database stores"),
            "remove the character".into(),
        ),
        MisfitKind::TooLong => (
            Code::E301,
            format!("\"{shown}\" is longer than {} characters", column.max_len.unwrap_or_default()),
            "a key must not be cut; look for two values in one cell".into(),
        ),
    };
    let problem = Problem::new(code, message)
        .with_column(&column.header)
        .with_value(value)
        .with_expected(plain)
        .with_hint(hint);
    match name(kind) {
        Some(name) => problem.with_rule(name),
        None => problem,
    }
}

/// What to say about a number whose digits the column has no room for, and what to do.
fn digits(kind: MisfitKind, shown: &str) -> (String, &'static str) {
    match kind {
        MisfitKind::LeadingZeros => (
            format!("\"{shown}\" has zeros in front, which a number does not keep"),
            "correct the value; or let the column be text: --evolve where etl has made the table, --type-of \
             where it is new",
        ),
        MisfitKind::Rounded => (
            format!("\"{shown}\" has more digits than a 64-bit float keeps"),
            "correct the value; or let the column be one of whole numbers or text",
        ),
        _ => (
            format!("\"{shown}\" has more digits than the column holds"),
            "look for two values in one cell",
        ),
    }
}

/// Kinds of damage that share a code are counted apart.
fn name(kind: MisfitKind) -> Option<&'static str> {
    match kind {
        MisfitKind::Fraction => Some("fraction"),
        MisfitKind::IdScientific => Some("short_form"),
        MisfitKind::IdInexact => Some("rounded"),
        MisfitKind::LeadingZeros => Some("leading_zeros"),
        MisfitKind::Rounded => Some("float"),
        MisfitKind::TooLong => Some("length"),
        _ => None,
    }
}

fn missing_key(column: &ReadColumn) -> Problem {
    Problem::new(Code::E305, format!("{} is blank; it is part of the key", column.header))
        .with_column(&column.header)
        .with_value("")
        .with_expected("a value")
        .with_hint("fill in the key from the original file")
}

fn lost_zeros(column: &ReadColumn, value: &str, format: &IdFormat) -> Problem {
    let IdFormat { length, county, .. } = format;
    let missing = length - value.len();
    let message = format!(
        "\"{value}\" has {} digits, ids of {county} have {length}: {missing} leading {} lost",
        value.len(),
        if missing == 1 { "zero seems" } else { "zeros seem" }
    );
    Problem::new(Code::E306, message)
        .with_rule("lost_zeros")
        .with_column(&column.header)
        .with_value(value)
        .with_expected(format!("{length} characters"))
        .with_hint(
            "a spreadsheet drops leading zeros; take the id from the original file. An id is never \
             padded by guess",
        )
}
