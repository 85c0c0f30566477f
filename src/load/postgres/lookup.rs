//! What the table holds under the keys of a chunk: one question by the unique index, on the worker's
//! own connection.
//!
//! It reads the state before the input (commits of this input are seen too, but their keys are in the
//! gate's set, which speaks first).

use super::link::PgLink;
use super::preflight;
use super::session::{Row, Session};
use super::target::Server;
use super::text::{text_literal, uuid};
use crate::chunk::Existing;
use crate::duck::quote;
use crate::load::encode::NAME;
use crate::load::lookup::{Finder, Lookup, rank_of};
use crate::load::target::KeyQuestion;
use crate::load::{LoadError, LoadErrorKind};
use crate::stage::StageError;
use polars::prelude::{AnyValue, DataFrame};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// Keys of one question: its text stays below a megabyte.
const KEYS: usize = 16_384;
/// Below so many a question is not made smaller.
const FEWEST: usize = 64;
/// Before a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(2);

/// Finds rows of one table by key.
pub struct PgLookup {
    server: Arc<Server>,
    of: KeyQuestion,
}

impl PgLookup {
    /// A lookup on a server.
    pub fn new(server: Arc<Server>, of: KeyQuestion) -> Self {
        Self { server, of }
    }

    /// The types of the key's columns, in its order.
    fn key_types(&self) -> Result<Vec<String>, LoadError> {
        let link = PgLink::new(Arc::clone(&self.server));
        let columns = preflight::columns(&link, &self.server.schema, &self.of.spec.name)?;
        let ty = |name: &String| {
            let found = columns.iter().find(|column| column.name == *name);
            found.map_or_else(|| "text".to_owned(), |column| column.ty.clone())
        };
        Ok(self.of.spec.key.iter().map(ty).collect())
    }
}

impl Lookup for PgLookup {
    fn finder(&self) -> Result<Box<dyn Finder>, StageError> {
        let types = self.key_types().map_err(|error| failed(&error))?;
        let session = self.server.open().map_err(|error| failed(&error))?;
        let KeyQuestion { spec, run, source } = &self.of;
        let row = source.as_deref().map_or("NULL::bigint".to_owned(), |source| {
            format!("CASE WHEN t._etl_source = {} THEN t._etl_row END", text_literal(source))
        });
        let join: Vec<_> = spec
            .key
            .iter()
            .enumerate()
            .map(|(at, name)| format!("t.{} = k.k{at}", quote(name)))
            .collect();
        let names: Vec<_> = (0..spec.key.len()).map(|at| format!("k{at}")).collect();
        let head = format!(
            "SELECT k.i, t._etl_hash, t._etl_release, t._etl_run = {}, {row} FROM unnest(",
            text_literal(run)
        );
        let tail = format!(
            ") WITH ORDINALITY AS k({}, i) JOIN {}.{} AS t ON {} WHERE {}",
            names.join(", "),
            quote(&self.server.schema),
            quote(&spec.name),
            join.join(" AND "),
            spec.scope_of("t"),
        );
        let server = Arc::clone(&self.server);
        Ok(Box::new(PgFinder {
            server,
            session,
            head,
            tail,
            types,
            key: spec.key.clone(),
            keys: KEYS,
        }))
    }
}

struct PgFinder {
    server: Arc<Server>,
    session: Session,
    head: String,
    tail: String,
    types: Vec<String>,
    key: Vec<String>,
    /// Keys of one question; fewer where the server has ended one for its time.
    keys: usize,
}

