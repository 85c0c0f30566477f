//! How a value is masked.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A way of masking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Masking {
    /// `#` and 32 hex digits that only the same key gives for the same text: rows of one owner stay
    /// together, also across columns and tables.
    Hash,
    /// The first character of each word: `S*** J***`.
    Partial,
    /// The column stays and is empty.
    Null,
    /// The column is not loaded.
    Drop,
}

/// What a hash begins with.
const MARK: char = '#';
/// Hex digits of a hash.
const DIGITS: usize = 32;
/// What stands for the rest of a word.
const REST: &str = "***";

impl Masking {
    /// In plain words.
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Hash => "hashes",
            Self::Partial => "shortens",
            Self::Null => "empties",
            Self::Drop => "leaves out",
        }
    }

    /// Whether it makes a text of a text.
    pub fn needs_text(self) -> bool {
        matches!(self, Self::Hash | Self::Partial)
    }

    /// The masked text; `None`: no value is left. What is masked already stays.
    pub(super) fn masked(self, text: &str, key: Option<&MaskKey>) -> Option<String> {
        let text = text.trim();
        match self {
            _ if text.is_empty() => None,
            Self::Null | Self::Drop => None,
            Self::Partial => Some(partial(text)),
            Self::Hash if is_hash(text) => Some(text.to_owned()),
            // A run without a key is refused before it begins; no value may slip through all the same.
            Self::Hash => key.map(|key| key.hash(text)),
        }
    }
}

impl FromStr for Masking {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "hash" => Ok(Self::Hash),
            "partial" => Ok(Self::Partial),
            "null" => Ok(Self::Null),
            "drop" => Ok(Self::Drop),
            _ => Err(format!("`{text}` is no way to mask; use hash, partial, null or drop")),
        }
    }
}

fn is_hash(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix(MARK).is_some_and(|rest| rest.len() == DIGITS && rest.bytes().all(hex))
}

fn partial(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !masked.is_empty() {
            masked.push(' ');
        }
        masked.extend(word.chars().next());
        masked.push_str(REST);
    }
    masked
}

/// The key of hashes. Without it they cannot be reversed by hashing all names of a telephone book.
#[derive(Clone, PartialEq, Eq)]
pub struct MaskKey([u8; 32]);

impl MaskKey {
    /// The key that a secret stands for.
    pub fn new(secret: &str) -> Self {
        Self(blake3::derive_key("etl 2026-11-21 masked values", secret.as_bytes()))
    }

    /// Tells keys apart without telling them: part of what identifies a load.
    pub fn id(&self) -> String {
        blake3::keyed_hash(&self.0, b"id").to_hex()[..DIGITS].to_owned()
    }

    fn hash(&self, text: &str) -> String {
        let hash = blake3::keyed_hash(&self.0, text.as_bytes()).to_hex();
        format!("{MARK}{}", &hash[..DIGITS])
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(***)")
    }
}
