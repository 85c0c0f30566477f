//! Why a pack could not be read: always with the file, the place in it, and what to do.

use std::path::PathBuf;

/// One thing that is wrong inside a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File inside the pack, with forward slashes.
    pub file: String,
    /// Where in the file: a line, a rule id, a derived column.
    pub place: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, {}: {}", self.file, self.place, self.what)
    }
}

/// A pack that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// No embedded pack has this name.
    #[error("there is no pack '{name}': known are {known}; a folder may be given instead")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A file of the pack is missing or unreadable.
    #[error("pack file {} cannot be read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A TOML file does not parse.
    #[error("pack file {file} is not valid TOML: {message}")]
    Toml {
        /// File inside the pack.
        file: String,
        /// The parser's message, which carries line and column.
        message: String,
    },
    /// A CSV file does not parse.
    #[error("pack file {file} is not valid CSV: {message}")]
    Csv {
        /// File inside the pack.
        file: String,
        /// The parser's message, which carries the line.
        message: String,
    },
    /// The files parse but contradict each other; all findings at once.
    #[error("the pack '{pack}' has {} mistake(s):\n  {}", problems.len(), joined(problems))]
    Invalid {
        /// Name of the pack.
        pack: String,
        /// Everything that was found.
        problems: Vec<Problem>,
    },
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n  ")
}
