//! `etl failures`: refused rows, to look at and to correct.

use super::args::{Format, TargetArgs};
use super::context::Context;
use super::error::CliError;
use super::text::{Align, Paint, count, plural, safe, shell, table};
use super::{exit, output};
use crate::config::{Partial, Settings};
use crate::run::TargetUrl;
use crate::run::failures::{self, ExportFormat, Failure, FailureFile};
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  etl failures list
  etl failures show SDF16P202501.failed.jsonl --limit 5
  etl failures export SDF16P202501.failed.jsonl --format xlsx
  etl reprocess-failures SDF16P202501.corrected.xlsx";

/// List, show or export refused rows
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Failures {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The failed-record files beside the target, newest first
    List(List),
    /// Refused rows with their reasons
    Show(Show),
    /// Write a sheet to correct in Excel
    Export(Export),
}

#[derive(Debug, Args)]
struct Place {
    #[command(flatten)]
    target: TargetArgs,
    /// Folder of the failed-record files; else beside the target
    #[arg(long, value_name = "DIR")]
    failed: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// How the result is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Args)]
struct Show {
    /// A run or a *.failed.jsonl
    #[arg(value_name = "RUN|FILE")]
    source: String,
    #[command(flatten)]
    place: Place,
    /// Show at most N rows; 0: all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u64,
    /// How the result is written; json: one object a line
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

#[derive(Debug, Args)]
struct Export {
    /// A run or a *.failed.jsonl
    #[arg(value_name = "RUN|FILE")]
    source: String,
    #[command(flatten)]
    place: Place,
    /// Kind of sheet
    #[arg(long, value_enum, default_value = "csv", value_name = "FORMAT")]
    format: SheetFormat,
    /// File to write, instead of one beside the failed-record file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SheetFormat {
    /// Text
    Csv,
    /// Workbook
    Xlsx,
}

impl Failures {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        match &self.command {
            Command::List(list) => list.format == Format::Json,
            Command::Show(show) => show.format == Format::Json,
            Command::Export(_) => false,
        }
    }

    /// Lists, shows or exports.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let place = match &self.command {
            Command::List(list) => &list.place,
            Command::Show(show) => &show.place,
            Command::Export(export) => &export.place,
        };
        let flags = Partial { failed: place.failed.clone(), ..place.target.partial() };
        let settings = context.settings(flags, None)?;
        let folder = folder(&settings, context)?;
        let paint = context.paint(&settings);
        match &self.command {
            Command::List(_) => {
                let files = failures::list(&folder)?;
                if self.json() {
                    output::json(&files)?
                } else {
                    output::stdout(&listed(&files, paint))?
                }
            }
            Command::Show(show) => shown(&folder, show, paint)?,
            Command::Export(export) => exported(&folder, export)?,
        }
        Ok(exit::DONE)
    }
}

/// Where failed-record files lie: where the user says, else beside the target.
fn folder(settings: &Settings, context: &Context) -> Result<PathBuf, CliError> {
    if let Some(failed) = &settings.failed {
        return Ok(failed.value.clone());
    }
    let TargetUrl::Duckdb(path) = settings.target(&context.env)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(parent.unwrap_or(Path::new(".")).to_owned())
}

fn listed(files: &[FailureFile], paint: Paint) -> String {
    if files.is_empty() {
        return "no refused rows\n".to_owned();
    }
    let mut rows = vec![["file", "run", "rows", "by code"].map(str::to_owned).to_vec()];
    rows.extend(files.iter().map(|file| {
        let codes =
            file.codes.iter().map(|(code, rows)| format!("{} {}", safe(code), count(*rows)));
        let codes = codes.collect::<Vec<_>>().join(", ");
        vec![safe(&file.path), safe(&file.run), count(file.records), codes]
    }));
    let mut lines = table(&rows, &[Align::Left, Align::Left, Align::Right, Align::Left], "");
    lines[0] = paint.bold(&lines[0]);
    lines.join("\n") + "\n"
}

fn shown(folder: &Path, show: &Show, paint: Paint) -> Result<(), CliError> {
    let mut left = if show.limit == 0 { u64::MAX } else { show.limit };
    let mut outcome = Ok(());
    failures::show(folder, &show.source, &mut |failure| {
        if left == 0 {
            return false;
        }
        left -= 1;
        outcome = match show.format {
            Format::Text => output::stdout(&described(&failure, paint)),
            Format::Json => serde_json::to_string(&failure)
                .map_err(|error| CliError::Output(error.into()))
                .and_then(|line| output::stdout(&format!("{line}\n"))),
        };
        outcome.is_ok()
    })?;
    outcome
}

fn described(failure: &Failure, paint: Paint) -> String {
    let place = format!("{}, row {}", safe(&failure.input), count(failure.row));
    let attempt = if failure.attempt > 1 {
        format!(", tried {} times", failure.attempt)
    } else {
        String::new()
    };
    let mut lines =
        vec![format!("{} (refused by {}{attempt})", paint.bold(&place), safe(&failure.stage))];
    for problem in &failure.problems {
        let column =
            problem.column.as_deref().map_or_else(String::new, |c| format!(" {}", safe(c)));
        let value =
            problem.value.as_deref().map_or_else(String::new, |v| format!(" \"{}\"", safe(v)));
        let message = safe(&problem.message);
        lines.push(format!("  {}{column}{value}: {message}", paint.red(&problem.code.to_string())));
        lines.extend(problem.hint.iter().map(|hint| format!("    hint: {}", safe(hint))));
    }
    lines.join("\n") + "\n"
}

fn exported(folder: &Path, export: &Export) -> Result<(), CliError> {
    let format = match export.format {
        SheetFormat::Csv => ExportFormat::Csv,
        SheetFormat::Xlsx => ExportFormat::Xlsx,
    };
    let out = export.out.as_deref();
    let (path, rows) = failures::export(folder, &export.source, format, out)?;
    let path = path.display().to_string();
    output::stdout(&format!("{}\n", safe(&path)))?;
    output::stderr(&format!(
        "{} written; correct the cells, then: etl reprocess-failures {}",
        plural(rows, "row"),
        shell(&path)
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{Code, Problem};

    #[test]
    fn a_refused_row_says_where_why_and_what_to_do() {
        let problem = Problem::new(Code::E301, "not a number")
            .with_column("SALE_PRC")
            .with_value("N/A")
            .with_hint("correct the cell");
        let failure = Failure {
            input: "sdf.csv".into(),
            row: 1_842,
            stage: "validate".into(),
            attempt: 2,
            problems: vec![problem],
            raw: vec![],
        };
        assert_eq!(
            described(&failure, Paint(false)),
            "sdf.csv, row 1,842 (refused by validate, tried 2 times)\n\
             \x20 E301 SALE_PRC \"N/A\": not a number\n    hint: correct the cell\n"
        );
    }

    #[test]
    fn files_are_listed_with_their_codes() {
        let file = FailureFile {
            path: "sdf.failed.jsonl".into(),
            run: "01JD".into(),
            inputs: vec!["sdf.csv".into()],
            records: 1_220,
            codes: vec![("E301".into(), 1_200), ("E306".into(), 20)],
        };
        let text = listed(&[file], Paint(false));
        assert!(text.ends_with("sdf.failed.jsonl  01JD  1,220  E301 1,200, E306 20\n"), "{text}");
    }
}
