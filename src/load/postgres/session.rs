//! One connection: the handshake, statements, and COPY.
//!
//! Statements go by the simple protocol with their values written in, so nothing of them stays in the
//! session: a pooler that hands each transaction another session is no obstacle. Everything a
//! transaction needs it sets for itself (`SET LOCAL`).

use super::address::{Address, Host, WantedSession};
use super::error::{self, ServerError};
use super::wire::Wire;
use crate::load::{LoadError, LoadErrorKind};
use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{
    DataRowBody, ErrorResponseBody, Message, RowDescriptionBody,
};
use postgres_protocol::message::frontend;
use std::io;
use std::ops::ControlFlow;

/// A column of an answer: name and type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Type.
    pub oid: u32,
}

/// A connection that may speak.
pub struct Session {
    pub(super) wire: Wire,
    /// Process of the server.
    pub pid: i32,
    /// `I`: idle, `T`: in a transaction, `E`: in one that has failed.
    status: u8,
    /// Whether an answer was left half read, or the stream is at an end.
    broken: bool,
    /// What the server said of the last statement that failed.
    said: Option<ServerError>,
}

/// The texts of a row's values.
pub struct Row<'r> {
    body: &'r DataRowBody,
}

impl Row<'_> {
    /// Each value as text; `None`: NULL.
    pub fn values(&self) -> Result<Vec<Option<&str>>, LoadError> {
        let wrong = |_| error::unexpected("a row that cannot be read");
        let text = |range: Option<std::ops::Range<usize>>| {
            let bytes = range.map(|range| &self.body.buffer()[range]);
            bytes
                .map(std::str::from_utf8)
                .transpose()
                .map_err(|_| io::ErrorKind::InvalidData.into())
        };
        self.body.ranges().map(text).collect().map_err(wrong)
    }
}

impl Session {
    /// Connects to the first host that answers and is such a server as is wanted.
    pub fn open(address: &Address) -> Result<Self, LoadError> {
        let mut failed = Vec::new();
        // Where a standby would be better, all hosts are asked for one before any will do.
        let prefers = address.wanted == WantedSession::PreferStandby;
        let rounds: &[WantedSession] = match prefers {
            true => &[WantedSession::Standby, WantedSession::Any],
            false => &[address.wanted],
        };
        for wanted in rounds {
            for host in &address.hosts {
                let opened = Self::open_at(address, host).and_then(|mut session| {
                    session.suits(address, host, *wanted).map(|()| session)
                });
                match opened {
                    Ok(session) => return Ok(session),
                    // Whoever lets nobody in has answered: no other host is asked for the same.
                    Err(error) if !goes_on(&error) => return Err(error),
                    Err(error) => failed.push(error),
                }
            }
        }
        Err(first_of(failed, address.hosts.len()))
    }

    /// Whether the server is such a one as is wanted. Only the server knows, so it costs a question.
    fn suits(
        &mut self,
        address: &Address,
        host: &Host,
        wanted: WantedSession,
    ) -> Result<(), LoadError> {
        if wanted == WantedSession::Any {
            return Ok(());
        }
        self.wire.set_timeout(Some(address.timeout))?;
        let sql =
            "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'";
        let (mut standby, mut read_only) = (false, false);
        self.ask(sql, |_, row| {
            if let Some(row) = row {
                let values = row.values()?;
                let is = |at: usize| values.get(at).copied().flatten() == Some("t");
                (standby, read_only) = (is(0), is(1));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        self.wire.set_timeout(None)?;
        match wanted.accepts(standby, read_only) {
            true => Ok(()),
            false => Err(error::unsuitable(host, wanted, standby, read_only)),
        }
    }

    fn open_at(address: &Address, host: &Host) -> Result<Self, LoadError> {
        let wire = Wire::open(address, host)?;
        wire.set_timeout(Some(address.timeout))?;
        let mut session = Self { wire, pid: 0, status: b'I', broken: false, said: None };
        let mut parameters = vec![
            ("user", address.user.as_str()),
            ("database", &address.database),
            ("client_encoding", "UTF8"),
            ("application_name", &address.application),
        ];
        parameters.extend(address.options.as_deref().map(|options| ("options", options)));
        let mut buffer = BytesMut::new();
        frontend::startup_message(parameters, &mut buffer).map_err(|e| error::lost(&e))?;
        session.wire.send(&buffer)?;
        session.enter(address, host)?;
        session.wire.set_timeout(None)?;
        Ok(session)
    }

    pub(super) fn say(
        &mut self,
        write: impl FnOnce(&mut BytesMut) -> Result<(), LoadError>,
    ) -> Result<(), LoadError> {
        let mut buffer = BytesMut::new();
        write(&mut buffer)?;
        self.wire.send(&buffer)
    }

    /// Whether it can be used for another statement.
    pub fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.status != b'I'
    }

    /// Whether what is sent is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.wire.is_encrypted()
    }

    fn start(&mut self, sql: &str) -> Result<(), LoadError> {
        self.broken = true;
        self.say(|out| {
            frontend::query(sql, out).map_err(|_| {
                LoadError::new(LoadErrorKind::Refused, "a value holds a NUL character")
            })
        })
    }

    /// Commits the open transaction. A server answers the COMMIT of one that has failed with a
    /// rollback and no error; that must not be taken for a commit.
    pub fn commit(&mut self) -> Result<(), LoadError> {
        if self.status != b'T' {
            let told =
                "internal error: the transaction to be committed has failed or was never begun";
            return Err(LoadError::new(LoadErrorKind::Target, told));
        }
        self.run("COMMIT").map(drop)
    }

    /// Runs statements; the rows that they changed in all.
    pub fn run(&mut self, sql: &str) -> Result<u64, LoadError> {
        self.ask(sql, |_, _| Ok(ControlFlow::Continue(())))
    }

    /// Runs statements and hands over each row of their answers. Gives the number of rows changed.
    /// Where `each` breaks, the rest of the answer is left unread and the session is of no more use.
    pub fn ask(
        &mut self,
        sql: &str,
        mut each: impl FnMut(&[Column], Option<Row<'_>>) -> Result<ControlFlow<()>, LoadError>,
    ) -> Result<u64, LoadError> {
        self.start(sql)?;
        let (mut columns, mut changed) = (Vec::new(), 0);
        let mut failed: Option<LoadError> = None;
        loop {
            match self.wire.receive()? {
                Message::RowDescription(body) => {
                    columns = read_columns(&body)?;
                    if each(&columns, None)?.is_break() {
                        return Ok(changed);
                    }
                }
                Message::DataRow(body) => {
                    if each(&columns, Some(Row { body: &body }))?.is_break() {
                        return Ok(changed);
                    }
                }
                Message::CommandComplete(body) => changed += rows_of(body.tag().unwrap_or("")),
                Message::EmptyQueryResponse => {}
                Message::ErrorResponse(body) => failed = Some(self.hear(&body)),
                Message::ReadyForQuery(body) => {
                    self.status = body.status();
                    self.broken = false;
                    return failed.map_or(Ok(changed), Err);
                }
                _ => return Err(error::unexpected("an answer to no question")),
            }
        }
    }

    /// Begins a COPY from here; `sql` is the statement, others may stand before it.
    pub fn copy(&mut self, sql: &str) -> Result<Copy<'_>, LoadError> {
        self.start(sql)?;
        loop {
            match self.wire.receive()? {
                Message::CommandComplete(_) => {}
                Message::CopyInResponse(_) => return Ok(Copy { session: self }),
                Message::ErrorResponse(body) => {
                    let failed = self.hear(&body);
                    self.settle()?;
                    return Err(failed);
                }
                _ => return Err(error::unexpected("no COPY was begun")),
            }
        }
    }

    /// What the server has said of the last statement that failed.
    pub fn said(&mut self) -> Option<ServerError> {
        self.said.take()
    }

    fn hear(&mut self, body: &ErrorResponseBody) -> LoadError {
        let error = ServerError::read(body);
        self.said = Some(error.clone());
        error.into()
    }

    /// Reads up to the point where the next statement may come.
    fn settle(&mut self) -> Result<(), LoadError> {
        loop {
            if let Message::ReadyForQuery(body) = self.wire.receive()? {
                self.status = body.status();
                self.broken = false;
                return Ok(());
            }
        }
    }
}

/// A COPY that is going on. Dropped without its end, it leaves the session of no more use, and the
/// server gives the statement up with the connection.
pub struct Copy<'s> {
    session: &'s mut Session,
}

