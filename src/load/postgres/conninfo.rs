//! The two forms in which libpq takes an address, as parameters: `postgres://…` and `host=… user=…`.
//!
//! What cannot be read may be a password that was not written as it should be. So no error repeats
//! any part of the text; the name of a parameter is told only where it cannot belong to a password.

use std::collections::BTreeMap;

/// Parameters by their names.
pub type Parameters = BTreeMap<String, String>;

/// What is done with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It decides where and how to connect.
    Used,
    /// The same, and its value is never shown.
    Secret,
    /// It changes nothing for this program: tuning, or something that another client wants to know.
    Idle,
    /// Leaving it out in silence would connect otherwise than was asked for.
    Unsupported,
}

use Meaning::{Idle, Secret, Unsupported, Used};

/// Every parameter that may stand in an address: those of libpq, `schema`, and those that hosted
/// databases write into the addresses they give out.
const KNOWN: [(&str, Meaning); 68] = [
    ("host", Used),
    ("hostaddr", Used),
    ("port", Used),
    ("dbname", Used),
    ("user", Used),
    ("password", Secret),
    ("passfile", Used),
    ("service", Used),
    ("servicefile", Used),
    ("schema", Used),
    ("options", Used),
    ("application_name", Used),
    ("fallback_application_name", Used),
    ("connect_timeout", Used),
    ("sslmode", Used),
    ("sslrootcert", Used),
    ("target_session_attrs", Used),
    ("load_balance_hosts", Used),
    ("channel_binding", Used),
    ("gssencmode", Used),
    ("pgbouncer", Used),
    ("sslpassword", Secret),
    ("scram_client_key", Secret),
    ("scram_server_key", Secret),
    ("oauth_client_secret", Secret),
    ("client_encoding", Idle),
    ("keepalives", Idle),
    ("keepalives_idle", Idle),
    ("keepalives_interval", Idle),
    ("keepalives_count", Idle),
    ("tcp_user_timeout", Idle),
    ("sslcompression", Idle),
    ("sslsni", Idle),
    ("gssdelegation", Idle),
    ("gsslib", Idle),
    ("krbsrvname", Idle),
    ("min_protocol_version", Idle),
    ("max_protocol_version", Idle),
    ("tty", Idle),
    ("authtype", Idle),
    ("requiressl", Unsupported),
    ("sslcert", Unsupported),
    ("sslkey", Unsupported),
    ("sslkeylogfile", Unsupported),
    ("sslcertmode", Unsupported),
    ("sslcrl", Unsupported),
    ("sslcrldir", Unsupported),
    ("sslnegotiation", Unsupported),
    ("ssl_min_protocol_version", Unsupported),
    ("ssl_max_protocol_version", Unsupported),
    ("requirepeer", Unsupported),
    ("require_auth", Unsupported),
    ("replication", Unsupported),
    ("oauth_issuer", Unsupported),
    ("oauth_client_id", Unsupported),
    ("oauth_scope", Unsupported),
    ("connection_limit", Idle),
    ("pool_timeout", Idle),
    ("socket_timeout", Idle),
    ("max_idle_connection_lifetime", Idle),
    ("statement_cache_size", Idle),
    ("prepared_statement_cache_size", Idle),
    ("prepareThreshold", Idle),
    ("prepare_threshold", Idle),
    ("prepared_statements", Idle),
    ("uselibpqcompat", Idle),
    ("supa", Idle),
    ("pool_mode", Idle),
];

/// What a parameter means; `None`: nobody knows it.
pub fn meaning(name: &str) -> Option<Meaning> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
}

/// What to do about a password that cannot be read where it stands.
const ELSEWHERE: &str = "write the signs ? # @ / : % of a password as %3F %23 %40 %2F %3A %25, or keep \
    it out of the address: PGPASSWORD, .pgpass, or the whole address in a variable (--to env:NAME)";

/// Why an address cannot be read. It holds no part of the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl Unreadable {
    /// With an advice of its own.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }

    /// Where signs of a password may be the reason.
    pub fn signs(message: impl Into<String>) -> Self {
        Self::new(message, ELSEWHERE)
    }
}

/// The part of a text behind `postgres:` or `postgresql:`, in capitals or not.
fn behind_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let known = ["postgres", "postgresql"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    known.then_some(rest)
}

/// Whether a text is an address: a URI, or pairs of which one begins with a parameter's name. A name of
/// a file that holds an equals sign is none.
pub fn is_meant(text: &str) -> bool {
    behind_scheme(text.trim()).is_some() || has_pairs(text)
}

fn has_pairs(text: &str) -> bool {
    text.match_indices('=').any(|(at, _)| {
        let name = text[..at].split_whitespace().next_back().unwrap_or_default();
        meaning(name).is_some_and(|meaning| meaning != Idle)
    })
}

