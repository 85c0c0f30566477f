//! The content of unfinished inputs: its length, and what takes its place when the file has grown.

use super::{InputRow, InputState, Ledger};
use crate::chunk::Fingerprint;
use crate::duck::Value;
use crate::load::LoadError;

/// An input whose file has grown, as it is now.
pub struct Grown {
    /// Content.
    pub fingerprint: Fingerprint,
    /// Its unpacked length.
    pub bytes: u64,
    /// What identifies it, as canonical JSON.
    pub identity: String,
    /// The hash of that.
    pub config: String,
}

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

    /// Gives an unfinished input the content that begins with its own.
    pub fn grow(&self, row: &InputRow, to: &Grown) -> Result<(), LoadError> {
        let Grown { fingerprint, bytes, identity, config } = to;
        self.con.execute(
            "UPDATE etl.inputs SET fingerprint = ?, bytes = ?, identity = ?, config = ? \
               WHERE run = ? AND input = ? AND status = ?",
            &[
                Value::from(fingerprint.to_string()),
                Value::from(*bytes),
                Value::from(identity.as_str()),
                Value::from(config.as_str()),
                Value::from(row.run.as_str()),
                Value::from(row.input),
                Value::from(InputState::Running.name()),
            ],
        )?;
        Ok(())
    }
}
