//! `etl gold`: views and tables of the pack over loaded tables, built in the target by its own engine.
//!
//! All of it is one transaction: whoever reads sees the old objects or the new ones. What `etl gold` has
//! made stands in `etl.gold`; nothing else of these names is ever touched.

use super::error::{RunError, RunErrorKind};
use super::ingest::load_pack;
use super::memory;
use super::rolls::{RollTables, there};
use crate::duck::{Value, quote};
use crate::load::ledger::has_ledger;
use crate::load::target::{Opening, Target};
use crate::load::{Link, TargetUrl};
use crate::pack::{Gold, Need, Pack};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

/// What is to be built.
#[derive(Debug, Clone)]
pub struct GoldRequest {
    /// Where.
    pub target: TargetUrl,
    /// `florida` or the folder of a pack.
    pub pack: String,
    /// Objects; none: all.
    pub names: Vec<String>,
    /// Numbers that differ from the pack's.
    pub params: Vec<(String, i64)>,
    /// Tables that stand for those of the pack, each by its kind.
    pub rolls: Vec<(String, String)>,
    /// Schema of the objects.
    pub schema: String,
    /// Memory of the program, in bytes.
    pub memory: u64,
    /// Threads of a DuckDB file's engine.
    pub threads: usize,
    /// Spill files.
    pub temp_dir: Option<PathBuf>,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GoldSummary {
    /// Target as people name it.
    pub target: String,
    /// Schema.
    pub schema: String,
    /// In the order of building.
    pub built: Vec<Built>,
    /// What could not be, and why.
    pub missing: Vec<Missing>,
    /// Wall time.
    pub seconds: f64,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Built {
    /// Name.
    pub name: String,
    /// In a sentence.
    pub title: String,
    /// `table` or `view`.
    pub kind: &'static str,
    /// Rows; of a table only, those of a view are nobody's until it is asked.
    pub rows: Option<u64>,
    /// Wall time.
    pub seconds: f64,
}

/// An object that could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Opens a target that is there for building; `memory` is that of the whole program.
pub(super) fn open(request: &GoldRequest) -> Result<Box<dyn Target>, RunError> {
    let share = request.memory.saturating_sub(memory::FIXED).max(96 << 20);
    drop(request.target.look_there(share)?);
    let opening = Opening { memory: share, temp_dir: request.temp_dir.clone() };
    let target = request.target.open(&opening)?;
    if request.target.file().is_some() {
        // Loads want one thread a connection; here one connection does all of the work.
        let threads = format!("SET GLOBAL threads = {}", request.threads.max(1));
        target.link()?.execute(&threads, &[])?;
    }
    Ok(target)
}

/// Builds them.
pub fn gold(request: &GoldRequest) -> Result<GoldSummary, RunError> {
    let started = Instant::now();
    let pack = load_pack(&request.pack)?;
    let chosen = chosen(request, &pack)?;
    let target = open(request)?;
    target.hold("etl gold")?;
    let con = target.link()?;
    let con = &*con;
    if !has_ledger(con)? {
        return Err(RunError::new(RunErrorKind::Usage, "nothing was loaded into this target yet"));
    }
    let builder = Builder { con, schema: &request.schema };
    let tables = RollTables::find(con, &pack, &request.rolls)?;
    let mut missing = Vec::new();
    let built = building(con, || {
        builder.prepare()?;
        let also = builder.dependents(&pack, &chosen)?;
        let all = pack.insight.gold.iter();
        let wanted =
            |gold: &&Gold| [&chosen, &also].iter().any(|set| set.contains(gold.name.as_str()));
        let wanted: Vec<_> = all.filter(wanted).collect();
        let asked = Asked { con, pack: &pack, tables: &tables };
        let ready = ready(&asked, &wanted, &mut missing)?;
        build_all(&builder, &asked, &ready, &request.params)
    })?;
    con.settle(None, 0)?;
    Ok(GoldSummary {
        target: request.target.to_string(),
        schema: request.schema.clone(),
        built,
        missing,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The objects asked for and those they use.
fn chosen<'p>(request: &GoldRequest, pack: &'p Pack) -> Result<BTreeSet<&'p str>, RunError> {
    let all = &pack.insight.gold;
    let names = || all.iter().map(|gold| gold.name.as_str()).collect::<Vec<_>>().join(", ");
    for name in &request.names {
        if !all.iter().any(|gold| gold.name == *name) {
            let told = format!("the pack {} has no gold table `{name}`", pack.name);
            return Err(
                RunError::new(RunErrorKind::Usage, told).with_hint(format!("it has {}", names()))
            );
        }
    }
    for (name, _) in &request.params {
        if !all.iter().any(|gold| gold.params.iter().any(|(known, _)| known == name)) {
            let told = format!("no gold table has a number `{name}`");
            return Err(
                RunError::new(RunErrorKind::Usage, told).with_hint("`etl gold --list` shows them")
            );
        }
    }
    let asked = |gold: &&Gold| request.names.is_empty() || request.names.contains(&gold.name);
    let mut chosen: BTreeSet<&str> = all.iter().filter(asked).map(|g| g.name.as_str()).collect();
    // Each stands behind those it uses.
    for gold in all.iter().rev() {
        if chosen.contains(gold.name.as_str()) {
            chosen.extend(gold.uses.iter().map(String::as_str));
        }
    }
    Ok(chosen)
}

/// Those whose tables are there; of the others it is told what they miss.
fn ready<'p>(
    asked: &Asked<'_>,
    wanted: &[&'p Gold],
    missing: &mut Vec<Missing>,
) -> Result<Vec<&'p Gold>, RunError> {
    let mut ready: Vec<&Gold> = Vec::new();
    for gold in wanted {
        let mut why = Vec::new();
        for need in &gold.needs {
            why.extend(asked.lacks(need)?);
        }
        let mut some = gold.optional.is_empty();
        for need in &gold.optional {
            some |= asked.lacks(need)?.is_none();
        }
        if !some {
            let name = |need: &Need| asked.tables.of(&need.table).to_owned();
            let tables: Vec<_> = gold.optional.iter().map(name).collect();
            why.push(format!("none of the tables {} is there", tables.join(", ")));
        }
        let lost = gold.uses.iter().filter(|name| missing.iter().any(|m| m.name == **name));
        why.extend(lost.map(|name| format!("it is made from {name}")));
        if why.is_empty() {
            ready.push(gold);
        } else {
            missing.push(Missing { name: gold.name.clone(), why: why.join("; ") });
        }
    }
    Ok(ready)
}

/// What is asked of the target.
struct Asked<'a> {
    con: &'a dyn Link,
    pack: &'a Pack,
    tables: &'a RollTables,
}

impl Asked<'_> {
    /// What of a need is not there.
    fn lacks(&self, need: &Need) -> Result<Option<String>, RunError> {
        let table = self.tables.of(&need.table);
        let found = self.con.columns(table)?;
        if found.is_empty() {
            let kind = self.pack.kinds.iter().find(|kind| kind.table == need.table);
            let what =
                kind.map_or(String::new(), |kind| format!("load a {}; ", kind.id.to_uppercase()));
            let there = there(self.con)?;
            return Ok(Some(format!("there is no table {table} ({what}{there})")));
        }
        let absent = |name: &&String| !found.iter().any(|(column, _)| column == *name);
        let absent: Vec<_> = need.columns.iter().filter(absent).map(String::as_str).collect();
        Ok((!absent.is_empty()).then(|| {
            format!(
                "table {table} has no column {} (were all agents at work, and no mapping?)",
                absent.join(", ")
            )
        }))
    }
}

