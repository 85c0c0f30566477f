//! Values that are never shown whole: targets with a password, addresses with a token.

use std::fmt;
use std::str::FromStr;

/// Where rows go, or where that is written: `duckdb:PATH`, `env:NAME`, `file:PATH`.
///
/// A connection string may hold a password, so it is never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself, for those who connect.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether the text only says where the secret is.
    pub fn is_reference(&self) -> bool {
        self.0.starts_with("env:") || self.0.starts_with("file:")
    }
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("the value is empty".into()) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", redact(&self.0))
    }
}

/// A URL without what stands between `user:` and `@host`, and without a `password=` parameter.
pub fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return redact_parameters(text);
    };
    // A password with a slash or an at sign is not written as it should be, but must stay hidden.
    let at = rest[..rest.find('?').unwrap_or(rest.len())].rfind('@');
    let shown = match at {
        Some(at) => match rest[..at].split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***{}", &rest[at..]),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    };
    redact_parameters(&shown)
}

fn redact_parameters(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let Some(at) = lower.find("password=") else {
        return text.to_owned();
    };
    let start = at + "password=".len();
    let end = text[start..].find(['&', ' ']).map_or(text.len(), |length| start + length);
    format!("{}***{}", &text[..start], &text[end..])
}

/// A web address, which often holds a token: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook(Secret);

impl Webhook {
    /// The address itself, with `env:` and `file:` followed; `place` says where the setting stands.
    pub fn resolve(&self, env: &super::env::Env, place: &str) -> Result<String, String> {
        super::resolve::reveal(&self.0, env, place).map_err(|error| error.message)
    }
}

impl FromStr for Webhook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_reference() { write!(f, "{}", self.0) } else { f.write_str("***") }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

/// Where a secret is written, and never the secret itself: `env:NAME` or `file:PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(Secret);

impl Reference {
    /// The secret; `place` says where the setting stands.
    pub(super) fn resolve(
        &self,
        env: &super::env::Env,
        place: &str,
    ) -> Result<String, super::ConfigError> {
        super::resolve::reveal(&self.0, env, place)
    }
}

impl FromStr for Reference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let secret: Secret = text.parse()?;
        let says_where = secret.is_reference();
        says_where.then_some(Self(secret)).ok_or_else(|| {
            "say where the key is written, env:NAME or file:PATH, so that it stands in no list of \
             processes"
                .into()
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Value;

    #[test]
    fn passwords_are_never_shown() {
        assert_eq!(redact("postgres://ann:s3cret@host/db"), "postgres://ann:***@host/db");
        assert_eq!(redact("postgres://ann:p@ss/w@host/db"), "postgres://ann:***@host/db");
        assert_eq!(redact("postgres://h/db?password=x&a=b"), "postgres://h/db?password=***&a=b");
        assert_eq!(redact("host=h password=x user=u"), "host=h password=*** user=u");
        assert_eq!(redact("duckdb:a.duckdb"), "duckdb:a.duckdb");
        let secret: Secret = "postgres://ann:s3cret@host/db".parse().expect("valid");
        assert!(!format!("{secret:?} {secret} {}", secret.show()).contains("s3cret"));
        let hook: Webhook = "https://hooks.example/s3cret".parse().expect("valid");
        assert!(!format!("{hook:?} {hook} {}", hook.show()).contains("s3cret"));
    }
}
