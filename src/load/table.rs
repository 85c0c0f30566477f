//! What is to be loaded into a table, whatever the target.

use crate::chunk::named;
use std::collections::BTreeMap;
use std::str::FromStr;

named! {
    /// How the user wants rows to meet what the target already holds.
    pub enum Mode {
        /// By key and release rank.
        Merge = "merge",
        /// Add all rows.
        Append = "append",
        /// Put the file in the place of its scope (county and year), or of the whole generic table.
        Replace = "replace",
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Other tools call a replace so.
        let name = if text == "full-refresh" { Self::Replace.name() } else { text };
        Self::parse(name)
            .ok_or_else(|| format!("invalid mode `{text}`; use merge, append or replace"))
    }
}

named! {
    /// How rows of an input meet the table. Decided when the input begins and kept in the ledger, so
    /// that a resumed run goes on in the same way.
    pub enum Strategy {
        /// The table holds nothing of this scope (or mode `append`): every row is new.
        Insert = "insert",
        /// Compare with what is there.
        Merge = "merge",
        /// Load beside and take the place of the scope at the end.
        Replace = "replace",
    }
}

/// A column of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetColumn {
    /// Name.
    pub name: String,
    /// DuckDB type; other targets translate it.
    pub ty: String,
}

/// What is to be loaded into one table.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// Name without schema.
    pub name: String,
    /// Business columns, in order.
    pub columns: Vec<TargetColumn>,
    /// Key columns.
    pub key: Vec<String>,
    /// Scope: columns with the values (as text) of this input.
    pub scope: Vec<(String, String)>,
    /// Only the provenance that loading itself needs.
    pub minimal: bool,
}

/// Provenance columns with their types, behind the business columns.
pub const PROVENANCE: [(&str, &str); 6] = [
    ("_etl_run", "VARCHAR"),
    ("_etl_source", "VARCHAR"),
    ("_etl_row", "BIGINT"),
    ("_etl_release", "VARCHAR"),
    ("_etl_hash", "UUID"),
    ("_etl_loaded_at", "TIMESTAMP WITH TIME ZONE"),
];

impl TableSpec {
    /// All columns of the table as it would be made.
    pub fn all_columns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.columns
            .iter()
            .map(|column| (column.name.as_str(), column.ty.as_str()))
            .chain([("_extra", "VARCHAR")])
            .chain(PROVENANCE.into_iter().filter(|(name, _)| self.needs(name)))
    }

    /// Whether a column of provenance is to be there. Run, source and row are how the ledger finds its
    /// rows again; hash and release are how rows of the same key are compared.
    fn needs(&self, name: &str) -> bool {
        match name {
            "_etl_loaded_at" => !self.minimal,
            "_etl_hash" | "_etl_release" => !self.minimal || !self.key.is_empty(),
            _ => true,
        }
    }

    /// `col = value AND …` for the scope; `true` without one.
    pub fn scope_sql(&self) -> String {
        if self.scope.is_empty() {
            return "true".into();
        }
        let term = |(column, value): &(String, String)| {
            format!("{} = {}", crate::duck::quote(column), crate::stage::literal(value))
        };
        self.scope.iter().map(term).collect::<Vec<_>>().join(" AND ")
    }

    /// The same for columns of the table `alias`.
    pub fn scope_of(&self, alias: &str) -> String {
        let term = |(column, value): &(String, String)| {
            format!("{alias}.{} = {}", crate::duck::quote(column), crate::stage::literal(value))
        };
        let terms: Vec<_> = self.scope.iter().map(term).collect();
        if terms.is_empty() { "true".into() } else { terms.join(" AND ") }
    }

    /// `l.k = r.k AND …` over the key.
    pub fn key_join(&self, left: &str, right: &str) -> String {
        let term =
            |column: &String| format!("{left}.{0} = {right}.{0}", crate::duck::quote(column));
        self.key.iter().map(term).collect::<Vec<_>>().join(" AND ")
    }
}

/// Values that are the same for all rows of an input.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Run id.
    pub run: String,
    /// Input, as people name it.
    pub source: String,
    /// Release, such as `2025P01`.
    pub release: Option<String>,
    /// Start of the run, microseconds UTC.
    pub loaded_at: i64,
    /// Columns of the table that say the same as one of [`PROVENANCE`], by the names a user has given
    /// them: (column, one of those).
    pub named: BTreeMap<String, String>,
}

impl Provenance {
    /// Which of [`PROVENANCE`] a column holds; else its own name.
    pub fn meant<'n>(&'n self, column: &'n str) -> &'n str {
        self.named.get(column).map_or(column, String::as_str)
    }
}

/// Name of the side table of an input, in the ledger's schema.
pub fn side_table(run: &str, input: u32) -> String {
    format!("side_{}_{input}", run.to_lowercase())
}
