//! Types of the columns of plain inputs: those that their table has, and in columns that it does not have yet
//! those that all inputs of the run have in common.
//!
//! The types of an input are first found in its own cells (`source::infer`). All types are known before the first
//! row is loaded, so the order of the files does not matter. A cell that does not fit
//! the type of its table is refused by the reader, like any other cell that is not of its column's type. The
//! ledger keeps the types of an input, so an unfinished load goes on with those that it was begun with.

use super::cleaning::has_column;
use super::digit_names::DigitNames;
use super::error::RunError;
use super::names;
use super::prepare::Prepared;
use super::request::{Request, Values};
use super::widen::is_number;
use crate::chunk::{ColumnKind, DateOrder, ReadColumn, Zone};
use crate::load::names::{NameRule, header_key};
use crate::load::{Link, LoadError};
use crate::source::infer::Common;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Column → type as DuckDB names it, as JSON. Behind it stand, in brackets, the order of dates that begin with the
/// day and the zone of times without an offset: `DATE (dmy)`, `TIMESTAMP WITH TIME ZONE (America/New_York)`.
pub fn stored(input: &Prepared) -> String {
    let typed = |column: &ReadColumn| {
        let mut ty = column.kind.duckdb();
        let has_days = column.kind == ColumnKind::Date || column.kind.is_moment();
        if has_days && column.order != DateOrder::default() {
            ty = format!("{ty} ({})", column.order.name());
        }
        if let Some(zone) = column.zone.filter(|_| column.kind == ColumnKind::TimestampTz) {
            ty = format!("{ty} ({zone})");
        }
        ty
    };
    let columns = input.schema.columns.iter();
    let types: BTreeMap<_, _> =
        columns.map(|column| (column.name.as_str(), typed(column))).collect();
    serde_json::to_string(&types).unwrap_or_default()
}

/// Gives the columns of an input what a load was begun with: the order of dates, and in a plain table the types.
/// Those of a roll are the pack's, and those that cleaning makes are its own.
pub fn restore(input: &mut Prepared, json: &str) {
    let types: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
    let open = open_columns(input);
    for at in 0..input.schema.columns.len() {
        let Some(ty) = types.get(&input.schema.columns[at].name) else { continue };
        let (mut ty, mut order, mut zone) = (ty.as_str(), DateOrder::Mdy, None);
        while let Some((rest, what)) = ty.strip_suffix(')').and_then(|ty| ty.rsplit_once(" (")) {
            ty = rest;
            match what {
                "dmy" => order = DateOrder::Dmy,
                name => zone = name.parse().ok(),
            }
        }
        set_zone(input, at, zone);
        if let Some(kind) = ColumnKind::from_duckdb(ty).filter(|_| open.contains(&at)) {
            set(input, at, kind);
        }
        set_order(input, at, order);
    }
}

/// The order of the dates of a column, from what [`stored`] has made.
pub(super) fn stored_order(json: &str, column: &str) -> DateOrder {
    let types: BTreeMap<String, String> = serde_json::from_str(json).unwrap_or_default();
    let is_day_first = types.get(column).is_some_and(|ty| ty.contains("(dmy)"));
    if is_day_first { DateOrder::Dmy } else { DateOrder::default() }
}

/// Columns whose dates begin with the day, one a line, for the replay of failed records.
pub fn orders(input: &Prepared) -> Option<String> {
    let columns = input.schema.columns.iter();
    let other = columns.filter(|column| column.order != DateOrder::default());
    lines(other.map(|column| column.name.as_str()))
}

/// Columns of ids or codes that were kept as floats.
pub fn floats(input: &Prepared) -> Option<String> {
    let floats = input.schema.columns.iter().filter(|column| column.float);
    lines(floats.map(|column| column.name.as_str()))
}

fn lines<'n>(names: impl Iterator<Item = &'n str>) -> Option<String> {
    let names: Vec<_> = names.collect();
    (!names.is_empty()).then(|| names.join("\n"))
}

/// Reads failed records as their file was read: what [`orders`] and [`floats`] said of it.
pub fn as_before(input: &mut Prepared, orders: Option<&String>, floats: Option<&String>) {
    let is_listed = |names: Option<&String>, name: &str| {
        names.is_some_and(|names| names.lines().any(|known| known == name))
    };
    for column in &mut Arc::make_mut(&mut input.schema).columns {
        if is_listed(orders, &column.name) {
            column.order = DateOrder::Dmy;
        }
        column.float = is_listed(floats, &column.name);
    }
}

/// Sets the zone of the times of a column that have no offset.
fn set_zone(input: &mut Prepared, at: usize, zone: Option<Zone>) {
    if input.schema.columns[at].zone != zone {
        Arc::make_mut(&mut input.schema).columns[at].zone = zone;
    }
}

