//! The inputs of a request: those that can be worked on, those that are skipped, and those that are bad.
//!
//! All files are looked at before the first one is loaded, and all that is wrong with them is told at once.
//! Whether bad inputs end the run is the user's word (`--keep-going`).

use super::error::{RunError, RunErrorKind};
use super::prepare::survey;
use super::request::Request;
use crate::flow::{Event, Observer};
use crate::pack::Pack;
use crate::source::{InputFile, Listed, Skipped, SourceError, SourceErrorKind, Table, resolve};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;

/// Names of a list that stand in a sentence.
const LISTED: usize = 5;

/// An input that could not be read or loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedInput {
    /// File, member or sheet.
    pub input: String,
    /// What kind of failure; it decides the exit code.
    pub kind: RunErrorKind,
    /// Stable code, where one applies.
    pub code: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The causes behind it.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What of it is in the target, where it was begun.
    #[serde(default)]
    pub kept: Option<String>,
    /// What to do.
    #[serde(default)]
    pub hints: Vec<String>,
}

/// An error with the place of its input: arguments in order, then the order of the listing.
#[derive(Debug)]
pub struct Bad {
    /// Place of the input.
    pub place: usize,
    /// File, member or sheet.
    pub input: String,
    /// What is wrong.
    pub error: RunError,
}

impl Bad {
    /// As a summary tells it.
    pub fn told(&self) -> FailedInput {
        let error = &self.error;
        let mut causes = Vec::new();
        let mut next = StdError::source(error);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        FailedInput {
            input: self.input.clone(),
            kind: error.kind,
            code: error.code.map(str::to_owned),
            message: error.message.clone(),
            causes,
            kept: error.kept.clone(),
            hints: error.hints.clone(),
        }
    }
}

/// One error for several bad inputs: that of the first one in order, with the others behind it.
pub fn all_bad(mut bad: Vec<Bad>) -> Option<RunError> {
    bad.sort_by_key(|bad| bad.place);
    let mut bad = bad.into_iter();
    let mut first = bad.next()?.error;
    first.also.extend(bad.map(|bad| bad.told()));
    Some(first)
}

/// What else there is to tell of the inputs of a run.
#[derive(Debug, Default)]
pub struct Aside {
    /// Files that are not read, and why.
    pub skipped: Vec<Skipped>,
    /// What the user should know of them.
    pub warnings: Vec<String>,
    /// Inputs that cannot be read; only where the user wants the others all the same.
    pub bad: Vec<Bad>,
}

/// The inputs of a request.
pub struct Inputs<T> {
    /// What can be worked on, in the order of the arguments.
    pub ready: Vec<T>,
    /// The rest.
    pub aside: Aside,
}

/// Surveys all files of a request and makes something of each table; `make` gets its place, its file and the
/// table. Bad inputs are an error, unless the request says that the others are wanted.
pub fn gather<T>(
    request: &Request,
    pack: &Pack,
    observer: &dyn Observer,
    mut make: impl FnMut(usize, &InputFile, Arc<dyn Table>) -> Result<T, RunError>,
) -> Result<Inputs<T>, RunError> {
    let mut found = Gathered::default();
    let mut ready = Vec::new();
    for (place, listed) in resolve(&request.inputs, &request.listing).into_iter().enumerate() {
        let file = match listed {
            Listed::File(file) => file,
            Listed::Skipped(skipped) => {
                found.aside.skipped.push(skipped);
                continue;
            }
            Listed::Empty(error) => {
                found.empty.push((place, error));
                continue;
            }
            Listed::Failed(error) => {
                found.bad(place, error.file.clone(), error.into());
                continue;
            }
        };
        let label = file.content.label().to_owned();
        observer.on(&Event::Surveying { file: &label });
        match survey(&file, request, pack) {
            Ok(tables) => {
                for table in tables {
                    match make(place, &file, table) {
                        Ok(made) => ready.push(made),
                        Err(error) => found.bad(place, label.clone(), error),
                    }
                }
            }
            Err(SurveyError::Source(error))
                if error.kind == SourceErrorKind::Empty
                    && request.listing.may_be_empty(file.content.name()) =>
            {
                found.empty.push((place, error));
            }
            Err(error) => found.bad(place, label, error.into()),
        }
    }
    found.end(request, ready)
}

/// Why a file cannot be surveyed.
pub enum SurveyError {
    /// The file is at fault.
    Source(SourceError),
    /// What is asked for does not go with it.
    Asked(RunError),
}

impl From<SurveyError> for RunError {
    fn from(error: SurveyError) -> Self {
        match error {
            SurveyError::Source(error) => error.into(),
            SurveyError::Asked(error) => error,
        }
    }
}

/// What was found beside tables.
#[derive(Default)]
struct Gathered {
    aside: Aside,
    empty: Vec<(usize, SourceError)>,
}