fn build_all(
    builder: &Builder<'_>,
    asked: &Asked<'_>,
    ready: &[&Gold],
    params: &[(String, i64)],
) -> Result<Vec<Built>, RunError> {
    for gold in ready.iter().rev() {
        builder.clear(&gold.name)?;
    }
    let mut built = Vec::new();
    for gold in ready {
        let begun = Instant::now();
        let mut tables = Vec::new();
        for need in gold.needs.iter().chain(&gold.optional) {
            if asked.lacks(need)?.is_none() {
                let name = asked.tables.of(&need.table);
                tables.push((need.table.as_str(), asked.con.table(name)));
            }
        }
        let table = |name: &str| {
            tables.iter().find(|(known, _)| *known == name).map(|(_, sql)| sql.clone())
        };
        let sql = gold.query(&asked.pack.kinds, &table, &|name| builder.name(name), params);
        let sql = asked.tables.named(&sql);
        let rows = builder.build(&gold.name, gold.is_table, &sql)?;
        built.push(Built {
            name: gold.name.clone(),
            title: gold.title.clone(),
            kind: if gold.is_table { "table" } else { "view" },
            rows,
            seconds: begun.elapsed().as_secs_f64(),
        });
    }
    Ok(built)
}

/// Makes objects in one schema, within the open transaction.
pub(super) struct Builder<'c> {
    /// The connection.
    pub con: &'c dyn Link,
    /// The schema.
    pub schema: &'c str,
}

