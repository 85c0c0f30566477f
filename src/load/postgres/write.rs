//! One writer: one connection, one transaction a group, rows by COPY.

use super::confirmed::{self, Stretches};
use super::copy::{CopyInto, SAVEPOINT};
use super::encode::{CopyColumn, Encoder};
use super::link::PgLink;
use super::pool::Loan;
use super::refuse::sift;
use super::session::Session;
use super::target::{Server, announce};
use super::text::bind;
use crate::chunk::{Code, NoteKey, Problem};
use crate::duck::Value;
use crate::load::dead_letter::Record;
use crate::load::ledger;
use crate::load::refusals::{Kept, Refusals, dead, source_name};
use crate::load::table::Strategy;
use crate::load::target::WritePlan;
use crate::load::{Link, LoadError, Piece, Replayed, Rows, Seal, Settled, Writer};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Writes groups on one connection.
pub struct PgWriter {
    server: Arc<Server>,
    plan: Arc<WritePlan>,
    session: Loan,
    inserts: CopyInto,
    changes: Option<CopyInto>,
    /// Whether the table has the cells that are handed over, as nothing of it changes them.
    keeps_cells: bool,
    pending: Pending,
}

/// What a group holds that goes out with its seal.
#[derive(Default)]
struct Pending {
    rejects: bool,
    settled: Vec<Settled>,
    /// Rows of the table that stay as they are.
    met: Stretches,
    replayed: Vec<Replayed>,
    /// Rows that the table did not take.
    refusals: Refusals,
}

impl PgWriter {
    /// A writer with its own connection.
    pub fn new(server: Arc<Server>, plan: Arc<WritePlan>) -> Result<Self, LoadError> {
        let link = PgLink::new(Arc::clone(&server));
        let schema = &server.schema;
        let table = || CopyInto::new(&link, schema, &plan.spec.name, &plan);
        let beside = |side: &str| CopyInto::beside(&link, schema, side, &plan);
        let (inserts, changes) = match (&plan.side(), plan.strategy) {
            (Some(side), Strategy::Replace) => (beside(side)?, None),
            (Some(side), _) => (table()?, Some(beside(side)?)),
            (None, _) => (table()?, None),
        };
        let keeps_cells = link.changes_cells(&plan.spec)?.is_empty();
        let session = link.into_session()?;
        let pending = Pending::default();
        Ok(Self { server, plan, session, inserts, changes, keeps_cells, pending })
    }

    /// A transaction says first that it writes to the table: whoever takes over waits for its end.
    fn begin(&mut self) -> Result<(), LoadError> {
        if !self.session.in_transaction() {
            let announce = announce(&self.server, &self.plan.spec.name);
            // Notices (of triggers, one a row) would fill the way back while nobody reads.
            // What is checked late would fail with the COMMIT, and no row would be named.
            let sql = format!(
                "BEGIN; SET LOCAL client_min_messages = error; SET CONSTRAINTS ALL IMMEDIATE; \
                 {announce}; {SAVEPOINT}"
            );
            self.session.run(&sql)?;
        }
        Ok(())
    }

