//! From the header of a roll to what is read from it and the table it goes to.

use super::agents;
use super::cleaning::Cleaned;
use super::error::{RunError, RunErrorKind};
use super::fit::Fitted;
use super::mapping::Mapping;
use super::prepare::{HowRead, Prepared, changes_of_values};
use super::request::{Mode, Request};
use crate::chunk::{ColumnKind, Origin, ReadColumn, ReadSchema, Role};
use crate::load::TableName;
use crate::load::table::{TableSpec, TargetColumn};
use crate::pack::{Agent, Binding, Column, ColumnType, Derived, Kind, Pack, Settled};
use crate::source::Table;
use crate::source::number::without_zeros;
use crate::transform::mask::Masks;
use std::sync::Arc;

fn has_dates(schema: &ReadSchema) -> bool {
    let is_date = |kind| matches!(kind, ColumnKind::Date | ColumnKind::Timestamp);
    schema.columns.iter().any(|column| is_date(column.kind))
}

/// Binds the columns of a kind.
#[expect(clippy::too_many_arguments, reason = "one step of prepare_table, split off for reading")]
pub(super) fn bind_roll(
    table: Arc<dyn Table>,
    origin: Arc<Origin>,
    format: &'static str,
    at: usize,
    evidence: String,
    settled: Settled,
    mut warnings: Vec<String>,
    request: &Request,
    pack: &Pack,
) -> Result<Prepared, RunError> {
    let kind = &pack.kinds[at];
    let binding = bind(kind, table.headers(), settled.year);
    if !binding.missing_required.is_empty() {
        return Err(missing_required(&origin, kind, &binding, table.headers()));
    }
    warn_columns(&binding, table.headers(), &mut warnings);
    let mut schema = roll_schema(kind, &binding, table.headers(), request);
    if !request.values.no_fix {
        mark_floats(&mut schema, &*table, &mut warnings);
    }
    let (columns, unmade) = roll_columns(kind, request);
    let missing = kind
        .columns
        .iter()
        .zip(&binding.columns)
        .filter(|(_, field)| field.is_none())
        .map(|(column, _)| (column.name.clone(), kind_of(column).duckdb()))
        .collect();
    let spec = TableSpec {
        name: request.table.as_ref().map_or(&*kind.table, TableName::table).to_owned(),
        columns,
        key: kind.key.clone(),
        scope: scope_of(kind, &settled),
        minimal: request.minimal,
    };
    let has_dates = has_dates(&schema);
    let mut prepared = Prepared {
        table,
        origin,
        absolute_path: None,
        format,
        kind: Some(at),
        evidence,
        settled,
        schema: Arc::new(schema),
        binding: Some(binding),
        spec,
        unmade,
        missing,
        mode: request.mode.unwrap_or(Mode::Merge),
        found: Vec::new(),
        reading: HowRead { assumes_date_order: has_dates, ..HowRead::default() },
        time_zone: None,
        as_written: false,
        column_notes: Vec::new(),
        warnings,
        place: 0,
        replay: false,
        fitted: Fitted::default(),
        widenings: Vec::new(),
        mapping: None,
        masks: Masks::default(),
        cleaning: Cleaned::default(),
        locate: None,
    };
    if let Some(mapping) = &request.mapping {
        Mapping::open(mapping)?.bind(&mut prepared, pack, request.table.as_ref())?;
    }
    changes_of_values(&mut prepared, request, pack, Some(kind))?;
    Ok(prepared)
}

/// Binds a header by name, or by position where the kind has none.
pub(super) fn bind(kind: &Kind, headers: &[String], year: Option<u16>) -> Binding {
    if kind.headerless { kind.bind_positions(headers.len()) } else { kind.bind(headers, year) }
}

fn missing_required(
    origin: &Origin,
    kind: &Kind,
    binding: &Binding,
    headers: &[String],
) -> RunError {
    let missing: Vec<_> = binding.missing_required.iter().map(|name| name.to_uppercase()).collect();
    let message = format!(
        "{}: a file of kind {} must have {}",
        origin.label(),
        kind.id.to_uppercase(),
        missing.join(", ")
    );
    let mut error = RunError::new(RunErrorKind::Input, message).with_code("E204");
    for (header, meant) in &binding.near {
        error = error.with_hint(format!("did you mean {} by \"{header}\"?", meant.to_uppercase()));
    }
    if binding.near.is_empty() && !binding.unknown.is_empty() {
        let unknown: Vec<_> = binding.unknown.iter().map(|at| headers[*at].as_str()).collect();
        error = error.with_hint(format!(
            "if it has another name here, rename it in the header; unknown names are {}",
            shortened(&unknown)
        ));
    }
    error.with_hint("--type generic loads the file as a plain table")
}

