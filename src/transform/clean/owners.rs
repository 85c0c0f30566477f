//! Owner names: what kind of owner a name is, and the owners in it.
//!
//! Words are the pack's (`owner_words`). A name of a company, a trust or an office is one owner, with
//! its `&`; a name of persons is split at `&`, `;`, ` AND `. Each part keeps its words in their order,
//! and no surname is lent to a part that has none: that would be a guess.

use super::Done;
use hashbrown::HashMap;
use std::borrow::Cow;

/// What a word or a phrase says of a name, the strongest last: `CITY OF DAVIE TRUST FUND` is an office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    /// It stands behind names of persons and is no name: `ET AL`, `H/W`.
    Role,
    Trust,
    Company,
    Government,
}

impl Says {
    fn parse(kind: &str) -> Option<Self> {
        match kind {
            "role" => Some(Self::Role),
            "trust" => Some(Self::Trust),
            "company" => Some(Self::Company),
            "government" => Some(Self::Government),
            _ => None,
        }
    }

    fn kind(self) -> Option<&'static str> {
        match self {
            Self::Role => None,
            Self::Trust => Some("trust"),
            Self::Company => Some("company"),
            Self::Government => Some("government"),
        }
    }
}

/// Words of names and what they say.
#[derive(Debug, Clone, Default)]
pub struct OwnerWords {
    /// By their first word: what follows it, and what they say together.
    phrases: HashMap<String, Vec<(Vec<String>, Says)>>,
}

/// What a name without any such word is.
const PERSON: &str = "person";
/// Most words of a role.
const ROLE_WORDS: usize = 3;

impl OwnerWords {
    /// Words and phrases with their kinds: `government`, `company`, `trust`, `role`.
    pub fn new<'a>(words: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut known = Self::default();
        for (phrase, kind) in words {
            let mut parts = split(phrase).map(str::to_ascii_uppercase);
            if let (Some(first), Some(says)) = (parts.next(), Says::parse(kind)) {
                known.phrases.entry(first).or_default().push((parts.collect(), says));
            }
        }
        known
    }

    /// `person`, `company`, `trust` or `government`; `None` where no word says anything and the name is
    /// none of a person.
    pub(super) fn kind(&self, name: &str) -> Option<&'static str> {
        let upper = upper(name);
        let words: Vec<&str> = split(&upper).collect();
        let told = (0..words.len()).flat_map(|at| self.told(&words[at..])).max();
        if let Some(kind) = told.and_then(Says::kind) {
            return Some(kind);
        }
        let plain = !upper.bytes().any(|byte| byte.is_ascii_digit());
        (words.len() >= 2 && plain).then_some(PERSON)
    }

    /// What the phrases say that these words begin with.
    fn told<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = Says> + 'a {
        let phrases = words.first().and_then(|first| self.phrases.get(*first));
        let begins = |(rest, _): &&(Vec<String>, Says)| {
            words.len() > rest.len()
                && rest.iter().zip(&words[1..]).all(|(part, word)| part == word)
        };
        phrases.into_iter().flatten().filter(begins).map(|(_, says)| *says)
    }

    /// The owners as a JSON list.
    pub(super) fn list(&self, name: &str, out: &mut String) -> Done {
        out.push('[');
        if matches!(self.kind(name), None | Some(PERSON)) {
            for part in name.split(['&', ';']).flat_map(by_and) {
                self.add(part, out);
            }
        }
        if out.as_str() == "[" {
            push_json(name.trim(), out);
        }
        out.push(']');
        Done::Changed
    }

    /// Adds a part without the words behind it that are no name.
    fn add(&self, part: &str, out: &mut String) {
        let part = part.trim().trim_matches(',').trim();
        let mut words: Vec<&str> = part.split_whitespace().collect();
        while let Some(roles) = self.roles_at_end(&words) {
            words.truncate(words.len() - roles);
        }
        if words.is_empty() {
            return;
        }
        if out.len() > 1 {
            out.push(',');
        }
        let name = words.join(" ");
        push_json(name.trim_end_matches(','), out);
    }

    /// How many of the last words are a role.
    fn roles_at_end(&self, words: &[&str]) -> Option<usize> {
        let role = |many: &usize| {
            let phrase: Vec<Cow<'_, str>> =
                words[words.len() - many..].iter().map(|word| upper(bare(word))).collect();
            let listed = self.phrases.get(&*phrase[0]).into_iter().flatten();
            let is = |(rest, says): &(Vec<String>, Says)| {
                *says == Says::Role && rest.iter().eq(phrase[1..].iter().map(|word| &**word))
            };
            listed.into_iter().any(is)
        };
        (1..=words.len().min(ROLE_WORDS)).rev().find(role)
    }
}

/// Capitals of ASCII: words of the table have no others, and every letter stays in its place.
fn upper(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => Cow::Owned(text.to_ascii_uppercase()),
        false => Cow::Borrowed(text),
    }
}

fn by_and(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(part);
    std::iter::from_fn(move || {
        let text = rest?;
        match upper(text).find(" AND ") {
            Some(at) => {
                rest = Some(&text[at + " AND ".len()..]);
                Some(&text[..at])
            }
            None => rest.take(),
        }
    })
}

/// A word without what stands around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/')
}

/// Words of a name.
fn split(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    parts.map(bare).filter(|word| !word.is_empty())
}

fn push_json(text: &str, out: &mut String) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}
