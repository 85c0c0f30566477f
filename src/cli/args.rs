//! Flags that several commands share. A flag is a layer of the settings: each becomes a key.

use super::context::Context;
use super::error::CliError;
use super::stdin::Streams;
use crate::config::env::RULES;
use crate::config::file::user_rules;
use crate::config::{
    ByteSize, Call, ColorWhen, ConfigError, CsvPolicy, Delimiter, Escaping, Partial, ProgressKind,
    Provenance, Quoting, Rate, Reference, RuleLevel, Secret, Settings, TooLong, Value, Webhook,
    Zone,
};
use crate::run::{CellCheck, DateSetting, Mode, OnAbort, Request, TableName};
use crate::source::excel::range::SheetRange;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A closed list of words: shown in the help, offered by completions, parsed as in a file.
fn words<T>(known: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: Value + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(known).try_map(|word| T::parse(&word).map_err(Told))
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

const PROGRESS: &[&str] = &["auto", "bar", "log", "json", "none"];
const COLOR: &[&str] = &["auto", "always", "never"];
const MODES: &[&str] = &["merge", "append", "replace"];
const ON_ABORT: &[&str] = &["keep", "rollback"];
const TOO_LONG: &[&str] = &["reject", "cut"];
const DATE_ORDERS: &[&str] = &["mdy", "dmy", "ymd", "text"];
const PROVENANCE: &[&str] = &["full", "minimal"];
const CSV: &[&str] = &["strict", "lenient"];
const RELEASES: &[&str] = &["P", "S", "F"];

/// What is counted again in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// Filled cells of all rows of the input.
    Cells,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub struct GlobalArgs {
    /// Configuration file instead of ./etl.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Named set of settings of the configuration file
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub profile: Option<String>,
    /// How progress is shown on stderr
    #[arg(long, global = true, value_name = "HOW", value_parser = words::<ProgressKind>(PROGRESS),
        help_heading = "Global options")]
    pub progress: Option<ProgressKind>,
    /// When colours are used
    #[arg(long, global = true, value_name = "WHEN", value_parser = words::<ColorWhen>(COLOR),
        help_heading = "Global options")]
    pub color: Option<ColorWhen>,
    /// No progress and no summary; errors are still told
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Log on stderr; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count,
        help_heading = "Global options")]
    pub verbose: u8,
}

/// How a result is written to stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For scripts
    Json,
}

/// Where rows are.
#[derive(Debug, Clone, Default, Args)]
pub struct TargetArgs {
    /// Target: duckdb:PATH or postgres://…; env:NAME and file:PATH name a place that holds it
    #[arg(long, value_name = "TARGET")]
    pub to: Option<Secret>,
}

impl TargetArgs {
    /// The layer of these flags.
    pub fn partial(&self) -> Partial {
        Partial { to: self.to.clone(), ..Partial::default() }
    }
}

/// Everything that decides how files are read, where nothing is loaded.
#[derive(Debug, Clone, Args)]
pub struct ReadArgs {
    /// How the result is written to stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

impl ReadArgs {
    /// The same as flags of a load.
    pub fn load(&self) -> LoadArgs {
        let (input, machine) = (self.input.clone(), self.machine.clone());
        LoadArgs { format: self.format, input, machine, ..LoadArgs::default() }
    }
}

/// Everything that decides a load.
#[derive(Debug, Clone, Default, Args)]
pub struct LoadArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Table instead of the one that the pack names; SCHEMA.NAME, and "a.b" for a name with a dot
    #[arg(long, value_name = "NAME")]
    table: Option<TableName>,
    /// Existing table of other names: florida_parcels, property_sales_history, or a file
    #[arg(long, value_name = "NAME|FILE")]
    mapping: Option<String>,
    /// How rows meet what the target holds
    #[arg(long, value_name = "MODE",
        value_parser = words::<Mode>(MODES))]
    mode: Option<Mode>,
    /// Make the table where a server has none
    #[arg(long)]
    create: bool,
    /// Add columns that a server's table lacks; make columns of numbers wider, or text
    #[arg(long)]
    evolve: bool,
    /// Set indexes on a server aside that only serve questions, until the run ends
    #[arg(long)]
    indexes_after: bool,
    /// Texts longer than their column on a server
    #[arg(long, value_name = "POLICY", value_parser = words::<TooLong>(TOO_LONG))]
    too_long: Option<TooLong>,
    /// Columns that say where rows came from: all, or those that loading needs
    #[arg(long, value_name = "WHICH", value_parser = words::<Provenance>(PROVENANCE))]
    provenance: Option<Provenance>,
    /// How often to go on after a lost connection
    #[arg(long, value_name = "N")]
    retry_attempts: Option<u64>,
    /// Load as new: rows that these very inputs have left unfinished or appended are deleted
    #[arg(long)]
    fresh: bool,
    /// Delete what was appended from the same path with other content, once the new rows are in
    #[arg(long)]
    replaces_previous: bool,
    /// Before the last commit, count also all filled cells of the input in the target
    #[arg(long, value_enum, value_name = "WHAT")]
    verify: Option<Verify>,
    /// Read only the first N records of each input
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How the result is written to stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    agents: AgentArgs,
    #[command(flatten)]
    errors: ErrorArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What the input is")]