impl Finder for PgFinder {
    fn find(&mut self, frame: &DataFrame) -> Result<Vec<(u32, Existing)>, StageError> {
        let mut found = Vec::new();
        let mut first = 0;
        while first < frame.height() {
            let end = (first + self.keys).min(frame.height());
            let sql = self.question(frame, first..end)?;
            let got = self.ask(&sql, first).or_else(|error| self.ask_again(error, &sql, first));
            match got {
                Err(error) if error.kind == LoadErrorKind::Slow && self.keys > FEWEST => {
                    self.keys /= 2;
                    // The question has begun a transaction.
                    self.session.run("ROLLBACK").map_err(|error| failed(&error))?;
                }
                got => {
                    found.extend(got.map_err(|error| failed(&error))?);
                    first = end;
                }
            }
        }
        // Should the table hold a key twice (made by `append`), the highest release speaks.
        found.sort_by_key(|(row, existing): &(u32, Existing)| {
            (*row, std::cmp::Reverse(existing.rank))
        });
        found.dedup_by_key(|(row, _)| *row);
        Ok(found)
    }
}

impl PgFinder {
    fn ask(&mut self, sql: &str, first: usize) -> Result<Vec<(u32, Existing)>, LoadError> {
        let mut found = Vec::new();
        self.session.ask(sql, |_, row| {
            if let Some(row) = row {
                found.extend(read(&row, first)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// A question changes nothing, so it may be asked again; where the server is gone, the writer
    /// learns of it and ends the load.
    fn ask_again(
        &mut self,
        error: LoadError,
        sql: &str,
        first: usize,
    ) -> Result<Vec<(u32, Existing)>, LoadError> {
        if !matches!(error.kind, LoadErrorKind::Lost) {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
        self.session = self.server.open()?;
        self.ask(sql, first)
    }

    /// By the index for certain: without statistics the server might read the whole table.
    fn question(
        &self,
        frame: &DataFrame,
        rows: std::ops::Range<usize>,
    ) -> Result<String, StageError> {
        let mut sql = String::from(
            "BEGIN READ ONLY; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
             SET LOCAL enable_seqscan = off; ",
        );
        sql.push_str(&self.head);
        for (at, (name, ty)) in self.key.iter().zip(&self.types).enumerate() {
            let column = frame.column(name).map_err(|e| StageError::new(NAME, e.to_string()))?;
            let values = column.as_materialized_series().slice(rows.start as i64, rows.len());
            let mut array = String::from("{");
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    array.push(',');
                }
                element(&value, &mut array);
            }
            array.push('}');
            let comma = if at > 0 { ", " } else { "" };
            sql.push_str(&format!("{comma}{}::{ty}[]", text_literal(&array)));
        }
        sql.push_str(&self.tail);
        sql.push_str("; COMMIT");
        Ok(sql)
    }
}

/// A value within an array.
fn element(value: &AnyValue<'_>, out: &mut String) {
    match value {
        AnyValue::Null => out.push_str("NULL"),
        AnyValue::String(text) => {
            out.push('"');
            for sign in text.chars() {
                if matches!(sign, '"' | '\\') {
                    out.push('\\');
                }
                out.push(sign);
            }
            out.push('"');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn read(row: &Row<'_>, first: usize) -> Result<Option<(u32, Existing)>, LoadError> {
    let values = row.values()?;
    let text = |at: usize| values.get(at).copied().flatten();
    let place = text(0).and_then(|text| text.parse::<usize>().ok());
    // Ordinality counts from one.
    let Some(place) = place else { return Ok(None) };
    let existing = Existing {
        // A row that somebody else has put there has no hash of ours: it differs from every one.
        hash: text(1).and_then(uuid).unwrap_or(0),
        rank: text(2).map_or(0, rank_of),
        this_run: text(3) == Some("t"),
        row: text(4).and_then(|text| text.parse().ok()),
    };
    Ok(Some(((first + place - 1) as u32, existing)))
}

fn failed(error: &LoadError) -> StageError {
    let transient = matches!(
        error.kind,
        LoadErrorKind::Lost | LoadErrorKind::Unreachable | LoadErrorKind::Slow
    );
    let told = format!("the target could not be asked: {error}");
    StageError { transient, ..StageError::new(NAME, told) }
}
