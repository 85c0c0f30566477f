//! Checks a pack against itself: whatever one part names, another part has.

use std::collections::HashSet;

use super::expand;
use super::load::Loader;
use super::model::{Agent, Check, CodeTable, ColumnType, Kind, Pack, Required, Rule};

const DERIVED_TYPES: [&str; 8] =
    ["VARCHAR", "BIGINT", "INTEGER", "DOUBLE", "BOOLEAN", "DATE", "TIMESTAMP", "SMALLINT"];

/// Adds a problem for every contradiction.
pub(super) fn pack(pack: &Pack, loader: &mut Loader) {
    unique(loader, "pack.toml", "kinds", pack.kinds.iter().map(|k| k.id.as_str()));
    unique(loader, "pack.toml", "codes", pack.tables.iter().map(|t| t.name.as_str()));
    unique(loader, "pack.toml", "tables of the kinds", pack.kinds.iter().map(|k| k.table.as_str()));
    unique(loader, "rules.toml", "ids", pack.rules.iter().map(|r| r.id.as_str()));
    for table in &pack.tables {
        code_table(table, loader);
    }
    for kind in &pack.kinds {
        columns(kind, loader);
        roles(kind, loader);
        lookups(kind, pack, loader);
        derived(kind, loader);
        cleaning(kind, pack, loader);
    }
    for rule in &pack.rules {
        self::rule(rule, pack, loader);
    }
}

fn unique<'a>(loader: &mut Loader, file: &str, place: &str, names: impl Iterator<Item = &'a str>) {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            loader.problem(file, place, format!("'{name}' comes twice"));
        }
    }
}

fn plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn name(loader: &mut Loader, file: &str, place: &str, name: &str) {
    if !plain_name(name) {
        let what = format!("'{name}' should be lower-case letters, digits and underscores");
        loader.problem(file, place, what);
    }
}

fn code_table(table: &CodeTable, loader: &mut Loader) {
    let file = format!("codes/{}.csv", table.name);
    name(loader, &file, "name", &table.name);
    unique(loader, &file, "first line", table.header.iter().map(String::as_str));
    for column in &table.header {
        name(loader, &file, "first line", column);
    }
    if table.rows.is_empty() {
        loader.problem(&file, "rows", "the table is empty");
    }
}

fn columns(kind: &Kind, loader: &mut Loader) {
    let file = format!("columns of {}", kind.id);
    let mut spellings = HashSet::new();
    for column in &kind.columns {
        let place = format!("column {}", column.name);
        name(loader, &file, &place, &column.name);
        for spelling in std::iter::once(&column.name).chain(&column.aliases) {
            if !spellings.insert(spelling.to_lowercase()) {
                loader.problem(&file, &*place, format!("'{spelling}' already stands for a column"));
            }
        }
        if column.width.is_some() && column.ty != ColumnType::Code {
            loader.problem(
                &file,
                &*place,
                "width goes with type code only: nothing else is padded",
            );
        }
        if let (Some(from), Some(to)) = column.years
            && from > to
        {
            loader.problem(&file, &*place, format!("from_year {from} is after to_year {to}"));
        }
    }
    if kind.columns.is_empty() {
        loader.problem(&file, "rows", "no columns");
    }
}

/// Key, scope and the other columns with a part to play, and layouts.
fn roles(kind: &Kind, loader: &mut Loader) {
    let file = format!("{}.toml", kind.id);
    name(loader, &file, "id", &kind.id);
    name(loader, &file, "table", &kind.table);
    if kind.key.is_empty() {
        loader.problem(&file, "key", "a kind needs a key");
    }
    for (place, names) in [("key", &kind.key), ("scope", &kind.scope)] {
        for column in names {
            let made = kind.derived_by(Agent::Transform).any(|d| d.name == *column);
            match kind.column(column) {
                None if !made => loader.problem(&file, place, unknown(column)),
                Some((_, c)) if place == "key" && c.required != Required::Yes => {
                    let what = format!("'{column}' must have required = yes");
                    loader.problem(&file, place, what);
                }
                _ => {}
            }
        }
    }
    let marker = kind.marker.as_ref().map(|(column, _)| column);
    let single = [
        ("county_column", kind.county_column.as_ref()),
        ("year_column", kind.year_column.as_ref()),
        ("id_column", kind.id_column.as_ref()),
        ("marker", marker),
    ];
    for (place, column) in single {
        if let Some(column) = column.filter(|c| kind.column(c).is_none()) {
            loader.problem(&file, place, unknown(column));
        }
    }
    for layout in &kind.layouts {
        for column in layout.without.iter().filter(|c| kind.column(c).is_none()) {
            loader.problem(&file, format!("layout {}", layout.name), unknown(column));
        }
    }
}

fn unknown(column: &str) -> String {
    format!("'{column}' is no column of this kind")
}

