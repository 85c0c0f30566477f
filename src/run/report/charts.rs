//! Distributions: which columns are worth a chart, and their counts. The database counts; only ends of
//! bins and a few frequent values come back.

use super::rows_of;
use super::tables::Asked;
use crate::duck::{Value, quote};
use crate::pack::KindInsight;
use crate::report::{Bin, Chart, Shape, TopValue, edges};
use crate::run::error::RunError;

/// Charts of a table that the pack says nothing about, and columns looked at to find them.
const CHARTS: usize = 9;
const LOOKED_AT: usize = 60;
/// Words are drawn where there are at most so many, or where the pack asks for it.
const WORDS: u64 = 24;
/// Below so many years months are counted.
const YEARS: f64 = 4.0;
/// Frequent words shown.
const TOP: usize = 8;

/// What is beyond is no number with a place on an axis: infinite, or none at all. It is counted in the
/// outer bins.
const MOST: f64 = 1e300;

/// How a column is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nature {
    Whole,
    Real,
    Day,
    Words,
}

fn nature(ty: &str) -> Nature {
    match ty {
        "BIGINT" | "INTEGER" | "SMALLINT" | "TINYINT" | "HUGEINT" | "UBIGINT" | "UINTEGER"
        | "USMALLINT" | "UTINYINT" => Nature::Whole,
        "DOUBLE" | "FLOAT" => Nature::Real,
        ty if ty.starts_with("DECIMAL") || ty.starts_with("numeric") => Nature::Real,
        ty if ty == "DATE" || ty.starts_with("TIMESTAMP") => Nature::Day,
        _ => Nature::Words,
    }
}

/// The charts of a table: those that the pack asks for, else those that say something.
pub fn charts(
    asked: &Asked<'_>,
    insight: Option<&KindInsight>,
    rows: u64,
) -> Result<Vec<Chart>, RunError> {
    let mut charts = Vec::new();
    let chosen: Option<Vec<_>> = insight.map(|insight| {
        let column = |name: &String| asked.columns.iter().find(|(column, _)| column == name);
        insight.charts.iter().filter_map(column).collect()
    });
    let by_pack = chosen.as_ref().is_some_and(|chosen| !chosen.is_empty());
    let columns = match chosen {
        Some(chosen) if by_pack => chosen,
        _ => asked.columns.iter().take(LOOKED_AT).collect(),
    };
    for (name, ty) in columns {
        let chart = match nature(ty) {
            Nature::Words => words(asked, name, rows, by_pack)?,
            nature => numbers(asked, name, nature, rows, by_pack)?,
        };
        charts.extend(chart);
        if charts.len() == CHARTS {
            break;
        }
    }
    Ok(charts)
}

fn number(value: &Value) -> Option<f64> {
    if value.is_null() { None } else { value.to_string().parse().ok() }
}

/// A histogram; nothing where no value is, or where every value is another (an id).
fn numbers(
    asked: &Asked<'_>,
    name: &str,
    nature: Nature,
    rows: u64,
    wanted: bool,
) -> Result<Option<Chart>, RunError> {
    let column = quote(name);
    let (label, mut unit) = asked.words(name);
    let mut value = column.clone();
    if nature == Nature::Day {
        unit = "year".into();
        value = format!("extract(year FROM {column})");
    }
    let mut found = measured(asked, &value)?;
    // A few years have months worth seeing.
    if let Some(years) = &found
        && nature == Nature::Day
        && years.max - years.min < YEARS
    {
        unit = "month".into();
        value = format!("extract(year FROM {column}) * 12 + extract(month FROM {column}) - 1");
        found = measured(asked, &value)?;
    }
    let Some(Measured { filled, min, max, low, median, high }) = found else { return Ok(None) };
    if !wanted && nature == Nature::Whole && is_id(asked, &column, filled)? {
        return Ok(None);
    }
    let whole = nature != Nature::Real;
    let (ends, growing) = edges(low, median, high, whole);
    let bins = counted(asked, &value, &ends)?;
    let shape = Shape::Numbers { min, median, max, growing, bins };
    Ok(Some(Chart { column: name.to_owned(), label, unit, filled, empty: rows - filled, shape }))
}

/// What decides the bins of a column.
struct Measured {
    filled: u64,
    min: f64,
    max: f64,
    low: f64,
    median: f64,
    high: f64,
}

