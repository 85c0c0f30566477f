//! What there is to tell of the files of a run, beside the inputs that were read: in a summary and in a plan.

use super::report_error::failed_lines;
use super::text::{Paint, count, hang, plural, safe};
use crate::run::FailedInput;
use crate::source::Skipped;

/// Skipped files that are listed.
const SKIPPED: usize = 8;

/// Files that are not read, each with its reason.
pub fn skipped(skipped: &[Skipped], width: usize, all: bool) -> Vec<String> {
    let most = if all { usize::MAX } else { SKIPPED };
    let shown = skipped.iter().take(most);
    let mut lines: Vec<_> =
        shown.flat_map(|found| hang("  not read: ", &safe(&found.to_string()), width)).collect();
    if skipped.len() > most {
        let more = count((skipped.len() - most) as u64);
        lines.push(format!("  … and {more} more not read (-v or --format json lists all)"));
    }
    lines
}

/// What the user should know of the files that were found.
pub fn warnings(warnings: &[String], paint: Paint, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for warning in warnings {
        let mut told = hang("  warning: ", &safe(warning), width);
        told[0] = told[0].replacen("warning:", &paint.yellow("warning:"), 1);
        lines.extend(told);
    }
    lines
}

/// Inputs that could not be read or loaded.
pub fn failed(failed: &[FailedInput], paint: Paint) -> Vec<String> {
    if failed.is_empty() {
        return Vec::new();
    }
    let number = plural(failed.len() as u64, "input");
    let mut lines = vec![paint.red(&format!("{number} could not be read or loaded:"))];
    lines.extend(failed_lines(failed, paint).iter().map(|line| format!("  {line}")));
    lines
}
