//! Rows that the server refuses, found at the speed of COPY and within one transaction.
//!
//! A COPY takes all of its rows or none. Where one is refused, the rows are tried in parts: up to the
//! line that the server names, or the first half where it names none (a foreign key is checked at the
//! end of the statement). A part that fails leaves nothing behind (savepoints), and parts grow again
//! behind a refused row, so that a few bad rows among many cost a few COPYs.

use super::error::ServerError;
use crate::chunk::{Code, Problem};
use crate::load::LoadError;
use std::cell::Cell;

/// Longest text of the server that is kept of one refusal.
const LONGEST: usize = 300;
/// Rows that are tried first behind a refused one.
const LEAST: usize = 16;
/// After so many rows that were refused one by one for the same reason, while no row was taken, the error is one of
/// the load and not of its rows.
const ALIKE: usize = 64;

/// Why the server did not take some rows.
#[derive(Debug)]
pub struct Refusal {
    /// The row of the COPY that it names, from 1.
    pub line: Option<usize>,
    /// What is wrong, with the column as the server calls it.
    pub problem: Problem,
    /// The error that ends the load if all rows are refused for it. `None`: it can only be about the row.
    pub doubt: Option<Box<LoadError>>,
}

impl Refusal {
    /// What the server has said.
    pub fn of(error: &ServerError) -> Self {
        let rule = match &error.constraint {
            Some(constraint) => format!("{} {constraint}", error.state),
            None => error.state.clone(),
        };
        let mut message = format!("the server refuses the row: {}", error.message);
        if let Some(detail) = &error.detail {
            message.push_str(&format!("; {detail}"));
        }
        let hint = error.hint.clone().unwrap_or_else(|| advice(&error.state).to_owned());
        let mut problem =
            Problem::new(Code::E404, cut(&message)).with_rule(rule).with_hint(cut(&hint));
        problem.column = error.column.clone().or_else(|| context_column(error));
        Self { line: error.context.as_deref().and_then(copy_line), problem, doubt: None }
    }

    /// Fewer rows went in than were sent, and no word was said.
    pub fn silent() -> Self {
        let problem =
            Problem::new(Code::E404, "a trigger or a rule of the table keeps the row out")
                .with_rule("kept out")
                .with_hint("look at the triggers of the table, or correct the row");
        Self { line: None, problem, doubt: None }
    }
}

fn advice(state: &str) -> &'static str {
    match state {
        "23505" => "another row has this value already; correct the row, or drop the constraint",
        "23503" => "load what the row refers to first, then `etl reprocess-failures`",
        "22001" => "shorten the value, widen the column, or --too-long cut",
        _ => "correct the row, or change the constraint, then `etl reprocess-failures`",
    }
}

