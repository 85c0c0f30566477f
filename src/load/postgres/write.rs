//! One writer: one connection, one transaction a group, rows by COPY.

use super::encode::{CopyColumn, HEADER, TRAILER, encode};
use super::link::PgLink;
use super::preflight;
use super::session::Session;
use super::target::{Server, announce};
use super::text::bind;
use super::types;
use crate::duck::{Value, quote};
use crate::load::dead_letter::DeadLetterError;
use crate::load::ledger;
use crate::load::table::Strategy;
use crate::load::target::{SCHEMA, WritePlan};
use crate::load::{LoadError, LoadErrorKind, Piece, Replayed, Rows, Seal, Settled, Writer};
use std::sync::Arc;
use std::time::Instant;

/// Writes groups on one connection.
pub struct PgWriter {
    server: Arc<Server>,
    plan: Arc<WritePlan>,
    session: Session,
    inserts: CopyInto,
    changes: Option<CopyInto>,
    pending: Pending,
}

/// A table with the columns that we fill.
struct CopyInto {
    sql: String,
    columns: Vec<CopyColumn>,
}

/// What a group holds that goes out with its seal.
#[derive(Default)]
struct Pending {
    rejects: bool,
    settled: Vec<Settled>,
    replayed: Vec<Replayed>,
}

impl PgWriter {
    /// A writer with its own connection.
    pub fn new(server: Arc<Server>, plan: Arc<WritePlan>) -> Result<Self, LoadError> {
        let link = PgLink::new(Arc::clone(&server));
        let table = |schema: &str, name: &str| CopyInto::new(&link, schema, name, &plan);
        let side = plan.side();
        let (inserts, changes) = match (&side, plan.strategy) {
            (Some(side), Strategy::Replace) => (table(SCHEMA, side)?, None),
            (Some(side), _) => {
                (table(&server.schema, &plan.spec.name)?, Some(table(SCHEMA, side)?))
            }
            (None, _) => (table(&server.schema, &plan.spec.name)?, None),
        };
        let session = server.open()?;
        Ok(Self { server, plan, session, inserts, changes, pending: Pending::default() })
    }

    /// A transaction says first that it writes to the table: whoever takes over waits for its end.
    fn begin(&mut self) -> Result<(), LoadError> {
        if !self.session.in_transaction() {
            let announce = announce(&self.server, &self.plan.spec.name);
            // Notices (of triggers, one a row) would fill the way back while nobody reads.
            let sql = format!("BEGIN; SET LOCAL client_min_messages = error; {announce}");
            self.session.run(&sql)?;
        }
        Ok(())
    }

    fn copy(&mut self, rows: &Rows, beside: bool) -> Result<(), LoadError> {
        let into = match (&self.changes, beside) {
            (Some(changes), true) => changes,
            _ => &self.inserts,
        };
        let mut copy = self.session.copy(&into.sql)?;
        copy.send(HEADER)?;
        encode(rows, &into.columns, &self.plan.provenance, |bytes| copy.send(bytes))?;
        copy.send(TRAILER)?;
        let taken = copy.finish().map_err(|error| at_row(error, rows))?;
        if taken != rows.len() as u64 {
            let told = format!("{taken} of {} rows went into the table", rows.len());
            return Err(LoadError::new(LoadErrorKind::Account, told)
                .with_hint("a trigger or a rule of the table keeps rows out"));
        }
        Ok(())
    }

    /// Keys of rows that are not inserted, for a resumed run.
    fn flush_settled(&mut self) -> Result<(), LoadError> {
        let settled = std::mem::take(&mut self.pending.settled);
        if settled.is_empty() {
            return Ok(());
        }
        let (run, input) = (self.plan.run.clone(), self.plan.input);
        let mut lines = Lines::default();
        for one in &settled {
            lines.field(&run);
            lines.field(&input.to_string());
            lines.field(&Value::Uuid(one.key).to_string());
            lines.field(&one.row.to_string());
            lines.optional(one.raise.map(|raise| Value::Uuid(raise).to_string()));
            lines.end();
        }
        self.copy_lines("etl.settled (run, input, key, row, raise)", lines)
    }

