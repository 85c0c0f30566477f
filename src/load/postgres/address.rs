//! Where a server is and how to get in: everything that libpq would know.
//!
//! Stronger first: the URL, `DATABASE_URL` (where the target is `postgres:` alone), `PG*`, the service
//! file, the defaults of libpq. Parameters that nobody knows are taken without a word, as those of
//! other clients (`pgbouncer=true`) stand in URLs that people copy. What is shown of an address never
//! holds the password.

use super::secret::Password;
use super::sources::{Sources, password_in, service_in};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
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

/// A host with its port. A name that starts with `/` is the folder of a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name or address.
    pub name: String,
    /// Port.
    pub port: u16,
}

impl Host {
    /// Whether it is a socket on this machine.
    pub fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether it is this machine.
    pub fn is_local(&self) -> bool {
        let loopback =
            || self.name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        self.is_socket() || self.name.eq_ignore_ascii_case("localhost") || loopback()
    }
}

/// A server and how to get in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Hosts, tried in order.
    pub hosts: Vec<Host>,
    /// User.
    pub user: String,
    /// Password, where one is known.
    #[serde(skip)]
    pub password: Option<Password>,
    /// Database.
    pub database: String,
    /// Schema of the tables; else what the server finds first.
    pub schema: Option<String>,
    /// TLS.
    pub ssl: SslMode,
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
const VARIABLES: [(&str, &str); 12] = [
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
];

type Parameters = BTreeMap<String, String>;

