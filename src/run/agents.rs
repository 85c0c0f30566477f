//! The agents of one input, built from the pack and the request. A new agent is one file with a
//! spec, and one arm here.

use super::cleaning;
use super::error::{RunError, RunErrorKind};
use super::geography;
use super::masking;
use super::prepare::Prepared;
use super::request::Request;
use super::whole::Whole;
use super::{file_facts, user_rules};
use crate::chunk::{Notes, Severity};
use crate::pack::{Agent, Check, Kind, Level, Pack, Rule};
use crate::stage::{Engine, Expression, Joined, StageSpec, substitute};
use crate::validate::{
    CellChecks, FileConstant, FileSequence, IdFormat, RowRule, RuleChecks, Validate,
};
use crate::{enrich, transform, validate};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Limit of the agents' SQL engine, in bytes. A hash join reserves blocks for its partitions before it
/// knows that its table is tiny (about 8 MB a join); they are hardly touched, so that what is resident
/// stays far below.
pub const ENGINE_MEMORY: u64 = 256 << 20;

/// The column whose shape the county's parcel id format describes.
const PARCEL_ID: &str = "parcel_id";

/// The SQL engine with the pack's code tables.
pub fn engine(pack: &Pack) -> Engine {
    let tables: Vec<_> = pack
        .tables
        .iter()
        .map(|table| (table.name.as_str(), table.header.as_slice(), table.rows.as_slice()))
        .collect();
    Engine::new(&tables, ENGINE_MEMORY)
}

/// The agents in the order of the request, `load` not among them.
pub fn agents(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    engine: &Engine,
    whole: &Whole,
) -> Result<Vec<Arc<dyn StageSpec>>, RunError> {
    let mut specs: Vec<Arc<dyn StageSpec>> = Vec::new();
    for agent in &request.agents {
        specs.push(match agent.as_str() {
            validate::NAME => Arc::new(validator(request, pack, input, engine, whole)?),
            transform::NAME => {
                let (expressions, _) = derived(pack, input, Agent::Transform);
                let missing = &input.missing;
                Arc::new(transform::Derive::new(
                    transform::NAME,
                    &expressions,
                    &[],
                    missing,
                    engine.clone(),
                ))
            }
            enrich::NAME => {
                let (expressions, joins) = derived(pack, input, Agent::Enrich);
                Arc::new(enrich::enrich(&expressions, &joins, &input.missing, engine.clone()))
            }
            other => {
                return Err(RunError::new(RunErrorKind::Usage, format!("unknown agent `{other}`"))
                    .with_hint("the agents are validate, transform and enrich, or none"));
            }
        });
    }
    if !has(request, validate::NAME) {
        if !request.rules.is_empty() {
            let message =
                "the rules of --rules are checked by validate, which is not among the agents";
            return Err(RunError::new(RunErrorKind::Usage, message)
                .with_hint("leave --rules out, or give --agents validate"));
        }
        specs.insert(0, Arc::new(Arc::new(types(pack, input, engine))));
    }
    if let Some(cleaner) = cleaning::agent(input) {
        specs.insert(0, cleaner);
    }
    specs.extend(geography::agent(input));
    masking::around(&mut specs, input);
    if let Some(mapping) = &input.mapping {
        specs.push(Arc::new(mapping.agent(input, pack, engine)));
    }
    Ok(specs)
}

/// Whether an agent was asked for.
pub fn has(request: &Request, agent: &str) -> bool {
    request.agents.iter().any(|name| name == agent)
}

/// Tries all expressions on a frame without rows, so that a mistake in a pack is found before a row
/// is read.
pub fn rehearse(specs: &[Arc<dyn StageSpec>], input: &Prepared) -> Result<(), RunError> {
    let mut chunk = crate::source::empty_chunk(&input.cleaning.reads(&input.schema), &input.origin);
    // It is none of the file's chunks.
    chunk.seq = u64::MAX;
    for spec in specs {
        chunk = spec.build().and_then(|mut stage| stage.apply(chunk)).map_err(RunError::from)?;
    }
    Ok(())
}