impl Builder<'_> {
    /// The object as SQL names it.
    pub fn name(&self, name: &str) -> String {
        format!("{}.{}", quote(self.schema), quote(name))
    }

    /// Makes the schema and the list of what was made.
    pub fn prepare(&self) -> Result<(), RunError> {
        self.con.execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", quote(self.schema)), &[])?;
        self.con.execute(
            "CREATE TABLE IF NOT EXISTS etl.gold (\"schema\" VARCHAR NOT NULL, name VARCHAR NOT NULL, \
               kind VARCHAR NOT NULL, built TIMESTAMP WITH TIME ZONE NOT NULL)",
            &[],
        )?;
        Ok(())
    }

    /// Objects that were made from some of these, and must be made again with them.
    fn dependents<'p>(
        &self,
        pack: &'p Pack,
        chosen: &BTreeSet<&str>,
    ) -> Result<BTreeSet<&'p str>, RunError> {
        let mut also = BTreeSet::new();
        for gold in &pack.insight.gold {
            let touched =
                |name: &String| chosen.contains(name.as_str()) || also.contains(name.as_str());
            if gold.uses.iter().any(touched) && self.standing(&gold.name)?.is_some() {
                also.insert(gold.name.as_str());
            }
        }
        Ok(also)
    }

    /// `TABLE` or `VIEW` where something of this name stands.
    fn standing(&self, name: &str) -> Result<Option<&'static str>, RunError> {
        let found = self.con.query(
            "SELECT table_type FROM information_schema.tables WHERE table_schema = ? \
               AND table_name = ? AND table_catalog = current_database()",
            &[Value::from(self.schema), Value::from(name)],
        )?;
        Ok(found.scalar().map(|ty| if ty.to_string() == "VIEW" { "VIEW" } else { "TABLE" }))
    }

    /// Takes away what was made before; what somebody else has made is an error.
    pub fn clear(&self, name: &str) -> Result<(), RunError> {
        let Some(kind) = self.standing(name)? else { return Ok(()) };
        let own = [Value::from(self.schema), Value::from(name)];
        let ours = "SELECT count(*) FROM etl.gold WHERE \"schema\" = ? AND name = ?";
        if self.con.number(ours, &own)? == 0 {
            let told = format!("{} is there and was not made by etl", self.name(name));
            return Err(RunError::new(RunErrorKind::Target, told)
                .with_hint("rename it, or build into another schema: --schema NAME"));
        }
        self.con.execute(&format!("DROP {kind} {}", self.name(name)), &[])?;
        self.con.execute("DELETE FROM etl.gold WHERE \"schema\" = ? AND name = ?", &own)?;
        Ok(())
    }

    /// Makes an object; rows of a table.
    pub fn build(&self, name: &str, is_table: bool, sql: &str) -> Result<Option<u64>, RunError> {
        let (object, kind) = (self.name(name), if is_table { "TABLE" } else { "VIEW" });
        self.con.execute(&format!("CREATE {kind} {object} AS {sql}"), &[])?;
        self.con.execute(
            "INSERT INTO etl.gold VALUES (?, ?, ?, now())",
            &[Value::from(self.schema), Value::from(name), Value::from(kind.to_lowercase())],
        )?;
        if !is_table {
            return Ok(None);
        }
        // What is built from it needs to know how large it is.
        self.con.execute(&format!("ANALYZE {object}"), &[])?;
        Ok(Some(self.con.number(&format!("SELECT count(*) FROM {object}"), &[])?))
    }
}

/// Runs `work` in a transaction for building.
pub(super) fn building<T>(
    con: &dyn Link,
    work: impl FnOnce() -> Result<T, RunError>,
) -> Result<T, RunError> {
    con.begin_building()?;
    let done = work();
    match &done {
        Ok(_) => con.commit()?,
        Err(_) => {
            // The first error tells more.
            let _ = con.rollback();
        }
    }
    done
}
