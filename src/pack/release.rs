//! The stage of a published roll.

use std::fmt;
use std::str::FromStr;

/// Stage of a roll, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// Preliminary.
    P,
    /// Supplemental: sent between preliminary and final.
    S,
    /// Final.
    F,
}

impl Release {
    /// The letter used in file names and in the provenance column.
    pub fn letter(self) -> char {
        match self {
            Release::P => 'P',
            Release::S => 'S',
            Release::F => 'F',
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Release::P => "preliminary",
            Release::S => "supplemental",
            Release::F => "final",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter())
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_uppercase().as_str() {
            "P" | "PRELIMINARY" | "PRELIM" => Ok(Release::P),
            "S" | "SUPPLEMENTAL" | "SUPP" => Ok(Release::S),
            "F" | "FINAL" => Ok(Release::F),
            _ => Err(format!(
                "'{text}' is no release: use P (preliminary), S (supplemental) or F (final)"
            )),
        }
    }
}