struct InputArgs {
    /// Read the folders within folders, too
    #[arg(long)]
    recursive: bool,
    /// An input without rows is an error, also among others
    #[arg(long)]
    require_rows: bool,
    /// Load the other inputs where one cannot be read or loaded
    #[arg(long)]
    keep_going: bool,
    /// Which files of folders, patterns and archives are no tables: a TOML file
    #[arg(long, value_name = "FILE")]
    skip_list: Option<PathBuf>,
    /// Kind: nal, sdf, nap, navn, navd, generic or one of the pack
    #[arg(long = "type", value_name = "KIND")]
    kind: Option<String>,
    /// County by DOR number, FIPS or name
    #[arg(long, value_name = "COUNTY")]
    county: Option<String>,
    /// Roll year
    #[arg(long, value_name = "YEAR")]
    year: Option<u16>,
    /// Release: preliminary, second or final
    #[arg(long, value_name = "RELEASE", ignore_case = true,
        value_parser = PossibleValuesParser::new(RELEASES))]
    release: Option<String>,
    /// Submission number of the release
    #[arg(long, value_name = "N")]
    submission: Option<u16>,
    /// Sheet by name or number (may be repeated)
    #[arg(long, value_name = "SHEET")]
    sheet: Option<Vec<String>>,
    /// Cells of a workbook, such as A3:F200, A3:F or Sheet!A3:F200, or a name in it
    #[arg(long, value_name = "CELLS")]
    range: Option<SheetRange>,
    /// Excel table by its name
    #[arg(long, value_name = "NAME")]
    excel_table: Option<String>,
    /// Row of the header as an editor shows it; 0: none
    #[arg(long, value_name = "ROW")]
    header_row: Option<u64>,
    /// Rows that the header takes, their texts joined
    #[arg(long, value_name = "N")]
    header_rows: Option<u64>,
    /// Column names of a file without a header
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    headers: Option<Vec<String>>,
    /// Encoding of text files, such as windows-1252
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Character between fields; tab, comma, semicolon, pipe
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<Delimiter>,
    /// Character around values of text files, or none
    #[arg(long, value_name = "CHAR")]
    quote: Option<Quoting>,
    /// A quote inside quotes: doubled, backslash, none or a character
    #[arg(long, value_name = "HOW")]
    escape: Option<Escaping>,
    /// Rows that break the grammar: refuse them, or repair what can be repaired in one way only
    #[arg(long, value_name = "POLICY",
        value_parser = words::<CsvPolicy>(CSV))]
    csv: Option<CsvPolicy>,
    /// florida, or the folder of a pack
    #[arg(long, value_name = "PACK")]
    pack: Option<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Agents and rules")]
