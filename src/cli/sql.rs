//! `etl sql`: a question to the target, read-only.

use super::args::{TargetArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::text::safe;
use super::{exit, output};
use crate::duck::{ColumnType, ResultColumn, Value as Cell};
use crate::run::history;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;

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
        let mut take = |columns: &[ResultColumn], rows| match writer.take(columns, rows) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        };
        history::sql(&target, &self.sql, memory, &mut take)?;
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
    columns: Option<Vec<(String, bool)>>,
    held: Vec<Vec<Cell>>,
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl<W: Write> Answer<W> {
    fn new(format: AnswerFormat, out: W) -> Self {
        Self { format, out, columns: None, held: Vec::new(), widths: None, rows: 0 }
    }

    /// The columns, each time, and some rows.
    fn take(&mut self, columns: &[ResultColumn], rows: Vec<Vec<Cell>>) -> io::Result<()> {
        if self.columns.is_none() {
            self.start(columns)?;
        }
        rows.into_iter().try_for_each(|row| self.row(row))
    }

    fn start(&mut self, columns: &[ResultColumn]) -> io::Result<()> {
        let known = columns.iter().map(|column| (column.name.clone(), is_number(column.kind)));
        self.columns = Some(known.collect());
        match self.format {
            AnswerFormat::Table => Ok(()),
            AnswerFormat::Csv => self.csv(columns.iter().map(|column| column.name.clone())),
            AnswerFormat::Json => write!(self.out, "["),
        }
    }

    fn row(&mut self, row: Vec<Cell>) -> io::Result<()> {
        self.rows += 1;
        match self.format {
            AnswerFormat::Csv => self.csv(row.iter().map(Cell::to_string)),
            AnswerFormat::Json => self.json(row),
            AnswerFormat::Table if self.widths.is_some() => {
                let cells: Vec<_> = row.iter().map(Cell::to_string).collect();
                self.table_row(&cells)
            }
            AnswerFormat::Table => {
                self.held.push(row);
                if self.held.len() < MEASURED { Ok(()) } else { self.table_start() }
            }
        }
    }

    fn csv(&mut self, cells: impl Iterator<Item = String>) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(&mut self.out);
        writer.write_record(cells.map(String::into_bytes))?;
        writer.flush()
    }

    fn json(&mut self, row: Vec<Cell>) -> io::Result<()> {
        let names = self.columns.iter().flatten().map(|(name, _)| name.clone());
        let object: Map<String, Value> = names.zip(row.iter().map(json_cell)).collect();
        let comma = if self.rows == 1 { "" } else { "," };
        write!(self.out, "{comma}\n  {}", Value::Object(object))
    }

    fn table_start(&mut self) -> io::Result<()> {
        let names: Vec<_> = self.columns.iter().flatten().map(|(name, _)| name.clone()).collect();
        let held = std::mem::take(&mut self.held);
        let held: Vec<Vec<String>> =
            held.iter().map(|row| row.iter().map(Cell::to_string).collect()).collect();
        let width = |at: usize| {
            let cells = held.iter().filter_map(|row| row.get(at)).chain([&names[at]]);
            cells.map(|cell| safe(cell).chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        let rule: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.widths = Some(widths);
        self.table_row(&names)?;
        writeln!(self.out, "{}", rule.join("  "))?;
        held.iter().try_for_each(|row| self.table_row(row))
    }

    fn table_row(&mut self, row: &[String]) -> io::Result<()> {
        let widths = self.widths.as_deref().unwrap_or_default();
        let columns = self.columns.iter().flatten();
        let cells = row.iter().zip(widths).zip(columns).map(|((cell, width), (_, number))| {
            let cell = safe(cell);
            if *number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
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

fn is_number(kind: ColumnType) -> bool {
    use ColumnType::{
        BigInt, Decimal, Double, Float, HugeInt, Integer, SmallInt, TinyInt, UBigInt, UHugeInt,
        UInteger, USmallInt, UTinyInt,
    };
    matches!(
        kind,
        TinyInt
            | SmallInt
            | Integer
            | BigInt
            | HugeInt
            | UTinyInt
            | USmallInt
            | UInteger
            | UBigInt
            | UHugeInt
            | Float
            | Double
            | Decimal { .. }
    )
}

/// Numbers and truth values stand bare where JSON has them; `nan` and the like stay text.
fn json_cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => Value::Bool(*value),
        Cell::Int(_) | Cell::HugeInt(_) | Cell::Double(_) | Cell::Decimal { .. } => {
            let text = cell.to_string();
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        }
        other => Value::String(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(format: AnswerFormat, rows: Vec<Vec<Cell>>) -> String {
        let mut out = Vec::new();
        let mut answer = Answer::new(format, &mut out);
        let column = |name: &str, kind| ResultColumn { name: name.to_owned(), kind };
        let columns = [column("county", ColumnType::Varchar), column("n", ColumnType::BigInt)];
        // As the database does: some rows at a time, the columns each time.
        answer.take(&columns, vec![]).expect("memory takes all");
        answer.take(&columns, rows).expect("memory takes all");
        answer.finish().expect("memory takes all");
        String::from_utf8(out).expect("text")
    }

    fn rows() -> Vec<Vec<Cell>> {
        let broward = Cell::Text("Broward, \"B\"".into());
        vec![vec![broward, Cell::Int(7)], vec![Cell::Null, Cell::Int(12_345)]]
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
        assert_eq!(json_cell(&Cell::Double(f64::NAN)), Value::String("nan".into()));
        assert_eq!(json_cell(&Cell::Text("007".into())), Value::String("007".into()));
    }

    #[test]
    fn rows_behind_the_measured_ones_come_through() {
        let many = vec![vec![Cell::Text("a".into()), Cell::Int(1)]; MEASURED * 2 + 1];
        assert_eq!(answer(AnswerFormat::Table, many).lines().count(), MEASURED * 2 + 3);
    }
}