/// Reads either form.
pub fn read(text: &str) -> Result<Parameters, Unreadable> {
    let text = text.trim();
    let given = match behind_scheme(text) {
        Some(rest) => uri(rest.strip_prefix("//").unwrap_or(rest))?,
        None => pairs(text)?,
    };
    if given.values().any(|value| value.contains('\0')) {
        return Err(Unreadable::signs("it holds a NUL character"));
    }
    for port in given.get("port").map(String::as_str).unwrap_or_default().split(',') {
        port_of(port)?;
    }
    Ok(given)
}

/// A port; `None` where it is left open.
pub fn port_of(text: &str) -> Result<Option<u16>, Unreadable> {
    match text.trim() {
        "" => Ok(None),
        text => text.parse().ok().filter(|port| *port > 0).map(Some).ok_or_else(|| {
            Unreadable::signs("the port behind a host is no number from 1 to 65535")
        }),
    }
}

/// Whether a text is shown without changing it: it is read as an address and holds no secret.
pub fn is_open(text: &str) -> bool {
    let secret = |name: &String| meaning(name) == Some(Secret);
    read(text).is_ok_and(|given| !given.keys().any(secret))
}

/// An address as it may be shown: without its secrets, and where it cannot be read, none of it.
pub fn shown(text: &str) -> String {
    let text = text.trim();
    let Ok(mut given) = read(text) else { return "postgres://***".into() };
    if is_open(text) {
        return text.to_owned();
    }
    for (name, value) in &mut given {
        if meaning(name) == Some(Secret) {
            *value = "***".into();
        }
    }
    if behind_scheme(text).is_none() {
        let pairs: Vec<_> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
        return pairs.join(" ");
    }
    let mut take = |name: &str| given.remove(name).unwrap_or_default();
    let (user, password) = (take("user"), take("password"));
    let (hosts, ports, database) = (take("host"), take("port"), take("dbname"));
    let mut out = String::from("postgres://");
    out.push_str(&user);
    if !password.is_empty() {
        out.push_str(":***");
    }
    if !user.is_empty() || !password.is_empty() {
        out.push('@');
    }
    let ports: Vec<_> = ports.split(',').collect();
    let place = |(at, host): (usize, &str)| match ports.get(at) {
        Some(port) if !port.is_empty() => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    out.push_str(&hosts.split(',').enumerate().map(place).collect::<Vec<_>>().join(","));
    if !database.is_empty() {
        out.push_str(&format!("/{database}"));
    }
    let rest: Vec<_> = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if !rest.is_empty() {
        out.push_str(&format!("?{}", rest.join("&")));
    }
    out
}

/// Reads `user:password@host:port,host:port/database?name=value&…`.
fn uri(rest: &str) -> Result<Parameters, Unreadable> {
    let mut given = Parameters::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            given.insert(name.to_owned(), value);
        }
    };
    // As libpq has it: a user comes before the first slash, whatever else its password holds.
    let login_end = rest.find(['@', '/']).filter(|at| rest[*at..].starts_with('@'));
    let behind = login_end.map_or(0, |at| at + 1);
    let place_end = rest[behind..].find(['/', '?']).map_or(rest.len(), |at| behind + at);
    // No host has an at sign in its name: the last one ends the password.
    let login_end = rest[behind..place_end].rfind('@').map(|at| behind + at).or(login_end);
    let login = &rest[..login_end.unwrap_or(0)];
    let place = &rest[login_end.map_or(0, |at| at + 1)..place_end];
    let (database, query) = match rest[place_end..].strip_prefix('/') {
        Some(path) => path.split_once('?').unwrap_or((path, "")),
        None => ("", rest[place_end..].strip_prefix('?').unwrap_or("")),
    };
    if database.contains('@') {
        return Err(Unreadable::signs(
            "an @ stands behind the / of the database: it is not clear which part is the password",
        ));
    }
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    add("user", decoded(user)?);
    add("password", decoded(password)?);
    let (names, ports) = places(place)?;
    add("host", names);
    add("port", ports);
    add("dbname", decoded(database)?);
    for (name, value) in query_pairs(query)? {
        add(&name, value);
    }
    Ok(given)
}

/// Hosts and ports of `host:port,[address]:port`, each joined by commas.
fn places(text: &str) -> Result<(String, String), Unreadable> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in text.split(',') {
        let (name, port) = split_port(host)?;
        names.push(decoded(name)?);
        ports.push(decoded(port)?);
    }
    // Nothing but a port leaves the host to the environment.
    let joined = |parts: &[String]| match parts.iter().all(String::is_empty) {
        true => String::new(),
        false => parts.join(","),
    };
    Ok((joined(&names), joined(&ports)))
}

