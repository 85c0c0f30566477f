//! What the table holds under the keys of a chunk, on the worker's own connection: rows that are as they
//! were by one number for many of them ([`digest`]), the others by a walk along the index ([`span`]), and
//! for keys that this may have missed a question by the keys themselves.
//!
//! It reads the state before the input (commits of this input are seen too, but their keys are in the
//! gate's set, which speaks first).

use super::confirmed::Ranks;
use super::digest::{self, Block};
use super::link::PgLink;
use super::preflight;
use super::session::{Row, Session};
use super::span::{self, Way};
use super::target::Server;
use super::text::{text_literal, uuid};
use crate::chunk::{Chunk, Existing, Held, Loaded, Moment};
use crate::duck::quote;
use crate::load::encode::{NAME, key_hash_of_texts};
use crate::load::lookup::{Finder, Lookup, rank_of};
use crate::load::target::KeyQuestion;
use crate::load::{LoadError, LoadErrorKind};
use crate::stage::StageError;
use polars::prelude::{AnyValue, DataFrame, TimeUnit};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Keys of one question: its text stays below a megabyte.
const KEYS: usize = 16_384;
/// Below so many a question is not made smaller.
const FEWEST: usize = 64;
/// Rows that a span may have beside those that are looked for.
const OTHERS: usize = 4_096;
/// So many spans in a row with more than that: the file is in no order. So many in which few rows are
/// as they were: the file is another one.
const MISSES: u32 = 4;
/// Rows that are left over of a chunk are asked for by their keys where they are no more than one in so
/// many: that costs three times as much a row as a walk.
const FEW: usize = 4;
/// Before a lost connection is made anew.
const PAUSE: Duration = Duration::from_secs(2);

/// By the index for certain, and groups by hash: without statistics the server might read the whole table,
/// sort texts on disk (three times the time, measured), or compile a question that is answered sooner.
const BEGIN: &str = "BEGIN READ ONLY; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; \
                     SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; \
                     SET LOCAL enable_sort = off; SET LOCAL jit = off; ";

/// What is asked of a row.
const FACTS: &str = "t._etl_hash, t._etl_release, t._etl_run, t._etl_source, t._etl_row";

/// Finds rows of one table by key.
pub struct PgLookup {
    server: Arc<Server>,
    of: Arc<KeyQuestion>,
    known: Mutex<Option<Known>>,
}

/// What all finders need to know, asked by the first one.
#[derive(Clone)]
struct Known {
    ranks: Arc<Ranks>,
    way: Way,
    types: Vec<String>,
}

impl PgLookup {
    /// A lookup on a server.
    pub fn new(server: Arc<Server>, of: KeyQuestion) -> Self {
        Self { server, of: Arc::new(of), known: Mutex::default() }
    }

    /// Read once for all workers.
    fn known(&self, link: &PgLink) -> Result<Known, LoadError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let (schema, spec) = (&self.server.schema, &self.of.spec);
        let there = preflight::columns(link, schema, &spec.name)?;
        let ty = |name: &String| {
            let found = there.iter().find(|column| column.name == *name);
            found.map_or_else(|| "text".to_owned(), |column| column.ty.clone())
        };
        let read = Known {
            ranks: Arc::new(Ranks::read(link, spec)?),
            way: Way::of(link, schema, spec, &there)?,
            types: spec.key.iter().map(ty).collect(),
        };
        Ok(known.insert(read).clone())
    }

    fn open(&self) -> Result<PgFinder, LoadError> {
        let link = PgLink::new(Arc::clone(&self.server));
        let Known { ranks, way, types } = self.known(&link)?;
        Ok(PgFinder {
            server: Arc::clone(&self.server),
            of: Arc::clone(&self.of),
            way,
            types,
            reading: Reading { of: Arc::clone(&self.of), ranks, origins: Vec::new() },
            misses: 0,
            strangers: 0,
            ahead: 0,
            keys: KEYS,
        })
    }
}

impl Lookup for PgLookup {
    fn finder(&self) -> Result<Box<dyn Finder>, StageError> {
        Ok(Box::new(self.open().map_err(|error| failed(&error))?))
    }
}

