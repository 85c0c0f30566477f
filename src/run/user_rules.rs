//! The user's own rules against the columns of one file: every mistake is found here, before a row is
//! read, with its place in the rule file.

use super::agents::{self, parameters, severity_as};
use super::error::{RunError, RunErrorKind};
use super::file_facts;
use super::prepare::Prepared;
use super::request::Request;
use super::whole::Whole;
use crate::chunk::{ColumnKind, Severity};
use crate::pack::Pack;
use crate::rules::{Check, Level, UserRule};
use crate::stage::{Engine, Expression, Projection, substitute};
use crate::validate::{FactRule, FileFact, FileFresh, FileOutliers, NAME, RowRule};
use std::sync::Arc;

/// The kind of a table that the pack does not know.
const GENERIC: &str = "generic";

/// Adds the rules that are about rows of this file; gives those that are about all of them.
pub(super) fn bind(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    engine: &Engine,
    whole: &Whole,
    rows: &mut Vec<RowRule>,
) -> Result<Vec<Arc<dyn FileFact>>, RunError> {
    let mut facts = Vec::new();
    let kind = input.kind_id(pack);
    for rule in &request.rules {
        Bound { rule, severity: Severity::Info, input, request }.must_be_known(pack)?;
    }
    let about = |rule: &&UserRule| rule.kinds.is_empty() || rule.kinds.contains(&kind);
    for rule in request.rules.iter().filter(about) {
        let own = match rule.level {
            Level::Critical => Severity::Critical,
            Level::Warning => Severity::Warning,
            Level::Info => Severity::Info,
        };
        let Some(severity) = severity_as(&rule.id, own, request)? else { continue };
        let bound = Bound { rule, severity, input, request };
        if !bound.has_columns()? {
            continue;
        }
        match rule.row_check(|column| bound.has_decimals(column)) {
            Some(check) => rows.push(bound.row_rule(check, engine)?),
            None => facts.push(bound.fact(whole)?),
        }
    }
    Ok(facts)
}

/// The rules of the user that refuse rows of an input: their columns and what they demand.
pub(super) fn refusing<'r>(
    request: &'r Request,
    pack: &Pack,
    input: &Prepared,
) -> Vec<(&'r [String], &'r Check)> {
    if !agents::has(request, NAME) {
        return Vec::new();
    }
    let of_input = input.kind_id(pack);
    let demand = |rule: &'r UserRule| {
        let UserRule { id, level, kinds, columns, check, message: _, hint: _, place: _ } = rule;
        let own = if *level == Level::Critical { Severity::Critical } else { Severity::Info };
        let severity = severity_as(id, own, request).ok().flatten();
        let about = kinds.is_empty() || kinds.contains(&of_input);
        let has_columns = columns.iter().all(|name| input.schema.position(name).is_some());
        let refuses = severity == Some(Severity::Critical) && !check.is_of_file();
        (refuses && about && has_columns).then_some((columns.as_slice(), check))
    };
    request.rules.iter().filter_map(demand).collect()
}

struct Bound<'a> {
    rule: &'a UserRule,
    severity: Severity,
    input: &'a Prepared,
    request: &'a Request,
}

