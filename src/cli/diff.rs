//! `etl diff`: what changed between two rolls.

use super::args::{LoadArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::insight::InsightArgs;
use super::stdin::Streams;
use super::text::{Align, Paint, count, duration, hang, plural, safe, shell, table};
use super::watched::watched;
use super::{exit, output};
use crate::flow::{Observer, Stop};
use crate::run::diff::{self, Change, ChangeLog, DiffRequest, DiffSummary, Side, SideSummary};
use crate::run::{TableName, TargetUrl, check_length, in_their_schema};
use clap::Args;
use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  etl diff 2024 2025                         two years of ./etl.duckdb
  etl diff 2024F 2025P --out changes.csv     of certain releases, with a log
  etl diff NAL16F202401.csv NAL16P202501.csv --out changes.md
  etl diff 2024 NAL16P202501.csv --county broward --table changes
  etl sql \"SELECT * FROM gold.parcel_changes WHERE level = 'alert'\"

Told are new, retired, split and combined parcels, other owners, and just values
that changed by more than 5 percent; by more than 20 percent and a million
dollars they are alerts (--set listed_percent=10 and the like). Two years of a
target leave the table gold.parcel_changes; where a file takes part, --table
names one, and nothing is loaded.";

/// Tell what changed between two rolls: years of the target, or files
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Diff {
    /// The roll before: a year, a release such as 2024F, or a file
    #[arg(value_name = "BEFORE")]
    before: String,
    /// The roll after
    #[arg(value_name = "AFTER")]
    after: String,
    /// Change log: .csv has all changes, .md is for people
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    insight: InsightArgs,
    /// The result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArgs,
}

/// The table of the changes where none is named.
const TABLE: &str = "parcel_changes";
/// Alerts on the screen.
const ALERTS: usize = 5;

impl Diff {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.json || self.load.json()
    }

    /// Compares, and tells.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let mut request = settings.request(self.load.call(&[]), &context.env)?;
        let streams = Streams::take(&[self.before.clone(), self.after.clone()], &settings)?;
        request.listing.streams = streams.list();
        let (before, after) = (Side::parse(&self.before), Side::parse(&self.after));
        if before == after {
            return Err(usage("both sides are the same", "name two rolls: etl diff 2024 2025"));
        }
        let schema = self.insight.schema()?;
        // For the files it is decided by themselves; here it is the table with the changes.
        let named = request.table.take();
        let both = before.is_in_target() && after.is_in_target();
        let name = named.or_else(|| both.then(|| TableName::plain(TABLE)));
        let table =
            name.map(|name| self.changes_table(&request.target, &name, schema)).transpose()?;
        // It says which county is compared, not what the files are.
        let county = request.told.county.take();
        let (target, rolls) = in_their_schema(&request.target, &self.insight.rolls)?;
        request.target = target;
        let asked = DiffRequest {
            before,
            after,
            request,
            county,
            params: self.insight.set.clone(),
            rolls,
            table,
        };
        let work = |observer: &dyn Observer, stop: &Stop| self.compare(&asked, observer, stop);
        let summary = watched(context, &settings, work)?;
        if self.json() {
            output::json(&summary)?;
        } else if !context.global.quiet {
            let text = told(&summary, context.paint(&settings), context.width());
            output::stdout(&text)?;
            if let Some(path) = &self.out {
                output::stderr(&format!("change log: {}", safe(&path.display().to_string())));
            }
        }
        Ok(exit::DONE)
    }

    /// Schema and name of the table with the changes: a schema that stands with the name comes before the
    /// one of `--schema`.
    fn changes_table(
        &self,
        target: &TargetUrl,
        name: &TableName,
        schema: &str,
    ) -> Result<(String, String), CliError> {
        let schema = name.schema().unwrap_or(schema);
        if schema.eq_ignore_ascii_case("etl") {
            return Err(usage("the schema `etl` is the ledger's", "name another schema"));
        }
        for part in [schema, name.table()] {
            check_length(target, part, "table or schema")?;
        }
        Ok((schema.to_owned(), name.table().to_owned()))
    }

    fn compare(
        &self,
        asked: &DiffRequest,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> Result<DiffSummary, CliError> {
        let Some(path) = &self.out else {
            return Ok(diff::diff(asked, &mut |_| Ok(()), observer, stop)?);
        };
        // What is there stays until there is something to write in its place.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| {
            let told = format!("{}: the change log cannot be written: {error}", path.display());
            usage(told, "name another place by --out")
        })?;
        let is_file = file.metadata()?.is_file();
        let mut log = None;
        let mut add = |change: Change| {
            if log.is_none() {
                log = Some(emptied(&file, is_file).and_then(|out| ChangeLog::new(path, out))?);
            }
            log.as_mut().map_or(Ok(()), |log| log.add(&change))
        };
        let summary = diff::diff(asked, &mut add, observer, stop)?;
        let log = match log {
            Some(log) => log,
            None => ChangeLog::new(path, emptied(&file, is_file)?)?,
        };
        log.finish(&summary)?;
        Ok(summary)
    }
}

