//! One input of the run that is compared, and what the target has of it.

use crate::duck::Value;
use crate::load::ledger::PastInput;
use crate::run::prepare::Prepared;
use crate::run::request::Mode;

/// One input that is compared.
pub(super) struct One<'a> {
    pub run: &'a str,
    pub past: &'a PastInput,
    pub input: &'a Prepared,
    /// Position among the inputs of the run, and how many there are.
    pub place: (usize, usize),
}

impl One<'_> {
    /// Run and source, as its rows bear them.
    pub fn own(&self) -> [Value; 2] {
        [Value::from(self.run), Value::from(self.past.label())]
    }

    /// Whether its rows are told apart by a key.
    pub fn has_key(&self) -> bool {
        self.input.mode != Mode::Append && !self.input.spec.key.is_empty()
    }
}

/// Rows of an input.
pub(super) struct Held {
    /// That the table holds.
    pub rows: u64,
    /// In whose place later loads have put others.
    pub rewritten: u64,
    /// That the target itself has refused.
    pub by_target: u64,
}
