//! Where a server is and how to get in: everything that libpq would know.
//!
//! Stronger first, as in libpq: the address, `DATABASE_URL` (where the target is `postgres:` alone), the
//! service file, `PG*`, defaults. A parameter that nobody knows is an error, and so is one that asks for
//! something that cannot be done. What is shown of an address never holds the password.

use super::LONGEST_NAME;
use super::conninfo::{self, Parameters, Unreadable};
use super::secret::Password;
use super::sources::{Sources, password_in, service_in};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How much TLS is wanted, as libpq's `sslmode` means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Where the server has it; without it only to this machine, never silently to another.
    Prefer,
    /// Always; the certificate is checked only where root certificates were named.
    Require,
    /// Always, with a certificate of a known authority.
    VerifyCa,
    /// The same, made out to this host.
    VerifyFull,
}

/// How `sslmode` is written. `no-verify` is a word of other clients.
const SSL_MODES: [(&str, SslMode); 7] = [
    ("disable", SslMode::Disable),
    ("allow", SslMode::Prefer),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
    ("no-verify", SslMode::Require),
];

/// Which servers of the list will do, as libpq's `target_session_attrs` means it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WantedSession {
    /// Any.
    #[default]
    Any,
    /// One that takes writes by default.
    ReadWrite,
    /// One that does not.
    ReadOnly,
    /// One that is no standby.
    Primary,
    /// One that is a standby.
    Standby,
    /// A standby where one answers; else any.
    PreferStandby,
}

/// How `target_session_attrs` is written.
const SESSIONS: [(&str, WantedSession); 6] = [
    ("any", WantedSession::Any),
    ("read-write", WantedSession::ReadWrite),
    ("read-only", WantedSession::ReadOnly),
    ("primary", WantedSession::Primary),
    ("standby", WantedSession::Standby),
    ("prefer-standby", WantedSession::PreferStandby),
];

impl WantedSession {
    /// Whether a server will do that is a standby, or takes no writes by default.
    pub fn accepts(self, standby: bool, read_only: bool) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !read_only && !standby,
            Self::ReadOnly => read_only || standby,
            Self::Primary => !standby,
            Self::Standby | Self::PreferStandby => standby,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        let word = SESSIONS.iter().find(|(_, wanted)| *wanted == self);
        word.map_or("any", |(word, _)| word)
    }
}

/// Whether the proof of a password must hold for the TLS channel alone (`channel_binding`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// No.
    Disable,
    /// Where both sides can.
    #[default]
    Prefer,
    /// Yes, or there is no connection.
    Require,
}

/// How `channel_binding` is written.
const BINDINGS: [(&str, Binding); 3] =
    [("disable", Binding::Disable), ("prefer", Binding::Prefer), ("require", Binding::Require)];

/// A host with its port. A name that starts with `/` is the folder of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name or address.
    pub name: String,
    /// Address to connect to instead of looking the name up (`hostaddr`).
    pub address: Option<IpAddr>,
    /// Port.
    pub port: u16,
    /// Password that the password file has for it, where the address names none.
    #[serde(skip)]
    pub password: Option<Password>,
}

impl Host {
    /// Whether it is a socket on this machine.
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.name.starts_with('/')
    }

    /// Whether it is this machine.
    pub fn is_local(&self) -> bool {
        let address = self.address.or_else(|| self.name.parse().ok());
        match address {
            Some(address) => address.is_loopback(),
            None => self.is_socket() || self.name.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// A server and how to get in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Hosts, tried in order.
    pub hosts: Vec<Host>,
    /// Which of them will do.
    #[serde(default)]
    pub wanted: WantedSession,
    /// User.
    pub user: String,
    /// Password, where the address or the environment names one.
    #[serde(skip)]
    pub password: Option<Password>,
    /// Database.
    pub database: String,
    /// Schema of the tables; else what the server finds first.
    pub schema: Option<String>,
    /// TLS.
    pub ssl: SslMode,
    /// Binding of the password's proof to the TLS channel.
    #[serde(default)]
    pub binding: Binding,
    /// Root certificates; else those of this system.
    pub root_cert: Option<PathBuf>,
    /// Options for the server, as `-c name=value`.
    pub options: Option<String>,
    /// What the server shows as the name of the program.
    pub application: String,
    /// Longest wait for a connection.
    pub timeout: Duration,
    /// A pooler that gives each transaction another session is said to be in the way.
    pub pooled: bool,
}

/// Default of libpq.
const PORT: u16 = 5432;
/// Where hosted databases have their transaction pooler.
const POOLER_PORT: u16 = 6543;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// libpq's environment variables and the parameters they stand for.
const VARIABLES: [(&str, &str); 19] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGDATABASE", "dbname"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGPASSFILE", "passfile"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGSSLCRL", "sslcrl"),
];

