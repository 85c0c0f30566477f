//! What an input takes from the pack: of a roll everything that decides values or refuses rows, of a
//! plain table only the code tables that its own cleaning, rules and places ask for.
//!
//! Where a part of the pack only works by what it does to this input (columns and their aliases), its
//! effect is taken: an alias for a column that the file does not have changes nothing here.

use super::digest;
use crate::chunk::{ReadColumn, ReadSchema, Severity};
use crate::enrich;
use crate::pack::{
    Agent, Check, Clean, CodeTable, County, Derived, Form, Kind, Lookup, Pack, ParcelFormat, Rule,
};
use crate::rules;
use crate::run::prepare::Prepared;
use crate::run::request::Request;
use crate::run::{agents, user_rules};
use crate::{transform, validate};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Code table of the middles of ZIP codes.
const ZIP_CENTROIDS: &str = "zip_centroids";

/// Digests by what they are about, in words that stand behind "the pack has other …".
pub(super) fn parts(request: &Request, pack: &Pack, input: &Prepared) -> BTreeMap<String, Value> {
    let mut parts = BTreeMap::new();
    let mut tables = own_tables(request, pack, input);
    if let Some(kind) = input.kind(pack) {
        roll(request, pack, input, kind, &mut parts, &mut tables);
    }
    if !tables.is_empty() {
        let content: Vec<_> = tables.iter().filter_map(|name| table(pack, name)).collect();
        parts.insert("code tables".into(), digest(&content));
    }
    parts
}

/// Code tables that the user's own settings ask for.
fn own_tables(request: &Request, pack: &Pack, input: &Prepared) -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    if input.locate.is_some() && request.geography.locations.is_some() {
        tables.insert(ZIP_CENTROIDS.to_owned());
    }
    tables.extend(input.cleaning.own().iter().flatten().filter_map(words));
    for (_, check) in user_rules::refusing(request, pack, input) {
        let rules::Check::Ok(sql) = check else { continue };
        let named = pack.tables.iter().filter(|table| sql.contains(&table.name));
        tables.extend(named.map(|table| table.name.clone()));
    }
    tables
}

fn roll(
    request: &Request,
    pack: &Pack,
    input: &Prepared,
    kind: &Kind,
    parts: &mut BTreeMap<String, Value>,
    tables: &mut BTreeSet<String>,
) {
    let Kind {
        // It is kept among the settings.
        id: _,
        title: _,
        plain: _,
        // The table is kept on its own.
        table: _,
        status: _,
        key,
        scope,
        // Columns, aliases and positions: by what they make of this header.
        columns: _,
        headerless: _,
        derived,
        cleaning,
        lookups,
        absent: _,
        layouts: _,
        // They led to the county and the year, which are kept among the settings.
        county_column: _,
        year_column: _,
        id_column,
        // They led to the kind.
        marker: _,
        names: _,
    } = kind;
    parts.insert("columns".into(), columns(input, (key, scope, &pack.nulls)));
    let made: Vec<_> = derived.iter().filter_map(|one| derivation(one, request, input)).collect();
    let used: Vec<_> = lookups.iter().filter_map(|lookup| joined(lookup, &made, tables)).collect();
    parts.insert("derived columns".into(), digest(&(made, used)));
    if agents::has(request, transform::NAME) {
        // Columns beside the cleaned ones are made even where values stay as they are written.
        let followed = |clean: &&Clean| !request.values.no_fix || clean.into.is_some();
        let followed: Vec<_> = cleaning.iter().filter(followed).collect();
        tables.extend(followed.iter().filter_map(|clean| words(clean)));
        parts.insert("cleaning".into(), digest(&followed));
    }
    if agents::has(request, validate::NAME) {
        let rules = pack.rules_for(&kind.id);
        let rules: Vec<_> = rules.filter_map(|rule| refusing(rule, request, pack, input)).collect();
        parts.insert("rules".into(), digest(&rules));
    }
    let county = input.settled.county.and_then(|number| pack.counties.by_number(number));
    parts.insert("id formats".into(), digest(&(id_column, county.and_then(id_length))));
}