fn warn_columns(binding: &Binding, headers: &[String], warnings: &mut Vec<String>) {
    if !binding.unknown.is_empty() {
        let names: Vec<_> = binding.unknown.iter().map(|at| headers[*at].as_str()).collect();
        let columns = counted(names.len(), "unknown column is", "unknown columns are");
        let names = shortened(&names);
        warnings.push(format!("{columns} kept in the JSON column _extra: {names}"));
    }
    if !binding.missing.is_empty() {
        let names: Vec<_> = binding.missing.iter().map(String::as_str).collect();
        let columns = counted(names.len(), "column of the kind is", "columns of the kind are");
        let names = shortened(&names);
        warnings.push(format!("{columns} not in the file, empty in the table: {names}"));
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn shortened(names: &[&str]) -> String {
    if names.len() <= 8 {
        return names.join(", ");
    }
    format!("{}, … ({} in all)", names[..8].join(", "), names.len())
}

/// The type of a pack column in the target.
pub fn kind_of(column: &Column) -> ColumnKind {
    match column.ty {
        ColumnType::Text | ColumnType::Id | ColumnType::Code => ColumnKind::Text,
        ColumnType::Integer => ColumnKind::Int,
        ColumnType::Money => ColumnKind::BigInt,
        ColumnType::Real => ColumnKind::Double,
        ColumnType::Date => ColumnKind::Date,
    }
}

fn roll_schema(
    kind: &Kind,
    binding: &Binding,
    headers: &[String],
    request: &Request,
) -> ReadSchema {
    let clean = request.agents.iter().any(|agent| agent == crate::transform::NAME);
    let mut columns = Vec::new();
    for (column, field) in kind.columns.iter().zip(&binding.columns) {
        let Some(field) = *field else { continue };
        let role = match column.ty {
            ColumnType::Id => Role::Id,
            ColumnType::Code => Role::Code,
            ColumnType::Money => Role::Money,
            _ => Role::Plain,
        };
        columns.push(ReadColumn {
            name: column.name.clone(),
            header: headers[field].clone(),
            field,
            kind: kind_of(column),
            role,
            width: column.width.filter(|_| clean),
            max_len: column.max_len,
            nulls: column.nulls.clone(),
            key: kind.key.contains(&column.name),
            clean,
            order: request.values.dates.order().unwrap_or_default(),
            float: false,
            zone: None,
            exact: false,
        });
    }
    let extra = binding.unknown.iter().map(|at| (*at, headers[*at].clone())).collect();
    ReadSchema { columns, extra, headers: headers.to_vec() }
}

/// Marks columns of ids and codes that a program has kept as floats: in the sample, every value that is not blank
/// ends in a fraction of zeros.
fn mark_floats(schema: &mut ReadSchema, table: &dyn Table, warnings: &mut Vec<String>) {
    let sample = table.sample();
    for column in &mut schema.columns {
        if !matches!(column.role, Role::Id | Role::Code) {
            continue;
        }
        let cells = sample.iter().filter_map(|row| row.get(column.field));
        let mut filled = cells.map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).peekable();
        let first = filled.peek().copied();
        column.float = filled.all(|cell| without_zeros(cell.as_bytes()).is_some());
        if let Some(first) = first.filter(|_| column.float) {
            warnings.push(format!(
                "{}: its values are floats, such as {first}: decimals of zero are left out, and leading zeros may \
                 be lost",
                column.header
            ));
        }
    }
}

/// The columns of the table: the kind's own, then those that an agent of this run derives; and the
/// derived ones that none does.
fn roll_columns(kind: &Kind, request: &Request) -> (Vec<TargetColumn>, Vec<TargetColumn>) {
    let agent_of = |derived: &Derived| match derived.agent {
        Agent::Transform => crate::transform::NAME,
        Agent::Enrich => crate::enrich::NAME,
    };
    let column =
        |derived: &Derived| TargetColumn { name: derived.name.clone(), ty: derived.ty.clone() };
    let (made, unmade): (Vec<_>, Vec<_>) =
        kind.derived.iter().partition(|derived| agents::has(request, agent_of(derived)));
    let own = kind
        .columns
        .iter()
        .map(|column| TargetColumn { name: column.name.clone(), ty: kind_of(column).duckdb() });
    (own.chain(made.into_iter().map(column)).collect(), unmade.into_iter().map(column).collect())
}

fn scope_of(kind: &Kind, settled: &Settled) -> Vec<(String, String)> {
    let value = |name: &String| {
        if Some(name) == kind.county_column.as_ref() {
            settled.county.map(|county| county.to_string())
        } else if Some(name) == kind.year_column.as_ref() {
            settled.year.map(|year| year.to_string())
        } else {
            None
        }
    };
    kind.scope.iter().filter_map(|name| Some((name.clone(), value(name)?))).collect()
}