/// Gives columns of moments the zone in which a clock without an offset is read, and reports it: `asked`, else that
/// of a fresh session of the database.
pub fn settle_zone(input: &mut Prepared, con: &dyn Link) -> Result<(), LoadError> {
    let mut told = Vec::new();
    for at in open_columns(input) {
        let column = &input.schema.columns[at];
        let has_clocks = input.found.get(at).is_none_or(|own| own.has_clocks());
        if column.kind != ColumnKind::TimestampTz || !has_clocks || column.zone.is_some() {
            continue;
        }
        told.push(column.header.clone());
        let zone = match input.time_zone {
            Some(zone) => zone,
            None => con.time_zone()?,
        };
        set_zone(input, at, Some(zone));
    }
    if let Some(first) = told.first() {
        let position = input.schema.columns.iter().position(|column| column.header == *first);
        let zone = position.and_then(|at| input.schema.columns[at].zone).unwrap_or(Zone::UTC);
        let whose = if input.time_zone.is_some() { "as asked" } else { "that of the database" };
        input.reading.told.push(format!(
            "{}: times without an offset are taken in the time zone {zone} ({whose}; --time-zone changes it)",
            told.join(", ")
        ));
    }
    Ok(())
}

/// The zone of times without an offset, for the replay of failed records.
pub fn zone(input: &Prepared) -> Option<String> {
    input.schema.columns.iter().find_map(|column| column.zone).map(|zone| zone.to_string())
}

/// Sets the order of the dates of a column.
pub(super) fn set_order(input: &mut Prepared, at: usize, order: DateOrder) {
    if input.schema.columns[at].order != order {
        Arc::make_mut(&mut input.schema).columns[at].order = order;
    }
}

/// Positions of columns whose type is found, not given: not those of a roll, nor those that cleaning makes, nor
/// those that a mask turns into another text.
pub(super) fn open_columns(input: &Prepared) -> Vec<usize> {
    if input.kind.is_some() || input.mapping.is_some() {
        return Vec::new();
    }
    let cleaned = |name: &str| input.cleaning.recipes.iter().any(|recipe| recipe.column == name);
    let masked = |name: &str| {
        let mut masks = input.masks.columns.iter();
        masks.any(|mask| mask.name == name && mask.way.needs_text())
    };
    let columns = input.schema.columns.iter().enumerate();
    let open = columns.filter(|(_, column)| !cleaned(&column.name) && !masked(&column.name));
    open.map(|(at, _)| at).collect()
}

/// Sets the type of a column, as it is read and in its table.
pub(super) fn set(input: &mut Prepared, at: usize, kind: ColumnKind) {
    if input.schema.columns[at].kind == kind {
        return;
    }
    let column = &mut Arc::make_mut(&mut input.schema).columns[at];
    column.kind = kind;
    // A number is none with its blanks; a text stays as it is written where values are not to be changed.
    column.clean = !(input.as_written && kind == ColumnKind::Text);
    let name = input.fitted.name(&column.name);
    if let Some(target) = input.spec.columns.iter_mut().find(|target| target.name == name) {
        target.ty = kind.duckdb();
    }
}

/// Gives columns of plain inputs that go into one table, under one header, the type that the user says, or the
/// one that the cells of all of them fit. Digits that are names, such as ZIP codes, are text.
pub fn unite(inputs: &mut [Prepared], asked: &[(String, ColumnKind)]) {
    let names = DigitNames::embedded();
    let mut shared: HashMap<(String, String), Common> = HashMap::new();
    for input in inputs.iter() {
        for at in open_columns(input) {
            let Some(own) = input.found.get(at) else { continue };
            let all = shared.entry(place(input, at)).or_insert(Common::NOTHING);
            *all = all.with(*own);
        }
    }
    for input in inputs {
        for at in open_columns(input) {
            let Some(own) = input.found.get(at).copied() else { continue };
            let column = &input.schema.columns[at];
            if let Some(kind) = asked_of(column, asked) {
                note(input, at, format!("{}: as --type-of says", kind.duckdb()));
                Arc::make_mut(&mut input.schema).columns[at].exact = false;
                set(input, at, kind);
                continue;
            }
            let Some(all) = shared.get(&place(input, at)) else { continue };
            let kind = all.kind();
            let is_name = input.declares_no_types() && names.are_in(&column.header, *all);
            if is_name {
                let why = "VARCHAR: its digits are a name, not a number (--type-of changes it)";
                note(input, at, why.to_owned());
            } else if own.kind() != kind && !own.is_empty() {
                note(input, at, format!("{}: other files need it", kind.duckdb()));
            }
            set(input, at, if is_name { ColumnKind::Text } else { kind });
        }
    }
}

/// Nanoseconds on a target that does not keep them are text.
pub fn without_nanoseconds(inputs: &mut [Prepared]) {
    for input in inputs {
        for at in open_columns(input) {
            if input.schema.columns[at].kind == ColumnKind::TimestampNs {
                let why = "VARCHAR: more than six decimals of a second, which the target keeps in no time";
                note(input, at, why.to_owned());
                set(input, at, ColumnKind::Text);
            }
        }
    }
}