struct AgentArgs {
    /// Agents in order, such as validate,transform; none: types and keys are checked, no more
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    agents: Option<Vec<String>>,
    /// How columns are cleaned, beside what the pack says: a TOML file
    #[arg(long, value_name = "FILE")]
    clean: Option<PathBuf>,
    /// Leave values as they are written
    #[arg(long)]
    no_fix: bool,
    /// Dates such as 02/01/2014 where no row of the column proves which part is the day
    #[arg(long, value_name = "ORDER", value_parser = words::<DateSetting>(DATE_ORDERS))]
    date_order: Option<DateSetting>,
    /// Time zone of times without an offset, such as America/New_York; else that of the database
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<Zone>,
    /// Format of a column of dates, such as sold=%m/%d/%y (may be repeated)
    #[arg(long, value_name = "NAME=FORM")]
    date_format: Option<Vec<String>>,
    /// Type of a column of a plain table, such as zip=VARCHAR (may be repeated)
    #[arg(long, value_name = "NAME=TYPE")]
    type_of: Option<Vec<String>>,
    /// Keep texts as they were read, where reading or cleaning changes them, beside the row
    #[arg(long)]
    keep_raw: bool,
    /// Points or polygons of parcels (GeoJSON, CSV) that give rows their coordinates; zip: by ZIP code
    #[arg(long, value_name = "FILE|zip")]
    locations: Option<String>,
    /// Polygons that hold points: flood_zone=zones.geojson#FLD_ZONE (may be repeated)
    #[arg(long, value_name = "COLUMN=FILE")]
    layer: Option<Vec<String>>,
    /// Shapes to which metres are measured: coast_metres=coast.geojson (may be repeated)
    #[arg(long, value_name = "COLUMN=FILE")]
    distance: Option<Vec<String>>,
    /// Column that is masked everywhere, such as own_name:hash; hash, partial, null or drop
    #[arg(long, value_name = "COLUMN:HOW")]
    mask: Option<Vec<String>>,
    /// Where the key of hashes is written: env:NAME or file:PATH
    #[arg(long, value_name = "WHERE")]
    mask_key: Option<Reference>,
    /// Rules of your own and levels of the pack's: a TOML file with [[rule]] and [rules]
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Level of one rule, such as FILE-04=warning (may be repeated)
    #[arg(long, value_name = "ID=LEVEL", value_parser = rule_level)]
    rule: Vec<(String, RuleLevel)>,
}

fn rule_level(text: &str) -> Result<(String, RuleLevel), String> {
    let (id, level) = text.split_once('=').ok_or("write it like FILE-04=warning")?;
    Ok((id.to_owned(), RuleLevel::parse(level)?))
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Refused rows")]
struct ErrorArgs {
    /// Stop when more than N rows are refused
    #[arg(long, value_name = "N")]
    max_errors: Option<u64>,
    /// Stop when more than this share is refused, such as 1%
    #[arg(long, value_name = "SHARE")]
    max_error_rate: Option<Rate>,
    /// Warn when more than this share is refused
    #[arg(long, value_name = "SHARE")]
    warn_error_rate: Option<Rate>,
    /// Command that is told of it, with JSON on stdin
    #[arg(long, value_name = "COMMAND")]
    alert_command: Option<String>,
    /// Web address that is told of it; env:NAME and file:PATH name a place that holds it
    #[arg(long, value_name = "URL")]
    alert_webhook: Option<Webhook>,
    /// What stays in the target when the run is stopped
    #[arg(long, value_name = "WHAT",
        value_parser = words::<OnAbort>(ON_ABORT))]
    on_abort: Option<OnAbort>,
    /// Exit 0 instead of 3 when some rows were refused
    #[arg(long)]
    rejects_ok: bool,
    /// Folder of the failed-record files
    #[arg(long, value_name = "DIR")]
    failed: Option<PathBuf>,
    /// Refused rows also as rows of etl.failed_rows in the target
    #[arg(long)]
    failed_rows: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Machine")]
struct MachineArgs {
    /// Memory of the whole program, such as 512MiB
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<ByteSize>,
    /// Worker threads
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<usize>,
    /// Connections that write at the same time
    #[arg(long, value_name = "N", visible_alias = "connections")]
    writers: Option<usize>,
    /// Most rows of a chunk
    #[arg(long, value_name = "N")]
    chunk_rows: Option<usize>,
    /// New rows of a commit; anything but multiples of 12288 is slower
    #[arg(long, value_name = "N", hide = true)]
    commit_rows: Option<u64>,
    /// All agents of a chunk on one core, or threads and a queue for each
    #[arg(long, value_name = "BOOL")]
    fuse: Option<bool>,
    /// Folder of spill files
    #[arg(long, value_name = "DIR")]
    temp_dir: Option<PathBuf>,
}

