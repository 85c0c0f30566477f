//! One refused row as it is stored.

use crate::chunk::{Earlier, Fingerprint, LineGrammar, Origin, Part, Problem, RawRows, Reject};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Name of the only raw field of a line that could not be split.
pub(super) const LINE: &str = "_line";

/// Identity of a refused row: the same in every run and attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub u128);

impl RecordId {
    /// The id of a row of an input.
    pub fn of(fingerprint: &Fingerprint, sheet: Option<&str>, row: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&fingerprint.0);
        hasher.update(&row.to_le_bytes());
        if let Some(sheet) = sheet {
            // A sheet without a name is not the same as no sheet.
            hasher.update(&[1]);
            hasher.update(sheet.as_bytes());
        }
        let mut half = [0; 16];
        hasher.finalize_xof().fill(&mut half);
        Self(u128::from_be_bytes(half))
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for RecordId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = hex.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        parsed.map(Self).ok_or_else(|| format!("`{text}` is not an id of 32 hex digits"))
    }
}

impl Serialize for RecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// How a line that could not be split should have been split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Between fields.
    pub delimiter: char,
    /// Around fields; null where quotes are text.
    #[serde(default = "double", skip_serializing_if = "is_double")]
    pub quote: Option<char>,
    /// Before a quote inside quotes, where it is not doubled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// The header of the file.
    pub headers: Vec<String>,
}

fn double() -> Option<char> {
    Some('"')
}

fn is_double(quote: &Option<char>) -> bool {
    *quote == double()
}

impl Split {
    /// How the line is split.
    pub fn grammar(&self) -> LineGrammar {
        LineGrammar { delimiter: self.delimiter, quote: self.quote, escape: self.escape }
    }
}

/// One refused row. Fields are written in this order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Identity of the row.
    pub id: RecordId,
    /// The run that refused it.
    pub run: String,
    /// The ledger range that commits it.
    pub range: String,
    /// The file as it was named on the command line.
    pub file: String,
    /// Content of that file.
    #[serde(with = "hex")]
    pub fingerprint: Fingerprint,
    /// Sheet, where there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sheet: Option<String>,
    /// Row as an editor or Excel shows it.
    pub row: u64,
    /// Byte offset of the row, where rows have one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub byte: Option<u64>,
    /// Kind of file: a pack's kind or `generic`.
    pub kind: String,
    /// Target table.
    pub table: String,
    /// What the run knew of the input besides its rows (release, county, year), which a replay must
    /// know again.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub facts: BTreeMap<String, String>,
    /// The agent that refused it.
    pub stage: String,
    /// Everything found wrong, worst first.
    pub errors: Vec<Problem>,
    /// Raw fields in source order, as `[name, value]` pairs.
    pub raw: Vec<(String, String)>,
    /// Only for a line that could not be split.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub split: Option<Split>,
    /// From 1; a replay that fails again adds 1.
    pub attempt: u32,
    /// When the row failed for the first time.
    pub first_failed: DateTime<Utc>,
    /// When it failed this time.
    pub last_failed: DateTime<Utc>,
    /// Hash of the configuration that refused it.
    pub config: String,
}

/// What all records of an input share.
#[derive(Debug, Clone)]
pub struct Letterhead {
    /// The run that refuses.
    pub run: String,
    /// The input.
    pub origin: Arc<Origin>,
    /// Kind of file.
    pub kind: String,
    /// Target table.
    pub table: String,
    /// What a replay must know of the input besides its rows.
    pub facts: BTreeMap<String, String>,
    /// Header of the input.
    pub headers: Vec<String>,
    /// Hash of the configuration.
    pub config: String,
}

impl Letterhead {
    /// Everything that a record of `range` needs besides its row.
    pub fn context<'a>(&'a self, range: &'a str) -> Context<'a> {
        Context {
            run: &self.run,
            range,
            origin: &self.origin,
            kind: &self.kind,
            table: &self.table,
            facts: &self.facts,
            headers: &self.headers,
            config: &self.config,
            now: Utc::now(),
        }
    }
}

/// What the loader knows when it writes a record.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// This run.
    pub run: &'a str,
    /// The ledger range that will commit the record.
    pub range: &'a str,
    /// The input.
    pub origin: &'a Origin,
    /// Kind of file.
    pub kind: &'a str,
    /// Target table.
    pub table: &'a str,
    /// What a replay must know of the input besides its rows.
    pub facts: &'a BTreeMap<String, String>,
    /// Header of the input (`ReadSchema::headers`).
    pub headers: &'a [String],
    /// Hash of the configuration.
    pub config: &'a str,
    /// The time.
    pub now: DateTime<Utc>,
}

