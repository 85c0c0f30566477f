//! Owner names: what kind of owner a name is, and the owners in it.
//!
//! Words are the pack's (`owner_words`). A name of a company, a trust or an office is one owner, with
//! its `&`; a name of persons is split at `&`, `;`, ` AND `. Each part keeps its words in their order,
//! and no surname is lent to a part that has none: that would be a guess.

use super::Done;
use super::steps::is_tight;
use super::words::{Filter, bare, words};
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
    firsts: Filter,
}

/// What a name without any such word is.
const PERSON: &str = "person";
/// Most words of a role.
const ROLE_WORDS: usize = 3;

impl OwnerWords {
    /// Words and phrases with their kinds: `government`, `company`, `trust`, `role`.
    pub fn new<'a>(listed: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut known = Self::default();
        for (phrase, kind) in listed {
            let mut parts = words(phrase).map(str::to_ascii_uppercase);
            if let (Some(first), Some(says)) = (parts.next(), Says::parse(kind)) {
                known.firsts.add(&first);
                known.phrases.entry(first).or_default().push((parts.collect(), says));
            }
        }
        known
    }

    /// `person`, `company`, `trust` or `government`; `None` where no word says anything and the name is
    /// none of a person.
    pub(super) fn kind(&self, name: &str) -> Option<&'static str> {
        let upper = upper(name);
        let words: Vec<&str> = words(&upper).collect();
        let told = (0..words.len()).flat_map(|at| self.told(&words[at..])).max();
        if let Some(kind) = told.and_then(Says::kind) {
            return Some(kind);
        }
        let plain = !upper.bytes().any(|byte| byte.is_ascii_digit());
        (words.len() >= 2 && plain).then_some(PERSON)
    }

    /// The phrases that begin with a word, by what follows it.
    fn beginning(&self, first: &str) -> Option<&Vec<(Vec<String>, Says)>> {
        self.firsts.may_hold(first).then(|| self.phrases.get(first))?
    }

    /// What the phrases say that these words begin with.
    fn told<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = Says> + 'a {
        let phrases = words.first().and_then(|first| self.beginning(first));
        let begins = |(rest, _): &&(Vec<String>, Says)| {
            words.len() > rest.len()
                && rest.iter().zip(&words[1..]).all(|(part, word)| part == word)
        };
        phrases.into_iter().flatten().filter(begins).map(|(_, says)| *says)
    }

    /// The owners as a JSON list; none where there is one, and the name is just that.
    pub(super) fn list(&self, name: &str, out: &mut String) -> Done {
        if self.is_one(name) {
            return Done::Blank;
        }
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
        let only = out.strip_prefix("[\"").and_then(|list| list.strip_suffix("\"]"));
        if only == Some(name.trim()) { Done::Blank } else { Done::Changed }
    }

    /// Whether a name is that of one owner for certain, whatever kind of owner, and stands as it would be
    /// listed.
    fn is_one(&self, name: &str) -> bool {
        let parts = memchr::memchr2(b'&', b';', name.as_bytes()).is_some()
            || memchr::memmem::find(upper(name).as_bytes(), b" AND ").is_some();
        if parts || !is_tight(name) || name.starts_with(',') || name.ends_with(',') {
            return false;
        }
        // A role has few words.
        let mut last = name.rsplit(' ').take(ROLE_WORDS).collect::<Vec<_>>();
        last.reverse();
        self.roles_at_end(&last).is_none()
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
        // As it stands, where single blanks are between all its words.
        let tight = words.iter().map(|word| word.len() + 1).sum::<usize>() == part.len() + 1;
        match tight && part.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            true => push_json(part.trim_end_matches(','), out),
            false => push_json(words.join(" ").trim_end_matches(','), out),
        }
    }

    /// How many of the last words are a role.
    fn roles_at_end(&self, words: &[&str]) -> Option<usize> {
        let role = |many: &usize| {
            let (first, follow) = words[words.len() - many..].split_first().unwrap_or((&"", &[]));
            let listed = self.beginning(&upper(bare(first)));
            let is = |(rest, says): &(Vec<String>, Says)| {
                *says == Says::Role
                    && rest.len() == follow.len()
                    && rest.iter().zip(follow).all(|(part, word)| *part == *upper(bare(word)))
            };
            listed.is_some_and(|listed| listed.iter().any(is))
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
        match memchr::memmem::find(upper(text).as_bytes(), b" AND ") {
            Some(at) => {
                rest = Some(&text[at + " AND ".len()..]);
                Some(&text[..at])
            }
            None => rest.take(),
        }
    })
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
