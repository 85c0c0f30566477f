//! How runs and inputs end, as the ledger stores it.

use crate::chunk::named;

named! {
    /// State of a run: `etl.runs.status`.
    pub enum RunState {
        /// Begun, and neither ended nor stopped.
        Running = "running",
        /// All its inputs are loaded.
        Done = "done",
        /// Some of its inputs could not be read or loaded, and the others are; the same command goes on
        /// with it.
        Partial = "partial",
        /// Stopped by the user or the system; the same command goes on with it.
        Interrupted = "interrupted",
        /// More rows were refused than the error budget allows.
        OverBudget = "over budget",
        /// Ended by an error; the same command goes on with it.
        Failed = "failed",
    }
}

named! {
    /// State of an input: `etl.inputs.status`.
    pub enum InputState {
        /// Begun and not finished.
        Running = "running",
        /// Loaded, and its account was checked.
        Done = "done",
        /// A later load has replaced its rows.
        Replaced = "replaced",
        /// Its rows were deleted before it was finished.
        RolledBack = "rolled back",
    }
}

impl InputState {
    /// The state as an SQL literal.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Running => "'running'",
            Self::Done => "'done'",
            Self::Replaced => "'replaced'",
            Self::RolledBack => "'rolled back'",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_the_quoted_names() {
        for state in InputState::ALL {
            assert_eq!(state.sql(), format!("'{}'", state.name()));
        }
    }
}
