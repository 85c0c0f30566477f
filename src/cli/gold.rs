//! `etl gold`: views and tables for analysts, built in the target.

use super::args::{Format, TargetArgs};
use super::context::Context;
use super::error::CliError;
use super::insight::InsightArgs;
use super::text::{Align, Paint, clip, count, duration, hang, plural, safe, table};
use super::{exit, output};
use crate::config::{ByteSize, Partial};
use crate::pack::Gold as Object;
use crate::run::gold::{self, GoldRequest, GoldSummary};
use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  etl gold                                   all of them, in ./etl.duckdb
  etl gold --list                            what there is, and what it says
  etl gold recent_sales --set months=12
  etl gold --to postgres://ann@db.example/rolls --schema public
  etl sql \"SELECT * FROM gold.monthly_sales\"

What needs a table that is not loaded is told and left out; the rest is built.
All of it is one transaction. Built again after a load, it is as if built anew.";

/// Build views and tables for analysts in the target
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Gold {
    /// Which ones; those they are made from are built too [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Show what there is, without building
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    insight: InsightArgs,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    machine: EngineArgs,
    /// How the result is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// Flags of commands that ask the target's engine and read no rows.
#[derive(Debug, Clone, Args)]
pub struct EngineArgs {
    /// florida, or the folder of a pack
    #[arg(long, value_name = "PACK")]
    pack: Option<String>,
    /// Memory of the whole program, such as 512MiB
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<ByteSize>,
    /// Threads of a DuckDB file's engine
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<usize>,
    /// Folder of spill files
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
}

impl Gold {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }

    fn partial(&self) -> Partial {
        Partial {
            pack: self.machine.pack.clone(),
            memory_limit: self.machine.memory_limit,
            threads: self.machine.threads,
            temp_dir: self.machine.temp_dir.clone(),
            ..self.target.partial()
        }
    }

    /// Builds, and tells what was built.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let schema = self.insight.schema()?.to_owned();
        let settings = context.settings(self.partial(), None)?;
        let call =
            crate::config::Call { version: env!("CARGO_PKG_VERSION").into(), ..Default::default() };
        let request = settings.request(call, &context.env)?;
        let paint = context.paint(&settings);
        if self.list {
            let pack = crate::run::load_pack(&request.pack)?;
            return self.tell_list(&pack.insight.gold, paint, context.width());
        }
        let (target, rolls) = crate::run::in_their_schema(&request.target, &self.insight.rolls)?;
        let summary = gold::gold(&GoldRequest {
            target,
            pack: request.pack,
            names: self.names.clone(),
            params: self.insight.set.clone(),
            rolls,
            schema,
            memory: request.limits.memory,
            threads: request.limits.threads,
            temp_dir: request.limits.temp_dir,
        })?;
        if self.json() {
            output::json(&summary)?;
        } else if !context.global.quiet {
            output::stdout(&told(&summary, paint, context.width()))?;
        }
        Ok(exit::DONE)
    }

    fn tell_list(&self, objects: &[Object], paint: Paint, width: usize) -> Result<u8, CliError> {
        if self.json() {
            let list: Vec<_> = objects.iter().map(described).collect();
            output::json(&list)?;
        } else {
            output::stdout(&listed(objects, paint, width))?;
        }
        Ok(exit::DONE)
    }
}

fn kind(object: &Object) -> &'static str {
    if object.is_table { "table" } else { "view" }
}

fn described(object: &Object) -> serde_json::Value {
    let params: serde_json::Map<_, _> =
        object.params.iter().map(|(name, value)| (name.clone(), (*value).into())).collect();
    let columns: serde_json::Map<_, _> = object
        .columns
        .iter()
        .map(|(name, meaning)| (name.clone(), meaning.clone().into()))
        .collect();
    let tables = |needs: &[crate::pack::Need]| -> Vec<String> {
        needs.iter().map(|need| need.table.clone()).collect()
    };
    serde_json::json!({
        "name": object.name,
        "title": object.title,
        "kind": kind(object),
        "needs": tables(&object.needs),
        "optional": tables(&object.optional),
        "uses": object.uses,
        "params": params,
        "columns": columns,
    })
}

fn listed(objects: &[Object], paint: Paint, width: usize) -> String {
    let mut lines = Vec::new();
    for object in objects {
        let params: Vec<_> =
            object.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let params = match params.as_slice() {
            [] => String::new(),
            some => format!("  --set {}", some.join(" ")),
        };
        lines.push(format!("{} {}{}", paint.bold(&object.name), kind(object), paint.dim(&params)));
        lines.extend(hang("  ", &object.title, width));
    }
    lines.join("\n") + "\n"
}

fn told(summary: &GoldSummary, paint: Paint, width: usize) -> String {
    let made = plural(summary.built.len() as u64, "object");
    let place = format!("{} of {}", safe(&summary.schema), safe(&summary.target));
    let took = duration(summary.seconds);
    let mut lines = vec![format!("{} {made} in schema {place} ({took})", paint.green("built"))];
    let rows: Vec<Vec<String>> = summary
        .built
        .iter()
        .map(|built| {
            let rows = built.rows.map_or_else(|| "view".into(), count);
            vec![built.name.clone(), rows, built.title.clone()]
        })
        .collect();
    let left = Align::Left;
    lines.extend(table(&rows, &[left, Align::Right, left], "  ").iter().map(|l| clip(l, width)));
    for missing in &summary.missing {
        let text =
            format!("{} {}: {}", paint.yellow("not built:"), missing.name, safe(&missing.why));
        lines.push(text);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Pack;
    use crate::run::gold::{Built, Missing};

    #[test]
    fn what_was_built_and_what_was_not() {
        let built = Built {
            name: "monthly_sales".into(),
            title: "Sales by county and month".into(),
            kind: "table",
            rows: Some(1_234),
            seconds: 0.1,
        };
        let why = "there is no table parcels (load a NAL)".into();
        let summary = GoldSummary {
            target: "duckdb:etl.duckdb".into(),
            schema: "gold".into(),
            built: vec![built],
            missing: vec![Missing { name: "latest_parcels".into(), why }],
            seconds: 0.2,
        };
        assert_eq!(
            told(&summary, Paint(false), 80),
            "built 1 object in schema gold of duckdb:etl.duckdb (0.20 s)\n  \
             monthly_sales  1,234  Sales by county and month\n\
             not built: latest_parcels: there is no table parcels (load a NAL)\n"
        );
    }

    #[test]
    fn the_list_names_every_number() {
        let pack = Pack::embedded("florida").expect("the pack is tested as a whole");
        let text = listed(&pack.insight.gold, Paint(false), 80);
        assert!(text.contains("sales_windows table  --set months=12 sales=100"), "{text}");
    }
}
