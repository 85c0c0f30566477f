//! Which header of a file each column of a plain table holds: `etl.columns`.
//!
//! A header never fills a column that is recorded for another header (`Sale $` and `Sale %` have one plain
//! form). Records are written in the transaction that begins an input; those of columns that the table
//! does not have any more say nothing and are taken away with the next ones.

use super::Ledger;
use crate::duck::Value;
use crate::load::LoadError;

/// The column whose record says that this program has made the table; it holds no header.
const MADE: &str = "_etl_run";

/// A column with the header whose values it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderOf {
    /// The column of the table.
    pub column: String,
    /// The header as a file has it.
    pub header: String,
}

impl Ledger<'_> {
    /// Headers that are recorded for the columns of a table, those of one header in the order in which
    /// its columns were numbered.
    pub fn headers(&self, table: &str) -> Result<Vec<HeaderOf>, LoadError> {
        if super::schema::readable(self.con)? < 2 {
            return Ok(Vec::new());
        }
        let rows = self.con.query(
            "SELECT \"column\", header FROM etl.columns WHERE \"schema\" = ? AND \"table\" = ? \
               AND \"column\" <> ? ORDER BY length(\"column\"), \"column\"",
            &[self.con.schema(), table, MADE].map(Value::from),
        )?;
        let record =
            |row: &Vec<Value>| HeaderOf { column: row[0].to_string(), header: row[1].to_string() };
        Ok(rows.rows.iter().map(record).collect())
    }

    /// Records headers of a table whose columns are `there` now.
    pub fn record_headers(
        &self,
        table: &str,
        there: &[String],
        new: &[HeaderOf],
        run: &str,
    ) -> Result<(), LoadError> {
        let known = self.headers(table)?;
        for gone in known.iter().filter(|known| !there.contains(&known.column)) {
            self.con.execute(
                "DELETE FROM etl.columns WHERE \"schema\" = ? AND \"table\" = ? AND \"column\" = ?",
                &[self.con.schema(), table, &gone.column].map(Value::from),
            )?;
        }
        let fresh = new.iter().filter(|new| !known.iter().any(|known| known.column == new.column));
        for HeaderOf { column, header } in fresh {
            self.con.execute(
                "INSERT INTO etl.columns (\"schema\", \"table\", \"column\", header, run) \
                 VALUES (?, ?, ?, ?, ?)",
                &[self.con.schema(), table, column, header, run].map(Value::from),
            )?;
        }
        Ok(())
    }

    /// Forgets the headers of a table that a run makes anew, and records that it was made.
    pub fn record_made(&self, table: &str, run: &str) -> Result<(), LoadError> {
        self.con.execute(
            "DELETE FROM etl.columns WHERE \"schema\" = ? AND \"table\" = ?",
            &[self.con.schema(), table].map(Value::from),
        )?;
        self.con
            .execute(
                "INSERT INTO etl.columns (\"schema\", \"table\", \"column\", header, run) \
                 VALUES (?, ?, ?, '', ?)",
                &[self.con.schema(), table, MADE, run].map(Value::from),
            )
            .map(drop)
    }

    /// Forgets that this program has made a table of this name.
    pub fn forget_made(&self, table: &str) -> Result<(), LoadError> {
        let sql =
            "DELETE FROM etl.columns WHERE \"schema\" = ? AND \"table\" = ? AND \"column\" = ?";
        self.con.execute(sql, &[self.con.schema(), table, MADE].map(Value::from)).map(drop)
    }

    /// Whether this program has made the table. Programs before 2026-12 did not record it.
    pub fn has_made(&self, table: &str) -> Result<bool, LoadError> {
        if super::schema::readable(self.con)? < 2 {
            return Ok(false);
        }
        let sql = "SELECT count(*) FROM etl.columns WHERE \"schema\" = ? AND \"table\" = ? \
                   AND \"column\" = ?";
        Ok(self.con.number(sql, &[self.con.schema(), table, MADE].map(Value::from))? > 0)
    }
}
