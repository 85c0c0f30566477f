//! What the user wants, fully resolved: flags, environment and files are behind us.

use super::geography::Asked;
use crate::chunk::named;
use crate::chunk::{ColumnKind, DateOrder, Zone};
use crate::load::ledger::CellCheck;
pub use crate::load::table::Mode;
use crate::load::target::Changes;
use crate::load::{TableName, TargetUrl};
use crate::rules::UserRule;
use crate::source::{Listing, SourceOptions};
use crate::transform::mask::{MaskKey, Masking};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What stays in the target when a run is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAbort {
    /// Committed rows stay; the same command goes on from there.
    #[default]
    Keep,
    /// The run's rows are deleted.
    Rollback,
}

/// How many refused rows a run may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBudget {
    /// Stop above this many.
    pub max_errors: Option<u64>,
    /// Stop above this share of the rows read (checked from 1,000 rows on, and at the end).
    pub max_rate: Option<f64>,
    /// Warn above this share.
    pub warn_rate: f64,
    /// What stays.
    pub on_abort: OnAbort,
}

/// Machine limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Peak resident memory aimed at, in bytes.
    pub memory: u64,
    /// Of these, taken by what is read before the first input.
    pub reserved: u64,
    /// Worker threads.
    pub threads: usize,
    /// Most rows of a chunk; `None`: by format and measurement.
    pub chunk_rows: Option<usize>,
    /// New rows of a commit; `None`: whole row groups of the target. Any other number is slower.
    pub commit_rows: Option<u64>,
    /// Connections that write to the target at the same time; `None`: as many as the memory allows,
    /// two at most.
    pub writers: Option<usize>,
    /// Spill and spool files.
    pub temp_dir: Option<PathBuf>,
    /// All agents of a chunk on one core.
    pub fuse: bool,
}

/// What the user says of the files: it goes before their columns and names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// `nal`, `sdf`, `nap`, `navn`, `navd` or `generic`.
    pub kind: Option<String>,
    /// County by number, FIPS or name.
    pub county: Option<String>,
    /// Roll year.
    pub year: Option<u16>,
    /// `P`, `S` or `F`.
    pub release: Option<String>,
    /// Submission number.
    pub submission: Option<u16>,
}

named! {
    /// How dates with slashes are read where neither the rows nor other evidence says which part is the day.
    #[derive(Default)]
    pub enum DateSetting {
        /// Month, day, year.
        #[default]
        Mdy = "mdy",
        /// Day, month, year.
        Dmy = "dmy",
        /// The year comes first in this user's dates, so such a text may be anything: it stays text.
        Ymd = "ymd",
        /// They stay text.
        Text = "text",
    }
}

impl DateSetting {
    /// The order; `None`: text.
    pub fn order(self) -> Option<DateOrder> {
        match self {
            Self::Mdy => Some(DateOrder::Mdy),
            Self::Dmy => Some(DateOrder::Dmy),
            Self::Ymd | Self::Text => None,
        }
    }
}

/// What is done to values on their way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// File of the user's own cleaning.
    pub clean: Option<PathBuf>,
    /// They stay as they are written.
    pub no_fix: bool,
    /// Texts that are changed are kept beside the row as they were read.
    pub keep_raw: bool,
    /// How dates with slashes are read where no row proves their order.
    #[serde(default)]
    pub dates: DateSetting,
    /// Whether that is asked for, and not the default: then it goes before earlier loads.
    pub dates_asked: bool,
    /// Zone of times without an offset in columns that keep moments; `None`: that of the database.
    #[serde(default)]
    pub time_zone: Option<Zone>,
    /// Formats of columns of dates, by name or header.
    #[serde(default)]
    pub formats: Vec<(String, String)>,
    /// Types of columns of plain tables, by name or header.
    #[serde(default)]
    pub types: Vec<(String, ColumnKind)>,
    /// Columns that are masked, by name or header, and how.
    pub masks: Vec<(String, Masking)>,
    /// Key of masks that hash; never written anywhere.
    #[serde(skip)]
    pub mask_key: Option<MaskKey>,
}

