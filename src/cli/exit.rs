//! Exit codes. Schedulers see nothing else of a run, so each cause has a number of its own.

use crate::chunk::Severity;
use crate::flow::StopCause;
use crate::run::{FailedInput, RunErrorKind, RunStatus, Summary};

/// Done, and nothing was rejected.
pub const DONE: u8 = 0;
/// The run failed; also when the account does not hold.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration; nothing was touched.
pub const USAGE: u8 = 2;
/// Loaded, but some rows were rejected (within the budget); `--rejects-ok` makes it 0.
pub const REJECTS: u8 = 3;
/// The error budget was exceeded.
pub const ERROR_BUDGET: u8 = 4;
/// `etl check` found errors.
pub const CHECK_FOUND: u8 = 5;
/// The input is missing or cannot be read.
pub const INPUT: u8 = 6;
/// The target cannot be reached or refuses.
pub const TARGET: u8 = 7;
/// Memory or disk ran out.
pub const LIMIT: u8 = 8;
/// Ctrl-C; the same command goes on.
pub const INTERRUPTED: u8 = 130;
/// SIGTERM; the same command goes on.
pub const TERMINATED: u8 = 143;

/// The table for `--help`.
pub const HELP: &str = "\
Exit codes:
    0  done, nothing rejected
    1  the run failed
    2  wrong usage or configuration
    3  loaded, some rows rejected (--rejects-ok makes it 0)
    4  error budget exceeded
    5  check found errors
    6  input unreadable
    7  target unreachable or refused
    8  memory or disk limit
  130  interrupted (143: terminated); the same command goes on";

/// The code of a failure.
pub fn of_error(kind: RunErrorKind) -> u8 {
    match kind {
        RunErrorKind::Usage => USAGE,
        RunErrorKind::Failed | RunErrorKind::Account => FAILED,
        RunErrorKind::ErrorBudget => ERROR_BUDGET,
        RunErrorKind::Input => INPUT,
        RunErrorKind::Target => TARGET,
        RunErrorKind::Limit => LIMIT,
        RunErrorKind::Interrupted(StopCause::Terminate) => TERMINATED,
        RunErrorKind::Interrupted(StopCause::Interrupt) => INTERRUPTED,
        RunErrorKind::Interrupted(StopCause::Failure) => FAILED,
    }
}

/// The code of a run in which some inputs have failed: that of the first one in the order of the arguments.
pub fn of_failed(failed: &[FailedInput]) -> u8 {
    failed.first().map_or(DONE, |first| of_error(first.kind))
}

/// The code of a run that ended. Rows that an earlier run had refused do not count again.
pub fn of_summary(summary: &Summary, rejects_ok: bool) -> u8 {
    if summary.tally.gap() != 0 {
        return FAILED;
    }
    if !summary.failed_inputs.is_empty() {
        return of_failed(&summary.failed_inputs);
    }
    let fresh = summary.inputs.iter().filter(|input| input.already_loaded_by.is_none());
    let rejected: u64 = fresh.map(|input| input.tally.rejected).sum();
    match summary.status {
        RunStatus::Checked if rejected > 0 || breaks_a_rule(summary) => CHECK_FOUND,
        RunStatus::Done if rejected > 0 && !rejects_ok => REJECTS,
        RunStatus::Done
        | RunStatus::Partial
        | RunStatus::AlreadyLoaded
        | RunStatus::Checked
        | RunStatus::Unfinished => DONE,
    }
}

/// A critical rule about all rows refuses none of them, but a load would end there.
fn breaks_a_rule(summary: &Summary) -> bool {
    let mut problems = summary.inputs.iter().flat_map(|input| &input.problems);
    problems.any(|problem| problem.severity == Severity::Critical)
}

#[cfg(test)]
mod tests {
    use super::super::sample::summary;
    use super::*;

    #[test]
    fn rejected_rows_are_three_unless_they_are_ok() {
        let mut done = summary();
        assert_eq!(of_summary(&done, false), REJECTS);
        assert_eq!(of_summary(&done, true), DONE);
        done.status = RunStatus::Checked;
        assert_eq!(of_summary(&done, true), CHECK_FOUND);
    }

    #[test]
    fn rows_refused_by_an_earlier_run_do_not_fail_this_one() {
        let mut again = summary();
        again.inputs.iter_mut().for_each(|input| input.already_loaded_by = Some("01".into()));
        assert_eq!(of_summary(&again, false), DONE);
    }

    #[test]
    fn a_gap_in_the_account_is_a_failure() {
        let mut gap = summary();
        gap.tally.read += 1;
        assert_eq!(of_summary(&gap, true), FAILED);
    }
}
