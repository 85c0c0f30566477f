//! The TOML files as they are written. Unknown fields are errors: a misspelt field must not be
//! silently ignored.

use super::clean::Clean;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPack {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub releases: Vec<String>,
    #[serde(default)]
    pub nulls: Vec<String>,
    pub kinds: Vec<String>,
    #[serde(default)]
    pub codes: Vec<String>,
    pub boundaries: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKind {
    pub id: String,
    pub title: String,
    pub plain: String,
    pub table: String,
    pub status: RawStatus,
    pub key: Vec<String>,
    pub scope: Vec<String>,
    pub county_column: Option<String>,
    pub year_column: Option<String>,
    pub id_column: Option<String>,
    pub marker: Option<RawMarker>,
    #[serde(default)]
    pub headerless: bool,
    pub columns: String,
    #[serde(default)]
    pub names: Vec<String>,
    #[serde(default)]
    pub layout: Vec<RawLayout>,
    #[serde(default)]
    pub clean: Vec<Clean>,
    #[serde(default)]
    pub lookup: Vec<RawLookup>,
    #[serde(default)]
    pub derived: Vec<RawDerived>,
    #[serde(default)]
    pub absent: Vec<RawAbsent>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawStatus {
    Confirmed,
    Unconfirmed,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMarker {
    pub column: String,
    pub value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLayout {
    pub name: String,
    #[serde(default)]
    pub without: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLookup {
    pub alias: String,
    pub table: String,
    pub on: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawAgent {
    Transform,
    Enrich,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDerived {
    pub agent: RawAgent,
    pub name: String,
    #[serde(rename = "type")]
    pub ty: String,
    pub sql: String,
    #[serde(default)]
    pub needs: Vec<String>,
    #[serde(default)]
    pub meaning: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAbsent {
    pub words: Vec<String>,
    pub answer: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRules {
    #[serde(default)]
    pub rule: Vec<RawRule>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawLevel {
    Critical,
    Warning,
    Info,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum RawScope {
    Cell,
    Row,
    File,
    Cross,
    Name,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub id: String,
    pub level: RawLevel,
    pub level_in_source: Option<RawLevel>,
    /// For the reader of the file; the program does not use it.
    #[serde(rename = "level_reason")]
    pub _level_reason: Option<String>,
    pub scope: RawScope,
    pub kinds: Vec<String>,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub columns: Vec<String>,
    pub requires: Option<Vec<String>>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub ok: Option<String>,
    pub each: Option<String>,
    pub rounded_ids: Option<String>,
    pub one_value: Option<String>,
    pub sequence: Option<String>,
    pub rows: Option<String>,
    pub within: Option<f64>,
    pub unique: Option<Vec<String>>,
    pub sql: Option<String>,
    pub needs: Option<Vec<String>>,
    pub message: String,
    #[serde(default)]
    pub hint: String,
    #[serde(default)]
    pub basis: String,
}
