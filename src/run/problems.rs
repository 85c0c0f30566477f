//! Findings of an input, read back from the ledger: the same for a run that was never interrupted
//! and for one that was resumed.

use super::error::RunError;
use super::summary::ProblemSummary;
use crate::chunk::{Example, Note, NoteKey, Notes, Severity, parted};
use crate::duck::Value;
use crate::load::Link;
use crate::load::ledger::Ledger;

/// Problems by kind: refused rows first, then warnings, then the rest, each by number.
pub fn read_problems(
    con: &dyn Link,
    run: &str,
    input: u32,
) -> Result<Vec<ProblemSummary>, RunError> {
    let rows = Ledger::new(con).problems(run, input)?;
    let mut problems: Vec<_> = rows.rows.iter().map(|row| problem(row)).collect();
    sort(&mut problems);
    Ok(problems)
}

/// The same from findings that never went into a ledger.
pub fn from_notes(notes: &Notes) -> Vec<ProblemSummary> {
    let problem = |(key, note): (&NoteKey, &Note)| {
        let (message, hint) = parted(&note.message);
        ProblemSummary {
            code: key.code.to_string(),
            rule: key.rule.clone(),
            column: key.column.clone(),
            severity: note.severity,
            message: message.to_owned(),
            hint: hint.unwrap_or_default().to_owned(),
            count: note.count,
            examples: note.examples.clone(),
        }
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

fn problem(row: &[Value]) -> ProblemSummary {
    let text = |at: usize| row[at].to_string();
    let severity = match row[3].as_text() {
        Some("critical") => Severity::Critical,
        Some("warning") => Severity::Warning,
        _ => Severity::Info,
    };
    let mut examples: Vec<Example> = text(6)
        .lines()
        .flat_map(|line| serde_json::from_str::<Vec<Example>>(line).unwrap_or_default())
        .collect();
    examples.sort_by_key(|example| example.place);
    examples.truncate(Note::EXAMPLES);
    let told = text(4);
    let (message, hint) = parted(&told);
    ProblemSummary {
        code: text(0),
        rule: text(1),
        column: text(2),
        severity,
        message: message.to_owned(),
        hint: hint.unwrap_or_default().to_owned(),
        count: row[5].as_int().unwrap_or(0) as u64,
        examples,
    }
}
