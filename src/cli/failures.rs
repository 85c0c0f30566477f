//! `etl failures`: refused rows, to look at and to correct.

use super::args::{Format, TargetArgs};
use super::context::Context;
use super::error::CliError;
use super::text::{Align, Paint, count, plain_path, plural, safe, shell, table};
use super::{exit, output};
use crate::config::{Partial, Settings};
use crate::load::dead_letter::{FailedFile, Record};
use crate::run::RunError;
use crate::run::failures::{self, SheetKind};
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
                    output::json(&as_json(&files))?
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
    Ok(settings.target(&context.env)?.folder().to_owned())
}

fn as_json(files: &[FailedFile]) -> Vec<serde_json::Value> {
    let object = |file: &FailedFile| {
        serde_json::json!({
            "path": file.path.display().to_string(), "bytes": file.bytes, "runs": file.runs,
            "records": file.records, "by_code": file.by_code,
            "damaged_lines": file.damaged.map_or(0, |(lines, _)| lines),
        })
    };
    files.iter().map(object).collect()
}

fn listed(files: &[FailedFile], paint: Paint) -> String {
    if files.is_empty() {
        return "no refused rows\n".to_owned();
    }
    let mut rows = vec![["file", "run", "rows", "by code"].map(str::to_owned).to_vec()];
    rows.extend(files.iter().map(|file| {
        let codes = file.by_code.iter();
        let codes = codes.map(|(code, rows)| format!("{} {}", safe(code), count(*rows)));
        let mut codes = codes.collect::<Vec<_>>().join(", ");
        if let Some((lines, first)) = file.damaged {
            let lines = plural(lines, "damaged line");
            codes.push_str(&format!(" ({lines}, first: line {first})"));
        }
        let runs = file.runs.iter().map(|run| safe(run)).collect::<Vec<_>>().join(", ");
        let path = file.path.display().to_string();
        vec![safe(plain_path(&path)), runs, count(file.records), codes]
    }));
    let mut lines = table(&rows, &[Align::Left, Align::Left, Align::Right, Align::Left], "");
    lines[0] = paint.bold(&lines[0]);
    lines.join("\n") + "\n"
}

fn shown(folder: &Path, show: &Show, paint: Paint) -> Result<(), CliError> {
    let most = if show.limit == 0 { usize::MAX } else { show.limit as usize };
    let files = failures::find(folder, &show.source)?;
    for record in failures::records(files).take(most) {
        let record = record.map_err(RunError::from)?;
        match show.format {
            Format::Text => output::stdout(&described(&record, paint))?,
            Format::Json => {
                let line = serde_json::to_string(&record).map_err(std::io::Error::from)?;
                output::stdout(&format!("{line}\n"))?;
            }
        }
    }
    Ok(())
}

fn described(record: &Record, paint: Paint) -> String {
    let place = format!("{}, row {}", safe(&record.origin().label()), count(record.row));
    let attempt = match record.attempt {
        0 | 1 => String::new(),
        many => format!(", tried {many} times"),
    };
    let mut lines =
        vec![format!("{} (refused by {}{attempt})", paint.bold(&place), safe(&record.stage))];
    for problem in &record.errors {
        let column =
            problem.column.as_deref().map_or_else(String::new, |c| format!(" {}", safe(c)));
        let cell = problem.cell.as_deref().map_or_else(String::new, |c| format!(" ({})", safe(c)));
        let value =
            problem.value.as_deref().map_or_else(String::new, |v| format!(" \"{}\"", safe(v)));
        let message = safe(&problem.message);
        lines.push(format!(
            "  {}{column}{cell}{value}: {message}",
            paint.red(&problem.code.to_string())
        ));
        lines.extend(problem.hint.iter().map(|hint| format!("    hint: {}", safe(hint))));
    }
    lines.join("\n") + "\n"
}

fn exported(folder: &Path, export: &Export) -> Result<(), CliError> {
    let kind = match export.format {
        SheetFormat::Csv => SheetKind::Csv,
        SheetFormat::Xlsx => SheetKind::Xlsx,
    };
    let files = failures::find(folder, &export.source)?;
    let written = failures::export(files, kind, export.out.as_deref())?;
    let name = |file: &PathBuf| plain_path(&file.display().to_string()).to_owned();
    let names: Vec<String> = written.files.iter().map(name).collect();
    output::stdout(&names.iter().map(|name| format!("{}\n", safe(name))).collect::<String>())?;
    let again: Vec<String> = names.iter().map(|name| shell(name)).collect();
    output::stderr(&format!(
        "{} written; correct the cells, then: etl reprocess-failures {}",
        plural(written.records, "row"),
        again.join(" ")
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::{Code, Fingerprint, Problem};
    use crate::load::dead_letter::RecordId;
    use std::collections::{BTreeMap, BTreeSet};

    fn record() -> Record {
        let fingerprint = Fingerprint([7; 32]);
        let time = chrono::DateTime::UNIX_EPOCH;
        Record {
            id: RecordId::of(&fingerprint, None, 1_842),
            run: "01JD".into(),
            range: "0".into(),
            file: "sdf.csv".into(),
            fingerprint,
            sheet: None,
            row: 1_842,
            byte: None,
            kind: "sdf".into(),
            table: "sales".into(),
            facts: BTreeMap::new(),
            stage: "validate".into(),
            errors: vec![],
            raw: vec![],
            split: None,
            attempt: 2,
            first_failed: time,
            last_failed: time,
            config: String::new(),
        }
    }

    #[test]
    fn a_refused_row_says_where_why_and_what_to_do() {
        let problem = Problem::new(Code::E301, "not a number")
            .with_column("SALE_PRC")
            .with_cell("F1842")
            .with_value("N/A")
            .with_hint("correct the cell");
        let record = Record { errors: vec![problem], ..record() };
        assert_eq!(
            described(&record, Paint(false)),
            "sdf.csv, row 1,842 (refused by validate, tried 2 times)\n\
             \x20 E301 SALE_PRC (F1842) \"N/A\": not a number\n    hint: correct the cell\n"
        );
    }

    #[test]
    fn files_are_listed_with_their_codes() {
        let file = FailedFile {
            path: "sdf.failed.jsonl".into(),
            bytes: 10,
            records: 1_220,
            by_code: BTreeMap::from([("E301".into(), 1_200), ("E306".into(), 20)]),
            runs: BTreeSet::from(["01JD".into()]),
            damaged: None,
        };
        let text = listed(std::slice::from_ref(&file), Paint(false));
        assert!(text.ends_with("sdf.failed.jsonl  01JD  1,220  E301 1,200, E306 20\n"), "{text}");
        let damaged = listed(&[FailedFile { damaged: Some((1, 9)), ..file }], Paint(false));
        assert!(damaged.ends_with("(1 damaged line, first: line 9)\n"), "{damaged}");
    }
}
