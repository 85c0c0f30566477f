//! A run from request to summary: plan, resume, drive, account.
//!
//! Everything here is told what to do by a [`Request`] in which nothing is left open, reports by
//! events and returns a [`Summary`]. It never prints, never reads the environment, never exits.

mod agents;
mod bind;
mod check;
mod cleaning;
mod cross;
pub mod diff;
mod error;
pub mod failures;
mod file_facts;
mod file_rules;
mod fit;
mod geography;
pub mod gold;
pub mod history;
mod identify;
mod identity;
mod ingest;
mod load_one;
mod load_plan;
mod mapping;
mod masking;
mod memory;
mod names;
mod passage;
mod plan;
mod plan_state;
mod policy;
mod prepare;
mod presence;
mod previous;
mod problems;
mod profile;
mod replay;
pub mod report;
mod reprocess;
mod request;
mod resume;
mod retry;
mod rolls;
mod scratch;
mod standing;
mod summary;
mod types;
mod user_rules;
pub mod value_rules;
mod verify;
mod whole;

pub use crate::load::TargetUrl;
pub use crate::load::target::{Changes, Finding as TargetFinding, Health, TargetState};
pub use crate::transform::mask::{MaskKey, Masking};
pub use check::check;
pub use error::{RunError, RunErrorKind};
pub use geography::Asked as GeographyAsked;
pub use history::{pack_version, target_state};
pub use ingest::{ingest, load_pack};
pub use memory::resident as resident_memory;
pub use plan::{ColumnPlan, InputPlan, Plan, SampleResult, plan};
pub use profile::{profile, proposed_rules};
pub use reprocess::{ReprocessRequest, ReprocessSource, reprocess};
pub use request::{ErrorBudget, Failed, Limits, Mode, OnAbort, Request, Told, Values};
pub use summary::{InputSummary, ProblemSummary, RunStatus, Summary};
pub use verify::{CellDifference, RuleDifference, Verified, VerifiedInput, verify, verify_under};