    fn flush_replayed(&mut self) -> Result<(), LoadError> {
        let replayed = std::mem::take(&mut self.pending.replayed);
        if replayed.is_empty() {
            return Ok(());
        }
        let (run, input) = (self.plan.run.clone(), self.plan.input);
        let mut lines = Lines::default();
        for record in &replayed {
            lines.field(&Value::Uuid(record.id.0).to_string());
            lines.field(&record.refused_by);
            lines.field(&run);
            lines.field(&input.to_string());
            lines.field(&format!("{:?}", record.fate).to_lowercase());
            lines.optional(record.content.map(|content| Value::Uuid(content).to_string()));
            lines.end();
        }
        self.copy_lines("etl.reprocessed (record, refused_by, run, input, fate, content)", lines)
    }

    fn copy_lines(&mut self, into: &str, lines: Lines) -> Result<(), LoadError> {
        let mut copy = self.session.copy(&format!("COPY {into} FROM STDIN"))?;
        lines.text.as_bytes().chunks(1 << 20).try_for_each(|part| copy.send(part))?;
        copy.finish().map(drop)
    }
}

impl CopyInto {
    fn new(link: &PgLink, schema: &str, table: &str, plan: &WritePlan) -> Result<Self, LoadError> {
        let there = preflight::columns(link, schema, table)?;
        let mut columns = Vec::new();
        for (name, ..) in plan.spec.all_columns() {
            let found = there.iter().find(|column| column.name == name);
            let form = found.and_then(|column| types::form(&column.ty)).ok_or_else(|| {
                let told = format!("column {name} of table {table} is gone or of another type now");
                LoadError::new(LoadErrorKind::Mismatch, told)
            })?;
            columns.push(CopyColumn { name: name.to_owned(), form });
        }
        let names: Vec<_> = columns.iter().map(|column| quote(&column.name)).collect();
        let sql = format!(
            "COPY {}.{} ({}) FROM STDIN (FORMAT binary)",
            quote(schema),
            quote(table),
            names.join(", ")
        );
        Ok(Self { sql, columns })
    }
}

impl Writer for PgWriter {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        let mut written = 0;
        if let Some(rows) = &piece.inserts {
            written += rows.len();
            self.copy(rows, false)?;
        }
        if let Some(rows) = &piece.changes {
            self.copy(rows, true)?;
        }
        if !piece.rejects.is_empty() {
            self.plan.dead.append(&piece.rejects).map_err(dead)?;
            self.pending.rejects = true;
        }
        self.pending.settled.extend(piece.settled);
        self.pending.replayed.extend(piece.replayed);
        if let Some(meter) = self.plan.meters.of("load") {
            meter.worked(written as u64, started.elapsed());
        }
        Ok(())
    }

    fn seal(&mut self, seal: Seal) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        self.flush_settled()?;
        self.flush_replayed()?;
        if self.pending.rejects {
            self.plan.dead.sync().map_err(dead)?;
            self.pending.rejects = false;
        }
        // All in one message: to a server far away each one takes a round trip.
        let statements = ledger::range_statements(&self.plan.run, self.plan.input, &seal);
        let bound = statements.iter().map(|(sql, values)| bind(sql, values));
        self.session.run(&bound.collect::<Result<Vec<_>, _>>()?.join("; "))?;
        self.session.commit()?;
        if let Some(meter) = self.plan.meters.of("load") {
            meter.worked(0, started.elapsed());
        }
        Ok(())
    }
}

fn dead(error: DeadLetterError) -> LoadError {
    LoadError::new(LoadErrorKind::DeadLetters, error.to_string())
}

/// The server counts the rows of a COPY; the user counts those of the source.
fn at_row(mut error: LoadError, rows: &Rows) -> LoadError {
    let line = error.message.split("line ").nth(1).and_then(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<usize>().ok()
    });
    if let Some(place) = line.and_then(|line| rows.places.get(line.checked_sub(1)?)) {
        error.message = format!("row {place} of the source: {}", error.message);
    }
    error
}

/// Lines in the text form of COPY, for the narrow tables of the ledger.
#[derive(Default)]
struct Lines {
    text: String,
    within: bool,
}

impl Lines {
    fn field(&mut self, text: &str) {
        if self.within {
            self.text.push('\t');
        }
        self.within = true;
        for sign in text.chars() {
            match sign {
                '\\' => self.text.push_str("\\\\"),
                '\t' => self.text.push_str("\\t"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                sign => self.text.push(sign),
            }
        }
    }

    fn optional(&mut self, text: Option<String>) {
        match text {
            Some(text) => self.field(&text),
            None => self.text.push_str(if self.within { "\t\\N" } else { "\\N" }),
        }
    }

    fn end(&mut self) {
        self.text.push('\n');
        self.within = false;
    }
}