/// Where refused rows go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Folder of the failed-record files; `None`: beside the target.
    pub folder: Option<PathBuf>,
    /// They also become rows of `etl.failed_rows` in the target.
    pub in_table: bool,
}

/// A run as asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Paths, folders, patterns.
    pub inputs: Vec<String>,
    /// Target.
    pub target: TargetUrl,
    /// Table, where the user names one. Which schema it means is decided by [`super::named::settled`].
    pub table: Option<TableName>,
    /// Mode, where the user names one; else the kind's own.
    pub mode: Option<Mode>,
    /// What the files are, where the user says so.
    pub told: Told,
    /// How folders are read, what is skipped, copies of streams.
    #[serde(default)]
    pub listing: Listing,
    /// An input without rows is an error, also among others.
    #[serde(default)]
    pub require_rows: bool,
    /// The other inputs are loaded where one cannot be read or loaded.
    #[serde(default)]
    pub keep_going: bool,
    /// How to read.
    pub source: SourceOptions,
    /// `florida` or the folder of a pack.
    pub pack: String,
    /// Agents in order; `load` is always last and not listed.
    pub agents: Vec<String>,
    /// Levels of rules that differ from the pack's: rule id → critical, warning, info, off.
    pub rule_levels: BTreeMap<String, String>,
    /// The user's own rules.
    #[serde(default)]
    pub rules: Vec<UserRule>,
    /// Machine limits.
    pub limits: Limits,
    /// Error budget.
    pub errors: ErrorBudget,
    /// What may be done to the tables of a server.
    pub changes: Changes,
    /// Of the columns of provenance only those that loading needs.
    pub minimal: bool,
    /// Where parcels are, and what is known of such places.
    pub geography: Asked,
    /// What is done to values.
    pub values: Values,
    /// The mapping that binds a roll to an existing table: a name or a file.
    pub mapping: Option<String>,
    /// Texts that are longer than their column of a server are cut instead of refused.
    pub cut: bool,
    /// How much of the account of cells is counted in the target.
    #[serde(default)]
    pub cells: CellCheck,
    /// How often a load goes on by itself after a connection was lost.
    pub retry_attempts: u64,
    /// Where refused rows go.
    pub failed: Failed,
    /// Load the inputs as new: what an unfinished load of them has left is deleted, and what a finished
    /// one has appended gives way to the new rows.
    pub fresh: bool,
    /// Rows that were appended from the same path with other content give way to the new ones.
    #[serde(default)]
    pub replaces_previous: bool,
    /// Read only the first so many records of each input (for trying out).
    pub limit: Option<u64>,
    /// Version of the program, for the ledger.
    pub version: String,
}

#[cfg(test)]
impl Request {
    /// A request for one file with nothing asked for, in one thread, without agents.
    pub(crate) fn for_test(path: &std::path::Path) -> Self {
        Self {
            inputs: vec![path.display().to_string()],
            target: TargetUrl::Duckdb("none.duckdb".into()),
            table: None,
            mode: None,
            told: Told::default(),
            listing: Listing::default(),
            require_rows: false,
            keep_going: false,
            source: SourceOptions::default(),
            pack: "florida".into(),
            agents: Vec::new(),
            rule_levels: BTreeMap::new(),
            rules: Vec::new(),
            limits: Limits {
                memory: 512 << 20,
                reserved: 0,
                threads: 1,
                chunk_rows: None,
                commit_rows: None,
                writers: None,
                temp_dir: None,
                fuse: true,
            },
            errors: ErrorBudget {
                max_errors: None,
                max_rate: None,
                warn_rate: 1.0,
                on_abort: OnAbort::Keep,
            },
            changes: Changes::default(),
            minimal: false,
            geography: Asked::default(),
            values: Values::default(),
            mapping: None,
            cut: false,
            cells: CellCheck::default(),
            retry_attempts: 0,
            failed: Failed::default(),
            fresh: false,
            replaces_previous: false,
            limit: None,
            version: "test".into(),
        }
    }
}
