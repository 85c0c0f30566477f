//! A server, opened: its ledger, who holds which table, and connections for those who work.

use super::address::Address;
use super::confirmed;
use super::homes;
use super::indexes;
use super::link::PgLink;
use super::lookup::PgLookup;
use super::pool::{Loan, Pool};
use super::session::Session;
use super::text::text_literal;
use super::write::PgWriter;
use crate::load::breaker::Breaker;
use crate::load::ledger;
use crate::load::lookup::Lookup;
use crate::load::table::TableSpec;
use crate::load::target::{Finding, KeyQuestion, Target, WritePlan};
use crate::load::{Link, LoadError, LoadErrorKind, Writer};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

/// Oldest server that is known to work: `INSERT … ON CONFLICT`, generated columns in the catalogue.
const OLDEST: u64 = 120_000;

/// Longest wait for the transactions of a program that has just been killed.
const PATIENCE: &str = "60s";

/// Longest wait for a connection of this program that others of its threads use.
const TURN: Duration = Duration::from_secs(10);

/// What speeds up the questions to the ledger, and what makes a range unique: two programs that go
/// on with the same input can never both commit it.
const INDEXES: &str = "
CREATE UNIQUE INDEX IF NOT EXISTS runs_run ON etl.runs (run);
CREATE UNIQUE INDEX IF NOT EXISTS inputs_input ON etl.inputs (run, input);
CREATE UNIQUE INDEX IF NOT EXISTS ranges_range ON etl.ranges (range);
CREATE INDEX IF NOT EXISTS ranges_input ON etl.ranges (run, input);
CREATE INDEX IF NOT EXISTS problems_input ON etl.problems (run, input);
CREATE INDEX IF NOT EXISTS settled_input ON etl.settled (run, input);
CREATE INDEX IF NOT EXISTS reprocessed_run ON etl.reprocessed (refused_by);
";

/// The schema of `"table"`, where a ledger of version 1 has not stored it: the only one that has such a
/// table.
const HOME: &str = "(SELECT min(s.schemaname) FROM pg_tables s WHERE s.tablename = \"table\" \
    AND s.schemaname NOT IN ('etl', 'pg_catalog', 'information_schema') HAVING count(*) = 1)";

/// What all connections need to know.
pub struct Server {
    /// Where it is.
    pub address: Address,
    /// Schema of the user's tables.
    pub schema: String,
    /// Its version, such as 150018.
    pub version: u64,
    /// Connections that nobody uses at the moment.
    pub pool: Arc<Pool>,
    /// Whether it answers.
    breaker: Breaker,
}

impl Server {
    /// A connection. Where the server gives no further one, one that another thread gives back is waited for. A
    /// server that does not answer is left alone for a while.
    pub fn open(&self) -> Result<Loan, LoadError> {
        let end = Instant::now() + TURN;
        loop {
            match self.open_now() {
                Err(error) if error.kind == LoadErrorKind::NoConnection => {
                    if !self.pool.wait(end) {
                        return Err(error);
                    }
                }
                opened => return opened,
            }
        }
    }

    /// A connection that rests, or a new one.
    fn open_now(&self) -> Result<Loan, LoadError> {
        let session = self.pool.take().map_or_else(|| self.connect(), Ok)?;
        Ok(Loan::new(session, &self.pool))
    }

    /// How many of `wanted` writers can have a connection at the same time, with one left over for questions.
    fn room_for(&self, wanted: usize) -> Result<usize, LoadError> {
        let mut loans = Vec::new();
        while loans.len() <= wanted {
            match self.open_now() {
                Ok(loan) => loans.push(loan),
                Err(error) if error.kind == LoadErrorKind::NoConnection => break,
                Err(error) => return Err(error),
            }
        }
        Ok(loans.len().saturating_sub(1).clamp(1, wanted.max(1)))
    }

    /// Makes connections ahead. What goes wrong is told to those who make their own.
    pub fn stock(&self, connections: usize) {
        for _ in 0..connections {
            let Ok(session) = Session::open(&self.address) else { return };
            self.pool.give(session);
        }
    }

    /// A new one.
    fn connect(&self) -> Result<Session, LoadError> {
        if let Err(wait) = self.breaker.admit(Instant::now()) {
            let told = format!("{}: it has not answered, and is left alone", self.address);
            let error = LoadError::new(LoadErrorKind::Unreachable, told);
            return Err(LoadError { wait: Some(wait), ..error });
        }
        let opened = Session::open(&self.address);
        match &opened {
            Err(error)
                if matches!(error.kind, LoadErrorKind::Unreachable | LoadErrorKind::Lost) =>
            {
                self.breaker.failed(Instant::now());
            }
            // Whoever says no is there.
            _ => self.breaker.succeeded(),
        }
        opened
    }
}

