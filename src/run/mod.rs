//! A run from request to summary: plan, resume, drive, account.
//!
//! Everything here is told what to do by a [`Request`] in which nothing is left open, reports by
//! events and returns a [`Summary`]. It never prints, never reads the environment, never exits.

mod agents;
mod bind;
mod check;
mod cross;
mod error;
pub mod failures;
mod file_rules;
pub mod history;
mod ingest;
mod load_one;
mod mapping;
mod memory;
mod names;
mod plan;
mod policy;
mod prepare;
mod problems;
mod replay;
mod reprocess;
mod request;
mod resume;
mod retry;
mod summary;
mod verify;

pub use crate::load::TargetUrl;
pub use crate::load::target::{Changes, Finding as TargetFinding, Health, TargetState};
pub use check::check;
pub use error::{RunError, RunErrorKind};
pub use history::{pack_version, target_state};
pub use ingest::{ingest, load_pack};
pub use plan::{ColumnPlan, InputPlan, Plan, SampleResult, plan};
pub use reprocess::{ReprocessRequest, ReprocessSource, reprocess};
pub use request::{ErrorBudget, Limits, Mode, OnAbort, Request};
pub use summary::{InputSummary, ProblemSummary, RunStatus, Summary};
pub use verify::{Verified, VerifiedInput, verify};