/// A looked-up column with the name of a column of the row would make expressions ambiguous.
fn lookups(kind: &Kind, pack: &Pack, loader: &mut Loader) {
    let file = format!("{}.toml", kind.id);
    unique(loader, &file, "lookups", kind.lookups.iter().map(|l| l.alias.as_str()));
    for lookup in &kind.lookups {
        let place = format!("lookup {}", lookup.alias);
        name(loader, &file, &place, &lookup.alias);
        let Some(table) = pack.table(&lookup.table) else {
            loader.problem(&file, &*place, format!("'{}' is no code table", lookup.table));
            continue;
        };
        let row_has = |n: &str| has(kind, n);
        for column in table.header.iter().filter(|c| row_has(c)) {
            let what = format!("{}.{column} has the name of a column of the row", table.name);
            loader.problem(&file, &*place, what);
        }
        if row_has(&lookup.alias) {
            loader.problem(&file, &*place, "the alias is the name of a column of the row");
        }
        if !lookup.on.contains(&format!("{}.", lookup.alias)) {
            loader.problem(&file, &*place, format!("on should compare {}.column", lookup.alias));
        }
    }
}

fn derived(kind: &Kind, loader: &mut Loader) {
    let file = format!("{}.toml", kind.id);
    let mut seen = HashSet::new();
    for derived in &kind.derived {
        let place = format!("derived {}", derived.name);
        name(loader, &file, &place, &derived.name);
        if !seen.insert(&derived.name) || kind.column(&derived.name).is_some() {
            loader.problem(&file, &*place, "the name is taken");
        }
        if !DERIVED_TYPES.contains(&derived.ty.as_str()) {
            let what =
                format!("type '{}' should be one of {}", derived.ty, DERIVED_TYPES.join(", "));
            loader.problem(&file, &*place, what);
        }
        if derived.sql.is_empty() {
            loader.problem(&file, &*place, "sql is empty");
        }
        for column in derived.needs.iter().filter(|c| kind.column(c).is_none()) {
            loader.problem(&file, &*place, unknown(column));
        }
        let looks_up = |l: &super::model::Lookup| mentions(&derived.sql, &l.alias);
        if derived.agent == Agent::Transform && kind.lookups.iter().any(looks_up) {
            loader.problem(&file, &*place, "only agent = \"enrich\" has lookups at hand");
        }
    }
}

fn cleaning(kind: &Kind, pack: &Pack, loader: &mut Loader) {
    let file = format!("{}.toml", kind.id);
    let mut added = HashSet::new();
    for clean in &kind.cleaning {
        let place = format!("clean {}", clean.columns.join(", "));
        if let Err(what) = clean.check() {
            loader.problem(&file, &*place, what);
        }
        for column in clean.columns.iter().filter(|c| kind.column(c).is_none()) {
            loader.problem(&file, &*place, unknown(column));
        }
        if let Some(into) = &clean.into {
            name(loader, &file, &place, into);
            if has(kind, into) || !added.insert(into) {
                loader.problem(&file, &*place, format!("the name {into} is taken"));
            }
        }
        let Some((table, columns)) = clean.form.and_then(super::clean::Form::words) else {
            continue;
        };
        let known = pack.table(table);
        let lacks = |c: &&&str| known.is_none_or(|known| known.column(c).is_none());
        if let Some(column) = columns.iter().find(lacks) {
            loader.problem(&file, &*place, format!("there is no code table {table} with {column}"));
        }
    }
}

/// Whether `sql` holds `alias.` as a word of its own.
fn mentions(sql: &str, alias: &str) -> bool {
    let needle = format!("{alias}.");
    sql.match_indices(&needle).any(|(at, _)| {
        !sql[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    })
}

fn has(kind: &Kind, name: &str) -> bool {
    kind.column(name).is_some() || kind.derived.iter().any(|d| d.name == name)
}

fn rule(rule: &Rule, pack: &Pack, loader: &mut Loader) {
    let file = "rules.toml";
    let place = format!("rule {}", rule.id);
    if rule.kinds.is_empty() {
        loader.problem(file, &*place, "kinds is empty");
    }
    let mut named: Vec<String> = rule.columns.iter().chain(&rule.requires).cloned().collect();
    match &rule.check {
        Check::OneValue(column) | Check::Sequence(column) | Check::RoundedIds(column) => {
            named.push(column.clone())
        }
        Check::Unique(columns) => named.extend(columns.iter().cloned()),
        Check::Rows { table, column, .. }
            if pack.table(table).is_none_or(|table| table.column(column).is_none()) =>
        {
            loader.problem(file, &*place, format!("{table}.{column} is in no code table"));
        }
        Check::Cross { sql, needs } => {
            cross(pack, loader, &place, sql, needs);
        }
        _ => {}
    }
    named.extend(expand::placeholders(&rule.message));
    for id in &rule.kinds {
        let Some(kind) = pack.kind(id) else {
            loader.problem(file, &*place, format!("'{id}' is no kind of this pack"));
            continue;
        };
        // A cross rule speaks about several tables; its query names the columns itself.
        if matches!(rule.check, Check::Cross { .. }) {
            continue;
        }
        for column in named.iter().filter(|c| !has(kind, c)) {
            loader.problem(file, &*place, format!("'{column}' is no column of {id}"));
        }
    }
}

fn cross(pack: &Pack, loader: &mut Loader, place: &str, sql: &str, needs: &[String]) {
    for id in needs.iter().filter(|id| pack.kind(id).is_none()) {
        loader.problem("rules.toml", place, format!("needs names '{id}', no kind of this pack"));
    }
    for table in expand::placeholders(sql) {
        let owner = pack.kinds.iter().find(|k| k.table == table);
        if !owner.is_some_and(|k| needs.contains(&k.id)) {
            let what = format!("{{{table}}} is not the table of a kind in needs");
            loader.problem("rules.toml", place, what);
        }
    }
}
