//! Counties: what a table holds of each, and what all finished loads into it have refused.

use super::{columns_of, rows_of};
use crate::duck::{Value, quote};
use crate::load::Link;
use crate::load::ledger::Ledger;
use crate::pack::{Kind, Pack};
use crate::report::{CountyMap, CountyReport};
use crate::run::error::RunError;
use crate::run::summary::Summary;
use std::collections::BTreeMap;

/// A map for each table of the run whose kind has counties.
pub fn maps(con: &dyn Link, summary: &Summary, pack: &Pack) -> Result<Vec<CountyMap>, RunError> {
    let mut maps: Vec<CountyMap> = Vec::new();
    for input in &summary.inputs {
        let Some(kind) = pack.kind(&input.kind) else { continue };
        let Some(county) = &kind.county_column else { continue };
        if maps.iter().any(|map| map.table == input.table) {
            continue;
        }
        let Some(columns) = columns_of(con, &input.table)? else { continue };
        let has = |name: &String| columns.iter().any(|(column, _)| column == name);
        if has(county) && !pack.insight.areas.is_empty() {
            maps.push(map(con, &input.table, kind, county, &has, pack)?);
        }
    }
    Ok(maps)
}

fn map(
    con: &dyn Link,
    table: &str,
    kind: &Kind,
    county: &str,
    has: &dyn Fn(&String) -> bool,
    pack: &Pack,
) -> Result<CountyMap, RunError> {
    let measure = pack.insight.kind(&kind.id).and_then(|insight| insight.measure.as_ref());
    let measure = measure.filter(|measure| measure.needs.iter().all(has));
    let value = measure.map_or("NULL", |measure| measure.sql.as_str());
    let held = con.query(
        &format!(
            "SELECT county, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY x) FROM (SELECT {} AS \
               county, CAST({value} AS DOUBLE PRECISION) AS x FROM {}) AS v GROUP BY county",
            quote(county),
            con.table(table)
        ),
        &[],
    )?;
    let held: BTreeMap<u8, (u64, Option<f64>)> = held
        .rows
        .iter()
        .filter_map(|row| {
            Some((number(&row[0])?, (rows_of(&row[1]), row[2].to_string().parse().ok())))
        })
        .collect();
    let loads = loads(con, table, county)?;
    let counties = pack.insight.areas.iter().filter_map(|area| {
        let name = pack.counties.by_number(area.number)?.name.clone();
        let (rows, value) = held.get(&area.number).copied().unwrap_or_default();
        let (read, rejected) = loads.get(&area.number).copied().unwrap_or_default();
        let outline = area.rings.clone();
        Some(CountyReport { number: area.number, name, rows, value, read, rejected, outline })
    });
    Ok(CountyMap {
        table: table.to_owned(),
        measure: measure.map(|measure| measure.label.clone()).unwrap_or_default(),
        unit: measure.map(|measure| measure.unit.clone()).unwrap_or_default(),
        counties: counties.collect(),
    })
}

fn number(value: &Value) -> Option<u8> {
    value.to_string().parse().ok()
}

/// Rows read and refused by finished loads, by the county of their scope.
fn loads(con: &dyn Link, table: &str, county: &str) -> Result<BTreeMap<u8, (u64, u64)>, RunError> {
    let mut loads: BTreeMap<u8, (u64, u64)> = BTreeMap::new();
    for (scope, read, rejected) in Ledger::new(con).scopes(table)? {
        let scope: BTreeMap<String, String> = serde_json::from_str(&scope).unwrap_or_default();
        if let Some(number) = scope.get(county).and_then(|number| number.parse().ok()) {
            let sums = loads.entry(number).or_default();
            sums.0 += read;
            sums.1 += rejected;
        }
    }
    Ok(loads)
}
