//! What a pack knows about loaded rows: charts worth drawing, outlines of counties, gold queries.
//!
//! None of it changes a row, so none of it counts for [`Pack::hash`](super::Pack). A pack without
//! `insight.toml` has nothing to say here, which is no error.

use super::error::PackError;
use super::gold::{self, Gold};
use super::load::Loader;
use super::model::Kind;
use serde::Deserialize;

/// What is worth looking at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Insight {
    /// Outlines of counties.
    pub areas: Vec<Area>,
    /// Views and tables that `etl gold` builds, each behind those it uses.
    pub gold: Vec<Gold>,
    /// By kind of file.
    pub kinds: Vec<KindInsight>,
    /// What compares two rolls.
    pub diff: Option<Diff>,
}

/// A comparison of two rolls of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The kind.
    pub kind: String,
    /// The question; `{before}` and `{after}` are the rolls, with the columns it needs.
    pub query: Gold,
}

impl Insight {
    /// What is known of a kind.
    pub fn kind(&self, id: &str) -> Option<&KindInsight> {
        self.kinds.iter().find(|kind| kind.id == id)
    }
}

/// The outline of a county in a box 1,000 wide, y downwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// County number.
    pub number: u8,
    /// Rings of points; the last one is joined with the first.
    pub rings: Vec<Vec<(i32, i32)>>,
}

/// What is worth looking at in a table of this kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindInsight {
    /// The kind.
    pub id: String,
    /// Columns whose distribution is drawn, in this order.
    pub charts: Vec<String>,
    /// What a map of counties shows.
    pub measure: Option<Measure>,
}

/// A number that each row has.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// An expression over the columns, in SQL that all targets understand.
    pub sql: String,
    /// Columns it needs.
    pub needs: Vec<String>,
    /// What it is, in words.
    pub label: String,
    /// Its unit.
    #[serde(default)]
    pub unit: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    map: Option<String>,
    #[serde(default)]
    gold: Vec<String>,
    #[serde(default)]
    kind: Vec<KindInsight>,
    diff: Option<RawDiff>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDiff {
    kind: String,
    file: String,
}

const FILE: &str = "insight.toml";

/// Reads `insight.toml` and what it names.
pub(super) fn read(loader: &mut Loader, kinds: &[Kind]) -> Result<Insight, PackError> {
    let Some(text) = loader.aside(FILE)? else { return Ok(Insight::default()) };
    let raw: Raw = toml::from_str(&text).map_err(|error| PackError::Toml {
        file: FILE.into(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let areas = match &raw.map {
        Some(file) => areas(loader, file)?,
        None => Vec::new(),
    };
    let mut queries: Vec<Gold> = Vec::new();
    for name in &raw.gold {
        let file = format!("gold/{name}.sql");
        let text = loader.aside(&file)?.unwrap_or_default();
        match gold::parse(name, &text) {
            Ok(gold) => {
                for what in gold::faults(&gold, &queries, kinds) {
                    loader.problem(&file, name, what);
                }
                queries.push(gold);
            }
            Err(what) => loader.problem(&file, name, what),
        }
    }
    for kind in &raw.kind {
        check(loader, kind, kinds);
    }
    let diff = match &raw.diff {
        Some(raw) => diff(loader, raw, kinds)?,
        None => None,
    };
    Ok(Insight { areas, gold: queries, kinds: raw.kind, diff })
}

fn diff(loader: &mut Loader, raw: &RawDiff, kinds: &[Kind]) -> Result<Option<Diff>, PackError> {
    let text = loader.aside(&raw.file)?.unwrap_or_default();
    let query = match gold::parse("diff", &text) {
        Ok(query) => query,
        Err(what) => {
            loader.problem(&raw.file, "head", what);
            return Ok(None);
        }
    };
    let kind = kinds.iter().find(|kind| kind.id == raw.kind);
    let is_need = |need: &gold::Need| {
        let of = kind.filter(|kind| kind.table == need.table);
        of.is_some_and(|kind| need.columns.iter().all(|name| gold::type_of(kind, name).is_some()))
    };
    if query.needs.len() != 1 || !is_need(&query.needs[0]) {
        loader.problem(&raw.file, "needs", format!("should be columns of the kind '{}'", raw.kind));
        return Ok(None);
    }
    for side in ["{before}", "{after}"] {
        if !query.sql.contains(side) {
            loader.problem(&raw.file, "query", format!("{side} does not stand in it"));
        }
    }
    Ok(Some(Diff { kind: raw.kind.clone(), query }))
}

/// Names of columns are those of the kind.
fn check(loader: &mut Loader, insight: &KindInsight, kinds: &[Kind]) {
    let Some(kind) = kinds.iter().find(|kind| kind.id == insight.id) else {
        return loader.problem(FILE, &insight.id, "is no kind of this pack");
    };
    let needs = insight.measure.iter().flat_map(|measure| &measure.needs);
    for name in insight.charts.iter().chain(needs) {
        if gold::type_of(kind, name).is_none() {
            loader.problem(FILE, &insight.id, format!("the kind has no column '{name}'"));
        }
    }
}

/// `number,x,y,outline`; an outline is rings of `x,y` points, rings apart by semicolons.
fn areas(loader: &mut Loader, file: &str) -> Result<Vec<Area>, PackError> {
    let Some(text) = loader.aside(file)? else { return Ok(Vec::new()) };
    let wrong = |e: csv::Error| PackError::Csv { file: file.to_owned(), message: e.to_string() };
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let mut areas = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let cell = |at: usize| record.get(at).unwrap_or_default();
        match (cell(0).parse(), rings(cell(3))) {
            (Ok(number), Some(rings)) => areas.push(Area { number, rings }),
            _ => loader.problem(file, format!("county {}", cell(0)), "the outline cannot be read"),
        }
    }
    Ok(areas)
}

fn rings(text: &str) -> Option<Vec<Vec<(i32, i32)>>> {
    let point = |text: &str| {
        let (x, y) = text.split_once(',')?;
        Some((x.parse().ok()?, y.parse().ok()?))
    };
    let ring = |text: &str| text.split_whitespace().map(point).collect::<Option<Vec<_>>>();
    let rings: Option<Vec<_>> = text.split(';').map(ring).collect();
    rings.filter(|rings| rings.iter().all(|ring| ring.len() >= 3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Pack;

    #[test]
    fn every_county_has_an_outline_inside_the_box() {
        let pack = Pack::embedded("florida").expect("the pack is tested as a whole");
        let areas = &pack.insight.areas;
        assert_eq!(areas.len(), 67);
        for area in areas {
            assert!(pack.counties.by_number(area.number).is_some(), "{}", area.number);
            let points = area.rings.iter().flatten();
            assert!(points.clone().count() >= 4);
            assert!(points.clone().all(|(x, y)| (0..=1000).contains(x) && (0..=1000).contains(y)));
        }
    }

    #[test]
    fn outlines_are_rings_of_points() {
        let ring = vec![(1, 2), (3, 4), (5, 6)];
        assert_eq!(rings("1,2 3,4 5,6; 1,2 3,4 5,6"), Some(vec![ring.clone(), ring]));
        assert_eq!(rings("1,2 3"), None);
        assert_eq!(rings("1,2 3,4"), None, "a line is no ring");
    }
}
