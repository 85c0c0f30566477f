//! `etl sql`: a question to the target, read-only.

use super::args::{TargetArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::text::{Align, safe};
use super::{exit, output};
use crate::run::{self, SqlKind, SqlRows};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::io::{self, BufWriter, Write};

/// Rows that decide the widths of a table; later rows are not waited for.
const MEASURED: usize = 1_000;

const EXAMPLES: &str = "\
Examples:
  etl sql \"SELECT county, count(*) FROM parcels GROUP BY county\"
  etl sql \"FROM sales WHERE sale_prc > 1000000\" --format csv > big.csv
  etl sql \"SELECT * FROM etl.runs\" --to duckdb:rolls.duckdb --format json

Nothing can be changed: the target is opened read-only. NULL is empty in a table
and in CSV.";

/// Ask the target a question, read-only
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Sql {
    /// The question, in the SQL of DuckDB
    #[arg(value_name = "SQL")]
    sql: String,
    #[command(flatten)]
    target: TargetArgs,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: AnswerFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum AnswerFormat {
    /// For people
    #[default]
    Table,
    /// For spreadsheets and programs
    Csv,
    /// An array of objects
    Json,
}

impl Sql {
    /// Whether errors are for scripts too.
    pub fn json(&self) -> bool {
        self.format == AnswerFormat::Json
    }

    /// Asks, and writes the answer as it comes.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        if self.sql.trim().is_empty() {
            return Err(usage("the question is empty", "etl sql \"SELECT count(*) FROM parcels\""));
        }
        let settings = context.settings(self.target.partial(), None)?;
        let target = settings.target(&context.env)?;
        let memory = settings.memory()?;
        let mut writer = Answer::new(self.format, BufWriter::new(io::stdout().lock()));
        let mut failure = None;
        run::sql(&target, &self.sql, memory, &mut |rows| match writer.take(rows) {
            Ok(()) => true,
            Err(error) => {
                failure = Some(error);
                false
            }
        })?;
        match failure {
            Some(error) => Err(error.into()),
            None => {
                let rows = writer.finish()?;
                if self.format == AnswerFormat::Table && !context.global.quiet {
                    output::stderr(&super::text::plural(rows, "row"));
                }
                Ok(exit::DONE)
            }
        }
    }
}