impl Address {
    /// Whether a text names a server of this kind.
    pub fn is_meant(text: &str) -> bool {
        conninfo::is_meant(text)
    }

    /// Reads an address in either form of libpq, with what the environment and its files add.
    pub fn parse(text: &str, sources: &Sources) -> Result<Self, Unreadable> {
        let mut given = conninfo::read(text)?;
        if given.is_empty()
            && let Some(url) = sources.variable("DATABASE_URL").filter(|url| Self::is_meant(url))
        {
            given = conninfo::read(url).map_err(|error| Unreadable {
                message: format!("in DATABASE_URL: {}", error.message),
                ..error
            })?;
        }
        add_service(&mut given, sources)?;
        for (variable, name) in VARIABLES {
            let Some(value) = sources.variable(variable) else { continue };
            if !given.contains_key(name) {
                conninfo::check(name, value, false).map_err(|error| Unreadable {
                    message: format!("in {variable}: {}", error.message),
                    hint: format!("unset {variable}"),
                })?;
                given.insert(name.into(), value.to_owned());
            }
        }
        Self::settle(given, sources)
    }

    fn settle(given: Parameters, sources: &Sources) -> Result<Self, Unreadable> {
        let get = |name: &str| given.get(name).filter(|value| !value.is_empty()).cloned();
        let user = get("user").or_else(|| sources.system_user()).ok_or_else(|| {
            Unreadable::new(
                "no user is named",
                "write postgres://USER@HOST/DATABASE, or set PGUSER",
            )
        })?;
        let database = get("dbname").unwrap_or_else(|| user.clone());
        let mut hosts = hosts(&get)?;
        let password = get("password").map(Password::new);
        if password.is_none()
            && let Some(file) = sources.password_file(get("passfile").as_deref())
        {
            for host in &mut hosts {
                let name = if host.is_socket() { "localhost" } else { &host.name };
                let found = password_in(&file, name, host.port, &database, &user);
                host.password = found.map(Password::new);
            }
        }
        refuse_demands(&get)?;
        let pooled = get("pgbouncer").is_some_and(|value| value == "true" || value == "1");
        let application = get("application_name").or_else(|| get("fallback_application_name"));
        Ok(Self {
            pooled: pooled || hosts.iter().any(|host| host.port == POOLER_PORT),
            hosts,
            wanted: one_of(&get, "target_session_attrs", &SESSIONS)?.unwrap_or(WantedSession::Any),
            password,
            user,
            database,
            schema: schema(get("schema"))?,
            ssl: ssl_mode(&get)?,
            binding: one_of(&get, "channel_binding", &BINDINGS)?.unwrap_or_default(),
            root_cert: get("sslrootcert").filter(|path| path != "system").map(PathBuf::from),
            options: get("options"),
            application: application.unwrap_or_else(|| "etl".into()),
            timeout: timeout(&get)?,
        })
    }

    /// `host:port`, for messages.
    pub fn place(host: &Host) -> String {
        match host.is_socket() {
            true => format!("{}/.s.PGSQL.{}", host.name, host.port),
            false if host.name.contains(':') => format!("[{}]:{}", host.name, host.port),
            false => format!("{}:{}", host.name, host.port),
        }
    }
}

/// Without the password, whatever it was.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(Self::place).collect();
        write!(f, "postgres://{}@{}/{}", self.user, hosts.join(","), self.database)?;
        match &self.schema {
            Some(schema) => write!(f, "?schema={schema}"),
            None => Ok(()),
        }
    }
}

/// A parameter of a few words; `None` where it is not given. Its value is not repeated in the error.
fn one_of<T: Copy>(
    get: &dyn Fn(&str) -> Option<String>,
    name: &str,
    known: &[(&str, T)],
) -> Result<Option<T>, Unreadable> {
    let Some(text) = get(name) else { return Ok(None) };
    let found = known.iter().find(|(word, _)| *word == text).map(|(_, value)| Some(*value));
    found.ok_or_else(|| {
        let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
        Unreadable::new(
            format!("the parameter {name} has a value that is not known"),
            format!("it is one of {}", words.join(", ")),
        )
    })
}

/// The schema, where it may hold tables of the user.
fn schema(named: Option<String>) -> Result<Option<String>, Unreadable> {
    let Some(name) = named else { return Ok(None) };
    if name.len() > LONGEST_NAME {
        return Err(Unreadable::new(
            format!(
                "the name of the schema has {} bytes; a server keeps {LONGEST_NAME}",
                name.len()
            ),
            "give the name as the server has it",
        ));
    }
    match name == crate::load::target::SCHEMA {
        true => Err(Unreadable::new("the schema etl is the ledger's", "name another schema")),
        false => Ok(Some(name)),
    }
}

