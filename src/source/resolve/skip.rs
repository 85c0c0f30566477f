//! Which listed files are no tables: a list in data.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The list that is built in.
const BUILT_IN: &str = include_str!("skip.toml");

/// A file that is not read, and why. As text, and in JSON: `PATH: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// File, folder or member.
    pub path: String,
    /// Why it is not read, in a few words.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl Serialize for Skipped {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A path may hold `: ` itself: then the parts differ from those that were written, and the text does not.
impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (path, reason) = text.split_once(": ").unwrap_or((&text, ""));
        Ok(Self { path: path.to_owned(), reason: reason.to_owned() })
    }
}

/// What folders, patterns and archives hold beside tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipList {
    /// Endings of names that tables have, in lower case.
    pub tables: Vec<String>,
    /// Entries; the first one that fits counts.
    pub skip: Vec<SkipEntry>,
}

/// Names of one kind of file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipEntry {
    /// What they are.
    pub reason: String,
    /// Patterns of file names.
    #[serde(default)]
    pub names: Vec<String>,
    /// Patterns of folder names.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Whether the content is asked, too.
    #[serde(default)]
    pub when: When,
}

/// Under which condition an entry fits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The name says it all.
    #[default]
    Always,
    /// The file holds no table.
    NoTable,
}

impl SkipList {
    /// The list of a TOML text. An error names the place and what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let list: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for entry in &list.skip {
            for pattern in entry.names.iter().chain(&entry.folders) {
                glob::Pattern::new(pattern).map_err(|error| format!("`{pattern}`: {error}"))?;
            }
        }
        Ok(list)
    }
}

impl Default for SkipList {
    fn default() -> Self {
        Self::parse(BUILT_IN).expect("a test parses the list that is built in")
    }
}

/// A list whose patterns are compiled.
pub(super) struct Skipper {
    tables: Vec<String>,
    entries: Vec<Compiled>,
}

struct Compiled {
    reason: String,
    names: Vec<glob::Pattern>,
    folders: Vec<glob::Pattern>,
    when: When,
}

/// The case of letters does not count.
const MATCHING: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: false,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

impl Skipper {
    pub fn new(list: &SkipList) -> Self {
        // What cannot be compiled was refused when the list was read.
        let compiled = |patterns: &[String]| {
            patterns.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok()).collect()
        };
        let entry = |entry: &SkipEntry| Compiled {
            reason: entry.reason.clone(),
            names: compiled(&entry.names),
            folders: compiled(&entry.folders),
            when: entry.when,
        };
        Self { tables: list.tables.clone(), entries: list.skip.iter().map(entry).collect() }
    }

    /// Why a file of this name is skipped, whatever it holds.
    pub fn by_name(&self, name: &str) -> Option<&str> {
        self.entry(name).filter(|entry| entry.when == When::Always).map(|entry| &*entry.reason)
    }

    /// Why a file of this name is skipped if it holds no table.
    pub fn without_table(&self, name: &str) -> Option<&str> {
        self.entry(name).filter(|entry| entry.when == When::NoTable).map(|entry| &*entry.reason)
    }

    fn entry(&self, name: &str) -> Option<&Compiled> {
        let fits = |pattern: &glob::Pattern| pattern.matches_with(name, MATCHING);
        self.entries.iter().find(|entry| entry.names.iter().any(fits))
    }

    /// Why nothing is looked at in a folder of this name.
    pub fn folder(&self, name: &str) -> Option<&str> {
        // Steps within a path, and no names.
        if matches!(name, "." | "..") {
            return None;
        }
        let fits = |pattern: &glob::Pattern| pattern.matches_with(name, MATCHING);
        let entry = self.entries.iter().find(|entry| entry.folders.iter().any(fits));
        entry.map(|entry| &*entry.reason)
    }

    /// Whether a table is called like this.
    pub fn is_called_table(&self, name: &str) -> bool {
        is_called_table(&self.tables, name)
    }
}

/// Whether the ending of a name is one that tables have.
fn is_called_table(endings: &[String], name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_lowercase();
    endings.contains(&ending)
}

impl super::Listing {
    /// Whether a file of this name may be without rows, where others have some.
    pub fn may_be_empty(&self, name: &str) -> bool {
        is_called_table(&self.skip.tables, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_that_is_built_in_is_sound() {
        let list = SkipList::parse(BUILT_IN).expect("a sound list");
        assert!(list.skip.len() > 10 && list.tables.contains(&"csv".to_owned()));
    }

    #[test]
    fn names_are_compared_without_case() {
        let skipper = Skipper::new(&SkipList::default());
        let cases = [
            ("Layout.PDF", Some("a PDF")),
            ("THUMBS.DB", Some("made by Windows beside the files")),
            ("~$sales.xlsx", Some("a lock file of an office program")),
            (".~lock.sales.ods#", Some("a lock file of an office program")),
            (".DS_Store", Some("made by macOS beside the files")),
            ("._sales.csv", Some("made by macOS beside the files")),
            (".sales.csv", Some("hidden")),
            ("sales.csv", None),
            ("pdf", None),
            ("sales.pdf.csv", None),
        ];
        for (name, reason) in cases {
            assert_eq!(skipper.by_name(name), reason, "{name}");
        }
        assert_eq!(skipper.by_name("ReadMe.txt"), None);
        assert!(skipper.without_table("ReadMe.txt").is_some());
        assert!(skipper.folder("__MACOSX").is_some() && skipper.folder("2024").is_none());
        assert!(skipper.folder(".git").is_some() && skipper.folder("..").is_none());
        assert!(skipper.is_called_table("a.CSV") && !skipper.is_called_table("csv"));
    }

    #[test]
    fn a_mistake_in_a_list_is_told() {
        let text = "tables = []\n[[skip]]\nreason = \"x\"\nnames = [\"a[\"]\n";
        assert!(SkipList::parse(text).expect_err("a bad pattern").contains("a["));
        let text = "tables = []\n[[skip]]\nreason = \"x\"\nname = [\"a\"]\n";
        assert!(SkipList::parse(text).expect_err("a bad key").contains("name"));
    }

    #[test]
    fn as_json_it_is_one_text() {
        let skipped = Skipped { path: "a.zip/x: y.pdf".into(), reason: "a PDF".into() };
        let json = serde_json::to_string(&skipped).expect("text");
        assert_eq!(json, "\"a.zip/x: y.pdf: a PDF\"");
        let back: Skipped = serde_json::from_str(&json).expect("text");
        assert_eq!(back.to_string(), skipped.to_string());
    }
}
