//! Other content that was loaded from the same path: a file that was corrected under its old name.

use super::request::Mode;
use super::standing::{Relation, Wanted};
use crate::load::ledger::{InputRow, InputState, Ledger};
use crate::load::{Link, LoadError};

/// Finished loads of other content from the path of an input whose rows stand in its table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Previous {
    /// The loads, newest first.
    pub inputs: Vec<InputRow>,
    /// Their rows in the table.
    pub rows: u64,
}

/// Looks for them. A replace takes the place of what is there anyway. Rows are counted in the table where
/// they are to be deleted, else told from the ledger.
pub fn previous(con: &dyn Link, wanted: &Wanted<'_>, counted: bool) -> Result<Previous, LoadError> {
    let mut found = Previous::default();
    if wanted.path.absolute.is_none() || wanted.input.replay || wanted.input.mode == Mode::Replace {
        return Ok(found);
    }
    let ledger = Ledger::new(con);
    for known in ledger.of_path(&wanted.path, &wanted.key)? {
        if known.state != InputState::Done || wanted.relation_of(&known) == Relation::Elsewhere {
            continue;
        }
        let rows = match counted {
            true => ledger.count_leaving(&wanted.key.table, &known.row)?,
            false => ledger.rows_of(&known.row)?,
        };
        if rows > 0 {
            found.rows += rows;
            found.inputs.push(known.row);
        }
    }
    Ok(found)
}

impl Previous {
    /// One line for people; `None` where there is nothing to say.
    pub fn told(&self, wanted: &Wanted<'_>, replaces: bool) -> Option<String> {
        let newest = self.inputs.first()?;
        let by = match self.inputs.len() {
            1 => format!("run {}", newest.run),
            several => format!("{several} runs, the last of them {}", newest.run),
        };
        let rows = if self.rows == 1 { "1 row" } else { &format!("{} rows", self.rows) };
        let are = if self.rows == 1 { "is" } else { "are" };
        let what = match (replaces, wanted.input.mode) {
            (true, Mode::Append) => ", and gives way to those of this file",
            (false, Mode::Append) => "; --replaces-previous deletes them",
            // Keys and ranks decide.
            _ => "",
        };
        let what = if self.rows == 1 { what } else { &what.replace("gives", "give") };
        Some(format!(
            "this path was loaded before with other content: {rows} of {by} {are} in the table{what}"
        ))
    }
}
