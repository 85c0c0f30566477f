//! Values that are never shown whole: targets with a password, addresses with a token.

use crate::run::TargetUrl;
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
        match text.trim() {
            "" => Err("the value is empty".into()),
            text => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_reference() {
            true => f.write_str(&self.0),
            false => f.write_str(&TargetUrl::shown(&self.0)),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({self})")
    }
}

/// Whether a target as it is written may hold a password: an address that cannot be read is taken to.
pub fn may_hold_secret(target: &str) -> bool {
    let secret = Secret(target.trim().to_owned());
    !secret.is_reference() && TargetUrl::may_hold_secret(target)
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
        let shown = |text: &str| text.parse::<Secret>().map(|secret| secret.to_string());
        for (text, without) in [
            ("postgres://ann:s3cret@host/db", "postgres://ann:***@host/db"),
            ("postgres://ann:p@ss@host/db", "postgres://ann:***@host/db"),
            ("postgres://ann:p?s#s@a:1,b/db?x=1", "postgres://***"),
            ("postgres://ann:p?s#s@a:1,b/db", "postgres://ann:***@a:1,b/db"),
            ("postgres://h/db?password=x&port=1", "postgres://:***@h:1/db"),
            ("host=h password=x user=u", "host=h password=*** user=u"),
            ("host=h password='a b' user=u", "host=h password=*** user=u"),
            ("host=h user=u", "host=h user=u"),
            ("postgres://ann@host/db", "postgres://ann@host/db"),
            (" duckdb:a.duckdb ", "duckdb:a.duckdb"),
            ("env:DATABASE_URL", "env:DATABASE_URL"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(without));
        }
        let secret: Secret = "postgres://ann:s3cret@host/db".parse().expect("valid");
        assert!(!format!("{secret:?} {secret} {}", secret.show()).contains("s3cret"));
        let hook: Webhook = "https://hooks.example/s3cret".parse().expect("valid");
        assert!(!format!("{hook:?} {hook} {}", hook.show()).contains("s3cret"));
    }
}