impl Record {
    /// The record of a reject. A replayed row keeps its id, its source and its first failure, and
    /// counts one attempt more.
    pub fn of(reject: &Reject, raw: &dyn RawRows, context: &Context<'_>) -> Self {
        let fields = raw.fields(reject.record);
        let earlier = raw.earlier(reject.record);
        let origin = earlier.as_ref().map_or(context.origin, |earlier| earlier.origin.as_ref());
        let row = reject.place.row;
        let id = RecordId::of(&origin.fingerprint, origin.sheet(), row);
        let is_line = matches!(fields.as_slice(), [(name, _)] if name == LINE)
            && !matches!(context.headers, [only] if only == LINE);
        let split =
            raw.grammar().filter(|_| is_line).map(|LineGrammar { delimiter, quote, escape }| {
                Split { delimiter, quote, escape, headers: context.headers.to_vec() }
            });
        Self {
            id: earlier.as_ref().map_or(id, |earlier| RecordId(earlier.id)),
            run: context.run.to_owned(),
            range: context.range.to_owned(),
            file: origin.path.clone(),
            fingerprint: origin.fingerprint,
            sheet: origin.sheet().map(str::to_owned),
            row,
            byte: reject.place.byte,
            kind: context.kind.to_owned(),
            table: context.table.to_owned(),
            facts: context.facts.clone(),
            stage: reject.stage.to_owned(),
            errors: reject.problems.clone(),
            raw: fields,
            split,
            attempt: earlier.as_ref().map_or(1, |earlier| earlier.attempt.saturating_add(1)),
            first_failed: earlier.as_ref().map_or(context.now, |earlier| earlier.first_failed),
            last_failed: context.now,
            config: context.config.to_owned(),
        }
    }

    /// The input it came from.
    pub fn origin(&self) -> Origin {
        Origin {
            path: self.file.clone(),
            part: self.sheet.clone().map_or(Part::Whole, Part::Sheet),
            fingerprint: self.fingerprint,
        }
    }

    /// The line and how to split it, where the row could not be split.
    pub fn line(&self) -> Option<(&str, &Split)> {
        match (self.raw.as_slice(), &self.split) {
            ([(name, text)], Some(split)) if name == LINE => Some((text, split)),
            _ => None,
        }
    }

    /// Names of the fields that the row has, or should have had.
    pub fn headers(&self) -> Vec<String> {
        match self.line() {
            Some((_, split)) => split.headers.clone(),
            None => self.raw.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    /// What a replay of the record as it stands has as its content; see [`super::ReplayRow`].
    pub fn content(&self) -> u128 {
        super::replay::content(self)
    }

    /// Everything that is wrong, one line each, for people.
    pub fn explain(&self) -> String {
        let lines: Vec<_> = self.errors.iter().map(sentence).collect();
        lines.join("\n")
    }

    /// What a replay of this record must remember.
    pub(super) fn earlier(&self, origin: Arc<Origin>) -> Earlier {
        Earlier {
            id: self.id.0,
            run: self.run.clone(),
            origin,
            attempt: self.attempt,
            first_failed: self.first_failed,
        }
    }
}

/// `E301 JV: "N/A" is not a whole number. Expected: … Hint: …`
pub(super) fn sentence(problem: &Problem) -> String {
    let mut text = problem.code.to_string();
    if let Some(column) = &problem.column {
        text.push(' ');
        text.push_str(column);
    }
    text.push_str(": ");
    text.push_str(&problem.message);
    if let Some(value) = problem.value.as_ref().filter(|value| !problem.message.contains(*value)) {
        text.push_str(&format!(" (it is \"{value}\")"));
    }
    if !text.ends_with(['.', '!', '?']) {
        text.push('.');
    }
    for (name, part) in [("Expected", &problem.expected), ("Hint", &problem.hint)] {
        if let Some(part) = part {
            text.push_str(&format!(" {name}: {part}."));
        }
    }
    text
}

/// A fingerprint as 64 hex digits.
mod hex {
    use super::{Deserialize, Deserializer, Fingerprint, Serializer, de};

    pub fn serialize<S: Serializer>(value: &Fingerprint, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(input)?;
        let hash = blake3::Hash::from_hex(&text)
            .map_err(|_| de::Error::custom("the fingerprint is not 64 hex digits"))?;
        Ok(Fingerprint(*hash.as_bytes()))
    }
}