/// The log, of which nothing is kept. What is no file has no length.
fn emptied(file: &File, is_file: bool) -> std::io::Result<BufWriter<&File>> {
    if is_file {
        file.set_len(0)?;
    }
    Ok(BufWriter::new(file))
}

fn told(summary: &DiffSummary, paint: Paint, width: usize) -> String {
    let (before, after) = (&summary.before, &summary.after);
    let rows = |side: &SideSummary| plural(side.rows, "row");
    let mut lines = vec![format!(
        "{} {} ({}) with {} ({})",
        paint.green("compared"),
        safe(&before.name),
        rows(before),
        safe(&after.name),
        rows(after)
    )];
    for side in [before, after].into_iter().filter(|side| side.refused > 0) {
        let refused = plural(side.refused, "row");
        let text = format!(
            "refused in {}: {refused}; such parcels seem to be missing (etl check {} says why)",
            safe(&side.name),
            shell(&side.name)
        );
        lines.extend(hang("  ", &text, width).iter().map(|line| paint.yellow(line)));
    }
    if !summary.left_out.is_empty() {
        let list: Vec<_> = summary.left_out.iter().map(i64::to_string).collect();
        let text = format!("not compared, in one of them only: counties {}", list.join(", "));
        lines.extend(hang("  ", &text, width).iter().map(|line| paint.yellow(line)));
    }
    if summary.counts.is_empty() {
        lines.push("  nothing changed".into());
    }
    let rows: Vec<_> = summary
        .counts
        .iter()
        .map(|found| {
            let level = if found.level == "alert" { "alert" } else { "" };
            let amount = if found.amount == 0 { String::new() } else { dollars(found.amount) };
            vec![found.change.clone(), level.into(), count(found.parcels), amount]
        })
        .collect();
    let (left, right) = (Align::Left, Align::Right);
    lines.extend(table(&rows, &[left, left, right, right], "  "));
    if !summary.alerts.is_empty() {
        lines.push(paint.red("largest alerts:"));
        let alerts = summary.alerts.iter().take(ALERTS);
        lines.extend(alerts.flat_map(|alert| hang("  ", &alerted(alert), width)));
    }
    lines.push(String::new());
    let table = summary.table.as_ref().map(|table| format!(" · table {}", safe(table)));
    lines.push(format!("{}{}", duration(summary.seconds), table.unwrap_or_default()));
    lines.join("\n") + "\n"
}

fn dollars(amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "+" };
    format!("{sign}${}", count(amount.unsigned_abs()))
}

fn alerted(alert: &Change) -> String {
    let share = alert.share.map(|share| format!(" ({:+.0} %)", share * 100.0)).unwrap_or_default();
    let note = alert.note.as_deref().map(|note| format!(" · {}", safe(note))).unwrap_or_default();
    let amount = dollars(alert.amount.unwrap_or(0));
    format!("county {} parcel {}: {amount}{share}{note}", alert.co_no, safe(&alert.parcel_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_sign() {
        assert_eq!(dollars(1_500), "+$1,500");
        assert_eq!(dollars(-2_000_000), "-$2,000,000");
    }
}
