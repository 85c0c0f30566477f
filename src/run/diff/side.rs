//! One side of a comparison: a file, or a year of a target, perhaps of one release.

use super::DiffRequest;
use crate::duck::{Value, quote};
use crate::flow::{Observer, Stop};
use crate::load::{Link, LoadError, TableName};
use crate::pack::{Kind, Need, Pack, empty};
use crate::run::error::{RunError, RunErrorKind};
use crate::run::ingest::ingest;
use crate::run::memory;
use crate::run::request::Request;
use crate::run::rolls::{RollTables, there};
use crate::run::scratch::Scratch;
use std::ops::ControlFlow;
use std::path::Path;

/// Rows of a statement that copies.
const ROWS: usize = 256;

/// A roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A file, folder or pattern.
    File(String),
    /// Rows of the target.
    Roll {
        /// Roll year.
        year: u16,
        /// Beginning of the release, such as `2025F`, where one is asked for.
        release: Option<String>,
    },
}

impl Side {
    /// From what a user wrote: `2025`, `2025P` and `2025F02` are rolls of the target where no file has
    /// that name; everything else is a file.
    pub fn parse(text: &str) -> Self {
        let year =
            text.get(..4).and_then(|year| year.parse().ok()).filter(|y| (1900..2200).contains(y));
        let rest = text.get(4..).unwrap_or_default().to_ascii_uppercase();
        let stage = rest.is_empty()
            || (rest.starts_with(['P', 'S', 'F']) && rest[1..].chars().all(|c| c.is_ascii_digit()));
        match year {
            Some(year) if stage && !Path::new(text).exists() => {
                let release = (!rest.is_empty()).then(|| format!("{year}{rest}"));
                Self::Roll { year, release }
            }
            _ => Self::File(text.to_owned()),
        }
    }

    /// As people name it.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.clone(),
            Self::Roll { release: Some(release), .. } => format!("roll {release}"),
            Self::Roll { year, release: None } => format!("roll {year}"),
        }
    }

    /// Whether its rows are in the target already.
    pub fn is_in_target(&self) -> bool {
        matches!(self, Self::Roll { .. })
    }

    /// Its rows in the target, as SQL.
    pub fn relation(
        &self,
        con: &dyn Link,
        kind: &Kind,
        need: &Need,
        table: &str,
        county: Option<u8>,
    ) -> Result<String, RunError> {
        let only = match self {
            Self::File(_) => None,
            Self::Roll { year, release } => Some((*year, release.as_deref())),
        };
        columns(con, kind, need, table, only, county)
    }

    /// Loads a file into the scratch database, and gives how many of its rows were refused; a roll of the
    /// target waits until that is done.
    pub fn into_scratch(
        &self,
        request: &Request,
        scratch: &Scratch,
        table: &str,
        kind: &Kind,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<u64, RunError> {
        let Self::File(path) = self else { return Ok(0) };
        let mut own = request.clone();
        own.inputs = vec![path.clone()];
        own.target = scratch.target();
        own.failed.folder = Some(scratch.folder().to_owned());
        own.table = Some(TableName::plain(table));
        // Its own columns are compared, whatever those of the target's table are.
        own.mapping = None;
        // A roll of which a part is missing would seem to have lost parcels.
        own.keep_going = false;
        own.errors.max_errors = None;
        own.errors.max_rate = None;
        let summary = ingest(&own, observer, stop)?;
        match summary.inputs.iter().find(|input| input.kind != kind.id) {
            None => Ok(summary.tally.rejected),
            Some(other) => {
                let told = format!("{} is no {} but {}", other.input, kind.title, other.kind);
                Err(RunError::new(RunErrorKind::Usage, told)
                    .with_hint(format!("say --type {} if it is one", kind.id)))
            }
        }
    }

    /// Copies a roll of the target into the scratch database.
    pub fn copy_into(
        &self,
        asked: &DiffRequest,
        pack: &Pack,
        to: &dyn Link,
        table: &str,
        (kind, need): (&Kind, &Need),
    ) -> Result<(), RunError> {
        if !self.is_in_target() {
            return Ok(());
        }
        let request = &asked.request;
        let share = request.limits.memory.saturating_sub(memory::FIXED).max(64 << 20);
        let from = request.target.look_there(share)?.link()?;
        let rolls = RollTables::find(&*from, pack, &asked.rolls)?;
        let rows = self.relation(&*from, kind, need, rolls.of(&kind.table), None)?;
        to.execute(&format!("CREATE TABLE {} AS {}", quote(table), bare(kind, need)), &[])?;
        copy(
            &*from,
            &format!("SELECT * FROM {rows} AS side"),
            to,
            &quote(table),
            need.columns.len(),
        )
    }
}

