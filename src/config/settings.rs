//! Every setting, declared once: the file key, the environment variable, the schema and
//! `etl config show` all come from this list.

use super::secret::{Reference, Secret, Webhook};
use super::value::{
    ByteSize, ColorWhen, Delimiter, ProgressKind, Provenance, Rate, RuleLevel, TooLong, Value,
};
use crate::run::{DateSetting, Mode, OnAbort, TableName, Zone};
use crate::source::csv::{CsvPolicy, Escaping, Quoting};
use crate::source::excel::range::SheetRange;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where a value comes from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `defaults.toml` in the program.
    Default,
    /// Found out about this machine.
    Machine(&'static str),
    /// A configuration file.
    File(String),
    /// A profile of a configuration file.
    Profile(String, String),
    /// An environment variable.
    Env(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Machine(what) => write!(f, "default ({what})"),
            Self::File(path) => f.write_str(path),
            Self::Profile(path, name) => write!(f, "{path} [profile.{name}]"),
            Self::Env(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// A value that knows where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub origin: Origin,
}

/// A setting as `etl config show` prints it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Key in the file.
    pub key: String,
    /// Value; null where nothing is set.
    pub value: serde_json::Value,
    /// Origin, where a value is set.
    pub origin: Option<Origin>,
}

/// A key and what it means.
#[derive(Debug, Clone)]
pub struct Key {
    /// Name in the file.
    pub name: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Schema of its value.
    pub schema: fn() -> serde_json::Value,
}

/// What can be said about one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentPartial {
    /// Whether it takes part.
    pub enabled: Option<bool>,
}

