//! Cleaning of columns as it is written: in a pack under `[[clean]]` of a kind, and by users in a file of
//! the same form. What is wrong with it is found when it is read.

use chrono::{NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// How some columns are cleaned. The steps stand in the order in which they are done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// The columns, by the names of the table or of the header; `*`: all text.
    pub columns: Vec<String>,
    /// Runs of blanks become one.
    #[serde(default)]
    pub squeeze: bool,
    /// Texts that mean "no value".
    #[serde(default)]
    pub null: Vec<String>,
    /// Texts in the place of others.
    #[serde(default)]
    pub replace: Vec<Replace>,
    /// Letters.
    pub case: Option<Case>,
    /// Filled up to a width.
    pub pad: Option<Pad>,
    /// What the text is.
    #[serde(rename = "as")]
    pub form: Option<Form>,
    /// Before the decimals of a number; a point by default.
    pub decimal: Option<char>,
    /// Between groups of three digits.
    pub group: Option<char>,
    /// Of dates, tried in order.
    #[serde(default)]
    pub formats: Vec<String>,
    /// DuckDB type of the column afterwards.
    #[serde(rename = "type")]
    pub ty: Option<String>,
    /// The result goes into a column of its own.
    pub into: Option<String>,
    /// Whether the text as it was is kept in `_extra`.
    #[serde(default)]
    pub keep_raw: bool,
}

impl Clean {
    /// A column of dates that are written in this format.
    pub fn of_dates(column: String, format: String) -> Self {
        Self {
            columns: vec![column],
            squeeze: false,
            null: Vec::new(),
            replace: Vec::new(),
            case: None,
            pad: None,
            form: Some(Form::Date),
            decimal: None,
            group: None,
            formats: vec![format],
            ty: None,
            into: None,
            keep_raw: false,
        }
    }
}

/// One text for another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// What is looked for.
    pub find: String,
    /// What takes its place.
    pub with: String,
    /// `find` is a regular expression, `$1` in `with` its first group.
    #[serde(default)]
    pub regex: bool,
}

/// Letters of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Case {
    /// Capitals.
    Upper,
    /// None.
    Lower,
    /// At the beginning of words.
    Title,
}

/// Filling up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// To so many characters.
    pub width: usize,
    /// With this one.
    #[serde(default = "zero")]
    pub with: char,
    /// On the right side instead of the left.
    #[serde(default)]
    pub right: bool,
}

fn zero() -> char {
    '0'
}

/// What a text is, and so how it should be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A ZIP code with four digits more where they are known.
    Zip,
    /// A ZIP code of five digits.
    Zip5,
    /// A state.
    State,
    /// A street address.
    Address,
    /// Names of owners.
    Owners,
    /// A name whose kind is wanted.
    OwnerKind,
    /// A number.
    Number,
    /// A date.
    Date,
}

impl Form {
    /// The code table with its words, and the columns that it must have.
    pub fn words(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::State => Some(("us_states", &["spelling", "code"])),
            Self::Address => Some(("address_words", &["written", "standard", "part"])),
            Self::Owners | Self::OwnerKind => Some(("owner_words", &["word", "kind"])),
            Self::Zip | Self::Zip5 | Self::Number | Self::Date => None,
        }
    }
}

/// A file of cleaning.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CleanFile {
    /// For all of them.
    #[serde(default)]
    pub keep_raw: bool,
    /// In the order in which they are followed.
    #[serde(default)]
    pub clean: Vec<Clean>,
}

impl CleanFile {
    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for clean in &mut file.clean {
            clean.keep_raw |= file.keep_raw;
            clean.check()?;
        }
        Ok(file)
    }
}

