//! The one place that decides what a failure to load means: which exit, which code, what advice.

use super::error::{Again, Reach, RunError, RunErrorKind};
use crate::flow::FlowError;
use crate::load::{LoadError, LoadErrorKind};

impl From<LoadError> for RunError {
    fn from(error: LoadError) -> Self {
        let error_kind = error.kind;
        let (kind, code) = match error_kind {
            LoadErrorKind::Locked => (RunErrorKind::Target, Some("E504")),
            LoadErrorKind::DiskFull => (RunErrorKind::Limit, Some("E501")),
            LoadErrorKind::Memory => (RunErrorKind::Limit, None),
            LoadErrorKind::Mismatch | LoadErrorKind::Target => (RunErrorKind::Target, None),
            LoadErrorKind::Unreachable => (RunErrorKind::Target, Some("E401")),
            LoadErrorKind::Denied => (RunErrorKind::Target, Some("E402")),
            LoadErrorKind::Tls => (RunErrorKind::Target, Some("E403")),
            LoadErrorKind::Refused => (RunErrorKind::Target, Some("E404")),
            LoadErrorKind::Lost | LoadErrorKind::NoConnection => {
                (RunErrorKind::Target, Some("E405"))
            }
            LoadErrorKind::Slow => (RunErrorKind::Target, Some("E406")),
            LoadErrorKind::Account => (RunErrorKind::Account, None),
            LoadErrorKind::ErrorBudget => (RunErrorKind::ErrorBudget, None),
            LoadErrorKind::Changed => (RunErrorKind::Input, Some("E502")),
            LoadErrorKind::Usage => (RunErrorKind::Usage, None),
            LoadErrorKind::DeadLetters | LoadErrorKind::Enough => (RunErrorKind::Failed, None),
        };
        let mut out = Self::new(kind, error.message);
        out.code = code;
        out.again = again(error_kind);
        out.reach = load_reach(error_kind);
        out.wait = error.wait;
        out.hints.extend(error.hint);
        out
    }
}

/// What a failure of the run concerns, where nothing more is known than its kind.
pub fn reach(kind: RunErrorKind) -> Reach {
    match kind {
        RunErrorKind::Usage | RunErrorKind::Input | RunErrorKind::ErrorBudget => Reach::Input,
        RunErrorKind::Failed
        | RunErrorKind::Account
        | RunErrorKind::Target
        | RunErrorKind::Limit
        | RunErrorKind::Interrupted(_) => Reach::Run,
    }
}

/// What a failure to load concerns. What a table refuses is the matter of the input; a target that is gone,
/// full or wrong in its account is not.
fn load_reach(kind: LoadErrorKind) -> Reach {
    match kind {
        LoadErrorKind::Mismatch
        | LoadErrorKind::Target
        | LoadErrorKind::Refused
        | LoadErrorKind::Slow
        | LoadErrorKind::ErrorBudget
        | LoadErrorKind::Changed
        | LoadErrorKind::Usage => Reach::Input,
        LoadErrorKind::Locked
        | LoadErrorKind::DiskFull
        | LoadErrorKind::Memory
        | LoadErrorKind::Account
        | LoadErrorKind::Unreachable
        | LoadErrorKind::Lost
        | LoadErrorKind::NoConnection
        | LoadErrorKind::Denied
        | LoadErrorKind::Tls
        | LoadErrorKind::Enough
        | LoadErrorKind::DeadLetters => Reach::Run,
    }
}

/// What is tried again. Which errors of a server are which kind stands in `load/postgres/error.rs`.
fn again(kind: LoadErrorKind) -> Again {
    match kind {
        LoadErrorKind::Lost | LoadErrorKind::NoConnection | LoadErrorKind::Unreachable => {
            Again::Later
        }
        LoadErrorKind::Slow => Again::Smaller,
        LoadErrorKind::Locked
        | LoadErrorKind::DiskFull
        | LoadErrorKind::Memory
        | LoadErrorKind::Mismatch
        | LoadErrorKind::Account
        | LoadErrorKind::ErrorBudget
        | LoadErrorKind::Changed
        | LoadErrorKind::Usage
        | LoadErrorKind::Target
        | LoadErrorKind::Denied
        | LoadErrorKind::Tls
        | LoadErrorKind::Refused
        | LoadErrorKind::Enough
        | LoadErrorKind::DeadLetters => Again::Never,
    }
}

impl From<FlowError<LoadError>> for RunError {
    fn from(error: FlowError<LoadError>) -> Self {
        match error {
            FlowError::Source(error) => error.into(),
            FlowError::Stage(error) => error.into(),
            FlowError::Consumer(error) => error.into(),
            FlowError::Stopped(cause) => Self::new(RunErrorKind::Interrupted(cause), "interrupted")
                .with_hint("run the same command again: it goes on from the last commit"),
            FlowError::Panicked { agent, message } => Self::new(
                RunErrorKind::Failed,
                format!("internal error in agent `{agent}`: {message}"),
            )
            .with_hint("nothing of the open group was committed; please report this"),
        }
    }
}