/// Derived columns of an agent, with the lookups they need.
fn derived(pack: &Pack, input: &Prepared, agent: Agent) -> (Vec<Expression>, Vec<Joined>) {
    let Some(kind) = input.kind(pack) else { return (Vec::new(), Vec::new()) };
    let parameters = parameters(input);
    let expressions: Vec<_> = kind
        .derived
        .iter()
        .filter(|derived| derived.agent == agent)
        .map(|derived| {
            let in_file = |name: &String| input.schema.position(name).is_some();
            let possible = derived.needs.is_empty() || derived.needs.iter().any(in_file);
            let sql = if possible { substitute(&derived.sql, &parameters) } else { "NULL".into() };
            Expression { name: derived.name.clone(), ty: Some(derived.ty.clone()), sql }
        })
        .collect();
    let used = |alias: &str| {
        expressions.iter().any(|expression| expression.sql.contains(&format!("{alias}.")))
    };
    let joins = kind
        .lookups
        .iter()
        .filter(|lookup| used(&lookup.alias))
        .map(|lookup| Joined {
            alias: lookup.alias.clone(),
            table: lookup.table.clone(),
            on: lookup.on.clone(),
        })
        .collect();
    (expressions, joins)
}

/// The file's parameters as SQL literals.
pub(super) fn parameters(input: &Prepared) -> BTreeMap<&'static str, String> {
    let number = |value: Option<u16>, ty: &str| {
        value.map_or(format!("CAST(NULL AS {ty})"), |value| value.to_string())
    };
    let settled = &input.settled;
    let release =
        settled.release.map_or("CAST(NULL AS VARCHAR)".into(), |release| format!("'{release}'"));
    BTreeMap::from([
        ("release", release),
        ("roll_year", number(settled.year, "INTEGER")),
        ("county", number(settled.county.map(u16::from), "INTEGER")),
        ("submission", number(settled.submission, "INTEGER")),
    ])
}