/// An empty query of the columns.
fn bare(kind: &Kind, need: &Need) -> String {
    let table = empty(kind, &need.columns);
    format!("SELECT * FROM {table} AS nothing")
}

/// The columns that a comparison needs of a table, as SQL; a column that the table lacks is empty.
pub fn columns(
    con: &dyn Link,
    kind: &Kind,
    need: &Need,
    table: &str,
    only: Option<(u16, Option<&str>)>,
    county: Option<u8>,
) -> Result<String, RunError> {
    let found = con.columns(table)?;
    if found.is_empty() {
        let told = format!("there is no table {table}");
        return Err(RunError::new(RunErrorKind::Usage, told)
            .with_hint(format!("load a {} first: etl ingest FILE", kind.title))
            .with_hint(there(con)?));
    }
    let absent = |name: &&String| !found.iter().any(|(column, _)| column == *name);
    if let Some(key) = kind.key.iter().find(absent) {
        let told = format!("table {table} has no column {key}, so its rolls cannot be compared");
        return Err(RunError::new(RunErrorKind::Usage, told)
            .with_hint("a mapping has given it other columns; compare the files instead"));
    }
    let column = |name: &String| match found.iter().any(|(column, _)| column == name) {
        true => name.clone(),
        false => {
            let alone = Need { table: need.table.clone(), columns: vec![name.clone()] };
            let null = empty(kind, &alone.columns);
            let null = null.trim_start_matches("(SELECT ").trim_end_matches(" WHERE 1 = 0)");
            null.to_owned()
        }
    };
    let list: Vec<_> = need.columns.iter().map(column).collect();
    let mut terms = vec!["1 = 1".to_owned()];
    if let Some((year, release)) = only {
        let name = kind.year_column.as_deref().unwrap_or("asmnt_yr");
        terms.push(format!("{name} = {year}"));
        // The text holds digits and one letter only.
        terms.extend(release.map(|release| format!("_etl_release LIKE '{release}%'")));
    }
    if let (Some(county), Some(name)) = (county, &kind.county_column) {
        terms.push(format!("{name} = {county}"));
    }
    Ok(format!(
        "(SELECT {} FROM {} WHERE {})",
        list.join(", "),
        con.table(table),
        terms.join(" AND ")
    ))
}

/// Copies the answer to a question into a table of another connection, some rows a statement.
pub fn copy(
    from: &dyn Link,
    question: &str,
    to: &dyn Link,
    table: &str,
    width: usize,
) -> Result<(), RunError> {
    let mut failed: Option<LoadError> = None;
    let row = format!("({})", vec!["?"; width].join(", "));
    let insert = |rows: &[Vec<Value>]| {
        let marks = vec![row.as_str(); rows.len()].join(", ");
        to.execute(&format!("INSERT INTO {table} VALUES {marks}"), &rows.concat()).map(drop)
    };
    from.query_each(question, &[], &mut |_, rows| match rows.chunks(ROWS).try_for_each(insert) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_and_releases_are_told_from_files() {
        let roll =
            |year, release: Option<&str>| Side::Roll { year, release: release.map(str::to_owned) };
        assert_eq!(Side::parse("2025"), roll(2025, None));
        assert_eq!(Side::parse("2025f02"), roll(2025, Some("2025F02")));
        assert_eq!(Side::parse("2024P"), roll(2024, Some("2024P")));
        for file in ["NAL16P202501.csv", "2025.csv", "2025Px", "20", "0001", "2025' OR 1=1"] {
            assert_eq!(Side::parse(file), Side::File(file.to_owned()), "{file}");
        }
    }
}