/// The columns as they are read. Where a field stands in the file is a matter of the file.
fn columns(input: &Prepared, kind: (&Vec<String>, &Vec<String>, &Vec<String>)) -> Value {
    let ReadSchema { columns, extra, headers: _ } = &*input.schema;
    let column = |column: &ReadColumn| {
        let ReadColumn {
            name,
            header,
            field: _,
            kind,
            role,
            width,
            max_len,
            nulls,
            key,
            clean,
            order: _,
            float: _,
            zone: _,
            exact: _,
        } = column;
        // The order of dates is a setting of its own, and what is a float is a matter of the content.
        // A corrected sheet of failed records may name its columns in another way.
        let header = (!input.replay).then_some(header);
        // Longer texts are refused in keys, and only counted elsewhere.
        let max_len = max_len.filter(|_| *key);
        json!([name, header, kind, role, width, max_len, nulls, key, clean])
    };
    let columns: Vec<_> = columns.iter().map(column).collect();
    let extra: Vec<_> = extra.iter().filter(|_| !input.replay).map(|(_, name)| name).collect();
    digest(&(columns, extra, kind))
}

/// A derived column, where an agent of this run makes it.
fn derivation(derived: &Derived, request: &Request, input: &Prepared) -> Option<Value> {
    let Derived { agent, name, ty, sql, needs, meaning: _ } = derived;
    let agent = match agent {
        Agent::Transform => transform::NAME,
        Agent::Enrich => enrich::NAME,
    };
    let in_file = |name: &String| input.schema.position(name).is_some();
    let sql = (needs.is_empty() || needs.iter().any(in_file)).then_some(sql);
    agents::has(request, agent).then(|| json!([agent, name, ty, sql]))
}

/// A lookup that a derived column speaks of; its table is named.
fn joined(lookup: &Lookup, derived: &[Value], tables: &mut BTreeSet<String>) -> Option<Value> {
    let Lookup { alias, table, on } = lookup;
    let prefix = format!("{alias}.");
    let speaks = |one: &Value| one[3].as_str().is_some_and(|sql| sql.contains(&prefix));
    derived.iter().any(speaks).then(|| {
        tables.insert(table.clone());
        json!([alias, table, on])
    })
}

/// The code table that a cleaning step takes its words from.
fn words(clean: &Clean) -> Option<String> {
    clean.form.and_then(Form::words).map(|(table, _)| table.to_owned())
}

/// What a rule demands, where it refuses rows of this input.
fn refusing(rule: &Rule, request: &Request, pack: &Pack, input: &Prepared) -> Option<String> {
    let Rule {
        id: _,
        // With the level that the user gives it.
        level: _,
        level_in_source: _,
        scope: _,
        kinds: _,
        // Columns that a finding is about.
        columns: _,
        requires: _,
        check,
        title: _,
        message: _,
        hint: _,
        basis: _,
    } = rule;
    let refuses = agents::severity(rule, request).ok().flatten() == Some(Severity::Critical);
    let applies = rule.applies(|name| input.schema.position(name).is_some());
    match check {
        // `each` only finds the column to blame.
        Check::Row { ok, each: _ } if refuses && applies => {
            Some(pack.of_year(ok, input.settled.year))
        }
        // These warn, or end the whole input: they refuse no row.
        Check::Row { .. }
        | Check::OneValue(_)
        | Check::RoundedIds(_)
        | Check::Sequence(_)
        | Check::Rows { .. }
        | Check::Unique(_)
        | Check::Cross { .. }
        | Check::Reader
        | Check::Name
        | Check::Later(_) => None,
    }
}

/// Length of the parcel ids of a county, by which shortened ones are refused.
fn id_length(county: &County) -> Option<usize> {
    county.format.as_ref().and_then(|format: &ParcelFormat| format.constant_len)
}

/// A code table.
fn table(pack: &Pack, name: &str) -> Option<Value> {
    let CodeTable { name, header, rows } = pack.table(name)?;
    Some(json!([name, header, rows]))
}