/// Ends and percentiles of the values; nothing where there are none.
fn measured(asked: &Asked<'_>, value: &str) -> Result<Option<Measured>, RunError> {
    let found = asked.rows(&format!(
        "SELECT count(x), min(f), max(f), percentile_disc(0.01) WITHIN GROUP (ORDER BY f), \
           percentile_disc(0.5) WITHIN GROUP (ORDER BY f), \
           percentile_disc(0.99) WITHIN GROUP (ORDER BY f) \
         FROM (SELECT x, CASE WHEN x BETWEEN -{MOST:e} AND {MOST:e} THEN x END AS f \
           FROM (SELECT CAST({value} AS DOUBLE PRECISION) AS x FROM {{from}}) AS v) AS w"
    ))?;
    let Some(row) = found.first() else { return Ok(None) };
    let ends: Option<Vec<f64>> = row[1..6].iter().map(number).collect();
    Ok(match ends.as_deref() {
        Some(&[min, max, low, median, high]) => {
            Some(Measured { filled: rows_of(&row[0]), min, max, low, median, high })
        }
        _ => None,
    })
}

/// Nearly every row has another number.
fn is_id(asked: &Asked<'_>, column: &str, filled: u64) -> Result<bool, RunError> {
    let found = asked.rows(&format!("SELECT count(DISTINCT {column}) FROM {{from}}"))?;
    let distinct = found.first().map_or(0, |row| rows_of(&row[0]));
    Ok(filled > 20 && distinct * 10 > filled * 9)
}

/// Rows by bin; values beyond the ends go into the outer bins.
fn counted(asked: &Asked<'_>, value: &str, ends: &[f64]) -> Result<Vec<Bin>, RunError> {
    let last = ends.len() - 2;
    let cases: String = ends[1..]
        .iter()
        .take(last)
        .enumerate()
        .map(|(bin, end)| format!("WHEN x < {end:?} THEN {bin} "))
        .collect();
    let bin = if last == 0 { "0".into() } else { format!("CASE {cases}ELSE {last} END") };
    let rows = asked.rows(&format!(
        "SELECT bin, count(*) FROM (SELECT {bin} AS bin FROM (SELECT CAST({value} AS DOUBLE PRECISION) AS x FROM {{from}}) AS v \
         WHERE x IS NOT NULL) AS b GROUP BY bin"
    ))?;
    let mut bins: Vec<Bin> =
        ends.windows(2).map(|pair| Bin { from: pair[0], to: pair[1], rows: 0 }).collect();
    for row in &rows {
        if let Some(bin) = bins.get_mut(rows_of(&row[0]) as usize) {
            bin.rows = rows_of(&row[1]);
        }
    }
    Ok(bins)
}

/// Frequent values of a column of few.
fn words(
    asked: &Asked<'_>,
    name: &str,
    rows: u64,
    wanted: bool,
) -> Result<Option<Chart>, RunError> {
    let column = quote(name);
    if !wanted {
        // Stops as soon as there are too many.
        let few = asked.rows(&format!(
            "SELECT count(*) FROM (SELECT DISTINCT {column} FROM {{from}} LIMIT {}) AS v",
            WORDS + 1
        ))?;
        let distinct = few.first().map_or(0, |row| rows_of(&row[0]));
        if !(2..=WORDS).contains(&distinct) || distinct * 2 > rows {
            return Ok(None);
        }
    }
    let counts =
        asked.rows(&format!("SELECT count({column}), count(DISTINCT {column}) FROM {{from}}"))?;
    let top = asked.rows(&format!(
        "SELECT CAST({column} AS VARCHAR) AS word, count(*) AS n FROM {{from}} AND {column} IS NOT NULL \
         GROUP BY 1 ORDER BY n DESC, word LIMIT {TOP}"
    ))?;
    let Some(row) = counts.first() else { return Ok(None) };
    let (filled, distinct) = (rows_of(&row[0]), rows_of(&row[1]));
    if filled == 0 {
        return Ok(None);
    }
    let top = top.iter().map(|row| TopValue { value: row[0].to_string(), rows: rows_of(&row[1]) });
    let shape = Shape::Words { distinct, top: top.collect() };
    let (label, unit) = asked.words(name);
    Ok(Some(Chart { column: name.to_owned(), label, unit, filled, empty: rows - filled, shape }))
}