/// The type that the user says of a column, by its name or header.
fn asked_of(column: &ReadColumn, asked: &[(String, ColumnKind)]) -> Option<ColumnKind> {
    let is = |wanted: &str, name: &str| name.trim().eq_ignore_ascii_case(wanted);
    let found = asked.iter().find(|(name, _)| is(name, &column.name) || is(name, &column.header));
    found.map(|(_, kind)| *kind)
}

/// Columns that the user names with a type or a format must stand in an input: else the name is mistyped.
pub fn refuse_unknown(request: &Request, inputs: &[Prepared]) -> Result<(), RunError> {
    let Values { types, formats, .. } = &request.values;
    let plain = |input: &&Prepared| input.kind.is_none();
    for (column, _) in types {
        if !inputs.iter().filter(plain).any(|input| has_column(input, column)) {
            let message = format!("--type-of {column}: no plain table of this run has this column");
            return Err(RunError::usage(message).with_hint(PLAN));
        }
    }
    for (column, _) in formats {
        if !inputs.iter().any(|input| has_column(input, column)) {
            let message = format!("--date-format {column}: no input of this run has this column");
            return Err(RunError::usage(message).with_hint(PLAN));
        }
    }
    Ok(())
}

/// What to do about a name that is not there.
const PLAN: &str = "`etl plan` lists the columns of an input";

/// Says in the plan where the type of a column comes from, in the place of what was said of its own cells.
pub(super) fn note(input: &mut Prepared, at: usize, told: String) {
    let name = input.schema.columns[at].name.clone();
    input.column_notes.retain(|(noted, _)| *noted != name);
    input.column_notes.push((name, told));
}

/// The table and the header of a column.
pub(super) fn place(input: &Prepared, at: usize) -> (String, String) {
    let column = &input.schema.columns[at];
    let header = names::of_header(&column.header, &column.name);
    (input.spec.name.clone(), header_key(header))
}

/// Gives a plain input the types of the columns that its table has. What its own cells would have another type
/// for is told: some of them may be refused.
pub fn of_table(
    input: &mut Prepared,
    columns: &[(String, String)],
    texts: &[String],
    rule: NameRule,
) {
    let mut told = Vec::new();
    for at in open_columns(input) {
        let column = &input.schema.columns[at];
        let name = input.fitted.name(&column.name);
        let Some((name, ty)) = columns.iter().find(|(known, _)| rule.same(known, name)) else {
            continue;
        };
        let Some(kind) = ColumnKind::from_duckdb(ty) else {
            if texts.contains(name) {
                set_cast(input, at, ty);
            }
            continue;
        };
        let own = input.found.get(at).copied();
        if !may_read(own, kind) {
            continue;
        }
        if let Some(own) = own.filter(|own| may_refuse(*own, kind)) {
            told.push(format!(
                "E301: column {name} of table {} is {}, and this file's values are {}: rows whose value does \
                 not fit are refused{}",
                input.spec.name,
                kind.duckdb(),
                own.kind().duckdb(),
                if is_number(kind) { WIDER } else { "" },
            ));
        }
        let (header, order) = (&column.header, column.order.plain());
        told.extend(own.filter(|_| kind == ColumnKind::Date || kind.is_moment()).and_then(|own| {
            let unproven = own.slashes().filter(|it| it.month_first && it.day_first && it.unequal);
            unproven.filter(|_| !own.are_dates()).map(|_| {
                format!("{header}: dates with slashes are read as {order}; --date-order changes it")
            })
        }));
        if column.kind != kind {
            note(input, at, format!("{}: the type in the table", kind.duckdb()));
        }
        set(input, at, kind);
    }
    input.reading.told.extend(told);
}

/// What can be done about values that a column of numbers does not hold.
const WIDER: &str = " (--evolve makes a column VARCHAR, in a table that etl has made)";

/// Has a column read as texts that the target casts to its own type, unless nothing says what they mean.
fn set_cast(input: &mut Prepared, at: usize, ty: &str) {
    let is_ambiguous = input.found.get(at).is_some_and(|own| own.is_ambiguous());
    let texts = ["UUID", "ENUM", "JSON", "json", "citext", "xml"];
    if is_ambiguous && !texts.iter().any(|own| ty.starts_with(own)) {
        return;
    }
    set(input, at, ColumnKind::Text);
    let name = input.fitted.name(&input.schema.columns[at].name);
    if let Some(target) = input.spec.columns.iter_mut().find(|target| target.name == name) {
        target.ty = ty.to_owned();
    }
    note(input, at, format!("{ty}: the type in the table"));
}

/// Whether cells can be read as a type at all. Dates and points of which nothing says what they mean are no values of
/// any type but text: then the types differ, and the load ends before the first row. Any other cell is a value of
/// the type or is refused.
fn may_read(own: Option<Common>, wanted: ColumnKind) -> bool {
    wanted == ColumnKind::Text || !own.is_some_and(Common::is_ambiguous)
}

/// Whether some cells may not be of a type.
fn may_refuse(own: Common, wanted: ColumnKind) -> bool {
    let are_moments = wanted.is_moment() && own.are_moments();
    wanted != ColumnKind::Text
        && !are_moments
        && own.with(Common::declared(wanted)).kind() != wanted
}