/// One line, not too long.
fn cut(text: &str) -> String {
    let line: String = text.lines().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// `COPY sales, line 7, column x: "…"`: 7. Functions of triggers have lines of their own.
fn copy_line(context: &str) -> Option<usize> {
    let line = context.lines().find(|line| line.starts_with("COPY "))?;
    let rest = line.split(", line ").nth(1)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The column that the place of a COPY names.
fn context_column(error: &ServerError) -> Option<String> {
    let line = error.context.as_deref()?.lines().find(|line| line.starts_with("COPY "))?;
    let rest = line.split(", column ").nth(1)?;
    Some(rest.split(':').next().unwrap_or(rest).to_owned())
}

/// What is known of the rows from a place on.
struct Window {
    /// Rows to try next.
    rows: usize,
    /// End of rows among which one is refused for certain.
    failing: Option<usize>,
    /// The row that the server has named.
    suspect: Option<usize>,
    /// The last refused row.
    last: Option<usize>,
}

/// Puts `rows` into the table by `attempt`, which takes all rows of a part or says why not. Gives the
/// refused ones. `has_taken`: whether the table has taken any row so far.
pub fn sift(
    rows: &[u32],
    has_taken: &Cell<bool>,
    mut attempt: impl FnMut(&[u32]) -> Result<Option<Refusal>, LoadError>,
) -> Result<Vec<(u32, Problem)>, LoadError> {
    let mut refused: Vec<(u32, Problem)> = Vec::new();
    let mut window = Window { rows: rows.len(), failing: None, suspect: None, last: None };
    let mut from = 0;
    while from < rows.len() {
        let to = from.saturating_add(window.rows.max(1)).min(rows.len());
        match attempt(&rows[from..to])? {
            None => {
                has_taken.set(true);
                window.taken(to);
                from = to;
            }
            Some(refusal) if to - from == 1 => {
                let same = |(_, problem): &(u32, Problem)| problem.rule == refusal.problem.rule;
                let all_alike = || refused.len() + 1 >= ALIKE && refused.iter().all(same);
                if let Some(error) = refusal.doubt.filter(|_| !has_taken.get() && all_alike()) {
                    return Err(*error);
                }
                refused.push((rows[from], refusal.problem));
                window.refused(from);
                from = to;
            }
            Some(refusal) => window.failed(from, to, refusal.line),
        }
    }
    Ok(refused)
}

impl Window {
    /// All rows before `to` are in.
    fn taken(&mut self, to: usize) {
        if self.suspect == Some(to) {
            self.rows = 1;
            return;
        }
        match self.failing {
            Some(end) if end > to => self.rows = (end - to).div_ceil(2),
            _ => {
                self.failing = None;
                self.rows = self.rows.saturating_mul(4);
            }
        }
    }

    /// One of `from..to` is refused.
    fn failed(&mut self, from: usize, to: usize, line: Option<usize>) {
        self.failing = Some(to);
        self.suspect =
            line.filter(|line| (1..=to - from).contains(line)).map(|line| from + line - 1);
        self.rows = match self.suspect {
            Some(suspect) if suspect > from => suspect - from,
            Some(_) => 1,
            None => (to - from) / 2,
        };
    }

    /// Row `at` is refused. The next ones are tried in parts as long as it took to come to it.
    fn refused(&mut self, at: usize) {
        let gap = at - self.last.map_or(0, |last| last + 1);
        self.last = Some(at);
        self.suspect = None;
        self.failing = None;
        self.rows = gap.saturating_mul(2).max(LEAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A server that refuses some rows; gives the refused, the rows that are in, the number of
    /// attempts and of rows sent.
    fn served(total: u32, bad: &[u32], names: bool) -> (Vec<u32>, Vec<u32>, usize, usize) {
        let rows: Vec<u32> = (0..total).collect();
        let (mut taken, attempts, sent) = (Vec::new(), Cell::new(0), Cell::new(0));
        let refused = sift(&rows, &Cell::new(false), |part| {
            attempts.set(attempts.get() + 1);
            sent.set(sent.get() + part.len());
            let at = part.iter().position(|row| bad.contains(row));
            if at.is_none() {
                taken.extend_from_slice(part);
            }
            Ok(at.map(|at| Refusal { line: names.then_some(at + 1), ..Refusal::silent() }))
        });
        let refused = refused.expect("no trouble").iter().map(|(row, _)| *row).collect();
        (refused, taken, attempts.get(), sent.get())
    }

    #[test]
    fn a_few_bad_rows_cost_a_few_attempts() {
        for names in [true, false] {
            let (refused, taken, attempts, sent) = served(100_000, &[5, 40_000, 99_999], names);
            assert_eq!(refused, [5, 40_000, 99_999]);
            assert_eq!(taken.len(), 99_997);
            assert!(attempts < if names { 50 } else { 120 }, "{attempts}");
            assert!(sent < 900_000, "{sent}");
        }
        assert_eq!(served(1_000, &[], true).2, 1);
        let all: Vec<u32> = (0..300).collect();
        assert_eq!(served(300, &all, false).0, all);
    }

    #[test]
    fn many_bad_rows_do_not_send_the_rest_again_and_again() {
        let bad: Vec<u32> = (0..100_000).step_by(100).collect();
        let (refused, _, attempts, sent) = served(100_000, &bad, true);
        assert_eq!(refused, bad);
        assert!(attempts < 5_000 && sent < 600_000, "{attempts} {sent}");
    }

    #[test]
    fn what_refuses_every_row_for_one_reason_ends_the_load() {
        use crate::load::LoadErrorKind;
        let rows: Vec<u32> = (0..1_000).collect();
        let error = || LoadError::new(LoadErrorKind::Target, "not yours (42501)");
        let doubtful = |taken: &Cell<bool>, good: &[u32]| {
            sift(&rows, taken, |part| {
                let bad = part.iter().any(|row| !good.contains(row));
                let doubt = Some(Box::new(error()));
                Ok(bad.then(|| Refusal { doubt, ..Refusal::silent() }))
            })
        };
        let none_taken = doubtful(&Cell::new(false), &[]).expect_err("no row is taken");
        assert_eq!(none_taken.message, error().message);
        let others = doubtful(&Cell::new(false), &[3]).expect("one row is taken");
        assert_eq!(others.len(), 999);
        let before = doubtful(&Cell::new(true), &[]).expect("rows were taken before");
        assert_eq!(before.len(), 1_000);
    }

    proptest! {
        #[test]
        fn every_row_is_taken_or_refused(total in 1u32..200, some in prop::collection::vec(0u32..200, 0..40), names: bool) {
            let (refused, taken, ..) = served(total, &some, names);
            let mut bad: Vec<u32> = some.into_iter().filter(|row| *row < total).collect();
            bad.sort_unstable();
            bad.dedup();
            prop_assert_eq!(&refused, &bad);
            let good: Vec<u32> = (0..total).filter(|row| !bad.contains(row)).collect();
            prop_assert_eq!(taken, good);
        }
    }

    #[test]
    fn the_line_is_that_of_the_copy() {
        let context = "PL/pgSQL function f() line 3 at RAISE\nCOPY sales, line 12, column x: \"a\"";
        let error = ServerError {
            state: "P0001".into(),
            message: "no".into(),
            context: Some(context.into()),
            ..ServerError::default()
        };
        let refusal = Refusal::of(&error);
        assert_eq!(refusal.line, Some(12));
        assert_eq!(refusal.problem.column.as_deref(), Some("x"));
        assert_eq!(copy_line("SQL statement \"SELECT 1\""), None);
    }
}
