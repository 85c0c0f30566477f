//! Temporary: the signature of the replay that `cli` is written against, until it is merged.

use super::{Request, RunError, RunErrorKind, Summary};
use crate::flow::{Observer, Stop};

/// What to replay.
#[derive(Debug, Clone, PartialEq)]
pub enum ReprocessSource {
    /// The refused rows of a run.
    Run(String),
    /// Failed-record files or corrected sheets.
    Files(Vec<String>),
    /// Every failed-record file of the target.
    All,
}

/// A replay as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct ReprocessRequest {
    /// Settings.
    pub request: Request,
    /// What to replay.
    pub what: ReprocessSource,
}

/// Replays refused rows.
pub fn reprocess(_: &ReprocessRequest, _: &dyn Observer, _: &Stop) -> Result<Summary, RunError> {
    Err(RunError::new(RunErrorKind::Failed, "reprocess-failures is not part of this build yet"))
}