impl Bound<'_> {
    fn wrong(&self, message: impl Into<String>) -> RunError {
        let message = format!("rule {}: {}", self.rule.id, message.into());
        let mut error = RunError::new(RunErrorKind::Usage, message);
        error.place = self.rule.place.clone().map(Box::new);
        error
    }

    /// A kind that nobody knows would leave the rule out of every file, and an id of the pack's would count
    /// two rules as one.
    fn must_be_known(&self, pack: &Pack) -> Result<(), RunError> {
        let rule = self.rule;
        let known: Vec<_> = pack.kinds.iter().map(|kind| kind.id.as_str()).collect();
        let is_known = |kind: &String| kind == GENERIC || known.contains(&kind.as_str());
        if let Some(kind) = rule.kinds.iter().find(|kind| !is_known(kind)) {
            return Err(self
                .wrong(format!("there is no kind `{kind}`"))
                .with_hint(format!("the kinds are {} and {GENERIC}", known.join(", "))));
        }
        match pack.rules.iter().any(|own| own.id == rule.id) {
            true => {
                Err(self.wrong("the pack has a rule of this id").with_hint("call it otherwise"))
            }
            false => Ok(()),
        }
    }

    /// `false`: a column of the kind is not in this file, and the rule is left out like one of the
    /// pack. A column that nobody knows is a mistake.
    fn has_columns(&self) -> Result<bool, RunError> {
        let Self { rule, input, .. } = self;
        let mut all = true;
        for column in &rule.columns {
            if input.schema.position(column).is_some() {
                continue;
            }
            all = false;
            if input.missing.iter().any(|(name, _)| name == column) {
                continue;
            }
            let names: Vec<_> = input.schema.columns.iter().map(|c| c.name.as_str()).collect();
            let label = input.origin.label();
            let known = match names.iter().find(|name| name.eq_ignore_ascii_case(column)) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("its columns are {}", shortened(&names)),
            };
            let hint = "kinds = [\"nal\"] keeps a rule to files of that kind";
            let error = self.wrong(format!("{label} has no column `{column}`"));
            return Err(error.with_hint(known).with_hint(hint));
        }
        Ok(all)
    }

    fn has_decimals(&self, column: &str) -> bool {
        let columns = &self.input.schema.columns;
        let kind = columns.iter().find(|known| known.name == column).map(|known| known.kind);
        matches!(kind, Some(ColumnKind::Double | ColumnKind::Decimal(_)))
    }

    fn row_rule(
        &self,
        check: crate::rules::RowCheck,
        engine: &Engine,
    ) -> Result<RowRule, RunError> {
        let rule = self.rule;
        let ok = substitute(&check.ok, &parameters(self.input));
        self.rehearse(&ok, engine)?;
        Ok(RowRule {
            id: rule.id.clone(),
            severity: self.severity,
            columns: rule.columns.clone(),
            ok,
            each: check.each,
            message: rule.message.clone().unwrap_or(check.message),
            hint: rule.hint.clone(),
        })
    }

    /// Tries the expression on no rows.
    fn rehearse(&self, ok: &str, engine: &Engine) -> Result<(), RunError> {
        let input = self.input;
        let chunk = crate::source::empty_chunk(&input.schema, &input.origin);
        let boolean = Some("BOOLEAN".to_owned());
        let expression = Expression { name: "ok".into(), ty: boolean, sql: ok.to_owned() };
        let projection = Projection::new(NAME, &[expression], &[], &input.missing);
        let mut session = engine.session();
        let tried = projection.by_sql().run(&mut session, &chunk.frame);
        tried.map(|_| ()).map_err(|error| {
            let told = error.message.trim_start_matches("an expression failed: ").to_owned();
            self.wrong(told).with_hint("it is DuckDB's SQL over the columns of the file")
        })
    }

    fn fact(&self, whole: &Whole) -> Result<Arc<dyn FileFact>, RunError> {
        let rule = self.rule;
        let columns = rule.columns.join(", ");
        let message = rule.message.clone().unwrap_or_else(|| match rule.check {
            Check::Unique => format!("{columns} come more than once"),
            Check::FreshDays(_) => format!("{columns} is not fresh"),
            _ => format!("{columns} is far from the other values"),
        });
        let (id, columns, hint) = (rule.id.clone(), rule.columns.clone(), rule.hint.clone());
        let told = FactRule { id, severity: self.severity, columns, message, hint };
        let table = &self.input.spec.name;
        match rule.check {
            Check::FreshDays(days) => {
                self.must_be("a column of days", |kind| {
                    kind == ColumnKind::Date || kind.is_moment()
                })?;
                let today = chrono::Utc::now().timestamp().div_euclid(86_400);
                whole.fact(table, &rule.id, || Ok(Arc::new(FileFresh::new(told, today, days))))
            }
            Check::Outlier(most) => {
                self.must_be("a column of numbers", |kind| {
                    !matches!(kind, ColumnKind::Text | ColumnKind::Bool)
                })?;
                let temp_dir = self.request.limits.temp_dir.clone();
                whole.fact(table, &rule.id, || {
                    Ok(Arc::new(FileOutliers::new(told, most, temp_dir)?))
                })
            }
            _ => whole.fact(table, &rule.id, || Ok(file_facts::unique(told, self.request))),
        }
    }

    fn must_be(&self, what: &str, is: impl Fn(ColumnKind) -> bool) -> Result<(), RunError> {
        let name = &self.rule.columns[0];
        let at = self.input.schema.position(name);
        let kind = at.map(|at| self.input.schema.columns[at].kind);
        match kind {
            Some(kind) if !is(kind) => {
                let message = format!("{} asks for {what}", self.rule.check.field());
                Err(self.wrong(format!("{message}, and {name} is {}", kind.duckdb())))
            }
            _ => Ok(()),
        }
    }
}

fn shortened(names: &[&str]) -> String {
    let told = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 12 { format!("{told}, … ({} in all)", names.len()) } else { told }
}