impl Copy<'_> {
    /// Sends a part. What is wrong with it is told at the end: the server reads on meanwhile.
    pub fn send(&mut self, data: &[u8]) -> Result<(), LoadError> {
        // The header goes ahead of the data instead of both into one buffer.
        let length = u32::try_from(data.len() + 4).map_err(|_| error::unexpected("a long row"))?;
        let mut header = [b'd', 0, 0, 0, 0];
        header[1..].copy_from_slice(&length.to_be_bytes());
        self.session.wire.send(&header)?;
        self.session.wire.send(data)
    }

    /// Sends parts that are messages already.
    pub fn forward(&mut self, messages: &[u8]) -> Result<(), LoadError> {
        self.session.wire.send(messages)
    }

    /// Ends it. Gives the number of rows that the table took.
    pub fn finish(self) -> Result<u64, LoadError> {
        let mut buffer = BytesMut::new();
        frontend::copy_done(&mut buffer);
        self.session.wire.send(&buffer)?;
        let mut outcome = Err(error::unexpected("COPY ended without a count"));
        loop {
            match self.session.wire.receive()? {
                Message::CommandComplete(body) => outcome = Ok(rows_of(body.tag().unwrap_or(""))),
                Message::ErrorResponse(body) => outcome = Err(self.session.hear(&body)),
                Message::ReadyForQuery(body) => {
                    self.session.status = body.status();
                    self.session.broken = false;
                    return outcome;
                }
                _ => return Err(error::unexpected("an answer that belongs to no COPY")),
            }
        }
    }
}

/// Whether another host may be asked after such an error: nobody answers, or not now, or it is not the
/// kind of server that is wanted.
fn goes_on(error: &LoadError) -> bool {
    matches!(
        error.kind,
        LoadErrorKind::Unreachable | LoadErrorKind::Lost | LoadErrorKind::NoConnection
    )
}

/// The first error of several hosts, with what the others had to say.
fn first_of(failed: Vec<LoadError>, hosts: usize) -> LoadError {
    let mut failed = failed.into_iter().take(hosts);
    let Some(mut first) = failed.next() else { return error::unexpected("no host is named") };
    for other in failed {
        first.message.push_str(&format!("; {}", other.message));
    }
    first
}

/// The password, or word that there is none.
fn read_columns(body: &RowDescriptionBody) -> Result<Vec<Column>, LoadError> {
    let column = |field: postgres_protocol::message::backend::Field<'_>| {
        Ok(Column { name: field.name().to_owned(), oid: field.type_oid() })
    };
    let columns = body.fields().map(column).collect();
    columns.map_err(|_| error::unexpected("columns that cannot be read"))
}

/// `INSERT 0 5`, `COPY 5`, `UPDATE 5`: 5. The rows of a SELECT are not changed.
fn rows_of(tag: &str) -> u64 {
    if tag.starts_with("SELECT") {
        return 0;
    }
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}