macro_rules! settings {
    ($($name:literal $field:ident: $type:ty = $help:literal,)+) => {
        /// One layer: what it does not say is `None`.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Partial {
            $(#[doc = $help] #[serde(rename = $name)] pub $field: Option<$type>,)+
            /// Settings of single agents.
            #[serde(default)]
            pub agent: BTreeMap<String, AgentPartial>,
            /// Levels of rules that differ from the pack's.
            #[serde(default)]
            pub rules: BTreeMap<String, RuleLevel>,
            /// Named sets of settings, chosen by `--profile`.
            #[serde(default)]
            pub profile: BTreeMap<String, Partial>,
        }

        /// All layers folded together; each value knows its layer.
        #[derive(Debug, Clone, Default)]
        pub struct Settings {
            $(#[doc = $help] pub $field: Option<Sourced<$type>>,)+
            /// Whether single agents take part.
            pub agent: BTreeMap<String, Sourced<bool>>,
            /// Levels of rules.
            pub rules: BTreeMap<String, Sourced<RuleLevel>>,
        }

        /// Every key outside the tables `agent`, `rules` and `profile`.
        pub const KEYS: &[Key] = &[
            $(Key { name: $name, help: $help, schema: <$type as Value>::schema },)+
        ];

        impl Partial {
            /// Sets a key from text. `Ok(false)`: there is no such key.
            pub fn set(&mut self, key: &str, text: &str) -> Result<bool, String> {
                match key {
                    $($name => self.$field = Some(<$type as Value>::parse(text)?),)+
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }

        impl Settings {
            /// Lays `partial` over what is there; `origin` names the layer of a key.
            pub fn overlay(&mut self, partial: &Partial, origin: &dyn Fn(&str) -> Origin) {
                $(if let Some(value) = &partial.$field {
                    self.$field = Some(Sourced { value: value.clone(), origin: origin($name) });
                })+
                for (name, agent) in &partial.agent {
                    if let Some(value) = agent.enabled {
                        let origin = origin("agent");
                        self.agent.insert(name.clone(), Sourced { value, origin });
                    }
                }
                for (id, value) in &partial.rules {
                    let origin = origin("rules");
                    self.rules.insert(id.clone(), Sourced { value: *value, origin });
                }
            }

            /// Every setting in the order of the reference, set or not.
            pub fn entries(&self) -> Vec<Entry> {
                let mut entries = vec![$(entry($name, self.$field.as_ref())),+];
                for (name, enabled) in &self.agent {
                    entries.push(entry(&format!("agent.{name}.enabled"), Some(enabled)));
                }
                for (id, level) in &self.rules {
                    entries.push(entry(&format!("rules.{id}"), Some(level)));
                }
                entries
            }
        }
    };
}

fn entry<T: Value>(key: &str, value: Option<&Sourced<T>>) -> Entry {
    Entry {
        key: key.to_owned(),
        value: value.map_or(serde_json::Value::Null, |sourced| sourced.value.show()),
        origin: value.map(|sourced| sourced.origin.clone()),
    }
}

settings! {
    "to" to: Secret = "Where rows go: duckdb:PATH or postgres://USER@HOST/DATABASE. env:NAME or file:PATH name a place that holds it.",
    "table" table: TableName = "Table to load into, instead of the one the pack names.",
    "mapping" mapping: String = "Binds a roll to an existing table of other names: florida_parcels, property_sales_history, or a file of that form.",
    "create" create: bool = "Make a table that a server does not have; in a DuckDB file it is made unasked.",
    "evolve" evolve: bool = "Add columns that the table of a server lacks (in a DuckDB file they are added unasked), and make columns of numbers wider where values need it, VARCHAR at last.",
    "indexes_after" indexes_after: bool = "Set indexes of a server's table aside that only serve questions, and make them again at the end of the run.",
    "too_long" too_long: TooLong = "Texts that are longer than their column on a server: reject the row, or cut the text; both are counted.",
    "retry_attempts" retry_attempts: u64 = "How often a load goes on by itself after a connection was lost.",
    "mode" mode: Mode = "How rows meet what the target holds: merge, append or replace.",
    "replaces_previous" replaces_previous: bool = "Rows appended earlier from the same path with other content give way to the new ones.",
    "recursive" recursive: bool = "Read the folders within folders, too.",
    "require_rows" require_rows: bool = "An input without rows is an error, also among others that have some.",
    "keep_going" keep_going: bool = "Load the other inputs where one cannot be read or loaded; the exit code is that of the first bad one.",
    "skip_list" skip_list: PathBuf = "File that says which files of folders, patterns and archives are no tables, instead of the list that is built in.",
    "pack" pack: String = "Knowledge about kinds of files: florida, or the folder of a pack.",
    "type" kind: String = "Kind of the input: nal, sdf, nap, navn, navd or generic; else recognised.",
    "county" county: String = "County by DOR number, FIPS or name; else from the file.",
    "year" year: u16 = "Roll year; else from the file.",
    "release" release: String = "Release of the roll: P, S or F; else from the file name.",
    "submission" submission: u16 = "Submission number of the release; else from the file name.",
    "sheet" sheet: Vec<String> = "Sheets by name or number; else every visible sheet that holds rows.",
    "range" range: SheetRange = "Cells of a workbook that alone are read: A3:F200, A3:F, Sheet!A3:F200 or a name; the first row is the header.",
    "excel_table" excel_table: String = "Excel table that alone is read, by its name.",
    "header_row" header_row: u64 = "Row of the header as an editor shows it; 0: the file has none.",
    "header_rows" header_rows: u64 = "Rows that the header takes; the texts of a column are joined by a blank.",
    "encoding" encoding: String = "Encoding of text files; else found out.",
    "delimiter" delimiter: Delimiter = "Character between fields of text files; else found out.",
    "quote" quote: Quoting = "Character around values of text files, or none; else found out.",
    "escape" escape: Escaping = "How a quote stands inside quotes: doubled, backslash, none or a character; else found out.",
    "csv" csv: CsvPolicy = "Broken rows of text files: strict refuses them, lenient repairs them where only one repair is possible.",
    "headers" headers: Vec<String> = "Names of the columns of a file without a header.",
    "agents" agents: Vec<String> = "Agents that a chunk passes, in order; load is always last.",
    "fuse" fuse: bool = "All agents of a chunk on one core; false: threads and a queue for each.",
    "clean" clean: PathBuf = "File that says how columns are cleaned, beside what the pack says.",
    "no_fix" no_fix: bool = "Leave values as they are written: no cleaning, no trimming of text, no padding of codes.",
    "date_order" date_order: DateSetting = "How dates such as 02/01/2014 are read where no row of the column proves the order: mdy, dmy, or text (ymd is the same as text); it is always reported.",
    "time_zone" time_zone: Zone = "Time zone of times without an offset, in columns that keep moments, such as America/New_York; else that of the database.",
    "date_format" date_format: Vec<String> = "Formats of columns of dates, such as sold=%m/%d/%y; of two digits, the years 70 to 99 are 1970 to 1999 and 00 to 69 are 2000 to 2069.",
    "type_of" type_of: Vec<String> = "Types of columns of plain tables, such as zip=VARCHAR; else they are found in the file.",
    "keep_raw" keep_raw: bool = "Keep texts that reading or cleaning changes beside the row, in _extra -> '_raw'.",
    "locations" locations: String = "File of parcels with points or polygons (GeoJSON, CSV), from which rows get coordinates; zip: only the middles of ZIP codes.",
    "layer" layers: Vec<String> = "Polygons that hold points: column=file.geojson or column=file.geojson#property.",
    "distance" distances: Vec<String> = "Shapes to which the distance of points is measured, in metres: column=file.geojson.",
    "provenance" provenance: Provenance = "Columns that say where a row came from: full, or minimal: only those that loading itself needs.",
    "mask" mask: Vec<String> = "Columns whose values must not leave the source, such as own_name:hash; ways are hash, partial, null and drop.",
    "mask_key" mask_key: Reference = "Where the key of masks that hash is written: env:NAME or file:PATH.",
    "threads" threads: usize = "Worker threads; else as many as there are processors.",
    "writers" writers: usize = "Connections that write to the target at the same time.",
    "memory_limit" memory_limit: ByteSize = "Memory that the program may use, such as 512MiB or 2GB.",
    "chunk_rows" chunk_rows: usize = "Most rows of a chunk; else by format and measurement.",
    "commit_rows" commit_rows: u64 = "New rows of a commit; else as many as suit the target. Into DuckDB anything but multiples of 12288 is slower and makes a larger file.",
    "temp_dir" temp_dir: PathBuf = "Folder of spill files; else beside the target.",
    "failed" failed: PathBuf = "Folder of the failed-record files; else beside the target.",
    "failed_rows" failed_rows: bool = "Put refused rows into the table etl.failed_rows of the target, too.",
    "max_errors" max_errors: u64 = "Stop when more rows than this are refused.",
    "max_error_rate" max_error_rate: Rate = "Stop when a larger share of the rows is refused (1% or 0.01).",
    "warn_error_rate" warn_error_rate: Rate = "Warn when a larger share of the rows is refused.",
    "alert_command" alert_command: String = "Command that is run when a larger share than warn_error_rate is refused, or the run is given up for that; it gets the facts as JSON on stdin.",
    "alert_webhook" alert_webhook: Webhook = "Web address that gets the same facts by POST; env:NAME and file:PATH name a place that holds it.",
    "on_abort" on_abort: OnAbort = "What stays in the target when the error budget is exceeded: keep or rollback.",
    "rejects_ok" rejects_ok: bool = "Exit 0 instead of 3 when some rows were refused.",
    "progress" progress: ProgressKind = "How progress is shown: auto, bar, log, json or none.",
    "color" color: ColorWhen = "When colours are used: auto, always or never.",
}
