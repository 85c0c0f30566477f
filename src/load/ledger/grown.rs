//! The content of unfinished inputs: its length, and what takes its place when the file has grown.

use super::{InputRow, InputState, Ledger, optional, unsigned};
use crate::chunk::Fingerprint;
use crate::duck::Value;
use crate::load::LoadError;

impl Ledger<'_> {
    /// Whether any input is unfinished.
    pub fn is_any_unfinished(&self) -> Result<bool, LoadError> {
        let running = InputState::Running.sql();
        let sql = format!("SELECT count(*) FROM etl.inputs WHERE status = {running}");
        Ok(self.con.number(&sql, &[])? > 0)
    }

    /// Notes the unpacked length of an input's content.
    pub fn note_length(&self, row: &InputRow, bytes: u64) -> Result<(), LoadError> {
        self.con.execute(
            "UPDATE etl.inputs SET bytes = ? WHERE run = ? AND input = ?",
            &[Value::from(bytes), Value::from(row.run.as_str()), Value::from(row.input)],
        )?;
        Ok(())
    }

    /// Fingerprint and length of an input's content; `None` where a program before version 3 began it.
    pub fn content_of(&self, row: &InputRow) -> Result<Option<(Fingerprint, u64)>, LoadError> {
        let rows = self.con.query(
            "SELECT fingerprint, bytes FROM etl.inputs WHERE run = ? AND input = ?",
            &[Value::from(row.run.as_str()), Value::from(row.input)],
        )?;
        let known = rows.rows.first().filter(|row| !row[1].is_null());
        Ok(known.and_then(|row| {
            let hash = blake3::Hash::from_hex(optional(&row[0])?).ok()?;
            Some((Fingerprint(*hash.as_bytes()), unsigned(&row[1])))
        }))
    }

    /// Gives an unfinished input the content that begins with its own.
    pub fn grow(&self, row: &InputRow, to: Fingerprint, bytes: u64) -> Result<(), LoadError> {
        self.con.execute(
            "UPDATE etl.inputs SET fingerprint = ?, bytes = ? \
               WHERE run = ? AND input = ? AND status = ?",
            &[
                Value::from(to.to_string()),
                Value::from(bytes),
                Value::from(row.run.as_str()),
                Value::from(row.input),
                Value::from(InputState::Running.name()),
            ],
        )?;
        Ok(())
    }
}