    fn copy(&mut self, rows: &Rows, beside: bool) -> Result<(), LoadError> {
        let into = match (&self.changes, beside) {
            (Some(changes), true) => changes,
            _ => &self.inserts,
        };
        let encoder = Encoder::new(rows, &into.columns, &self.plan.provenance)?;
        let mut refused = BTreeMap::new();
        for (row, at, characters) in encoder.long() {
            let column = &into.columns[at];
            let problem = too_long(column, characters);
            if self.plan.cut && !column.key {
                self.pending.note_cut(&self.plan, rows, row, column);
            } else {
                refused.entry(row).or_insert(problem);
            }
        }
        for (row, problem) in encoder.misfits() {
            refused.entry(*row).or_insert_with(|| problem.clone());
        }
        let good: Vec<u32> =
            (0..rows.len() as u32).filter(|row| !refused.contains_key(row)).collect();
        let session = &mut self.session;
        let mut send = |encoder: &Encoder<'_>, some: &[u32]| {
            sift(some, &into.has_taken, |some| into.attempt(session, encoder, rows, some))
        };
        // A trial is made of rows that stand behind each other in the source.
        match encoder.lean().filter(|_| !into.is_tried()) {
            Some((few, lean)) => {
                let (most, rest): (Vec<_>, Vec<_>) = good.iter().partition(|row| lean.holds(**row));
                refused.extend(send(&few, &most)?);
                refused.extend(send(&encoder, &rest)?);
            }
            None => refused.extend(send(&encoder, &good)?),
        }
        self.refuse(rows, &refused.into_iter().collect::<Vec<_>>(), beside)
    }

    /// Makes failed records of rows that the table does not take.
    fn refuse(
        &mut self,
        rows: &Rows,
        refused: &[(u32, Problem)],
        beside: bool,
    ) -> Result<(), LoadError> {
        let Self { plan, session, pending, .. } = self;
        let Pending { settled, replayed, refusals, .. } = pending;
        let kept = &mut Kept { settled, replayed };
        pending.rejects |= !refused.is_empty();
        refusals
            .add(plan, rows, refused, beside, kept, |records| put_beside(plan, session, records))
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

    /// Which rows of the table this range has met.
    fn flush_met(&mut self) -> Result<(), LoadError> {
        let met = std::mem::take(&mut self.pending.met);
        let mut lines = Lines::default();
        for stretch in met.stretches() {
            let raise = self.plan.provenance.release.as_ref().filter(|_| stretch.raise);
            lines.field(&self.plan.run);
            lines.field(&self.plan.input.to_string());
            lines.field(&self.plan.spec.name);
            lines.field(&stretch.of.run);
            lines.field(&stretch.of.source);
            for row in [stretch.first, stretch.last, stretch.at] {
                lines.field(&row.to_string());
            }
            lines.optional(raise.cloned());
            lines.end();
        }
        if lines.is_empty() { Ok(()) } else { self.copy_lines(confirmed::COLUMNS, lines) }
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
            lines.field(record.fate.name());
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

impl Writer for PgWriter {
    fn write(&mut self, piece: Piece) -> Result<(), LoadError> {
        let started = Instant::now();
        self.begin()?;
        let mut written = 0;
        self.pending.replayed.extend(piece.replayed);
        if let Some(rows) = &piece.inserts {
            written += rows.len();
            self.copy(rows, false)?;
        }
        if let Some(rows) = &piece.changes {
            self.copy(rows, true)?;
        }
        if !piece.rejects.is_empty() {
            self.plan.dead.append(&piece.rejects).map_err(dead)?;
            put_beside(&self.plan, &mut self.session, &piece.rejects)?;
            self.pending.rejects = true;
        }
        for settled in piece.settled {
            match &settled.held {
                Some(held) => self.pending.met.add(held, settled.row, settled.raise.is_some()),
                None => self.pending.settled.push(settled),
            }
        }
        if let Some(meter) = self.plan.meters.of("load") {
            meter.worked(written as u64, started.elapsed());
        }
        Ok(())
    }

    fn seal(&mut self, mut seal: Seal) -> Result<(), LoadError> {
        self.pending.refusals.settle(&mut seal);
        seal.cells = seal.cells.filter(|_| self.keeps_cells);
        let started = Instant::now();
        self.begin()?;
        self.flush_settled()?;
        self.flush_met()?;
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

/// Failed records as rows, where that is wanted.
fn put_beside(
    plan: &WritePlan,
    session: &mut Session,
    records: &[Record],
) -> Result<(), LoadError> {
    if !plan.failed_rows {
        return Ok(());
    }
    for (sql, values) in ledger::failed_statements(records) {
        session.run(&bind(&sql, &values)?)?;
    }
    Ok(())
}

/// A text that its column does not take.
fn too_long(column: &CopyColumn, characters: usize) -> Problem {
    let limit = column.limit.unwrap_or_default();
    Problem::new(
        Code::E404,
        format!("{characters} characters; column {} of the table takes {limit}", column.name),
    )
    .with_rule("22001")
    .with_column(&column.name)
    .with_hint("shorten the value, widen the column, or --too-long cut")
}

impl Pending {
    fn note_cut(&mut self, plan: &WritePlan, rows: &Rows, row: u32, column: &CopyColumn) {
        let limit = column.limit.unwrap_or_default();
        let header = source_name(plan, &column.name);
        let key = NoteKey { code: Code::E301, rule: "cut".into(), column: header };
        let told = format!("cut to the {limit} characters that column {} takes", column.name);
        self.refusals.warn(key, rows, row, told);
    }
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

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
