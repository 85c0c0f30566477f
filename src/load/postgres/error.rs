//! What goes wrong with a server, in words that say what to do.

use super::address::{Address, Host, WantedSession};
use crate::load::{LoadError, LoadErrorKind};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;
use std::io;

/// What the server says of an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE.
    pub state: String,
    /// One sentence.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What the server advises.
    pub hint: Option<String>,
    /// Where: for COPY the line and column.
    pub context: Option<String>,
    /// The column that is meant.
    pub column: Option<String>,
    /// The constraint that was broken.
    pub constraint: Option<String>,
}

impl ServerError {
    /// Reads the message of the protocol.
    pub fn read(body: &ErrorResponseBody) -> Self {
        let mut error = Self::default();
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => error.state = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'W' => error.context = Some(text),
                b'c' => error.column = Some(text),
                b'n' => error.constraint = Some(text),
                _ => {}
            }
        }
        error
    }

    /// The first two signs of the state: its class.
    fn class(&self) -> &str {
        self.state.get(..2).unwrap_or("")
    }

    /// Whether a single row may be the reason of an error inside a COPY: triggers raise whatever they like, and an
    /// index may be too narrow for a value. What the connection, the transaction, the server's means or its
    /// operator are the reason of is never a row's.
    pub fn may_be_of_a_row(&self) -> bool {
        !matches!(self.class(), "08" | "25" | "28" | "40" | "53" | "57")
    }

    fn kind(&self) -> LoadErrorKind {
        match (self.class(), self.state.as_str()) {
            (_, "53100") => LoadErrorKind::DiskFull,
            (_, "53200" | "53400") => LoadErrorKind::Memory,
            (_, "53300") => LoadErrorKind::NoConnection,
            // Terminated, restarting, crashed, deadlock, serialization.
            (_, "57P01" | "57P02" | "57P03" | "57P05" | "40001" | "40P01" | "25P03")
            | ("08", _) => LoadErrorKind::Lost,
            (_, "57014") => LoadErrorKind::Slow,
            ("28", _) => LoadErrorKind::Denied,
            ("23" | "22" | "44" | "P0", _) => LoadErrorKind::Refused,
            _ => LoadErrorKind::Target,
        }
    }
}

impl From<ServerError> for LoadError {
    fn from(error: ServerError) -> Self {
        let kind = error.kind();
        let mut message = format!("the server says: {} ({})", error.message, error.state);
        for more in [&error.detail, &error.context].into_iter().flatten() {
            let first = more.lines().next().unwrap_or_default();
            message.push_str(&format!("; {first}"));
        }
        let hint = match error.state.as_str() {
            "57014" => Some(
                "a statement ran into a time limit of the server; raise statement_timeout for this \
                 user, or lower --commit-rows"
                    .to_owned(),
            ),
            "42501" => Some("the user may not do that; ask for the right, or use another user".into()),
            "25006" => Some("this server only reads; name the primary".into()),
            "53300" => Some("a load needs three connections: end others, or raise the limit of the user or of the server".into()),
            "53100" => Some("free some space on the server and run the same command again".into()),
            _ => error.hint,
        };
        Self { kind, message, hint, wait: None }
    }
}

/// The connection is gone.
pub fn lost(error: &io::Error) -> LoadError {
    let why = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server has closed it".to_owned(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer came".to_owned(),
        _ => error.to_string(),
    };
    LoadError::new(LoadErrorKind::Lost, format!("the connection to the server is lost: {why}"))
        .with_hint("run the same command again: it goes on from the last commit")
}

/// A server that says something nobody expects.
pub fn unexpected(what: &str) -> LoadError {
    LoadError::new(LoadErrorKind::Target, format!("the server does not speak as it should: {what}"))
        .with_hint("is this a PostgreSQL server (or a pooler in front of one)?")
}

/// Why no host could be reached; `tried` are the addresses with what came of each.
pub fn unreachable(address: &Address, tried: &[(String, io::Error)]) -> LoadError {
    let told: Vec<_> = tried.iter().map(|(place, error)| format!("{place}: {error}")).collect();
    let message = format!("{address}: no connection ({})", told.join("; "));
    let refused = |kind| tried.iter().any(|(_, error)| error.kind() == kind);
    let only_six = !tried.is_empty() && tried.iter().all(|(place, _)| place.contains("IPv6"));
    let hint = if only_six {
        "this host has IPv6 addresses only, and they cannot be reached from here; use a host with IPv4 \
         (hosted databases offer a pooler: session mode on port 5432)"
    } else if refused(io::ErrorKind::ConnectionRefused) {
        "nothing listens there: is the server running, and is the port right?"
    } else {
        "check host and port; a firewall or an allow list of the provider may stand in the way"
    };
    LoadError::new(LoadErrorKind::Unreachable, message).with_hint(hint)
}

/// A name that stands for nothing.
pub fn no_such_host(host: &Host, error: &io::Error) -> LoadError {
    LoadError::new(
        LoadErrorKind::Unreachable,
        format!("{}: the name cannot be resolved: {error}", host.name),
    )
    .with_hint("check the spelling of the host, and the network")
}

/// A server that answers and is not such a one as is wanted.
pub fn unsuitable(host: &Host, wanted: WantedSession, standby: bool, read_only: bool) -> LoadError {
    let is = match (standby, read_only) {
        (true, _) => "is a standby",
        (false, true) => "takes no writes by default (default_transaction_read_only)",
        (false, false) => "is a primary that takes writes",
    };
    let message =
        format!("{} {is}; target_session_attrs asks for {}", Address::place(host), wanted.name());
    LoadError::new(LoadErrorKind::Unreachable, message).with_hint(
        "name other hosts, or another target_session_attrs: any, read-write, read-only, primary, \
         standby, prefer-standby",
    )
}

/// The server has let nobody in.
pub fn denied(address: &Address, error: ServerError) -> LoadError {
    let (state, said) = (error.state.clone(), error.message.clone());
    let mut out = LoadError::from(error);
    out.message = format!("{address}: {said} ({state})");
    let pooler = address.hosts.iter().any(|host| host.name.contains("pooler"));
    let tenant = said.contains("Tenant or user not found") || said.contains("ENOTFOUND");
    let hint = match state.as_str() {
        _ if tenant || (pooler && state.starts_with("28") && !address.user.contains('.')) => {
            "a pooler wants the user as NAME.PROJECT, such as postgres.abcdefgh"
        }
        "28P01" => "check the password (URL, PGPASSWORD, or .pgpass that only you may read)",
        "28000" => "the server does not let this user in from here (pg_hba.conf), or wants TLS",
        "3D000" => "there is no such database; name it behind the host: /DATABASE",
        _ => return out,
    };
    if tenant {
        out.kind = LoadErrorKind::Denied;
    }
    out.hint = Some(hint.to_owned());
    out
}