fn validator(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    engine: &Engine,
    whole: &Whole,
) -> Result<Arc<Validate>, RunError> {
    let (mut rows, mut constants, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
    let mut facts = Vec::new();
    let kind = input.kind(pack);
    let parameters = parameters(input);
    let plain = types(pack, input, engine);
    for rule in kind.into_iter().flat_map(|kind| pack.rules_for(&kind.id)) {
        let Some(severity) = severity(rule, request)? else { continue };
        let in_file = |name: &str| input.schema.position(name).is_some();
        if !rule.applies(in_file) {
            continue;
        }
        match &rule.check {
            Check::Row { ok, each } => rows.push(RowRule {
                id: rule.id.clone(),
                severity,
                columns: rule.columns.clone(),
                ok: substitute(&pack.of_year(ok, input.settled.year), &parameters),
                each: each.as_ref().map(|each| substitute(each, &parameters)),
                message: rule.message.clone(),
                hint: rule.hint.clone(),
            }),
            Check::OneValue(column) => {
                constants.extend(constant(rule, column, severity, input, kind));
            }
            Check::Sequence(column) => {
                let Rule { id, message, hint, .. } = rule;
                sequences.push(FileSequence::new(id, severity, column, message, hint));
            }
            _ => facts.extend(file_facts::of_pack(rule, severity, input, pack, request)),
        }
    }
    facts.extend(user_rules::bind(request, pack, input, engine, whole, &mut rows)?);
    let begun = whole.current(input);
    facts.iter().try_for_each(|fact| fact.begin(&begun, &input.schema)).map_err(RunError::from)?;
    let rules = RuleChecks::new(rows, &input.missing);
    Ok(Arc::new(Validate { name: validate::NAME, rules, constants, sequences, facts, ..plain }))
}

/// Checks of types and keys, without a rule.
fn types(pack: &Pack, input: &Prepared, engine: &Engine) -> Validate {
    let kind = input.kind(pack);
    let cells = CellChecks {
        schema: Arc::clone(&input.schema),
        ids: kind.map(|kind| id_formats(pack, kind, input)).unwrap_or_default(),
    };
    let (constants, sequences, facts) = (Vec::new(), Vec::new(), Vec::new());
    let rules = RuleChecks::new(Vec::new(), &input.missing);
    let engine = engine.clone();
    Validate { name: validate::TYPES, cells, rules, constants, sequences, facts, engine }
}

/// The level of a rule, as the user or the pack has it; `None`: off.
pub(super) fn severity(rule: &Rule, request: &Request) -> Result<Option<Severity>, RunError> {
    let own = match rule.level {
        Level::Critical => Severity::Critical,
        Level::Warning => Severity::Warning,
        Level::Info => Severity::Info,
    };
    severity_as(&rule.id, own, request)
}

/// The level of a rule of this id, which has one of its own.
pub(super) fn severity_as(
    id: &str,
    own: Severity,
    request: &Request,
) -> Result<Option<Severity>, RunError> {
    Ok(match request.rule_levels.get(id).map(String::as_str) {
        None => Some(own),
        Some("critical") => Some(Severity::Critical),
        Some("warning") => Some(Severity::Warning),
        Some("info") => Some(Severity::Info),
        Some("off") => None,
        Some(other) => {
            let message = format!("rule {id}: `{other}` is no level");
            return Err(RunError::new(RunErrorKind::Usage, message)
                .with_hint("use critical, warning, info or off"));
        }
    })
}

/// The value that a column must hold throughout: the settled county or year, else what the first
/// record has.
fn constant(
    rule: &Rule,
    column: &str,
    severity: Severity,
    input: &Prepared,
    kind: Option<&Kind>,
) -> Option<FileConstant> {
    let position = input.schema.position(column)?;
    let kind = kind?;
    let settled = if Some(column) == kind.county_column.as_deref() {
        input.settled.county.map(|county| county.to_string())
    } else if Some(column) == kind.year_column.as_deref() {
        input.settled.year.map(|year| year.to_string())
    } else {
        None
    };
    let field = input.schema.columns[position].field;
    let first = || {
        let values = input.table.sample().iter().filter_map(|record| record.get(field));
        values.map(|value| value.trim()).find(|value| !value.is_empty()).map(str::to_owned)
    };
    Some(FileConstant {
        id: rule.id.clone(),
        severity,
        column: column.to_owned(),
        expected: settled.or_else(first)?,
        message: rule.message.clone(),
        hint: way_out(rule),
    })
}

/// What to do about a critical fact about the file.
pub(super) fn way_out(rule: &Rule) -> String {
    let hint = rule.hint.trim_end_matches('.');
    format!("{hint}. To load it all the same: --rule {}=warning", rule.id)
}

/// Constant parcel id length of the county. Account ids have shapes of their own.
fn id_formats(pack: &Pack, kind: &Kind, input: &Prepared) -> Vec<IdFormat> {
    let Some(number) = input.settled.county else { return Vec::new() };
    let Some(county) = pack.counties.by_number(number) else { return Vec::new() };
    let length = county.format.as_ref().and_then(|format| format.constant_len);
    let (Some(length), Some(PARCEL_ID)) = (length, kind.id_column.as_deref()) else {
        return Vec::new();
    };
    vec![IdFormat { column: PARCEL_ID.into(), length, county: county.name.clone() }]
}

/// What the agents know of an input as a whole; to be asked only where all of it went through them.
pub fn findings(specs: &[Arc<dyn StageSpec>], input: &Prepared) -> Notes {
    let mut notes = Notes::default();
    specs.iter().for_each(|spec| notes.merge(spec.findings()));
    masking::veiled(notes, input)
}

/// What the agents have counted.
pub fn facts(specs: &[Arc<dyn StageSpec>]) -> Vec<(String, u64)> {
    specs.iter().flat_map(|spec| spec.facts()).collect()
}
