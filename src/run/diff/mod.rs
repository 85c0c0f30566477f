//! `etl diff`: what changed between two rolls, whether they are files or years of a target.
//!
//! Two years of one target are compared there, by its own engine. Where a file takes part, both sides go
//! into a scratch database first. The question itself is the pack's; here are only its two sides, the table
//! with the answer, and the counts.

mod log;
mod side;

pub use log::ChangeLog;
pub use side::Side;

use super::error::{RunError, RunErrorKind};
use super::gold::{Builder, GoldRequest, building, open};
use super::identify::county_number;
use super::ingest::load_pack;
use super::request::Request;
use super::rolls::RollTables;
use super::scratch::Scratch;
use crate::duck::Value;
use crate::flow::{Observer, Stop};
use crate::load::Link;
use crate::pack::{Diff, Kind, Pack, empty};
use serde::Serialize;
use std::time::Instant;

/// Columns of a change, in order.
pub const COLUMNS: [&str; 9] =
    ["co_no", "parcel_id", "change", "level", "was", "is_now", "amount", "share", "note"];
/// Order of changes in a log: what needs a look first, then by kind and parcel.
const ORDER: &str =
    "CASE level WHEN 'alert' THEN 0 ELSE 1 END, change, co_no, parcel_id COLLATE \"C\", note";
/// Alerts in the summary.
const ALERTS: usize = 10;

/// What is to be compared.
pub struct DiffRequest {
    /// The roll before.
    pub before: Side,
    /// The roll after.
    pub after: Side,
    /// How files are read, the target, the limits.
    pub request: Request,
    /// Only this county: a number, a FIPS code or a name.
    pub county: Option<String>,
    /// Numbers that differ from the pack's.
    pub params: Vec<(String, i64)>,
    /// Tables that hold rolls, each by its kind; else the ledger says which.
    pub rolls: Vec<(String, String)>,
    /// Schema and name of the table with the changes; `None`: no table.
    pub table: Option<(String, String)>,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffSummary {
    /// The roll before.
    pub before: SideSummary,
    /// The roll after.
    pub after: SideSummary,
    /// Counties that both have; only these are compared.
    pub counties: Vec<i64>,
    /// Counties that only one of them has.
    pub left_out: Vec<i64>,
    /// Changes by kind and level.
    pub counts: Vec<ChangeCount>,
    /// The largest alerts.
    pub alerts: Vec<Change>,
    /// The table with all changes.
    pub table: Option<String>,
    /// Wall time.
    pub seconds: f64,
}

/// One of the two rolls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideSummary {
    /// As people name it.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Rows of a file that were refused: they are not compared, and their parcels seem to be missing.
    pub refused: u64,
}

/// Changes of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeCount {
    /// `new`, `retired`, `split`, `combined`, `owner`, `value`.
    pub change: String,
    /// `listed` or `alert`.
    pub level: String,
    /// How many.
    pub parcels: u64,
    /// Sum of the amounts.
    pub amount: i64,
}

/// One change; the fields are the columns of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the pack explains the columns")]
pub struct Change {
    pub co_no: i64,
    pub parcel_id: String,
    pub change: String,
    pub level: String,
    pub was: Option<String>,
    pub is_now: Option<String>,
    pub amount: Option<i64>,
    pub share: Option<f64>,
    pub note: Option<String>,
}

impl Change {
    fn of(row: &[Value]) -> Self {
        let text = |at: usize| row[at].to_string();
        let optional = |at: usize| (!row[at].is_null()).then(|| row[at].to_string());
        Self {
            co_no: row[0].as_int().unwrap_or(0),
            parcel_id: text(1),
            change: text(2),
            level: text(3),
            was: optional(4),
            is_now: optional(5),
            amount: optional(6).and_then(|amount| amount.parse().ok()),
            share: optional(7).and_then(|share| share.parse().ok()),
            note: optional(8),
        }
    }
}

/// Takes the changes in the order of a log.
pub type EachChange<'a> = &'a mut dyn FnMut(Change) -> std::io::Result<()>;

/// Compares, keeps the table, and hands over all changes.
pub fn diff(
    asked: &DiffRequest,
    each: EachChange<'_>,
    observer: &dyn Observer,
    stop: &Stop,
) -> Result<DiffSummary, RunError> {
    let started = Instant::now();
    let pack = load_pack(&asked.request.pack)?;
    let (diff, kind) = known(&pack)?;
    refuse_unknown(diff, &asked.params)?;
    let county = asked.county.as_deref().map(|text| county(text, &pack)).transpose()?;
    let sides = [&asked.before, &asked.after];
    let mut summary = if sides.iter().all(|side| side.is_in_target()) {
        in_target(asked, &pack, (diff, kind, county), each)?
    } else {
        in_scratch(asked, &pack, (diff, kind, county), each, (observer, stop))?
    };
    summary.seconds = started.elapsed().as_secs_f64();
    Ok(summary)
}

