//! Steps of cleaning: each takes a text and gives the same, another, or none.

use super::{address::AddressWords, owners::OwnerWords, zip};
use hashbrown::HashMap;
use regex::bytes::{Regex, RegexBuilder};
use std::sync::Arc;

/// What a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The text is as it should be.
    Same,
    /// The text in the buffer is.
    Changed,
    /// There is no value.
    Blank,
}

/// One step. Buffers are empty when a step begins.
#[derive(Debug, Clone)]
pub enum Step {
    /// Runs of blanks become one; none at the ends.
    Squeeze,
    /// Texts that mean "no value", compared without regard to case.
    Nulls(Vec<String>),
    /// Text for text.
    Replace(Replacement),
    /// Upper or lower case, or capitals at the beginning of words.
    Case(Letters),
    /// Filled up to a width.
    Pad {
        /// Characters.
        width: usize,
        /// With what.
        with: char,
        /// On the right side.
        right: bool,
    },
    /// ZIP codes: five digits, with four more behind a hyphen where `plus4`.
    Zip {
        /// Keep the four digits behind the five.
        plus4: bool,
    },
    /// States by their two letters.
    State(Arc<States>),
    /// Addresses as the postal service writes them.
    Address(Arc<AddressWords>),
    /// The owners in a name, as a JSON list.
    Owners(Arc<OwnerWords>),
    /// What kind of owner a name is.
    OwnerKind(Arc<OwnerWords>),
}

/// Letters of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letters {
    /// ALL CAPITALS.
    Upper,
    /// none.
    Lower,
    /// The First Of Each Word.
    Title,
}

/// What is put in the place of what.
#[derive(Debug, Clone)]
pub struct Replacement {
    find: Find,
    with: String,
}

#[derive(Debug, Clone)]
enum Find {
    Text(String),
    Pattern(Regex),
}

impl Replacement {
    /// Text for text.
    pub fn text(find: &str, with: &str) -> Self {
        Self { find: Find::Text(find.to_owned()), with: with.to_owned() }
    }

    /// Text for what a pattern finds; `$1` stands for its first group.
    pub fn pattern(pattern: &str, with: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(pattern).unicode(false).build();
        let regex = regex.map_err(|error| error.to_string())?;
        Ok(Self { find: Find::Pattern(regex), with: with.to_owned() })
    }

    fn apply(&self, text: &str, out: &mut String) -> Done {
        match &self.find {
            Find::Text(find) if text.contains(find.as_str()) => {
                let mut rest = text;
                while let Some((before, after)) = rest.split_once(find.as_str()) {
                    out.push_str(before);
                    out.push_str(&self.with);
                    rest = after;
                }
                out.push_str(rest);
            }
            Find::Pattern(regex) if regex.is_match(text.as_bytes()) => {
                let made = regex.replace_all(text.as_bytes(), self.with.as_bytes());
                // A pattern of bytes can cut a character in two: such a text stays.
                let Ok(made) = std::str::from_utf8(&made) else { return Done::Same };
                out.push_str(made);
            }
            _ => return Done::Same,
        }
        outcome(text, out)
    }
}

/// Spellings of states.
#[derive(Debug, Clone, Default)]
pub struct States {
    codes: HashMap<String, String>,
}

impl States {
    /// Spellings with their codes; case, full stops and blanks do not matter.
    pub fn new<'a>(spellings: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let pair = |(spelling, code): (&str, &str)| (normal(spelling), code.to_owned());
        Self { codes: spellings.map(pair).collect() }
    }

    /// The code of a spelling; what is no state stays, never cut to two letters.
    fn apply(&self, text: &str, out: &mut String) -> Done {
        match self.codes.get(text).or_else(|| self.codes.get(&normal(text))) {
            Some(code) if code != text => {
                out.push_str(code);
                Done::Changed
            }
            _ => Done::Same,
        }
    }
}

