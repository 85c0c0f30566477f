//! A run from request to summary: plan, resume, drive, account.
//!
//! Everything here is told what to do by a [`Request`] in which nothing is left open, reports by
//! events and returns a [`Summary`]. It never prints, never reads the environment, never exits.

mod error;
mod request;
mod summary;

pub use error::{RunError, RunErrorKind};
pub use request::{ErrorBudget, Limits, Mode, OnAbort, Request, TargetUrl};
pub use summary::{InputSummary, ProblemSummary, RunStatus, Summary};

mod stand_in;
pub use stand_in::*;
