//! What identifies an input: everything that can change a row of it, and nothing else.
//!
//! The ledger keeps it as canonical JSON (`etl.inputs.identity`) and as a hash (`etl.inputs.config`).
//! Two loads of one content into one table are the same load if nothing that can change a row
//! differs between them ([`Identity::differences`]); else the settings that differ are named.
//!
//! It is made by taking the options apart field by field ([`options`], [`pack`]): a new option does not
//! compile until somebody has decided whether it belongs. Not part of it: types that come from other
//! inputs or from the table (`etl.inputs.types`), the mode (`etl.inputs.mode`), and everything that only
//! changes messages, speed or the machine. A plain table does not depend on the pack.

mod legacy;
mod options;
mod pack;

pub(super) use legacy::{config_as as legacy_config_as, configs as legacy_configs};

use super::prepare::Prepared;
use super::request::{Mode, Request};
use crate::pack::Pack;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Version of the form of [`Identity`]. One with another version is not compared.
const VERSION: u32 = 1;
/// Digits of a digest.
const DIGITS: usize = 32;
/// Stands before a digest, where a value is too long to be kept.
const DIGEST: char = '#';
/// Longest value that a message shows.
const LONGEST: usize = 60;

/// What identifies an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    version: u32,
    /// Fingerprint of the content; `None` for failed records, of which each stands for itself.
    content: Option<String>,
    /// Which part of the content.
    pub part: Part,
    /// Where its rows go.
    target: Place,
    /// Options that are not at their defaults, by the names of their flags.
    settings: BTreeMap<String, Value>,
    /// Digests of what the pack says, by what it is about. Empty for a plain table.
    pack: BTreeMap<String, Value>,
    /// What was found out about the file, by the names of the flags that could have said it. Not part of
    /// the hash: a flag that says what would have been found changes no row.
    #[serde(default)]
    found: BTreeMap<String, String>,
}

/// A part of a file that is an input of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Sheet of a workbook.
    pub sheet: Option<String>,
    /// Cells of it, or the name that the workbook gives them.
    pub range: Option<String>,
    /// Excel table, in lower case.
    pub excel_table: Option<String>,
}

impl Part {
    /// Whether it is less than a sheet.
    pub fn is_of_sheet(&self) -> bool {
        self.range.is_some() || self.excel_table.is_some()
    }
}

/// The table that rows go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    schema: String,
    table: String,
}

/// A setting that differs between two loads of one content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the flag, or what part of the pack it is.
    pub setting: String,
    /// The value of the earlier load, as text.
    pub was: String,
    /// The value of this one.
    pub is: String,
    /// Whether the pack says it, and no flag does.
    of_pack: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, was, is, of_pack } = self;
        match (of_pack, was.starts_with(DIGEST), is.starts_with(DIGEST)) {
            (true, ..) => write!(f, "the pack has other {setting}"),
            (_, true, true) => write!(f, "--{setting} has other content"),
            (_, true, false) => write!(f, "--{setting} was given and is not now"),
            (_, false, true) => write!(f, "--{setting} is given and was not then"),
            _ => write!(f, "--{setting} was {was} and is {is} now"),
        }
    }
}

impl Difference {
    /// Loads in two modes.
    pub fn of_mode(was: Mode, is: Mode) -> Self {
        let (was, is) = (was.name().to_owned(), is.name().to_owned());
        Self { setting: "mode".into(), was, is, of_pack: false }
    }
}