fn ssl_mode(get: &dyn Fn(&str) -> Option<String>) -> Result<SslMode, Unreadable> {
    let system = get("sslrootcert").is_some_and(|path| path == "system");
    let mode = one_of(get, "sslmode", &SSL_MODES)?;
    match (mode, system) {
        (None, false) => Ok(SslMode::Prefer),
        (None | Some(SslMode::VerifyFull), true) => Ok(SslMode::VerifyFull),
        // A certificate of any authority that the system trusts says nothing without the name.
        (Some(_), true) => Err(Unreadable::new(
            "sslrootcert=system wants sslmode=verify-full",
            "leave sslmode out, or name a file with the authority of the server",
        )),
        (Some(mode), false) => Ok(mode),
    }
}

/// Demands that cannot be met. To go on without them would be less secure than was asked for.
fn refuse_demands(get: &dyn Fn(&str) -> Option<String>) -> Result<(), Unreadable> {
    let levels = [("disable", false), ("prefer", false), ("require", true)];
    if one_of(get, "gssencmode", &levels)? == Some(true) {
        return Err(Unreadable::new(
            "gssencmode=require cannot be met by etl",
            "leave it out; sslmode=require encrypts by TLS",
        ));
    }
    Ok(())
}

/// libpq: a number of seconds, at least two; zero or less: here its default.
fn timeout(get: &dyn Fn(&str) -> Option<String>) -> Result<Duration, Unreadable> {
    let Some(text) = get("connect_timeout") else { return Ok(CONNECT_TIMEOUT) };
    let seconds: i64 = text.trim().parse().map_err(|_| {
        Unreadable::new("the parameter connect_timeout is no whole number", "it is in seconds")
    })?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    Ok(seconds.map_or(CONNECT_TIMEOUT, |seconds| Duration::from_secs(seconds.max(2))))
}

fn hosts(get: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Host>, Unreadable> {
    let list = |name: &str| -> Vec<String> {
        let text = get(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_owned()).collect()
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = if get("hostaddr").is_some() { addresses.len() } else { names.len() };
    let fits = |list: &[String], name: &str| list.len() == count || get(name).is_none();
    if !fits(&names, "host") || !(fits(&ports, "port") || ports.len() == 1) {
        return Err(Unreadable::new(
            "there are not as many hosts, addresses of hosts (hostaddr) and ports",
            "write a port behind each host, or one for all of them",
        ));
    }
    let mut hosts = Vec::new();
    for at in 0..count {
        let part = |list: &[String]| list.get(at).cloned().unwrap_or_default();
        let address = match part(&addresses) {
            text if text.is_empty() => None,
            text => Some(text.parse::<IpAddr>().map_err(|_| {
                Unreadable::new(
                    "the parameter hostaddr is no address of a host",
                    "use host for names",
                )
            })?),
        };
        let port = if ports.len() == 1 { ports[0].clone() } else { part(&ports) };
        let port = conninfo::port_of(&port)?.unwrap_or(PORT);
        let name = match (part(&names), address) {
            (name, Some(address)) if name.is_empty() => address.to_string(),
            (name, None) if name.is_empty() => default_host(),
            (name, _) => name,
        };
        hosts.push(Host { name, address, port, password: None });
    }
    let balance = [("disable", false), ("random", true)];
    if one_of(get, "load_balance_hosts", &balance)? == Some(true) {
        shuffle(&mut hosts);
    }
    Ok(hosts)
}

/// Another order in each process. It is kept for all connections of the process: rows and ledger go to
/// the same server.
fn shuffle(hosts: &mut [Host]) {
    let keys = RandomState::new();
    hosts.sort_by_cached_key(|host| keys.hash_one((&host.name, host.port)));
}

/// The folder of the server's socket where there is one, else this machine by name.
fn default_host() -> String {
    let there = |folder: &&str| std::path::Path::new(folder).join(".s.PGSQL.5432").exists();
    let folder = ["/var/run/postgresql", "/tmp"].into_iter().find(there);
    folder.unwrap_or("localhost").to_owned()
}

/// What the service has that the address leaves open.
fn add_service(given: &mut Parameters, sources: &Sources) -> Result<(), Unreadable> {
    let service = given.get("service").cloned();
    let named = service.or_else(|| sources.variable("PGSERVICE").map(str::to_owned));
    let Some(service) = named else { return Ok(()) };
    let file = match given.get("servicefile") {
        Some(path) => sources.service_file_at(path.into()),
        None => sources.service_file(),
    };
    let found = service_in(&file.text, &service).ok_or_else(|| {
        let told = format!("the service is not in {}", file.path.display());
        Unreadable::new(
            told,
            "a service is a section [NAME] of that file (PGSERVICEFILE names another)",
        )
    })?;
    for (name, value) in found {
        conninfo::check(&name, &value, false).map_err(|error| Unreadable {
            message: format!("in {}: {}", file.path.display(), error.message),
            ..error
        })?;
        given.entry(name).or_insert(value);
    }
    Ok(())
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