fn county(text: &str, pack: &Pack) -> Result<u8, RunError> {
    county_number(text, pack).ok_or_else(|| {
        RunError::new(RunErrorKind::Usage, format!("`{text}` is no county"))
            .with_hint("give its number, its FIPS code or its name")
    })
}

fn known(pack: &Pack) -> Result<(&Diff, &Kind), RunError> {
    let found = pack.insight.diff.as_ref().and_then(|diff| Some((diff, pack.kind(&diff.kind)?)));
    found.ok_or_else(|| {
        let told = format!("the pack {} does not say how two rolls are compared", pack.name);
        RunError::new(RunErrorKind::Usage, told)
    })
}

/// A number that the question does not have is a slip, and would be left out in silence.
fn refuse_unknown(diff: &Diff, params: &[(String, i64)]) -> Result<(), RunError> {
    let own = &diff.query.params;
    let known = |name: &String| own.iter().any(|(known, _)| known == name);
    let Some((name, _)) = params.iter().find(|(name, _)| !known(name)) else { return Ok(()) };
    let names: Vec<_> = own.iter().map(|(name, _)| name.as_str()).collect();
    let told = format!("the comparison has no number `{name}`");
    Err(RunError::usage(told).with_hint(format!("it has {}", names.join(", "))))
}

/// The two sides as SQL, and what is asked of them.
struct Comparison<'a> {
    con: &'a dyn Link,
    diff: &'a Diff,
    sides: [String; 2],
    names: [String; 2],
    params: &'a [(String, i64)],
}

impl Comparison<'_> {
    fn query(&self) -> String {
        let sql = self.diff.query.numbered(&self.diff.query.sql, self.params);
        sql.replace("{before}", &self.sides[0]).replace("{after}", &self.sides[1])
    }

    /// Rows of each side; a side without any is a mistake in its name.
    fn summaries(&self) -> Result<[SideSummary; 2], RunError> {
        let side = |at: usize| -> Result<SideSummary, RunError> {
            let name = self.names[at].clone();
            let sql = format!("SELECT count(*) FROM {} AS side", self.sides[at]);
            let rows = self.con.number(&sql, &[])?;
            if rows == 0 {
                return Err(RunError::new(
                    RunErrorKind::Usage,
                    format!("there are no rows of {name}"),
                )
                .with_hint("`etl runs list` shows what was loaded"));
            }
            Ok(SideSummary { name, rows, refused: 0 })
        };
        Ok([side(0)?, side(1)?])
    }

    /// Counties that both sides have, and those of one only.
    fn counties(&self) -> Result<(Vec<i64>, Vec<i64>), RunError> {
        let sql = format!(
            "SELECT co_no, count(DISTINCT side) FROM (SELECT co_no, 1 AS side FROM {} AS b UNION ALL \
             SELECT co_no, 2 FROM {} AS a) AS both_sides GROUP BY co_no ORDER BY co_no",
            self.sides[0], self.sides[1]
        );
        let rows = self.con.query(&sql, &[])?.rows;
        let number = |row: &Vec<Value>| row[0].as_int().unwrap_or(0);
        let (both, one): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[1].as_int() == Some(2));
        Ok((both.into_iter().map(number).collect(), one.into_iter().map(number).collect()))
    }

    /// What the table with the changes says, and each change of it.
    fn told(&self, table: &str, each: EachChange<'_>) -> Result<DiffSummary, RunError> {
        let [before, after] = self.summaries()?;
        let (counties, left_out) = self.counties()?;
        let counts = self.con.query(
            &format!(
                "SELECT change, level, count(*), CAST(coalesce(sum(amount), 0) AS BIGINT) FROM {table} \
                 GROUP BY change, level ORDER BY change, level"
            ),
            &[],
        )?;
        let count = |row: &Vec<Value>| ChangeCount {
            change: row[0].to_string(),
            level: row[1].to_string(),
            parcels: row[2].as_int().and_then(|n| u64::try_from(n).ok()).unwrap_or(0),
            amount: row[3].as_int().unwrap_or(0),
        };
        let columns = COLUMNS.join(", ");
        let alerts = self.con.query(
            &format!(
                "SELECT {columns} FROM {table} WHERE level = 'alert' \
                 ORDER BY abs(amount) DESC NULLS LAST, co_no, parcel_id LIMIT {ALERTS}"
            ),
            &[],
        )?;
        all(self.con, table, each)?;
        Ok(DiffSummary {
            before,
            after,
            counties,
            left_out,
            counts: counts.rows.iter().map(count).collect(),
            alerts: alerts.rows.iter().map(|row| Change::of(row)).collect(),
            table: None,
            seconds: 0.0,
        })
    }
}

