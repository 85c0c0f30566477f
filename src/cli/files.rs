//! What there is to tell of the files of a run, beside the inputs that were read: in a summary and in a plan.

use super::report_error::failed_lines;
use super::text::{Paint, count, hang, plural, safe};
use crate::run::FailedInput;
use crate::source::Skipped;

/// Skipped files of one reason that are listed.
const SKIPPED: usize = 10;

/// Files that are not read, by the reason.
pub fn skipped(skipped: &[Skipped], width: usize, all: bool) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for Skipped { path, reason } in skipped {
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, paths)) => paths.push(path),
            None => reasons.push((reason, vec![path])),
        }
    }
    let most = if all { usize::MAX } else { SKIPPED };
    let told = |(reason, paths): (&str, Vec<&str>)| match paths.as_slice() {
        [only] => hang("  not read: ", &safe(&format!("{only}: {reason}")), width),
        several => {
            let shown: Vec<_> = several.iter().take(most).map(|path| safe(path)).collect();
            let more = match several.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {} more (-v or --format json lists all)", count(more as u64)),
            };
            let head = format!("  not read, {}: ", safe(reason));
            hang(&head, &format!("{}{more}", shown.join(", ")), width)
        }
    };
    reasons.into_iter().flat_map(told).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_reason_stand_together() {
        let one = |path: &str, reason: &str| Skipped { path: path.into(), reason: reason.into() };
        let mut all = vec![one("d/.a", "hidden"), one("d/x.pdf", "a PDF"), one("d/.b", "hidden")];
        let expected = ["  not read, hidden: d/.a, d/.b", "  not read: d/x.pdf: a PDF"];
        assert_eq!(skipped(&all, 80, false), expected);
        all.extend((0..20).map(|n| one(&format!("{n}.pdf"), "a PDF")));
        let short = skipped(&all, 200, false).join(" ");
        assert!(short.contains("8.pdf and 11 more") && !short.contains("12.pdf"), "{short}");
        let long = skipped(&all, 200, true).join(" ");
        assert!((0..20).all(|n| long.contains(&format!("{n}.pdf"))), "{long}");
    }
}