impl Gathered {
    fn bad(&mut self, place: usize, input: String, error: RunError) {
        self.aside.bad.push(Bad { place, input, error });
    }

    /// Decides what becomes of files without a byte or a row, and whether the run can go on.
    fn end<T>(mut self, request: &Request, ready: Vec<T>) -> Result<Inputs<T>, RunError> {
        let alone = ready.is_empty() && self.aside.bad.is_empty();
        let empty = std::mem::take(&mut self.empty);
        if alone || request.require_rows {
            for (place, error) in empty {
                self.bad(place, error.file.clone(), error.into());
            }
        } else {
            self.tell_empty(empty);
        }
        if ready.is_empty() && self.aside.bad.is_empty() {
            return Err(nothing(&self.aside.skipped));
        }
        if !self.aside.bad.is_empty() && (ready.is_empty() || !request.keep_going) {
            let others = ready.len();
            let error = all_bad(self.aside.bad).unwrap_or_else(|| nothing(&self.aside.skipped));
            return Err(match others {
                0 => error,
                1 => error.with_hint("nothing was loaded; --keep-going takes the other input"),
                others => error.with_hint(format!(
                    "nothing was loaded; --keep-going takes the {others} others"
                )),
            });
        }
        self.aside.bad.sort_by_key(|bad| bad.place);
        Ok(Inputs { ready, aside: self.aside })
    }

    fn tell_empty(&mut self, empty: Vec<(usize, SourceError)>) {
        let names: Vec<_> = empty.iter().map(|(_, error)| error.file.as_str()).collect();
        let listed = list(&names);
        match names.len() {
            0 => {}
            1 => self.aside.warnings.push(format!("E205: {listed} holds no rows")),
            number => {
                self.aside.warnings.push(format!("E205: {number} files hold no rows: {listed}"));
            }
        }
        let skipped = empty.into_iter().map(|(_, error)| Skipped {
            reason: format!("E205: {}", error.message),
            path: error.file,
        });
        self.aside.skipped.extend(skipped);
    }
}

/// Names with commas between; where they are many, the first ones.
pub fn list(names: &[&str]) -> String {
    let mut told = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > LISTED {
        told.push_str(&format!(" and {} more", names.len() - LISTED));
    }
    told
}

/// Nothing is left to work on, and nothing is wrong with what is there.
fn nothing(skipped: &[Skipped]) -> RunError {
    let told: Vec<_> = skipped.iter().map(Skipped::to_string).collect();
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    let message = format!("there is nothing to read; skipped: {}", list(&told));
    RunError::new(RunErrorKind::Input, message)
        .with_code("E100")
        .with_hint("name a file outright to read it; --recursive reads folders within folders")
}

/// A plain table and a file that goes into it.
pub struct Entrant<'a> {
    /// The table, as its name was made from that of the file.
    pub table: &'a str,
    /// The file.
    pub file: &'a str,
}

/// Says which plain tables take files of different folders, by the position of the first of them.
pub fn shared_tables<'a>(
    entrants: impl Iterator<Item = (usize, Entrant<'a>)>,
) -> Vec<(usize, String)> {
    let mut tables: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for (at, Entrant { table, file }) in entrants {
        let (_, files) = tables.entry(table).or_insert((at, Vec::new()));
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let shared = tables.into_iter().filter(|(_, (_, files))| files.len() > 1);
    let told = shared.map(|(table, (at, files))| {
        let number = files.len();
        let told = format!(
            "{number} files go into one table, {table}, because of their names: {}; --table names \
             another one",
            list(&files)
        );
        (at, told)
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_input_in_order_decides() {
        let bad = |place, kind, name: &str| Bad {
            place,
            input: name.into(),
            error: RunError::new(kind, format!("{name} is bad")),
        };
        let all = vec![
            bad(7, RunErrorKind::Input, "c"),
            bad(2, RunErrorKind::Usage, "a"),
            bad(4, RunErrorKind::Input, "b"),
        ];
        let error = all_bad(all).expect("an error");
        assert_eq!((error.kind, error.message.as_str()), (RunErrorKind::Usage, "a is bad"));
        let also: Vec<_> = error.also.iter().map(|also| also.input.as_str()).collect();
        assert_eq!(also, ["b", "c"]);
        assert!(all_bad(Vec::new()).is_none());
    }

    #[test]
    fn files_that_share_a_table_are_told() {
        let entrant = |table, file| Entrant { table, file };
        let entrants = [
            entrant("x", "2023/x.csv"),
            entrant("y", "2023/y.xlsx"),
            entrant("y", "2023/y.xlsx"),
            entrant("x", "2024/x.csv"),
        ];
        let told = shared_tables(entrants.into_iter().enumerate());
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, 0);
        assert!(told[0].1.starts_with("2 files go into one table, x, "), "{}", told[0].1);
        assert!(told[0].1.contains("2023/x.csv, 2024/x.csv"), "{}", told[0].1);
    }
}