impl InputArgs {
    /// The layer of these flags, over that of others.
    fn partial(&self, others: Partial) -> Partial {
        Partial {
            recursive: self.recursive.then_some(true),
            require_rows: self.require_rows.then_some(true),
            keep_going: self.keep_going.then_some(true),
            skip_list: self.skip_list.clone(),
            kind: self.kind.clone(),
            county: self.county.clone(),
            year: self.year,
            release: self.release.clone(),
            submission: self.submission,
            sheet: self.sheet.clone(),
            range: self.range.clone(),
            excel_table: self.excel_table.clone(),
            header_row: self.header_row,
            header_rows: self.header_rows,
            headers: self.headers.clone(),
            encoding: self.encoding.clone(),
            delimiter: self.delimiter,
            quote: self.quote,
            escape: self.escape,
            csv: self.csv,
            pack: self.pack.clone(),
            ..others
        }
    }
}

impl LoadArgs {
    /// The layer of these flags.
    pub fn partial(&self) -> Partial {
        let (errors, machine) = (&self.errors, &self.machine);
        Partial {
            table: self.table.clone(),
            mapping: self.mapping.clone(),
            create: self.create.then_some(true),
            evolve: self.evolve.then_some(true),
            indexes_after: self.indexes_after.then_some(true),
            too_long: self.too_long,
            provenance: self.provenance,
            retry_attempts: self.retry_attempts,
            mode: self.mode,
            replaces_previous: self.replaces_previous.then_some(true),
            agents: self.agents.agents.clone(),
            locations: self.agents.locations.clone(),
            layers: self.agents.layer.clone(),
            distances: self.agents.distance.clone(),
            clean: self.agents.clean.clone(),
            no_fix: self.agents.no_fix.then_some(true),
            date_order: self.agents.date_order,
            time_zone: self.agents.time_zone,
            date_format: self.agents.date_format.clone(),
            type_of: self.agents.type_of.clone(),
            keep_raw: self.agents.keep_raw.then_some(true),
            mask: self.agents.mask.clone(),
            mask_key: self.agents.mask_key.clone(),
            rules: self.agents.rule.iter().cloned().collect(),
            max_errors: errors.max_errors,
            max_error_rate: errors.max_error_rate,
            warn_error_rate: errors.warn_error_rate,
            alert_command: errors.alert_command.clone(),
            alert_webhook: errors.alert_webhook.clone(),
            on_abort: errors.on_abort,
            rejects_ok: errors.rejects_ok.then_some(true),
            failed: errors.failed.clone(),
            failed_rows: errors.failed_rows.then_some(true),
            memory_limit: machine.memory_limit,
            threads: machine.threads,
            writers: machine.writers,
            chunk_rows: machine.chunk_rows,
            commit_rows: machine.commit_rows,
            fuse: machine.fuse,
            temp_dir: machine.temp_dir.clone(),
            ..self.input.partial(self.target.partial())
        }
    }

    /// The file of rule levels.
    pub fn rules_file(&self) -> Option<PathBuf> {
        self.agents.rules.clone()
    }

    /// What concerns this run only.
    pub fn call(&self, inputs: &[String]) -> Call {
        Call {
            inputs: inputs.to_vec(),
            fresh: self.fresh,
            limit: self.limit,
            cells: match self.verify {
                Some(Verify::Cells) => CellCheck::All,
                None => CellCheck::Usual,
            },
            rules: Vec::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: std::env::current_exe().ok(),
        }
    }

    /// The request for these inputs, with copies of those that can be read only once.
    pub fn ask(
        &self,
        inputs: &[String],
        settings: &Settings,
        context: &Context,
    ) -> Result<Asked, CliError> {
        let named = context.env.get(RULES).filter(|path| !path.is_empty()).map(PathBuf::from);
        let rules = self.rules_file().or(named).map(|path| user_rules(&path)).transpose()?;
        let call = Call { rules: rules.unwrap_or_default(), ..self.call(inputs) };
        let mut request = settings.request(call, &context.env)?;
        let streams = Streams::take(inputs, settings)?;
        request.listing.streams = streams.list();
        Ok(Asked { request, _streams: streams })
    }

    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }
}

/// A request, and what it needs as long as it runs.
pub struct Asked {
    /// The request.
    pub request: Request,
    _streams: Streams,
}

/// Wrong usage that clap cannot see.
pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> CliError {
    ConfigError::new(message).with_hint(hint).into()
}
