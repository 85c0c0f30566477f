//! Owner names: what kind of owner a name is, and the owners in it.
//!
//! Words are the pack's (`owner_words`). A name of a company, a trust or an office is one owner, with
//! its `&`; a name of persons is split at `&`, `;`, ` AND `. Each part keeps its words in their order,
//! and no surname is lent to a part that has none: that would be a guess.

use super::Done;
use hashbrown::HashMap;

/// Words of names and what they say.
#[derive(Debug, Clone, Default)]
pub struct OwnerWords {
    kinds: HashMap<String, String>,
    /// Phrases of several words, longest first.
    phrases: Vec<(Vec<String>, String)>,
}

/// Kind of a word that stands behind names of persons and is no name: `ET AL`, `H/W`.
const ROLE: &str = "role";
/// Kinds of owners, the strongest first: `CITY OF DAVIE TRUST FUND` is an office.
const STRONGEST: [&str; 3] = ["government", "company", "trust"];
/// What a name without any such word is.
const PERSON: &str = "person";

impl OwnerWords {
    /// Words and phrases with their kinds.
    pub fn new<'a>(words: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let mut known = Self::default();
        for (word, kind) in words {
            let parts: Vec<String> = split(word).map(str::to_uppercase).collect();
            match parts.as_slice() {
                [one] => {
                    known.kinds.insert(one.clone(), kind.to_owned());
                }
                _ => known.phrases.push((parts, kind.to_owned())),
            }
        }
        known.phrases.sort_by_key(|(parts, _)| std::cmp::Reverse(parts.len()));
        known
    }

    /// `person`, `company`, `trust` or `government`; `None` where no word says anything and the name is
    /// none of a person.
    pub(super) fn kind(&self, name: &str) -> Option<&str> {
        let upper = name.to_uppercase();
        let words: Vec<&str> = split(&upper).collect();
        let told = |kind: &&&str| self.says(&words, kind);
        if let Some(kind) = STRONGEST.iter().find(told) {
            return Some(kind);
        }
        let plain = words.iter().all(|word| !word.bytes().any(|byte| byte.is_ascii_digit()));
        let several = words.len() >= 2;
        (several && plain).then_some(PERSON)
    }

    fn says(&self, words: &[&str], kind: &str) -> bool {
        let word = |word: &&str| self.kinds.get(*word).is_some_and(|known| known == kind);
        let phrase = |(parts, known): &(Vec<String>, String)| {
            known == kind && words.windows(parts.len()).any(|some| some == parts.as_slice())
        };
        words.iter().any(word) || self.phrases.iter().any(phrase)
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
        let role = |phrase: &[&str]| {
            let phrase: Vec<String> = phrase.iter().map(|word| bare(word).to_uppercase()).collect();
            match phrase.as_slice() {
                [one] => self.kinds.get(one).is_some_and(|kind| kind == ROLE),
                _ => self.phrases.iter().any(|(parts, kind)| kind == ROLE && *parts == phrase),
            }
        };
        (1..=words.len().min(3)).rev().find(|many| role(&words[words.len() - many..]))
    }
}

fn by_and(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(part);
    std::iter::from_fn(move || {
        let text = rest?;
        let upper = text.to_ascii_uppercase();
        match upper.find(" AND ") {
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

/// Words of a name: full stops go, so that `L.L.C.` is `LLC` where it is a word of its own.
fn split(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    parts.map(bare).filter(|word| !word.is_empty())
}

fn push_json(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