impl Clean {
    /// What is wrong with it by itself.
    pub fn check(&self) -> Result<(), String> {
        let of = self.columns.join(", ");
        let number = matches!(self.form, Some(Form::Number));
        let wrong = |what: &str| Err(format!("clean {of}: {what}"));
        if self.columns.is_empty() {
            return Err("clean: columns is empty".into());
        }
        if !self.formats.is_empty() != matches!(self.form, Some(Form::Date)) {
            return wrong("formats and as = \"date\" go together");
        }
        if !self.formats.iter().all(|format| names_a_day(format)) {
            return wrong("formats name a day, like %m/%d/%Y or %d.%m.%y");
        }
        if (self.decimal.is_some() || self.group.is_some()) && !number {
            return wrong("decimal and group go with as = \"number\"");
        }
        if self.decimal.unwrap_or('.') == self.group.unwrap_or('\0') {
            return wrong("decimal and group cannot be the same");
        }
        if self.into.is_some() && self.columns.len() > 1 {
            return wrong("into takes the result of one column");
        }
        if self.into.is_some() && (self.ty.is_some() || number || !self.formats.is_empty()) {
            return wrong("a column of its own is text");
        }
        if self.pad.as_ref().is_some_and(|pad| pad.width > MAX_WIDTH) {
            return wrong("pad.width is at most 1000");
        }
        match self.replace.iter().find(|replace| replace.find.is_empty()) {
            Some(_) => wrong("replace.find is empty"),
            None => Ok(()),
        }
    }
}

/// Widest padding.
const MAX_WIDTH: usize = 1_000;

/// Whether a day written in this format can be read again: no unknown letter, and day, month and year.
pub fn names_a_day(format: &str) -> bool {
    let Some(day) = NaiveDate::from_ymd_opt(2021, 11, 23) else { return false };
    let mut text = String::new();
    // Behind the day there may be a time, which is left out.
    let written = write!(text, "{}", day.and_time(NaiveTime::MIN).format(format));
    written.is_ok() && NaiveDate::parse_from_str(&text, format) == Ok(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_how_columns_are_cleaned() {
        let file = CleanFile::parse(
            "keep_raw = true\n[[clean]]\ncolumns = [\"price\"]\nas = \"number\"\ndecimal = \",\"\n\
             group = \".\"\n[[clean]]\ncolumns = [\"state\"]\nnull = [\"N/A\"]\nas = \"state\"\n",
        )
        .expect("a sound file");
        assert!(file.clean.iter().all(|clean| clean.keep_raw));
        assert_eq!(file.clean[0].decimal, Some(','));
        assert_eq!(file.clean[1].form, Some(Form::State));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, told) in [
            ("[[clean]]\ncolumns = []\n", "columns is empty"),
            ("[[clean]]\ncolumns = [\"a\"]\nas = \"date\"\n", "formats"),
            ("[[clean]]\ncolumns = [\"a\"]\nas = \"date\"\nformats = [\"%d.%m\"]\n", "name a day"),
            ("[[clean]]\ncolumns = [\"a\"]\nas = \"date\"\nformats = [\"%Q\"]\n", "name a day"),
            ("[[clean]]\ncolumns = [\"a\"]\ngroup = \",\"\n", "go with as"),
            ("[[clean]]\ncolumns = [\"a\"]\nas = \"number\"\ngroup = \".\"\n", "the same"),
            ("[[clean]]\ncolumns = [\"a\", \"b\"]\ninto = \"c\"\n", "one column"),
            ("[[clean]]\ncolumns = [\"a\"]\ninto = \"c\"\nas = \"number\"\n", "is text"),
            (
                "[[clean]]\ncolumns = [\"a\"]\nreplace = [{ find = \"\", with = \"x\" }]\n",
                "find is",
            ),
            ("[[clean]]\ncolumns = [\"a\"]\nas = \"zipp\"\n", "zipp"),
            ("[[clean]]\ncolum = [\"a\"]\n", "colum"),
        ] {
            let wrong = CleanFile::parse(text).expect_err(text);
            assert!(wrong.contains(told), "{wrong}");
        }
    }

    #[test]
    fn a_format_of_days_may_end_in_a_time() {
        for sound in ["%m/%d/%Y", "%d.%m.%y", "%Y-%m-%d %H:%M:%S", "%B %d, %Y", "%Y%j"] {
            assert!(names_a_day(sound), "{sound}");
        }
        for wrong in ["%d.%m", "%Y", "", "%Q", "%H:%M"] {
            assert!(!names_a_day(wrong), "{wrong}");
        }
    }
}