impl Address {
    /// Whether a text names a server of this kind.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres:") || text.starts_with("postgresql:")
    }

    /// Reads a URL, with what the environment and its files add.
    pub fn parse(text: &str, sources: &Sources) -> Result<Self, String> {
        let mut given = read_url(text)?;
        if given.is_empty()
            && let Some(url) = sources.variable("DATABASE_URL").filter(|url| Self::is_meant(url))
        {
            given = read_url(url)?;
        }
        for (variable, name) in VARIABLES {
            if let Some(value) = sources.variable(variable) {
                given.entry(name.into()).or_insert_with(|| value.to_owned());
            }
        }
        let service = given.get("service").cloned();
        let service = service.or_else(|| sources.variable("PGSERVICE").map(str::to_owned));
        if let Some(service) = service {
            let file = sources.service_file();
            let found = service_in(&file.text, &service).ok_or_else(|| {
                format!("the service `{service}` is not in {}", file.path.display())
            })?;
            found.into_iter().for_each(|(name, value)| {
                given.entry(name).or_insert(value);
            });
        }
        Self::settle(given, sources)
    }

    fn settle(given: Parameters, sources: &Sources) -> Result<Self, String> {
        let get = |name: &str| given.get(name).filter(|value| !value.is_empty()).cloned();
        let hosts = hosts(&get)?;
        let user = get("user")
            .or_else(|| sources.system_user())
            .ok_or("no user is named; write postgres://USER@HOST/DATABASE, or set PGUSER")?;
        let database = get("dbname").unwrap_or_else(|| user.clone());
        let password = get("password").or_else(|| {
            let file = sources.password_file(get("passfile").as_deref())?;
            let host = hosts.first()?;
            let name = if host.is_socket() { "localhost" } else { &host.name };
            password_in(&file, name, host.port, &database, &user)
        });
        let pooled = get("pgbouncer").is_some_and(|value| value == "true" || value == "1");
        Ok(Self {
            pooled: pooled || hosts.iter().any(|host| host.port == POOLER_PORT),
            hosts,
            password: password.map(Password::new),
            user,
            database,
            schema: get("schema"),
            ssl: ssl_mode(get("sslmode").as_deref())?,
            root_cert: get("sslrootcert").filter(|path| path != "system").map(PathBuf::from),
            options: get("options"),
            application: get("application_name").unwrap_or_else(|| "etl".into()),
            timeout: timeout(get("connect_timeout").as_deref()),
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

fn ssl_mode(text: Option<&str>) -> Result<SslMode, String> {
    Ok(match text {
        None | Some("prefer" | "allow") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("require" | "no-verify") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(other) => {
            return Err(format!(
                "sslmode `{other}` is unknown; use disable, prefer, require, verify-ca or verify-full"
            ));
        }
    })
}

/// libpq: a number of seconds, at least two; zero or nonsense: its default.
fn timeout(text: Option<&str>) -> Duration {
    let seconds = text.and_then(|text| text.trim().parse::<u64>().ok()).filter(|n| *n > 0);
    seconds.map_or(CONNECT_TIMEOUT, |seconds| Duration::from_secs(seconds.max(2)))
}

fn hosts(get: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Host>, String> {
    let names = get("hostaddr").or_else(|| get("host")).unwrap_or_else(default_host);
    let ports = get("port").unwrap_or_default();
    let ports: Vec<&str> = ports.split(',').collect();
    let host = |(at, name): (usize, &str)| {
        let text = if ports.len() == 1 { ports[0] } else { ports.get(at).copied().unwrap_or("") };
        let port = match text.trim() {
            "" => PORT,
            text => text.parse().map_err(|_| format!("`{text}` is no port"))?,
        };
        let name = if name.is_empty() { default_host() } else { name.to_owned() };
        Ok(Host { name, port })
    };
    names.split(',').enumerate().map(host).collect()
}

/// The folder of the server's socket where there is one, else this machine by name.
fn default_host() -> String {
    let there = |folder: &&str| std::path::Path::new(folder).join(".s.PGSQL.5432").exists();
    let folder = ["/var/run/postgresql", "/tmp"].into_iter().find(there);
    folder.unwrap_or("localhost").to_owned()
}

/// `postgres://user:password@host:port,host:port/database?name=value&…` as parameters.
fn read_url(text: &str) -> Result<Parameters, String> {
    let mut given = Parameters::new();
    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A password that was not written as it should be may hold a slash or an at sign.
    let (login, place) = match front.rfind('@') {
        Some(at) => (&front[..at], &front[at + 1..]),
        None => ("", front),
    };
    let (place, database) = place.split_once('/').unwrap_or((place, ""));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            given.insert(name.to_owned(), value);
        }
    };
    add("user", decoded(user)?);
    add("password", decoded(password)?);
    add("dbname", decoded(database)?);
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in place.split(',').filter(|host| !host.is_empty()) {
        let (name, port) = split_port(host);
        names.push(decoded(name)?);
        ports.push(port.to_owned());
    }
    add("host", names.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        add("port", ports.join(","));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = match name {
            "ssl" if value == "true" => {
                add("sslmode", "require".into());
                continue;
            }
            "ssl_mode" => "sslmode",
            name => name,
        };
        add(&decoded(name)?, decoded(value)?);
    }
    Ok(given)
}

/// A name and its port; IPv6 stands in brackets.
fn split_port(host: &str) -> (&str, &str) {
    if let Some(inside) = host.strip_prefix('[')
        && let Some((name, port)) = inside.split_once(']')
    {
        return (name, port.trim_start_matches(':'));
    }
    host.rsplit_once(':').unwrap_or((host, ""))
}

/// Percent signs resolved.
fn decoded(text: &str) -> Result<String, String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], byte) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (other, _) => {
                out.push(other);
                at += 1;
            }
        }
    }
    // Never the text itself: it may be a password.
    String::from_utf8(out).map_err(|_| "the address holds bytes that are not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Address, String> {
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        Address::parse(text, &Sources::of(pairs.collect()))
    }

    fn password(address: &Address) -> Option<&str> {
        address.password.as_ref().map(Password::reveal)
    }

    #[test]
    fn a_url_says_it_all_and_unknown_parameters_are_taken() {
        let text = "postgres://ann:p%40ss@h.example:6543/rolls?pgbouncer=true&sslmode=require&x=1";
        let address = parse(text, &[]).expect("valid");
        assert_eq!(address.hosts, [Host { name: "h.example".into(), port: 6543 }]);
        assert_eq!((address.user.as_str(), address.database.as_str()), ("ann", "rolls"));
        assert_eq!(password(&address), Some("p@ss"));
        assert_eq!(address.ssl, SslMode::Require);
        assert!(address.pooled);
        let shown = format!("{address} {address:?} {}", serde_json::json!(address));
        assert!(!shown.contains("p@ss"), "{shown}");
        assert_eq!(address.to_string(), "postgres://ann@h.example:6543/rolls");
    }

    #[test]
    fn a_password_with_signs_stays_a_password() {
        let address = parse("postgresql://ann:a/b@c:d@host/db", &[]).expect("valid");
        assert_eq!(password(&address), Some("a/b@c:d"));
        assert_eq!(address.hosts[0].name, "host");
    }

    #[test]
    fn several_hosts_and_ipv6() {
        let address = parse("postgres://u@[::1]:5433,b/db", &[]).expect("valid");
        let host = |name: &str, port| Host { name: name.into(), port };
        assert_eq!(address.hosts, [host("::1", 5433), host("b", 5432)]);
        assert!(address.hosts[0].is_local() && !address.hosts[1].is_local());
    }

    #[test]
    fn the_environment_fills_what_the_url_leaves_out() {
        let env = [("PGHOST", "far"), ("PGUSER", "bob"), ("PGDATABASE", "d"), ("PGPORT", "1")];
        let address = parse("postgres:", &env).expect("valid");
        assert_eq!(address.to_string(), "postgres://bob@far:1/d");
        let address = parse("postgres://ann@near", &env).expect("valid");
        assert_eq!(address.to_string(), "postgres://ann@near:1/d");
        let env = [("DATABASE_URL", "postgres://x:y@z/w"), ("PGUSER", "bob")];
        assert_eq!(parse("postgres:", &env).expect("valid").to_string(), "postgres://x@z:5432/w");
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("postgres://u@h/d?sslmode=maybe", &[]).expect_err("bad").contains("maybe"));
        assert!(parse("postgres://u@h:x/d", &[]).expect_err("bad").contains("no port"));
        let error = parse("postgres://h/d", &[]).expect_err("nobody");
        assert!(error.contains("no user"), "{error}");
    }
}