fn normal(text: &str) -> String {
    let text = text.replace('.', "").to_uppercase();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Step {
    /// Name in findings and configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Squeeze => "squeezed",
            Self::Nulls(_) => "nulled",
            Self::Replace(_) => "replaced",
            Self::Case(_) => "case",
            Self::Pad { .. } => "filled",
            Self::Zip { .. } => "zip",
            Self::State(_) => "state",
            Self::Address(_) => "address",
            Self::Owners(_) => "owners",
            Self::OwnerKind(_) => "owner_kind",
        }
    }

    /// What has been done to a column, in words.
    pub(super) fn told(&self) -> &'static str {
        match self {
            Self::Squeeze => "held runs of blanks, which became one",
            Self::Nulls(_) => "held a text that means no value",
            Self::Replace(_) => "held a text that was replaced",
            Self::Case(_) => "was written in another case",
            Self::Pad { .. } => "was filled up to its width",
            Self::Zip { .. } => "was written as a ZIP code",
            Self::State(_) => "became the code of the state",
            Self::Address(_) => "was written as the postal service writes addresses",
            Self::Owners(_) => "became the list of its owners",
            Self::OwnerKind(_) => "became the kind of the owner",
        }
    }

    /// Takes a text through the step.
    pub fn apply(&self, text: &str, out: &mut String) -> Done {
        match self {
            Self::Squeeze => squeeze(text, out),
            Self::Nulls(tokens) => {
                let blank = tokens.iter().any(|token| token.eq_ignore_ascii_case(text));
                if blank { Done::Blank } else { Done::Same }
            }
            Self::Replace(replacement) => replacement.apply(text, out),
            Self::Case(letters) => letters.apply(text, out),
            Self::Pad { width, with, right } => pad(text, *width, *with, *right, out),
            Self::Zip { plus4 } => zip::apply(text, *plus4, out),
            Self::State(states) => states.apply(text, out),
            Self::Address(words) => words.apply(text, out),
            Self::Owners(words) => words.list(text, out),
            Self::OwnerKind(words) => match words.kind(text) {
                None => Done::Blank,
                Some(kind) => {
                    out.push_str(kind);
                    Done::Changed
                }
            },
        }
    }
}

fn outcome(before: &str, after: &str) -> Done {
    match after {
        "" => Done::Blank,
        same if same == before => Done::Same,
        _ => Done::Changed,
    }
}

/// Whether there is nothing but visible ASCII with single blanks between: most texts, told by one look.
pub(super) fn is_tight(text: &str) -> bool {
    let mut blank = true;
    for byte in text.bytes() {
        match byte {
            b' ' if blank => return false,
            b' ' => blank = true,
            0x21..=0x7e => blank = false,
            _ => return false,
        }
    }
    !blank
}

fn squeeze(text: &str, out: &mut String) -> Done {
    if is_tight(text) {
        return Done::Same;
    }
    let blank = |byte: u8| byte == b' ' || byte.is_ascii_control();
    let bytes = text.as_bytes();
    let runs = bytes.windows(2).any(|two| blank(two[0]) && blank(two[1]));
    let ends = bytes.first().is_some_and(|byte| blank(*byte));
    let ends = ends || bytes.last().is_some_and(|byte| blank(*byte));
    let controls = || bytes.iter().any(u8::is_ascii_control);
    if !(runs || ends || controls() || text.contains('\u{a0}')) {
        return Done::Same;
    }
    for word in text.split(|c: char| c.is_whitespace() || c.is_ascii_control()) {
        if !word.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    outcome(text, out)
}

impl Letters {
    fn apply(self, text: &str, out: &mut String) -> Done {
        let settled = match self {
            Self::Upper => text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_lowercase()),
            Self::Lower => text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
            Self::Title => false,
        };
        if settled {
            return Done::Same;
        }
        match self {
            Self::Upper => out.extend(text.chars().flat_map(char::to_uppercase)),
            Self::Lower => out.extend(text.chars().flat_map(char::to_lowercase)),
            Self::Title => {
                let mut inside = false;
                for c in text.chars() {
                    match inside {
                        true => out.extend(c.to_lowercase()),
                        false => out.extend(c.to_uppercase()),
                    }
                    inside = c.is_alphanumeric() || c == '\'';
                }
            }
        }
        outcome(text, out)
    }
}

fn pad(text: &str, width: usize, with: char, right: bool, out: &mut String) -> Done {
    let have = text.chars().count();
    if have >= width {
        return Done::Same;
    }
    let fill = std::iter::repeat_n(with, width - have);
    if right {
        out.push_str(text);
        out.extend(fill);
    } else {
        out.extend(fill);
        out.push_str(text);
    }
    Done::Changed
}