/// A server that rows go to.
pub struct PgTarget {
    server: Arc<Server>,
    guard: Mutex<Guard>,
}

/// The connection whose transaction holds tables, and the tables it holds.
#[derive(Default)]
struct Guard {
    session: Option<Loan>,
    tables: BTreeSet<String>,
}

impl PgTarget {
    /// Makes the ledger where it is missing, or brings it up to date.
    fn with_ledger(&self) -> Result<(), LoadError> {
        let link = self.connect();
        let version = ledger::schema::version(&link)?;
        let script = ledger::schema::migration(version, HOME)?;
        let incomplete = script.is_some() || lacks_own_tables(&link)?;
        // Its connection is the next one's.
        drop(link);
        if incomplete {
            self.make_ledger(&script.unwrap_or_default())?;
        }
        if version == 1 {
            homes::settle(&self.connect())?;
        }
        Ok(())
    }

    /// The server, for a thread of its own.
    pub fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server)
    }

    /// Opens a database for questions only.
    pub fn look(address: &Address) -> Result<Self, LoadError> {
        let mut session = Session::open(address)?;
        let (version, encoding, found) = facts(&mut session)?;
        if version < OLDEST {
            let told = format!("{address}: PostgreSQL {} is too old", version / 10_000);
            return Err(
                LoadError::new(LoadErrorKind::Target, told).with_hint("12 or newer is needed")
            );
        }
        if encoding != "UTF8" {
            let told = format!("{address}: the database is encoded as {encoding}");
            return Err(LoadError::new(LoadErrorKind::Target, told)
                .with_hint("use a database made with ENCODING 'UTF8', which holds every text"));
        }
        let schema = address.schema.clone().or(found).unwrap_or_else(|| "public".into());
        let (pool, breaker) = (Arc::new(Pool::default()), Breaker::default());
        pool.give(session);
        let server = Server { address: address.clone(), schema, version, pool, breaker };
        Ok(Self { server: Arc::new(server), guard: Mutex::default() })
    }

    fn connect(&self) -> PgLink {
        PgLink::new(Arc::clone(&self.server))
    }

    /// Makes the ledger, or brings it to this program's version. The lock keeps two programs that begin
    /// at the same time from doing it together; every statement may be run twice.
    fn make_ledger(&self, script: &str) -> Result<(), LoadError> {
        let key = lock_key("", "ledger");
        let ddl = [script, confirmed::DDL, indexes::DDL].concat();
        let sql = format!(
            "BEGIN; SELECT pg_advisory_xact_lock({key}); SET LOCAL client_min_messages = error; {ddl} \
             {INDEXES} COMMIT"
        );
        let done = self.server.open()?.run(&sql);
        done.map(drop).map_err(|error| match error.kind {
            LoadErrorKind::Target => error.with_hint(
                "etl keeps its ledger in the schema `etl`: let this user make it (GRANT CREATE ON \
                 DATABASE), or make it and give it to this user",
            ),
            _ => error,
        })
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether a ledger lacks a table that only servers have.
fn lacks_own_tables(link: &dyn Link) -> Result<bool, LoadError> {
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = 'etl' \
               AND tablename IN ('confirmed', 'indexes')";
    Ok(link.number(sql, &[])? < 2)
}

/// Version, encoding and schema that the server finds first.
fn facts(session: &mut Session) -> Result<(u64, String, Option<String>), LoadError> {
    let mut facts = (0, String::new(), None);
    session.ask(
        // A user called `etl` would find the ledger's schema before all others.
        "SELECT current_setting('server_version_num'), current_setting('server_encoding'), \
         (SELECT s FROM unnest(current_schemas(false)) AS s WHERE s <> 'etl' LIMIT 1)",
        |_, row| {
            if let Some(row) = row {
                let values = row.values()?;
                let text = |at: usize| values.get(at).copied().flatten().unwrap_or_default();
                let schema = values.get(2).copied().flatten().map(str::to_owned);
                facts = (text(0).parse().unwrap_or(0), text(1).to_owned(), schema);
            }
            Ok(std::ops::ControlFlow::Continue(()))
        },
    )?;
    Ok(facts)
}

/// The number of an advisory lock.
fn lock_key(table: &str, what: &str) -> i64 {
    xxh3_64(format!("etl {what} {table}").as_bytes()) as i64
}

/// SQL by which a transaction that writes to a table says so: whoever wants to hold the table waits
/// for its end.
pub fn announce(server: &Server, table: &str) -> String {
    let key = lock_key(&format!("{}.{table}", server.schema), "writes");
    format!("SELECT pg_advisory_xact_lock_shared({key})")
}

impl Guard {
    /// Takes all tables again where the connection that held them is gone.
    fn renew(&mut self, server: &Server) -> Result<(), LoadError> {
        if self.session.as_mut().is_some_and(|session| session.run("SELECT 1").is_ok()) {
            return Ok(());
        }
        let mut session = server.open()?;
        session.run("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0")?;
        for table in &self.tables {
            lock(&mut session, server, table)?;
        }
        self.session = Some(session);
        Ok(())
    }
}

/// Takes one table, or says who has it.
fn lock(session: &mut Session, server: &Server, table: &str) -> Result<(), LoadError> {
    let name = format!("{}.{table}", server.schema);
    let key = lock_key(&name, "holds");
    let got = answer(session, &format!("SELECT pg_try_advisory_xact_lock({key})"))?;
    if got.as_deref() == Some("t") {
        return Ok(());
    }
    let (high, low) = ((key as u64) >> 32, key as u64 & 0xffff_ffff);
    let who = answer(
        session,
        &format!(
            "SELECT concat('process ', a.pid, ' of user ', a.usename, ' at ', \
               coalesce(host(a.client_addr), 'this machine'), ' since ', \
               to_char(a.backend_start, 'YYYY-MM-DD HH24:MI:SS TZ')) \
             FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' \
               AND l.granted AND l.classid = {high} AND l.objid = {low} LIMIT 1"
        ),
    )?;
    let who = who.unwrap_or_else(|| "another run".into());
    Err(LoadError::new(LoadErrorKind::Locked, format!("table {name} is being loaded by {who}"))
        .with_hint("wait until that run has ended and give the same command again"))
}

/// The first value of an answer.
pub fn answer(session: &mut Session, sql: &str) -> Result<Option<String>, LoadError> {
    let mut found = None;
    session.ask(sql, |_, row| {
        if let Some(row) = row {
            let first = row.values()?.first().copied().flatten().map(str::to_owned);
            found = found.take().or(first);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(found)
}

impl Target for PgTarget {
    fn link(&self) -> Result<Box<dyn Link>, LoadError> {
        Ok(Box::new(self.connect()))
    }

    fn prepare_ledger(&self) -> Result<(), LoadError> {
        self.with_ledger()
    }

    /// Two locks. `holds` is kept by an open transaction of a connection of its own, so that it also
    /// holds behind a pooler. `writes` is shared by all transactions that write to the table; to get it
    /// alone for a moment is to know that none of an earlier program is still on its way.
    fn hold(&self, table: &str) -> Result<(), LoadError> {
        let mut guard = self.guard();
        guard.renew(&self.server)?;
        if guard.tables.contains(table) {
            return wait_for_writers(&self.server, table);
        }
        let Some(session) = &mut guard.session else { return Ok(()) };
        lock(session, &self.server, table)?;
        guard.tables.insert(table.to_owned());
        wait_for_writers(&self.server, table)
    }

    fn writer(&self, plan: &Arc<WritePlan>) -> Result<Box<dyn Writer>, LoadError> {
        Ok(Box::new(PgWriter::new(Arc::clone(&self.server), Arc::clone(plan))?))
    }

    fn examine(&self) -> Result<Vec<Finding>, LoadError> {
        super::doctor::examine(&self.server)
    }

    fn writers(&self, _spec: &TableSpec, wanted: usize) -> Result<usize, LoadError> {
        self.server.room_for(wanted)
    }

    fn refuses_rows(&self, _spec: &TableSpec) -> Result<bool, LoadError> {
        Ok(true)
    }

    fn lookup(&self, of: KeyQuestion) -> Arc<dyn Lookup> {
        Arc::new(PgLookup::new(Arc::clone(&self.server), of))
    }
}

fn wait_for_writers(server: &Server, table: &str) -> Result<(), LoadError> {
    let key = lock_key(&format!("{}.{table}", server.schema), "writes");
    let patience = text_literal(PATIENCE);
    let sql = format!(
        "BEGIN; SET LOCAL lock_timeout = {patience}; SELECT pg_advisory_xact_lock({key}); COMMIT"
    );
    server.open()?.run(&sql).map(drop).map_err(|error| match error.kind {
        LoadErrorKind::Target => LoadError::new(
            LoadErrorKind::Locked,
            format!("a transaction of an earlier run still writes to table {table}"),
        )
        .with_hint(
            "wait for it, or end it: SELECT pg_terminate_backend(pid) FROM pg_stat_activity …",
        ),
        _ => error,
    })
}
