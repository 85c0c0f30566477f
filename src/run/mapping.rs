//! A mapping binds a roll to an existing table of other names: for each column of the table an
//! expression over the roll's columns. Two are built in; others are files of the same form.
//!
//! It comes last: agents check and derive by the roll's own names, then the mapping makes the columns of
//! the table, and everything behind it (hash, key, scope) knows only those.

use super::agents::parameters;
use super::error::RunError;
use super::prepare::Prepared;
use crate::load::TableName;
use crate::load::table::{PROVENANCE, TargetColumn};
use crate::pack::{Pack, Settled};
use crate::stage::{Engine, Expression, substitute};
use crate::transform::Remap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The mappings that are built in.
const BUILT_IN: [(&str, &str); 2] = [
    ("florida_parcels", include_str!("../../mappings/florida_parcels.toml")),
    ("property_sales_history", include_str!("../../mappings/property_sales_history.toml")),
];

/// A mapping as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// The table.
    pub table: TableName,
    /// Kind of roll that it is for.
    pub kind: String,
    /// Columns of the table that tell rows apart.
    pub key: Vec<String>,
    /// Columns of the table that tell one roll from another, with the parameters that name it.
    #[serde(default)]
    scope: BTreeMap<String, String>,
    /// Columns of the table.
    columns: toml::Table,
    /// What it was read from, for the identity of inputs.
    #[serde(skip)]
    pub text: String,
    /// As the user has named it.
    #[serde(skip)]
    pub name: String,
}

/// One column of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappedColumn {
    /// DuckDB expression.
    sql: Option<String>,
    /// Or what `_etl_run`, `_etl_source`, `_etl_row`, `_etl_release`, `_etl_hash`, `_etl_loaded_at`
    /// hold, without that beginning.
    provenance: Option<String>,
    /// Its type.
    #[serde(default = "text", rename = "type")]
    ty: String,
    /// Whether a row with another value here is another row.
    #[serde(default = "yes")]
    compared: bool,
}

impl MappedColumn {
    /// The provenance column that it repeats, with its type.
    fn repeated(&self) -> Option<(&'static str, &'static str)> {
        let wanted = self.provenance.as_ref()?;
        PROVENANCE.into_iter().find(|(name, _)| name.strip_prefix("_etl_") == Some(wanted))
    }

    fn check(self, name: &str) -> Result<Self, String> {
        match (&self.sql, &self.provenance) {
            (Some(_), None) => Ok(self),
            (None, Some(_)) => match self.repeated() {
                Some((_, ty)) => Ok(Self { ty: ty.into(), compared: false, ..self }),
                None => Err(format!(
                    "{name}: provenance is one of run, source, row, release, hash, loaded_at"
                )),
            },
            _ => Err(format!("{name}: it needs either sql or provenance")),
        }
    }
}

fn text() -> String {
    "VARCHAR".into()
}

fn yes() -> bool {
    true
}

impl Mapping {
    /// A mapping by name, or by the path of its file.
    pub fn open(name: &str) -> Result<Self, RunError> {
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let content = match built_in {
            Some((_, content)) => (*content).to_owned(),
            None => std::fs::read_to_string(Path::new(name)).map_err(|error| {
                let known = BUILT_IN.map(|(name, _)| name).join(", ");
                RunError::usage(format!("the mapping {name} cannot be read: {error}"))
                    .with_hint(format!("give a file, or one that is built in: {known}"))
            })?,
        };
        Self::parse(name, content)
    }

    fn parse(name: &str, content: String) -> Result<Self, RunError> {
        let wrong =
            |what: String| RunError::usage(format!("the mapping {name} cannot be used: {what}"));
        let mut mapping: Self =
            toml::from_str(&content).map_err(|error| wrong(error.to_string()))?;
        mapping.name = name.to_owned();
        mapping.text = content;
        let columns = mapping.columns().map_err(wrong)?;
        let unknown = |name: &&String| !columns.iter().any(|(known, _)| known == *name);
        if let Some(name) = mapping.key.iter().chain(mapping.scope.keys()).find(unknown) {
            return Err(wrong(format!("{name} stands in key or scope and is none of its columns")));
        }
        if mapping.key.is_empty() {
            return Err(wrong("it names no key".into()));
        }
        Ok(mapping)
    }

    /// The columns in the order of the file.
    fn columns(&self) -> Result<Vec<(String, MappedColumn)>, String> {
        let column = |(name, value): (&String, &toml::Value)| {
            let column = value.clone().try_into();
            let column: MappedColumn = column.map_err(|error| format!("{name}: {error}"))?;
            Ok((name.clone(), column.check(name)?))
        };
        self.columns.iter().map(column).collect()
    }