/// A name and its port; IPv6 stands in brackets.
fn split_port(host: &str) -> Result<(&str, &str), Unreadable> {
    let Some(inside) = host.strip_prefix('[') else {
        return Ok(host.split_once(':').unwrap_or((host, "")));
    };
    let wrong = |what: &str| Err(Unreadable::signs(what));
    match inside.split_once(']') {
        None => wrong("an IPv6 address begins with [ and has no ] at its end"),
        Some(("", _)) => wrong("an IPv6 address in [ ] is empty"),
        Some((name, "")) => Ok((name, "")),
        Some((name, rest)) => match rest.strip_prefix(':') {
            Some(port) => Ok((name, port)),
            None => wrong("behind the ] of an IPv6 address stands neither : nor /"),
        },
    }
}

/// The pairs behind the question mark.
fn query_pairs(query: &str) -> Result<Vec<(String, String)>, Unreadable> {
    let mut pairs = Vec::new();
    if query.is_empty() {
        return Ok(pairs);
    }
    // A raw ? or & of a password makes parameters of what is behind it.
    let mut doubtful = query.contains('@');
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or_else(|| {
            Unreadable::signs("behind the ? stands a parameter without = and a value")
        })?;
        let (name, value) = (decoded(name)?, decoded(value)?);
        let name = match name.as_str() {
            "ssl" if value == "true" => {
                pairs.push(("sslmode".into(), "require".into()));
                continue;
            }
            "ssl_mode" => "sslmode".to_owned(),
            "currentSchema" => "schema".to_owned(),
            "ApplicationName" => "application_name".to_owned(),
            _ => name,
        };
        check(&name, &value, doubtful)?;
        doubtful |= meaning(&name) == Some(Secret);
        pairs.push((name, value));
    }
    Ok(pairs)
}

/// Refuses a parameter that nobody knows, and one that cannot be fulfilled. Where its name may be a part
/// of a password (`doubtful`), it is not told.
pub fn check(name: &str, value: &str, doubtful: bool) -> Result<(), Unreadable> {
    match meaning(name) {
        // As in libpq, an empty value is none.
        Some(_) if value.is_empty() => Ok(()),
        Some(Unsupported) => Err(Unreadable::new(
            format!("the parameter {name} is known to libpq, but etl cannot do what it asks for"),
            "leave it out; sslmode, sslrootcert, user and password decide how etl gets in",
        )),
        // Certificates of the client, keys in the place of passwords, and OAuth.
        Some(Secret) if name != "password" => Err(Unreadable::new(
            format!("the parameter {name} is known to libpq, but etl cannot use it"),
            "leave it out: etl gets in by a password (SCRAM, MD5, plain), or without one",
        )),
        Some(_) => Ok(()),
        None => {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            if doubtful || name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
                return Err(Unreadable::signs("a parameter of the address is not known"));
            }
            Err(Unreadable::new(
                format!("the parameter {name} is not known"),
                "the parameters of libpq are known, and schema=NAME; they are written in small letters",
            ))
        }
    }
}

/// Reads `name = value …`; a value with blanks stands in single quotes, and a backslash takes the meaning
/// off a quote, a backslash or a blank.
fn pairs(text: &str) -> Result<Parameters, Unreadable> {
    let quotes = "a value with blanks or quotes stands in single quotes, in which \\' is a quote and \
                  \\\\ a backslash: password='it\\'s'; PGPASSWORD and .pgpass need none of that";
    let wrong = |what: &str| Unreadable::new(what, quotes);
    let mut given = Parameters::new();
    let mut rest = text.trim_start();
    let mut doubtful = false;
    while !rest.is_empty() {
        let end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let name = &rest[..end];
        let Some(behind) = rest[end..].trim_start().strip_prefix('=') else {
            return Err(wrong("a word stands there without = and a value"));
        };
        let (value, behind) =
            value(behind.trim_start()).ok_or_else(|| wrong("a quote is not closed"))?;
        check(name, &value, doubtful).map_err(|error| {
            match doubtful && meaning(name).is_none() {
                true => wrong("behind the password stands something that is no parameter"),
                false => error,
            }
        })?;
        doubtful |= meaning(name) == Some(Secret);
        if !value.is_empty() {
            given.insert(name.to_owned(), value);
        }
        rest = behind.trim_start();
    }
    Ok(given)
}

/// The first value of a text, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let (quoted, text) = match text.strip_prefix('\'') {
        Some(inside) => (true, inside),
        None => (false, text),
    };
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '\\' => value.extend(signs.next().map(|(_, sign)| sign)),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            sign if !quoted && sign.is_whitespace() => return Some((value, &text[at..])),
            sign => value.push(sign),
        }
    }
    (!quoted).then_some((value, ""))
}

/// Percent signs resolved.
fn decoded(text: &str) -> Result<String, Unreadable> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(Unreadable::signs("a % is not followed by two hexadecimal digits"));
        };
        let byte = u8::try_from(high * 16 + low).unwrap_or_default();
        if byte == 0 {
            return Err(Unreadable::signs("%00 cannot stand in an address"));
        }
        out.push(byte);
    }
    String::from_utf8(out).map_err(|_| Unreadable::signs("it holds bytes that are not UTF-8"))
}

#[cfg(test)]
#[path = "conninfo_tests.rs"]
mod tests;
