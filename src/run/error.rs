//! Why a run failed, with the code that people and scripts see, and what to do.

use super::inputs::FailedInput;
use super::policy;
use crate::flow::StopCause;
use crate::rules::TextPlace;
use crate::source::SourceError;
use crate::stage::StageError;
use serde::{Deserialize, Serialize};
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Kinds of failure; each has one exit code (see `cli::exit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunErrorKind {
    /// Wrong usage or configuration.
    Usage,
    /// The run failed.
    Failed,
    /// The account does not hold.
    Account,
    /// The error budget was exceeded.
    ErrorBudget,
    /// The input cannot be read.
    Input,
    /// The target cannot be reached or refuses.
    Target,
    /// Memory or disk.
    Limit,
    /// Ctrl-C or SIGTERM; resumable.
    Interrupted(StopCause),
}

/// Whether a failed load is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would fail in the same way.
    Never,
    /// After a while.
    Later,
    /// With less at a time.
    Smaller,
}

/// What a failure concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One input: the others may load all the same.
    Input,
    /// The program, the machine or the target: every other input would meet it, too.
    Run,
}

/// A failed run.
#[derive(Debug)]
pub struct RunError {
    /// Decides the exit code.
    pub kind: RunErrorKind,
    /// Stable code (`E101`…`E504`), where one applies.
    pub code: Option<&'static str>,
    /// What happened, in one sentence.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
    /// What is in the target now, where the run had begun.
    pub kept: Option<String>,
    /// Where in a file of the user the mistake stands.
    pub place: Option<Box<TextPlace>>,
    /// The critical rule that a fact about the file broke.
    pub rule: Option<String>,
    /// Whether going on may succeed by itself.
    pub again: Again,
    /// The target was not even asked, and is not to be before so long.
    pub wait: Option<Duration>,
    /// What it concerns.
    pub reach: Reach,
    /// Errors of further inputs, in their order.
    pub also: Vec<FailedInput>,
    /// The cause.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl RunError {
    /// What was asked for cannot be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(RunErrorKind::Usage, message)
    }

    /// An error with a sentence.
    pub fn new(kind: RunErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: None,
            message: message.into(),
            hints: vec![],
            kept: None,
            place: None,
            rule: None,
            again: Again::Never,
            wait: None,
            reach: policy::reach(kind),
            also: Vec::new(),
            source: None,
        }
    }

    /// Gives the stable code.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Whether a fact about the file broke a critical rule.
    pub fn is_rule(&self) -> bool {
        self.rule.is_some()
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<SourceError> for RunError {
    fn from(error: SourceError) -> Self {
        let mut out = Self::new(RunErrorKind::Input, error.to_string());
        out.code = Some(error.kind.code());
        out.hints.extend(error.hint.clone());
        out.source = error.source.map(|source| Box::new(source) as _);
        out
    }
}

impl From<StageError> for RunError {
    fn from(error: StageError) -> Self {
        let mut out = Self::new(RunErrorKind::Failed, error.to_string());
        if error.rule.is_some() {
            out.reach = Reach::Input;
        }
        out.rule = error.rule;
        out.again = if error.transient { Again::Later } else { Again::Never };
        out.hints.extend(error.hint);
        out
    }
}