/// Writes an answer without holding more of it than the first rows of a table.
struct Answer<W: Write> {
    format: AnswerFormat,
    out: W,
    columns: Vec<(String, SqlKind)>,
    held: Vec<Vec<Option<String>>>,
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl<W: Write> Answer<W> {
    fn new(format: AnswerFormat, out: W) -> Self {
        Self { format, out, columns: Vec::new(), held: Vec::new(), widths: None, rows: 0 }
    }

    fn take(&mut self, rows: SqlRows) -> io::Result<()> {
        match rows {
            SqlRows::Columns(columns) => self.start(columns),
            SqlRows::Rows(rows) => rows.into_iter().try_for_each(|row| self.row(row)),
        }
    }

    fn start(&mut self, columns: Vec<(String, SqlKind)>) -> io::Result<()> {
        self.columns = columns;
        match self.format {
            AnswerFormat::Table => Ok(()),
            AnswerFormat::Csv => {
                let names: Vec<_> =
                    self.columns.iter().map(|(name, _)| Some(name.clone())).collect();
                self.csv(&names)
            }
            AnswerFormat::Json => write!(self.out, "["),
        }
    }

    fn row(&mut self, row: Vec<Option<String>>) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            AnswerFormat::Csv => self.csv(&row),
            AnswerFormat::Json => self.json(&row),
            AnswerFormat::Table if self.widths.is_some() => self.table_row(&row),
            AnswerFormat::Table => {
                self.held.push(row);
                if self.held.len() < MEASURED { Ok(()) } else { self.table_start() }
            }
        }
    }

    fn csv(&mut self, row: &[Option<String>]) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(&mut self.out);
        writer.write_record(row.iter().map(|cell| cell.as_deref().unwrap_or_default()))?;
        writer.flush()
    }

    fn json(&mut self, row: &[Option<String>]) -> io::Result<()> {
        let mut object = Map::new();
        for ((name, kind), cell) in self.columns.iter().zip(row) {
            object.insert(name.clone(), json_cell(*kind, cell.as_deref()));
        }
        let comma = if self.rows == 1 { "" } else { "," };
        write!(self.out, "{comma}\n  {}", Value::Object(object))
    }

    fn table_start(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        let width = |at: usize| {
            let cells = held.iter().filter_map(|row| row[at].as_deref());
            let widest = cells.map(|cell| safe(cell).chars().count()).max().unwrap_or(0);
            widest.max(self.columns[at].0.chars().count())
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let head: Vec<_> = self.columns.iter().map(|(name, _)| Some(name.clone())).collect();
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.widths = Some(widths);
        self.table_row(&head)?;
        writeln!(self.out, "{}", rule.join("  "))?;
        held.iter().try_for_each(|row| self.table_row(row))
    }

    fn table_row(&mut self, row: &[Option<String>]) -> io::Result<()> {
        let widths = self.widths.as_deref().unwrap_or_default();
        let cells = row.iter().zip(widths).zip(&self.columns).map(|((cell, width), (_, kind))| {
            let cell = safe(cell.as_deref().unwrap_or_default());
            match align(*kind) {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(self.out, "{}", line.trim_end())
    }

    fn finish(mut self) -> io::Result<u64> {
        match self.format {
            AnswerFormat::Table if self.widths.is_none() => self.table_start()?,
            AnswerFormat::Json if self.rows == 0 => writeln!(self.out, "]")?,
            AnswerFormat::Json => writeln!(self.out, "\n]")?,
            AnswerFormat::Table | AnswerFormat::Csv => {}
        }
        self.out.flush()?;
        Ok(self.rows)
    }
}

fn align(kind: SqlKind) -> Align {
    if kind == SqlKind::Number { Align::Right } else { Align::Left }
}

/// Numbers and truth values stand bare where JSON has them; `NaN` and the like stay text.
fn json_cell(kind: SqlKind, cell: Option<&str>) -> Value {
    let Some(text) = cell else {
        return Value::Null;
    };
    let bare = match kind {
        SqlKind::Text => None,
        SqlKind::Number | SqlKind::Boolean => serde_json::from_str::<Value>(text).ok(),
    };
    bare.unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(format: AnswerFormat, rows: Vec<Vec<Option<&str>>>) -> String {
        let mut out = Vec::new();
        let mut answer = Answer::new(format, &mut out);
        let columns = vec![("county".to_owned(), SqlKind::Text), ("n".to_owned(), SqlKind::Number)];
        answer.take(SqlRows::Columns(columns)).expect("memory takes all");
        let own =
            |row: Vec<Option<&str>>| row.into_iter().map(|cell| cell.map(str::to_owned)).collect();
        answer.take(SqlRows::Rows(rows.into_iter().map(own).collect())).expect("memory takes all");
        answer.finish().expect("memory takes all");
        String::from_utf8(out).expect("text")
    }

    fn rows() -> Vec<Vec<Option<&'static str>>> {
        vec![vec![Some("Broward, \"B\""), Some("7")], vec![None, Some("12345")]]
    }

    #[test]
    fn a_table_is_aligned_by_kind() {
        assert_eq!(
            answer(AnswerFormat::Table, rows()),
            "county            n\n------------  -----\nBroward, \"B\"      7\n              12345\n"
        );
        assert_eq!(answer(AnswerFormat::Table, vec![]), "county  n\n------  -\n");
    }

    #[test]
    fn csv_quotes_what_must_be_quoted() {
        assert_eq!(
            answer(AnswerFormat::Csv, rows()),
            "county,n\n\"Broward, \"\"B\"\"\",7\n,12345\n"
        );
    }

    #[test]
    fn json_is_one_document_with_bare_numbers() {
        let text = answer(AnswerFormat::Json, rows());
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(value[0]["n"], 7);
        assert_eq!(value[1]["county"], Value::Null);
        assert_eq!(answer(AnswerFormat::Json, vec![]), "[]\n");
        assert_eq!(json_cell(SqlKind::Number, Some("nan")), Value::String("nan".into()));
        assert_eq!(json_cell(SqlKind::Text, Some("007")), Value::String("007".into()));
    }

    #[test]
    fn rows_behind_the_measured_ones_come_through() {
        let many = vec![vec![Some("a"), Some("1")]; MEASURED * 2 + 1];
        assert_eq!(answer(AnswerFormat::Table, many).lines().count(), MEASURED * 2 + 3);
    }
}
