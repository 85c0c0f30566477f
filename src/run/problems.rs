//! Findings of an input, read back from the ledger: the same for a run that was never interrupted
//! and for one that was resumed.

use super::error::RunError;
use super::summary::ProblemSummary;
use crate::chunk::{Example, Note, NoteKey, Notes, Severity};
use crate::duck::Value;
use crate::load::ledger::{Ledger, stored};
use crate::load::{Link, LoadError};

/// Problems by kind: refused rows first, then warnings, then the rest, each by number.
pub fn read_problems(
    con: &dyn Link,
    run: &str,
    input: u32,
) -> Result<Vec<ProblemSummary>, RunError> {
    let rows = Ledger::new(con).problems(run, input)?;
    let found = rows.rows.iter().map(|row| problem(row));
    let mut problems = found.collect::<Result<Vec<_>, LoadError>>()?;
    sort(&mut problems);
    Ok(problems)
}

/// The same from findings that never went into a ledger.
pub fn from_notes(notes: &Notes) -> Vec<ProblemSummary> {
    let problem = |(key, note): (&NoteKey, &Note)| ProblemSummary {
        code: key.code.to_string(),
        rule: key.rule.clone(),
        column: key.column.clone(),
        severity: note.severity,
        message: note.message.clone(),
        hint: note.hint.clone().unwrap_or_default(),
        count: note.count,
        examples: note.examples.clone(),
    };
    let mut problems: Vec<_> = notes.iter().map(problem).collect();
    sort(&mut problems);
    problems
}

/// Worst first, then by number.
pub(super) fn sort(problems: &mut [ProblemSummary]) {
    problems.sort_by(|a, b| {
        let left = (b.severity, b.count, &a.code, &a.rule, &a.column);
        left.cmp(&(a.severity, a.count, &b.code, &b.rule, &b.column))
    });
}

fn problem(row: &[Value]) -> Result<ProblemSummary, LoadError> {
    let text = |at: usize| row[at].to_string();
    let mut examples: Vec<Example> = text(7)
        .lines()
        .flat_map(|line| serde_json::from_str::<Vec<Example>>(line).unwrap_or_default())
        .collect();
    examples.sort_by_key(|example| example.place);
    examples.truncate(Note::EXAMPLES);
    Ok(ProblemSummary {
        code: text(0),
        rule: text(1),
        column: text(2),
        severity: stored(&row[3], Severity::parse)?,
        message: text(4),
        hint: if row[5].is_null() { String::new() } else { text(5) },
        count: row[6].as_int().unwrap_or(0) as u64,
        examples,
    })
}
