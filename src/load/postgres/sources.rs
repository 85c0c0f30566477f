//! What surrounds an address: variables, the password file and the service file of libpq.
//!
//! The variables are handed in; nothing here asks the environment. A password file that others may
//! read is not used, as libpq has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Environment variables, and through them the files they name.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    variables: BTreeMap<String, String>,
}

/// A file that was read, or that is not there.
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// Its text; empty where there is none.
    pub text: String,
}

impl Sources {
    /// From the environment as somebody else has read it.
    pub fn of(variables: BTreeMap<String, String>) -> Self {
        Self { variables }
    }

    /// A variable that says something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The user of this machine.
    pub fn system_user(&self) -> Option<String> {
        let names = ["USER", "LOGNAME", "USERNAME"];
        names.iter().find_map(|name| self.variable(name)).map(str::to_owned)
    }

    /// The service file: as `PGSERVICEFILE` says, else the user's own.
    pub fn service_file(&self) -> Found {
        let path = match self.variable("PGSERVICEFILE") {
            Some(path) => PathBuf::from(path),
            None => self.personal(".pg_service.conf", ".pg_service.conf"),
        };
        self.service_file_at(path)
    }

    /// A service file that is named.
    pub fn service_file_at(&self, path: PathBuf) -> Found {
        let text = fs::read_to_string(&path).unwrap_or_default();
        Found { path, text }
    }

    /// The text of the password file, where there is one that nobody else may read.
    pub fn password_file(&self, named: Option<&str>) -> Option<String> {
        let path = named.map_or_else(|| self.personal(".pgpass", "pgpass.conf"), PathBuf::from);
        is_private(&path).then(|| fs::read_to_string(&path).ok()).flatten()
    }

    /// A file in the home folder, or in PostgreSQL's folder of the application data on Windows.
    fn personal(&self, unix: &str, windows: &str) -> PathBuf {
        match (self.variable("HOME"), self.variable("APPDATA")) {
            (Some(home), _) if cfg!(not(windows)) => Path::new(home).join(unix),
            (_, Some(data)) => Path::new(data).join("postgresql").join(windows),
            (home, None) => Path::new(home.unwrap_or(".")).join(unix),
        }
    }
}

#[cfg(unix)]
fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_private(path: &Path) -> bool {
    path.is_file()
}

/// The password that a password file has: lines `host:port:database:user:password`, where `*` is any
/// and a backslash takes the meaning off the next sign. The first line that fits counts.
pub fn password_in(
    text: &str,
    host: &str,
    port: u16,
    database: &str,
    user: &str,
) -> Option<String> {
    let wanted = [host, &port.to_string(), database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let (password, place) = fields.split_last().filter(|(_, place)| place.len() == 4)?;
        let fits = |(field, wanted): (&String, &&str)| field == "*" || field == wanted;
        place.iter().zip(&wanted).all(fits).then(|| password.clone())
    })
}

/// At most five fields of a line; the last one may hold colons only behind a backslash.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut signs = line.chars();
    while let Some(sign) = signs.next() {
        let last = fields.len() - 1;
        match sign {
            '\\' => fields[last].extend(signs.next()),
            ':' if fields.len() < 5 => fields.push(String::new()),
            sign => fields[last].push(sign),
        }
    }
    fields
}

/// The parameters of a service: a section `[name]` with lines `parameter=value`.
pub fn service_in(text: &str, service: &str) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = name == service && found.is_none();
            if inside {
                found = Some(BTreeMap::new());
            }
        } else if let (true, Some((name, value)), Some(found)) =
            (inside && !line.starts_with('#'), line.split_once('='), &mut found)
        {
            found.insert(name.trim().to_owned(), value.trim().to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let text = "# note\nh:5432:d:other:no\n*:*:d:ann:a\\:b\\\\c\n*:*:*:*:late\n";
        assert_eq!(password_in(text, "h", 5432, "d", "ann").as_deref(), Some("a:b\\c"));
        assert_eq!(password_in(text, "h", 1, "x", "bob").as_deref(), Some("late"));
        assert_eq!(password_in("h:5432:d:ann", "h", 5432, "d", "ann"), None);
    }

    #[test]
    fn a_service_is_a_section() {
        let text = "[a]\nhost=x\n# y=z\n[b]\nhost = far\nport=1\n[b]\nport=2\n";
        let service = service_in(text, "b").expect("there");
        assert_eq!(service.get("host").map(String::as_str), Some("far"));
        assert_eq!(service.get("port").map(String::as_str), Some("1"));
        assert!(service_in(text, "c").is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_password_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pass");
        fs::write(&path, "*:*:*:*:x").expect("writable");
        let named = path.to_str().expect("plain");
        let sources = Sources::default();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        assert_eq!(sources.password_file(Some(named)), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        assert_eq!(sources.password_file(Some(named)).as_deref(), Some("*:*:*:*:x"));
    }
}