    fn all(&self) -> Vec<(String, MappedColumn)> {
        self.columns().expect("they were read when the mapping was opened")
    }

    /// Binds an input to the table of the mapping.
    pub fn bind(
        self,
        input: &mut Prepared,
        pack: &Pack,
        table: Option<&TableName>,
    ) -> Result<(), RunError> {
        let kind = input.kind_id(pack);
        if kind != self.kind {
            let label = input.origin.label();
            let told = format!(
                "{label} is of kind {kind}; the mapping {} is for {}",
                self.name, self.kind
            );
            return Err(
                RunError::usage(told).with_hint("load it without --mapping, or with another one")
            );
        }
        let named = named(&input.settled, pack);
        let mut scope = Vec::new();
        for (column, parameter) in &self.scope {
            let value = named.get(parameter.as_str()).cloned().flatten().ok_or_else(|| {
                RunError::usage(format!(
                    "the mapping {} needs the {parameter} of the roll",
                    self.name
                ))
                .with_hint("say it with --county and --year")
            })?;
            scope.push((column.clone(), value));
        }
        input.spec.name = table.map_or(self.table.table(), TableName::table).to_owned();
        let column = |(name, column): (String, MappedColumn)| TargetColumn { name, ty: column.ty };
        input.spec.columns = self.all().into_iter().map(column).collect();
        input.unmade.clear();
        input.spec.key = self.key.clone();
        input.spec.scope = scope;
        input.mapping = Some(Arc::new(self));
        Ok(())
    }

    /// The agent that makes the columns of the table.
    pub fn agent(&self, input: &Prepared, pack: &Pack, engine: &Engine) -> Arc<Remap> {
        let mut literals = parameters(input);
        let county = named(&input.settled, pack).remove("county_name").flatten();
        let county =
            county.map_or("CAST(NULL AS VARCHAR)".into(), |name| crate::stage::literal(&name));
        literals.insert("county_name", county);
        let expression = |(name, column): (String, MappedColumn)| {
            let sql = substitute(&column.sql?, &literals);
            Some(Expression { name, ty: Some(column.ty), sql })
        };
        let expressions: Vec<_> = self.all().into_iter().filter_map(expression).collect();
        Remap::new(&expressions, &input.missing, engine.clone())
    }

    /// Columns that repeat where a row came from: (column, which of `table::PROVENANCE`).
    pub fn repeated(&self) -> BTreeMap<String, String> {
        let all = self.all().into_iter();
        all.filter_map(|(name, column)| Some((name, column.repeated()?.0.to_owned()))).collect()
    }

    /// What of it decides the values of rows, without its comments.
    pub fn decides(&self) -> impl Serialize + '_ {
        let Self { table: _, kind, key, scope, columns, text: _, name: _ } = self;
        (kind, key, scope, columns)
    }

    /// Columns in which equal rows may differ.
    pub fn not_compared(&self) -> Vec<String> {
        self.all()
            .into_iter()
            .filter(|(_, column)| !column.compared)
            .map(|(name, _)| name)
            .collect()
    }
}

/// What a roll is named by, as text.
fn named(settled: &Settled, pack: &Pack) -> BTreeMap<&'static str, Option<String>> {
    let county = settled.county.and_then(|number| pack.counties.by_number(number));
    BTreeMap::from([
        ("county_name", county.map(|county| county.name.to_uppercase())),
        ("county", settled.county.map(|number| number.to_string())),
        ("roll_year", settled.year.map(|year| year.to_string())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_mappings_can_be_used() {
        for (name, _) in BUILT_IN {
            let mapping = Mapping::open(name).expect("built in");
            assert!(mapping.all().len() > 20 && mapping.table.to_string() == name);
        }
    }

    #[test]
    fn mistakes_are_told() {
        let of = |text: &str| Mapping::parse("m", text.into()).expect_err("wrong").message;
        let told = of("table = 't'\nkind = 'nal'\nkey = ['x']\n[columns]\ny = { sql = '1' }\n");
        assert!(told.contains("x stands in key or scope"), "{told}");
        let told = of("table = 't'\nkind = 'nal'\nkey = ['y']\n[columns]\ny = { sq = '1' }\n");
        assert!(told.contains("y: unknown field `sq`"), "{told}");
        let told =
            of("table = 't'\nkind = 'nal'\nkey = ['y']\n[columns]\ny = { provenance = 'x' }\n");
        assert!(told.contains("one of run, source"), "{told}");
    }
}
