//! What enrichment has found, as the rows of the run tell it: code tables, places. So it is the same for
//! a load that was interrupted. Only what is in no row (how often a memory of answers was of use) comes
//! from the summary.

use super::rows_of;
use super::tables::Asked;
use crate::duck::{Value, quote};
use crate::pack::{Kind, Lookup, Pack};
use crate::report::{LookupReport, PlaceCount, TopValue};
use crate::run::error::RunError;

/// Codes shown that a table does not have.
const UNKNOWN: usize = 5;
/// Columns of the `locate` agent: how a parcel was found, and how much its point says.
const PLACES: [&str; 2] = ["match_status", "location_precision"];

/// Code tables that the columns of a table were looked up in.
pub fn lookups(asked: &Asked<'_>, pack: &Pack) -> Result<Vec<LookupReport>, RunError> {
    let Some(kind) = asked.kind else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for lookup in &kind.lookups {
        if let Some((key, label)) = columns(asked, kind, lookup, pack) {
            all.push(looked_up(asked, lookup, key, label)?);
        }
    }
    Ok(all)
}

/// The column that is looked up, and one that is filled wherever it was found.
fn columns<'k>(
    asked: &Asked<'_>,
    kind: &'k Kind,
    lookup: &'k Lookup,
    pack: &Pack,
) -> Option<(&'k str, &'k str)> {
    let has = |name: &str| asked.columns.iter().any(|(column, _)| column == name);
    let words = lookup.on.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mut keys = words.filter(|word| kind.column(word).is_some() && has(word));
    let (key, None) = (keys.next()?, keys.next()) else { return None };
    let table = pack.table(&lookup.table)?;
    let tells = |sql: &str| {
        let column = sql.strip_prefix(lookup.alias.as_str())?.strip_prefix('.')?;
        let at = table.column(column)?;
        table.rows.iter().all(|row| !row[at].is_empty()).then_some(())
    };
    let label = kind.derived.iter().find(|one| tells(&one.sql).is_some() && has(&one.name))?;
    Some((key, &label.name))
}

fn looked_up(
    asked: &Asked<'_>,
    lookup: &Lookup,
    key: &str,
    label: &str,
) -> Result<LookupReport, RunError> {
    let (column, found) = (quote(key), quote(label));
    let rows = asked.rows(&format!("SELECT count({column}), count({found}) FROM {{from}}"))?;
    let counts = rows.first().map(|row| (rows_of(&row[0]), rows_of(&row[1])));
    let (rows_asked, rows_found) = counts.unwrap_or_default();
    let mut unknown = Vec::new();
    if rows_found < rows_asked {
        let rows = asked.rows(&format!(
            "SELECT CAST({column} AS VARCHAR) AS code, count(*) AS n FROM {{from}} AND {found} IS NULL \
             AND {column} IS NOT NULL GROUP BY 1 ORDER BY n DESC, code LIMIT {UNKNOWN}"
        ))?;
        let top = |row: &Vec<Value>| TopValue { value: row[0].to_string(), rows: rows_of(&row[1]) };
        unknown = rows.iter().map(top).collect();
    }
    Ok(LookupReport {
        table: lookup.table.clone(),
        column: key.to_owned(),
        asked: rows_asked,
        found: rows_found,
        unknown,
    })
}

/// How many rows were found how among places, and how much their points say.
pub fn places(asked: &Asked<'_>) -> Result<Vec<PlaceCount>, RunError> {
    let has = |name: &str| asked.columns.iter().any(|(column, _)| column == name);
    if !has("latitude") || !PLACES.iter().any(|name| has(name)) {
        return Ok(Vec::new());
    }
    let [found, precision] =
        PLACES.map(|name| if has(name) { quote(name) } else { "CAST(NULL AS VARCHAR)".into() });
    let rows = asked.rows(&format!(
        "SELECT {found} AS how, {precision} AS says, count(*) AS n FROM {{from}} \
         GROUP BY 1, 2 ORDER BY n DESC, 1, 2"
    ))?;
    let text = |value: &Value| (!value.is_null()).then(|| value.to_string());
    let count = |row: &Vec<Value>| PlaceCount {
        match_status: text(&row[0]),
        precision: text(&row[1]),
        rows: rows_of(&row[2]),
    };
    Ok(rows.iter().map(count).collect())
}