struct PgFinder {
    server: Arc<Server>,
    of: Arc<KeyQuestion>,
    way: Way,
    types: Vec<String>,
    reading: Reading,
    /// Spans in a row that had too many rows.
    misses: u32,
    /// Chunks in a row of which few rows were as they are in the table.
    strangers: u32,
    /// How far the row numbers of the table were ahead of those of the file where both met last.
    ahead: i64,
    /// Keys of one question; fewer where the server has ended one for its time.
    keys: usize,
}

impl Finder for PgFinder {
    fn find(&mut self, chunk: &Chunk) -> Result<Vec<(u32, Existing)>, StageError> {
        let mut found = self.unchanged(chunk).map_err(|error| failed(&error))?;
        let rows = chunk.frame.height();
        if rows - found.len() <= rows / FEW {
            let mut known = found.iter().map(|(row, _)| *row).peekable();
            let is_left = |row: &u32| known.next_if_eq(row).is_none();
            let left: Vec<_> = (0..rows as u32).filter(is_left).collect();
            found.extend(self.each(&chunk.frame, &left)?);
        } else {
            found = self.walk(chunk)?;
        }
        // Should the table hold a key twice (made by `append`), the highest release speaks.
        found.sort_by_key(|(row, existing): &(u32, Existing)| {
            (*row, std::cmp::Reverse(existing.rank))
        });
        found.dedup_by_key(|(row, _)| *row);
        if let Some((row, Existing { held: Some(held), .. })) = found.last() {
            self.ahead = held.row as i64 - place(chunk, *row as usize);
        }
        Ok(found)
    }
}

/// The number of a row in its source.
fn place(chunk: &Chunk, row: usize) -> i64 {
    chunk.raw.place(chunk.index[row]).row as i64
}

impl PgFinder {
    /// Rows that are in the table as they are, in their order, as far as that is known without asking
    /// for each.
    fn unchanged(&mut self, chunk: &Chunk) -> Result<Vec<(u32, Existing)>, LoadError> {
        let mut found = Vec::new();
        if !self.way.ordered || self.strangers >= MISSES {
            return Ok(found);
        }
        let Some(between) = span::between(&chunk.frame, &self.of.spec.key) else {
            return Ok(found);
        };
        let most = chunk.frame.height() + OTHERS;
        let sql = digest::question(&self.server.schema, &self.of, &between, most);
        let asked =
            self.ask(&format!("{BEGIN}{sql}; COMMIT"), |row, reading, blocks: &mut Vec<_>| {
                blocks.extend(Block::read(&row, |run, source| reading.origin(run, source))?);
                Ok(())
            });
        let blocks = match asked {
            Ok(blocks) => blocks,
            // It may be a server that knows no such hash, or has no time for a span of this size.
            Err(error) if matches!(error.kind, LoadErrorKind::Slow | LoadErrorKind::Target) => {
                self.strangers = MISSES;
                return Ok(found);
            }
            Err(error) => return Err(error),
        };
        let places: Vec<_> = (0..chunk.frame.height()).map(|row| place(chunk, row)).collect();
        digest::meet(&places, &chunk.hashes, self.ahead, &blocks, |row, block, held| {
            let hash = chunk.hashes[row as usize];
            found.push((row, self.reading.held(hash, block.own_rank, held)));
        });
        found.sort_unstable_by_key(|(row, _)| *row);
        let few = found.len() * 2 < chunk.frame.height();
        self.strangers = if few { self.strangers + 1 } else { 0 };
        Ok(found)
    }

    /// All rows by a walk along the index, and by their keys what that may miss.
    fn walk(&mut self, chunk: &Chunk) -> Result<Vec<(u32, Existing)>, StageError> {
        let (frame, keys) = (&chunk.frame, &chunk.keys);
        let met = if self.way.ordered { self.along(frame).map_err(|e| failed(&e))? } else { None };
        let (mut found, mut left) = (Vec::new(), Vec::new());
        for (row, key) in (0..frame.height() as u32).zip(keys) {
            match met.as_ref().and_then(|met| met.get(key)) {
                Some(existing) => found.push((row, existing.clone())),
                None => left.push(row),
            }
        }
        if met.is_none() || !self.way.exact {
            found.extend(self.each(frame, &left)?);
        }
        Ok(found)
    }

