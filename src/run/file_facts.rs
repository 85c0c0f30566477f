//! Facts about a file as a whole that a pack or a user asks for, made ready to be checked.

use super::prepare::Prepared;
use super::request::Request;
use crate::chunk::Severity;
use crate::load::KeySet;
use crate::pack::{Check, Pack, Rule};
use crate::validate::{FactRule, FileFact, FileRows, FileUnique, SeenKeys};
use std::sync::Arc;

/// Memory of the newest keys of one rule; older ones go to temporary files.
const SHARE: u64 = 4 << 20;

/// The fact that a rule of the pack demands, where it is one.
pub(super) fn of_pack(
    rule: &Rule,
    severity: Severity,
    input: &Prepared,
    pack: &Pack,
    request: &Request,
) -> Option<Arc<dyn FileFact>> {
    // Critical only where the user says so: the pack's own word on a whole file is a warning.
    let severity = match request.rule_levels.contains_key(&rule.id) {
        true => severity,
        false => severity.min(Severity::Warning),
    };
    let told = |columns: &[String]| FactRule {
        id: rule.id.clone(),
        severity,
        columns: columns.to_vec(),
        message: rule.message.clone(),
        hint: rule.hint.clone(),
    };
    match &rule.check {
        // Rows that repeat the key of their kind are found by the load itself.
        Check::Unique(columns) if *columns != input.spec.key => {
            Some(unique(told(columns), request))
        }
        Check::Rows { table, column, within } => {
            let county = input.settled.county?.to_string();
            let expected = pack.looked_up(table, &county, column)?.parse().ok()?;
            Some(Arc::new(FileRows::new(told(&rule.columns), expected, *within)))
        }
        _ => None,
    }
}

/// No two rows alike in the columns of the rule.
pub(super) fn unique(rule: FactRule, request: &Request) -> Arc<dyn FileFact> {
    let seen = Seen(KeySet::new(SHARE, request.limits.temp_dir.clone()));
    Arc::new(FileUnique::new(rule, Box::new(seen)))
}

struct Seen(KeySet);

impl SeenKeys for Seen {
    fn insert(&mut self, key: u128, row: u64) -> Result<Option<u64>, String> {
        self.0.insert(key, row).map_err(|error| error.message)
    }
}