/// Hands over all changes in order, in bounded memory.
fn all(con: &dyn Link, table: &str, each: EachChange<'_>) -> Result<(), RunError> {
    let mut failed = None;
    let sql = format!("SELECT {} FROM {table} ORDER BY {ORDER}", COLUMNS.join(", "));
    con.query_each(&sql, &[], &mut |_, rows| {
        for row in rows {
            if let Err(error) = each(Change::of(&row)) {
                failed = Some(error);
                return std::ops::ControlFlow::Break(());
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    match failed {
        Some(error) => {
            let told = format!("the change log cannot be written: {error}");
            Err(RunError::new(RunErrorKind::Limit, told))
        }
        None => Ok(()),
    }
}

fn opening(asked: &DiffRequest) -> GoldRequest {
    let request = &asked.request;
    GoldRequest {
        target: request.target.clone(),
        pack: request.pack.clone(),
        names: Vec::new(),
        params: Vec::new(),
        rolls: Vec::new(),
        schema: String::new(),
        memory: request.limits.memory,
        threads: request.limits.threads,
        temp_dir: request.limits.temp_dir.clone(),
    }
}

/// Two years of the target.
fn in_target(
    asked: &DiffRequest,
    pack: &Pack,
    (diff, kind, county): (&Diff, &Kind, Option<u8>),
    each: EachChange<'_>,
) -> Result<DiffSummary, RunError> {
    let target = open(&opening(asked))?;
    target.hold("etl gold")?;
    let con = target.link()?;
    let con = &*con;
    let need = &diff.query.needs[0];
    let sides = [&asked.before, &asked.after];
    let rolls = RollTables::find(con, pack, &asked.rolls)?;
    let table = rolls.of(&kind.table);
    let relation = |side: &Side| side.relation(con, kind, need, table, county);
    let comparison = Comparison {
        con,
        diff,
        sides: [relation(sides[0])?, relation(sides[1])?],
        names: sides.map(Side::name),
        params: &asked.params,
    };
    comparison.summaries()?;
    let (schema, name) = asked.table.clone().unwrap_or(("etl".into(), "side_diff".into()));
    let builder = Builder { con, schema: &schema };
    let table = builder.name(&name);
    building(con, || {
        builder.prepare()?;
        builder.clear(&name)?;
        builder.build(&name, true, &comparison.query()).map(drop)
    })?;
    let mut summary = comparison.told(&table, each)?;
    if asked.table.is_none() {
        building(con, || builder.clear(&name))?;
    } else {
        summary.table = Some(format!("{schema}.{name}"));
    }
    con.settle(None, 0)?;
    Ok(summary)
}

/// At least one file: both sides go into a scratch database.
fn in_scratch(
    asked: &DiffRequest,
    pack: &Pack,
    (diff, kind, county): (&Diff, &Kind, Option<u8>),
    each: EachChange<'_>,
    (observer, stop): (&dyn Observer, &Stop),
) -> Result<DiffSummary, RunError> {
    let scratch = Scratch::new(asked.request.limits.temp_dir.as_deref())?;
    let sides = [(&asked.before, "side_before"), (&asked.after, "side_after")];
    let mut refused = [0; 2];
    for ((side, table), refused) in sides.into_iter().zip(&mut refused) {
        *refused = side.into_scratch(&asked.request, &scratch, table, kind, observer, stop)?;
    }
    let there = GoldRequest { target: scratch.target(), ..opening(asked) };
    let target = open(&there)?;
    let con = target.link()?;
    let con = &*con;
    let need = &diff.query.needs[0];
    for (side, table) in sides {
        side.copy_into(asked, pack, con, table, (kind, need))?;
    }
    let relation = |table: &str| side::columns(con, kind, need, table, None, county);
    let comparison = Comparison {
        con,
        diff,
        sides: [relation(sides[0].1)?, relation(sides[1].1)?],
        names: [asked.before.name(), asked.after.name()],
        params: &asked.params,
    };
    let builder = Builder { con, schema: "gold" };
    building(con, || {
        builder.prepare()?;
        builder.build("changes", true, &comparison.query()).map(drop)
    })?;
    let table = builder.name("changes");
    let mut summary = comparison.told(&table, each)?;
    [summary.before.refused, summary.after.refused] = refused;
    if let Some((schema, name)) = &asked.table {
        hand_over(asked, (diff, kind), con, &table, (schema, name))?;
        summary.table = Some(format!("{schema}.{name}"));
    }
    Ok(summary)
}

/// The changes as a table of the target.
fn hand_over(
    asked: &DiffRequest,
    (diff, kind): (&Diff, &Kind),
    from: &dyn Link,
    table: &str,
    (schema, name): (&str, &str),
) -> Result<(), RunError> {
    let target = open(&opening(asked))?;
    target.hold("etl gold")?;
    let to = target.link()?;
    let to = &*to;
    let builder = Builder { con: to, schema };
    // The same question over nothing makes a table of the same columns.
    let nothing = empty(kind, &diff.query.needs[0].columns);
    let sql = diff.query.numbered(&diff.query.sql, &asked.params);
    let sql = sql.replace("{before}", &nothing).replace("{after}", &nothing);
    building(to, || {
        builder.prepare()?;
        builder.clear(name)?;
        builder.build(name, true, &sql)?;
        let all = format!("SELECT {} FROM {table}", COLUMNS.join(", "));
        side::copy(from, &all, to, &builder.name(name), COLUMNS.len())
    })?;
    to.settle(None, 0)?;
    Ok(())
}