    /// Rows by their key between the first and the last one; `None` where there are too many.
    fn along(&mut self, frame: &DataFrame) -> Result<Option<HashMap<u128, Existing>>, LoadError> {
        let spec = &self.of.spec;
        let Some(between) = span::between(frame, &spec.key) else { return Ok(None) };
        let most = frame.height() * 2 + OTHERS;
        let names: Vec<_> = spec.key.iter().map(|name| format!("t.{}", quote(name))).collect();
        let sql = format!(
            "{BEGIN}SELECT {}, {FACTS} FROM {}.{} AS t WHERE {between} AND {} LIMIT {}; COMMIT",
            names.join(", "),
            quote(&self.server.schema),
            quote(&spec.name),
            spec.scope_of("t"),
            most + 1,
        );
        let width = spec.key.len();
        let asked = self.ask(&sql, |row, reading, found: &mut HashMap<_, Existing>| {
            let texts = row.values()?;
            let key = key_hash_of_texts(texts[..width].iter().map(|text| text.unwrap_or("")));
            let existing = reading.existing(&texts[width..]);
            match found.get_mut(&key) {
                Some(known) if known.rank >= existing.rank => {}
                _ => drop(found.insert(key, existing)),
            }
            Ok(())
        });
        match asked {
            Ok(found) if found.len() <= most => {
                self.misses = 0;
                Ok(Some(found))
            }
            Ok(_) => {
                self.misses += 1;
                self.way.ordered = self.misses < MISSES;
                Ok(None)
            }
            Err(error) if error.kind == LoadErrorKind::Slow => {
                self.way.ordered = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Some rows by their keys, in questions of a bounded size.
    fn each(
        &mut self,
        frame: &DataFrame,
        rows: &[u32],
    ) -> Result<Vec<(u32, Existing)>, StageError> {
        let mut found = Vec::new();
        let mut rest = rows;
        while !rest.is_empty() {
            let (some, more) = rest.split_at(self.keys.min(rest.len()));
            let sql = self.question(frame, some)?;
            let got = self.ask(&sql, |row, reading, found: &mut Vec<_>| {
                let texts = row.values()?;
                // Ordinality counts from one.
                let place = texts[0].and_then(|text| text.parse::<usize>().ok());
                if let Some(row) = place.and_then(|place| some.get(place - 1)) {
                    found.push((*row, reading.existing(&texts[1..])));
                }
                Ok(())
            });
            match got {
                Err(error) if error.kind == LoadErrorKind::Slow && self.keys > FEWEST => {
                    self.keys /= 2;
                }
                got => {
                    found.extend(got.map_err(|error| failed(&error))?);
                    rest = more;
                }
            }
        }
        Ok(found)
    }

    /// Collects the rows of an answer. A question changes nothing, so it may be asked again; where the
    /// server is gone, the writer learns of it and ends the load.
    fn ask<C: Default>(
        &mut self,
        sql: &str,
        each: impl Fn(Row<'_>, &mut Reading, &mut C) -> Result<(), LoadError>,
    ) -> Result<C, LoadError> {
        let collect = |session: &mut Session, reading: &mut Reading| {
            let mut found = C::default();
            session.ask(sql, |_, row: Option<Row<'_>>| {
                if let Some(row) = row {
                    each(row, reading, &mut found)?;
                }
                Ok(ControlFlow::Continue(()))
            })?;
            Ok(found)
        };
        let mut session = self.server.open()?;
        let asked = match collect(&mut session, &mut self.reading) {
            Err(LoadError { kind: LoadErrorKind::Lost, .. }) => {
                std::thread::sleep(PAUSE);
                session = self.server.open()?;
                collect(&mut session, &mut self.reading)
            }
            asked => asked,
        };
        // A question begins a transaction, and an error leaves it open.
        if session.in_transaction() && session.is_usable() {
            session.run("ROLLBACK")?;
        }
        asked
    }

    fn question(&self, frame: &DataFrame, rows: &[u32]) -> Result<String, StageError> {
        let spec = &self.of.spec;
        let places = 0..spec.key.len();
        let join: Vec<_> =
            places.clone().map(|at| format!("t.{} = k.k{at}", quote(&spec.key[at]))).collect();
        let names: Vec<_> = places.map(|at| format!("k{at}")).collect();
        let mut sql = format!("{BEGIN}SELECT k.i, {FACTS} FROM unnest(");
        for (at, (name, ty)) in spec.key.iter().zip(&self.types).enumerate() {
            let column = frame.column(name).map_err(|e| StageError::new(NAME, e.to_string()))?;
            let series = column.as_materialized_series().rechunk();
            let mut array = String::from("{");
            for (at, row) in rows.iter().enumerate() {
                if at > 0 {
                    array.push(',');
                }
                let value = series.get(*row as usize);
                element(&value.map_err(|e| StageError::new(NAME, e.to_string()))?, &mut array);
            }
            array.push('}');
            let comma = if at > 0 { ", " } else { "" };
            sql.push_str(&format!("{comma}{}::{ty}[]", text_literal(&array)));
        }
        sql.push_str(&format!(
            ") WITH ORDINALITY AS k({}, i) JOIN {}.{} AS t ON {} WHERE {}; COMMIT",
            names.join(", "),
            quote(&self.server.schema),
            quote(&spec.name),
            join.join(" AND "),
            spec.scope_of("t"),
        ));
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
        // Polars shows zones only with a further feature.
        AnyValue::Datetime(micros, TimeUnit::Microseconds, zone) => {
            out.push_str(&format!("\"{}\"", Moment::from_micros(*micros, zone.is_some()).text()));
        }
        other => out.push_str(&other.to_string()),
    }
}

/// What answers are read with.
struct Reading {
    of: Arc<KeyQuestion>,
    ranks: Arc<Ranks>,
    /// Where rows came from, each once; the last one met stands last.
    origins: Vec<Arc<Loaded>>,
}

impl Reading {
    /// From [`FACTS`].
    fn existing(&mut self, texts: &[Option<&str>]) -> Existing {
        let row = texts[4].and_then(|text| text.parse().ok());
        let of = self.origin(texts[2].unwrap_or_default(), texts[3].unwrap_or_default());
        let own_rank = texts[1].map_or(0, rank_of);
        // A row that somebody else has put there has no hash of ours: it differs from every one.
        let hash = texts[0].and_then(uuid).unwrap_or(0);
        match row.filter(|_| texts[2].is_some()) {
            Some(row) => self.held(hash, own_rank, Held { of, row }),
            None => Existing { hash, rank: own_rank, this_run: false, row: None, held: None },
        }
    }

    /// A row that a load has put there.
    fn held(&self, hash: u128, own_rank: i64, held: Held) -> Existing {
        let raised = self.ranks.of(&held.of, held.row);
        Existing {
            hash,
            rank: raised.map_or(own_rank, |raised| raised.max(own_rank)),
            this_run: held.of.run == self.of.run,
            row: (self.of.source.as_ref() == Some(&held.of.source)).then_some(held.row),
            held: Some(held),
        }
    }

    fn origin(&mut self, run: &str, source: &str) -> Arc<Loaded> {
        let same = |of: &Arc<Loaded>| of.run == run && of.source == source;
        match self.origins.iter().rposition(same) {
            Some(at) => {
                let last = self.origins.len() - 1;
                self.origins.swap(at, last);
                Arc::clone(&self.origins[last])
            }
            None => {
                let of = Arc::new(Loaded { run: run.to_owned(), source: source.to_owned() });
                self.origins.push(Arc::clone(&of));
                of
            }
        }
    }
}

fn failed(error: &LoadError) -> StageError {
    let transient = matches!(
        error.kind,
        LoadErrorKind::Lost
            | LoadErrorKind::NoConnection
            | LoadErrorKind::Unreachable
            | LoadErrorKind::Slow
    );
    let told = format!("the target could not be asked: {error}");
    StageError { transient, ..StageError::new(NAME, told) }
}