impl Identity {
    /// The identity of an input that goes into a table of `schema`.
    pub fn of(request: &Request, pack: &Pack, input: &Prepared, schema: &str) -> Self {
        let settings = options::settings(request, pack, input);
        let pack = pack::parts(request, pack, input);
        let part = options::part(request, input);
        let target = Place { schema: schema.to_owned(), table: input.spec.name.clone() };
        let found = input.table.reading();
        Self {
            version: VERSION,
            // Each failed record is known by an id of its own; the others of its file do not matter.
            content: (!input.replay).then(|| input.origin.fingerprint.to_string()),
            part,
            target,
            settings,
            pack,
            found: found.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// As the ledger keeps it: one line, the version first, all names in order.
    pub fn json(&self) -> String {
        let mut fields = fields(self);
        let version = fields.remove("version").unwrap_or_default();
        let rest = canonical(&Value::Object(fields.into_iter().collect()));
        format!("{{\"version\":{version},{}", &rest[1..])
    }

    /// From the ledger; `None` for a form of another version.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().filter(|found: &Self| found.version == VERSION)
    }

    /// Hash of everything but what was found out.
    pub fn config(&self) -> String {
        let mut fields = fields(self);
        fields.remove("found");
        let text = canonical(&Value::Object(fields.into_iter().collect()));
        blake3::hash(text.as_bytes()).to_hex()[..DIGITS].to_owned()
    }

    /// Whether settings say how the file is read. Older programs have not stored them.
    pub fn says_how_to_read(&self) -> bool {
        options::READING.iter().any(|name| self.settings.contains_key(*name))
    }

    /// What differs in an earlier load of the same content into the same table, without some settings.
    pub fn differences(&self, earlier: &Self, ignored: &[&str]) -> Vec<Difference> {
        let mut found = Vec::new();
        let names: BTreeSet<_> = earlier.settings.keys().chain(self.settings.keys()).collect();
        for name in names.into_iter().filter(|name| !ignored.contains(&name.as_str())) {
            let (was, is) = (earlier.settings.get(name), self.settings.get(name));
            let (was_found, is_found) = (earlier.found.get(name), self.found.get(name));
            let same = was == is || is_found.is_some() && was_found == is_found;
            if !same {
                let setting = name.clone();
                let (was, is) = (shown(name, was, was_found), shown(name, is, is_found));
                found.push(Difference { setting, was, is, of_pack: false });
            }
        }
        let names: BTreeSet<_> = earlier.pack.keys().chain(self.pack.keys()).collect();
        for name in names.into_iter().filter(|name| earlier.pack.get(*name) != self.pack.get(*name))
        {
            let digest = DIGEST.to_string();
            let (was, is, setting) = (digest.clone(), digest, name.clone());
            found.push(Difference { setting, was, is, of_pack: true });
        }
        found
    }
}

/// The fields as JSON.
fn fields(identity: &Identity) -> serde_json::Map<String, Value> {
    match serde_json::to_value(identity) {
        Ok(Value::Object(fields)) => fields,
        // Texts, numbers, lists and maps with texts as names: nothing that JSON cannot hold.
        _ => serde_json::Map::new(),
    }
}

/// JSON with the names of each object in order and no blanks.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let field = |(name, value): (&String, &Value)| {
                format!("{}:{}", Value::String(name.clone()), canonical(value))
            };
            let fields: Vec<_> = sorted.into_iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        other => other.to_string(),
    }
}

/// A digest of something that is too long to be kept, as a value.
fn digest(of: &impl Serialize) -> Value {
    let text = serde_json::to_value(of).map(|value| canonical(&value)).unwrap_or_default();
    Value::String(format!("{DIGEST}{}", &blake3::hash(text.as_bytes()).to_hex()[..DIGITS]))
}

/// A setting for a message: its value, what was found out where none was given, or its default.
fn shown(name: &str, value: Option<&Value>, found: Option<&String>) -> String {
    let text = match (value, found) {
        (Some(Value::String(text)), _) => text.clone(),
        (Some(Value::Array(items)), _) => {
            let word = |item: &Value| item.as_str().map_or(item.to_string(), str::to_owned);
            items.iter().map(word).collect::<Vec<_>>().join(",")
        }
        (Some(value), _) => value.to_string(),
        (None, Some(found)) => format!("{found} (found out)"),
        (None, None) => options::default_of(name).to_owned(),
    };
    let text = if text == "\t" { "tab".into() } else { text };
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) if !text.starts_with(DIGEST) => format!("{}…", &text[..at]),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
