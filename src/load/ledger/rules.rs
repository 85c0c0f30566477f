//! Under which version of the rules of values inputs were begun, and what else a comparison of an input with its
//! source asks.

use super::{Ledger, unsigned};
use crate::chunk::Code;
use crate::duck::Value;
use crate::load::LoadError;

/// The version of inputs whose ledger does not store one.
const FIRST: u32 = 1;

/// The version that the ledger has stored of an input.
pub(super) fn version(value: &Value) -> u32 {
    if value.is_null() { FIRST } else { unsigned(value) as u32 }
}

impl Ledger<'_> {
    /// Rows of an input that the target itself has refused, whatever the agents say of them.
    pub fn refused_by_target(&self, run: &str, input: u32) -> Result<u64, LoadError> {
        let sql = "SELECT coalesce(sum(count), 0)::BIGINT FROM etl.problems \
                   WHERE run = ? AND input = ? AND code = ?";
        let code = Code::E404.to_string();
        self.con.number(sql, &[Value::from(run), Value::from(input), Value::from(code)])
    }
}
