//! Rules about a file that are decided before its rows: its name, its header, its first ids.

use super::agents::{severity, way_out};
use super::error::{RunError, RunErrorKind};
use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::{Severity, quotable};
use crate::pack::{Check, NameFacts, Pack, Rule, Scope};
use std::collections::HashMap;

/// Fewer ids than this say nothing about a file.
const LEAST_IDS: usize = 50;
/// Zeros at the end of an id from which it looks rounded: a spreadsheet shows six digits.
const ZEROS: &str = "000000";
/// Shorter ids are shown in full.
const LEAST_DIGITS: usize = 10;

/// Warnings, or the critical rule that the file breaks.
pub fn check(
    input: &Prepared,
    name: &NameFacts,
    request: &Request,
    pack: &Pack,
) -> Result<Vec<String>, RunError> {
    let mut warnings = Vec::new();
    let Some(kind) = input.kind(pack) else { return Ok(warnings) };
    for rule in pack.rules_for(&kind.id) {
        let Some(finding) = finding(rule, input, name) else { continue };
        match severity(rule, request)? {
            Some(Severity::Critical) => return Err(broken(rule, input, &finding)),
            Some(Severity::Warning) => {
                warnings.push(format!("{finding} (rule {}). {}", rule.id, rule.hint));
            }
            Some(Severity::Info) | None => {}
        }
    }
    Ok(warnings)
}

fn finding(rule: &Rule, input: &Prepared, name: &NameFacts) -> Option<String> {
    match (&rule.check, rule.scope) {
        (Check::Name, _) if rule.id == PUBLISHED_NAME => {
            (!name.published).then(|| format!("{}: {}", rule.message, name.source))
        }
        (Check::Reader, Scope::File) if rule.id == KNOWN_LAYOUT => unknown_layout(rule, input),
        (Check::RoundedIds(column), _) => rounded(rule, input, column),
        _ => None,
    }
}

/// Rules that have no expression: what they demand is known to the program.
const PUBLISHED_NAME: &str = "FILE-01";
const KNOWN_LAYOUT: &str = "FILE-02";
const COUNTY_OF_NAME: &str = "FILE-05";
const YEAR_OF_NAME: &str = "FILE-06";

/// The rule that rows and file name break by contradicting each other.
pub fn of_conflict(fact: &str) -> Option<&'static str> {
    match fact {
        "county" => Some(COUNTY_OF_NAME),
        "year" => Some(YEAR_OF_NAME),
        _ => None,
    }
}

fn broken(rule: &Rule, input: &Prepared, finding: &str) -> RunError {
    let message = format!("{}: {finding} (rule {})", input.origin.label(), rule.id);
    let mut error = RunError::new(RunErrorKind::Failed, message).with_hint(way_out(rule));
    error.rule = Some(rule.id.clone());
    error.kept = Some("nothing of this file was loaded".into());
    error
}

/// Columns that are unknown or missing have been told by name already.
fn unknown_layout(rule: &Rule, input: &Prepared) -> Option<String> {
    let binding = input.binding.as_ref()?;
    let told = !binding.unknown.is_empty() || !binding.missing.is_empty();
    (binding.layout.is_none() && !told).then(|| rule.message.clone())
}

/// Ids that end in zeros are rounded if they are alike as well: ids that really end so differ.
fn rounded(rule: &Rule, input: &Prepared, column: &str) -> Option<String> {
    let field = input.schema.columns[input.schema.position(column)?].field;
    let sample = input.table.sample();
    let ids: Vec<&str> = sample.iter().filter_map(|row| Some(row.get(field)?.trim())).collect();
    let mut alike: HashMap<&str, usize> = HashMap::new();
    for id in ids.iter().filter(|id| looks_rounded(id)) {
        *alike.entry(id).or_default() += 1;
    }
    let zeros: usize = alike.values().sum();
    let (id, times) = alike.iter().map(|(id, times)| (*id, *times)).max_by_key(|(id, times)| {
        // The greatest of equals, so that the message does not depend on the hash.
        (*times, *id)
    })?;
    let suspicious =
        ids.len() >= LEAST_IDS && zeros * 5 >= ids.len() && alike.len() * 10 < zeros * 9;
    suspicious.then(|| {
        format!(
            "{}: {zeros} of the first {} do, and \"{}\" stands {times} times in column {}",
            rule.message,
            ids.len(),
            quotable(id),
            column.to_uppercase(),
        )
    })
}

fn looks_rounded(id: &str) -> bool {
    id.len() >= LEAST_DIGITS && id.ends_with(ZEROS) && id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_ids_of_digits_can_be_rounded() {
        assert!(looks_rounded("474119000000"));
        for sound in ["474119030010", "06340-000-000", "1000000", "4741190000000A"] {
            assert!(!looks_rounded(sound), "{sound}");
        }
    }
}
