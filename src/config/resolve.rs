//! Folding the layers, and from the folded settings to a request in which nothing is left open.

use super::env::{self, Env};
use super::error::ConfigError;
use super::secret::Secret;
use super::settings::{Origin, Partial, Settings, Sourced};
use super::value::{ByteSize, ColorWhen, ProgressKind, Provenance, TooLong, Value};
use super::{defaults, file};
use crate::rules::UserRule;
use crate::run::{
    CellCheck, Changes, ColumnKind, ErrorBudget, Failed, GeographyAsked, Limits, MaskKey, Masking,
    Request, TargetUrl, Told, Values, date_format_of, type_of,
};
use crate::source::excel::range::SheetRange;
use crate::source::legacy::ReaderProgram;
use crate::source::{Listing, SkipList, SourceOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Smallest memory limit that a run can work with.
pub const LEAST_MEMORY: u64 = 64 << 20;

/// Stands for an empty list of agents where a list cannot be empty: a flag, a variable.
const NO_AGENT: &str = "none";
/// Memory of this process while another one parses an old workbook: both share the limit.
const OWN_MEMORY: u64 = 96 << 20;
/// The parser of old workbooks does not start with less.
const LEAST_READER: u64 = 128 << 20;
/// Seconds that the parser of old workbooks may say nothing.
const PATIENCE: u64 = 120;

/// Everything that decides the settings, gathered by `cli`.
#[derive(Debug, Default)]
pub struct Sources<'a> {
    /// The user's file, where the platform has a place for it.
    pub user_file: Option<PathBuf>,
    /// `./etl.toml`, used when it exists.
    pub project_file: Option<PathBuf>,
    /// A file named by `--config` or `ETL_CONFIG` instead of the project file; it must exist.
    pub named_file: Option<PathBuf>,
    /// Chosen by `--profile`; else by `ETL_PROFILE`.
    pub profile: Option<String>,
    /// Chosen by `--rules`; else by `ETL_RULES`.
    pub rules_file: Option<PathBuf>,
    /// The environment.
    pub env: Option<&'a Env>,
    /// The flags.
    pub flags: Partial,
}

/// What this machine offers.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Bytes that a container or the machine itself allows, where known.
    pub memory: Option<u64>,
    /// Processors.
    pub threads: usize,
}

/// The folded settings and what the user should know about them.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Sentences to print.
    pub warnings: Vec<String>,
}

/// What a command says about one run only.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// Paths, folders, patterns.
    pub inputs: Vec<String>,
    /// Forget unfinished work.
    pub fresh: bool,
    /// Read only so many records of each input.
    pub limit: Option<u64>,
    /// How much of the account of cells is counted in the target.
    pub cells: CellCheck,
    /// The user's own rules.
    pub rules: Vec<UserRule>,
    /// Version of the program.
    pub version: String,
    /// The program itself, which parses old workbooks in a process of its own.
    pub program: Option<PathBuf>,
}

/// Settings of the command line itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ui {
    /// How progress is told.
    pub progress: ProgressKind,
    /// When colours are used.
    pub color: ColorWhen,
    /// Exit 0 when rows were refused.
    pub rejects_ok: bool,
}

/// Reads and folds all layers: default < user < project < profile < environment < flag.
pub fn load(sources: &Sources<'_>, machine: &Machine) -> Result<Loaded, ConfigError> {
    let mut settings = Settings::default();
    settings.overlay(&defaults(), &|_| Origin::Default);
    let files = read_files(sources)?;
    for (path, partial) in &files {
        settings.overlay(partial, &|_| Origin::File(path.clone()));
    }
    let empty = Env::new();
    let variables = sources.env.unwrap_or(&empty);
    let profile = sources.profile.as_ref().or_else(|| variables.get(env::PROFILE));
    if let Some(name) = profile.filter(|name| !name.is_empty()) {
        overlay_profile(&mut settings, &files, name)?;
    }
    let (partial, warnings) = env::read(variables)?;
    settings.overlay(&partial, &|key| match env::is_concealed(variables, key) {
        true => Origin::Flag(flag(key)),
        false => Origin::Env(env::variable(key)),
    });
    if let Some(path) = variables.get(env::RULES).filter(|path| !path.is_empty()) {
        settings.overlay(&file::read_rules(Path::new(path))?, &|_| Origin::Env(env::RULES.into()));
    }
    if let Some(path) = &sources.rules_file {
        settings.overlay(&file::read_rules(path)?, &|_| Origin::Flag("--rules".into()));
    }
    settings.overlay(&sources.flags, &|key| Origin::Flag(flag(key)));
    fit_to_machine(&mut settings, machine);
    Ok(Loaded { settings, warnings })
}

fn flag(key: &str) -> String {
    let name = if key == "rules" { "rule" } else { key };
    format!("--{}", name.replace('_', "-"))
}

fn read_files(sources: &Sources<'_>) -> Result<Vec<(String, Partial)>, ConfigError> {
    let mut files = Vec::new();
    let mut keep = |path: &Path, partial: Option<Partial>| {
        if let Some(partial) = partial {
            files.push((path.display().to_string(), partial));
        }
    };
    if let Some(path) = &sources.user_file {
        keep(path, file::read_optional(path)?);
    }
    match (&sources.named_file, &sources.project_file) {
        (Some(path), _) => keep(path, Some(file::read(path)?)),
        (None, Some(path)) => keep(path, file::read_optional(path)?),
        (None, None) => {}
    }
    Ok(files)
}

fn overlay_profile(
    settings: &mut Settings,
    files: &[(String, Partial)],
    name: &str,
) -> Result<(), ConfigError> {
    let mut found = false;
    for (path, partial) in files {
        if let Some(profile) = partial.profile.get(name) {
            found = true;
            settings.overlay(profile, &|_| Origin::Profile(path.clone(), name.to_owned()));
        }
    }
    if found {
        return Ok(());
    }
    let known: Vec<&str> =
        files.iter().flat_map(|(_, partial)| partial.profile.keys()).map(String::as_str).collect();
    let error = ConfigError::new(format!("there is no profile `{name}`"));
    Err(if known.is_empty() {
        error.with_hint(format!("write [profile.{name}] into etl.toml"))
    } else {
        error.with_hint(format!("known profiles: {}", known.join(", ")))
    })
}

/// Fills what depends on the machine. A limit that the user chose is never changed.
fn fit_to_machine(settings: &mut Settings, machine: &Machine) {
    if settings.threads.is_none() {
        let origin = Origin::Machine("processors of this machine");
        settings.threads = Some(Sourced { value: machine.threads.max(1), origin });
    }
    if let (Some(limit), Some(memory)) = (&mut settings.memory_limit, machine.memory) {
        let allowed = (memory / 4 * 3).max(LEAST_MEMORY);
        if limit.origin == Origin::Default && limit.value.0 > allowed {
            let value = ByteSize(allowed >> 20 << 20);
            *limit = Sourced { value, origin: Origin::Machine("3/4 of the memory allowed here") };
        }
    }
}

impl Settings {
    /// Settings of the command line itself.
    pub fn ui(&self) -> Ui {
        Ui {
            progress: value(&self.progress).unwrap_or(ProgressKind::Auto),
            color: value(&self.color).unwrap_or(ColorWhen::Auto),
            rejects_ok: value(&self.rejects_ok).unwrap_or(false),
        }
    }

    /// Where rows go, with `env:` and `file:` followed.
    pub fn target(&self, env: &Env) -> Result<TargetUrl, ConfigError> {
        let Some(to) = &self.to else {
            return Err(ConfigError::new("no target is set").with_hint("give --to duckdb:PATH"));
        };
        let place = to.origin.to_string();
        let text = reveal(&to.value, env, &place)?;
        // What cannot be read may be a password: nothing of it is told.
        TargetUrl::parse(&text, env).map_err(|error| {
            ConfigError::new(format!("the target of {place} cannot be used: {}", error.message))
                .with_hint(error.hint)
        })
    }

    /// The memory limit in bytes.
    pub fn memory(&self) -> Result<u64, ConfigError> {
        let Some(limit) = &self.memory_limit else {
            return Err(ConfigError::new("no memory limit is set"));
        };
        if limit.value.0 < LEAST_MEMORY {
            let message = format!("a memory limit of {} is too small to work with", limit.value);
            return Err(ConfigError::new(message).with_hint(format!(
                "at least {}; sizes are written like 512MiB (set by {})",
                ByteSize(LEAST_MEMORY),
                limit.origin
            )));
        }
        Ok(limit.value.0)
    }

    /// The request in which nothing is left open.
    pub fn request(&self, call: Call, env: &Env) -> Result<Request, ConfigError> {
        let disabled = |name: &String| self.agent.get(name).is_some_and(|enabled| !enabled.value);
        let mut agents = value(&self.agents).unwrap_or_default();
        agents.retain(|name| name != NO_AGENT && !disabled(name));
        no_address_among(&call.inputs)?;
        Ok(Request {
            inputs: call.inputs,
            target: self.target(env)?,
            table: value(&self.table),
            mode: value(&self.mode),
            told: self.told(),
            listing: self.listing()?,
            require_rows: value(&self.require_rows).unwrap_or(false),
            keep_going: value(&self.keep_going).unwrap_or(false),
            source: self.source_options(call.program)?,
            pack: value(&self.pack).unwrap_or_default(),
            agents,
            rule_levels: self.rule_levels(),
            rules: call.rules,
            limits: self.limits()?,
            errors: ErrorBudget {
                max_errors: value(&self.max_errors),
                max_rate: value(&self.max_error_rate).map(|rate| rate.0),
                warn_rate: value(&self.warn_error_rate).map_or(1.0, |rate| rate.0),
                on_abort: value(&self.on_abort).unwrap_or_default(),
            },
            changes: Changes {
                create: value(&self.create).unwrap_or(false),
                evolve: value(&self.evolve).unwrap_or(false),
                indexes_after: value(&self.indexes_after).unwrap_or(false),
            },
            minimal: value(&self.provenance) == Some(Provenance::Minimal),
            geography: GeographyAsked {
                locations: value(&self.locations),
                layers: value(&self.layers).unwrap_or_default(),
                distances: value(&self.distances).unwrap_or_default(),
                ..GeographyAsked::default()
            },
            values: self.values(env)?,
            mapping: value(&self.mapping),
            cut: value(&self.too_long) == Some(TooLong::Cut),
            cells: call.cells,
            retry_attempts: value(&self.retry_attempts).unwrap_or(0),
            failed: Failed {
                folder: value(&self.failed),
                in_table: value(&self.failed_rows).unwrap_or(false),
            },
            fresh: call.fresh,
            replaces_previous: value(&self.replaces_previous).unwrap_or(false),
            limit: call.limit,
            version: call.version,
        })
    }

    /// What is done to values.
    fn values(&self, env: &Env) -> Result<Values, ConfigError> {
        Ok(Values {
            clean: value(&self.clean),
            no_fix: value(&self.no_fix).unwrap_or(false),
            keep_raw: value(&self.keep_raw).unwrap_or(false),
            dates: value(&self.date_order).unwrap_or_default(),
            dates_asked: self
                .date_order
                .as_ref()
                .is_some_and(|order| order.origin != Origin::Default),
            time_zone: value(&self.time_zone),
            formats: self.formats()?,
            types: self.types()?,
            masks: self.masks()?,
            mask_key: self.mask_key(env)?,
        })
    }

    /// What the files are, where somebody says so.
    fn told(&self) -> Told {
        Told {
            kind: value(&self.kind).map(|kind| kind.to_ascii_lowercase()),
            county: value(&self.county),
            year: value(&self.year),
            release: value(&self.release).map(|release| release.to_ascii_uppercase()),
            submission: value(&self.submission),
        }
    }

    /// How folders are read; what can be read only once is copied by the command line.
    fn listing(&self) -> Result<Listing, ConfigError> {
        let skip = match &self.skip_list {
            None => SkipList::default(),
            Some(path) => skip_list(&path.value)?,
        };
        let recursive = value(&self.recursive).unwrap_or(false);
        Ok(Listing { recursive, skip, streams: Vec::new() })
    }

    fn source_options(&self, program: Option<PathBuf>) -> Result<SourceOptions, ConfigError> {
        let memory = self.memory()?.saturating_sub(OWN_MEMORY).max(LEAST_READER);
        let reader = |program| ReaderProgram {
            program,
            arguments: vec!["read-legacy".into()],
            memory,
            patience: PATIENCE,
        };
        self.check_range()?;
        Ok(SourceOptions {
            sheets: value(&self.sheet).unwrap_or_default(),
            range: value(&self.range),
            excel_table: value(&self.excel_table),
            header_row: value(&self.header_row),
            header_rows: value(&self.header_rows),
            encoding: value(&self.encoding),
            delimiter: value(&self.delimiter).map(|delimiter| delimiter.0),
            quote: value(&self.quote),
            escape: value(&self.escape),
            csv: value(&self.csv).unwrap_or_default(),
            headers: value(&self.headers),
            temp_dir: value(&self.temp_dir),
            strings_in_memory: None,
            reader: program.map(reader),
        })
    }

    /// Ranges and tables say themselves where sheet and header are.
    fn check_range(&self) -> Result<(), ConfigError> {
        let together = |one: &str, other: &str, why: &str| {
            let error = ConfigError::new(format!("{one} and {other} cannot be given together"));
            Err(error.with_hint(why.to_owned()))
        };
        if self.excel_table.is_some() {
            let says = "an Excel table says itself where its cells and its header are";
            return match () {
                () if self.range.is_some() => together("excel_table", "range", says),
                () if self.sheet.is_some() => together("excel_table", "sheet", says),
                () if self.header_row.is_some() => together("excel_table", "header_row", says),
                () if self.headers.is_some() => together("excel_table", "headers", says),
                () => Ok(()),
            };
        }
        let Some(range) = value(&self.range) else { return Ok(()) };
        match range {
            SheetRange::Cells { sheet: None, .. } => {}
            _ if self.sheet.is_none() => {}
            _ => return together("range", "sheet", "the range names its sheet"),
        }
        match value(&self.header_row) {
            None | Some(0) => Ok(()),
            Some(_) => {
                let hint = "the first row of a range is its header; header_row 0: it has none";
                together("range", "header_row", hint)
            }
        }
    }

    fn masks(&self) -> Result<Vec<(String, Masking)>, ConfigError> {
        let mask = |text: &String| {
            let (column, way) = text.rsplit_once(':').ok_or_else(|| {
                ConfigError::new(format!("`{text}` says no way to mask"))
                    .with_hint("write it like own_name:hash; ways are hash, partial, null, drop")
            })?;
            let way = way.trim().parse().map_err(ConfigError::new)?;
            Ok((column.trim().to_owned(), way))
        };
        value(&self.mask).unwrap_or_default().iter().map(mask).collect()
    }

    fn formats(&self) -> Result<Vec<(String, String)>, ConfigError> {
        let hint = "write it like sold=%m/%d/%y: %d day, %m month, %Y year, %y its last two digits, %b Jan";
        let told = value(&self.date_format).unwrap_or_default();
        let wrong = |message| ConfigError::new(message).with_hint(hint);
        told.iter().map(|text| date_format_of(text).map_err(wrong)).collect()
    }

    fn types(&self) -> Result<Vec<(String, ColumnKind)>, ConfigError> {
        let hint = "write it like zip=VARCHAR; types are VARCHAR, INTEGER, BIGINT, DECIMAL(18,2), DOUBLE, \
                    BOOLEAN, DATE and TIMESTAMP";
        let told = value(&self.type_of).unwrap_or_default();
        let wrong = |message| ConfigError::new(message).with_hint(hint);
        told.iter().map(|text| type_of(text).map_err(wrong)).collect()
    }

    fn mask_key(&self, env: &Env) -> Result<Option<MaskKey>, ConfigError> {
        let Some(key) = &self.mask_key else { return Ok(None) };
        let secret = key.value.resolve(env, &key.origin.to_string())?;
        Ok(Some(MaskKey::new(&secret)))
    }

    fn rule_levels(&self) -> BTreeMap<String, String> {
        let word = |level: &super::RuleLevel| level.show().as_str().unwrap_or_default().to_owned();
        self.rules.iter().map(|(id, level)| (id.clone(), word(&level.value))).collect()
    }

    fn limits(&self) -> Result<Limits, ConfigError> {
        let at_least_one = |name: &str, value: Option<usize>| match value {
            Some(0) => Err(ConfigError::new(format!("{name} must be at least 1"))),
            other => Ok(other),
        };
        Ok(Limits {
            memory: self.memory()?,
            reserved: 0,
            threads: at_least_one("threads", value(&self.threads))?.unwrap_or(1),
            chunk_rows: at_least_one("chunk_rows", value(&self.chunk_rows))?,
            commit_rows: match value(&self.commit_rows) {
                Some(0) => return Err(ConfigError::new("commit_rows must be at least 1")),
                other => other,
            },
            writers: at_least_one("writers", value(&self.writers))?,
            temp_dir: value(&self.temp_dir),
            fuse: value(&self.fuse).unwrap_or(true),
        })
    }
}

fn value<T: Clone>(setting: &Option<Sourced<T>>) -> Option<T> {
    setting.as_ref().map(|sourced| sourced.value.clone())
}

/// An address of a server in the place of a file would be repeated, with its password, by everything that
/// names inputs.
fn no_address_among(inputs: &[String]) -> Result<(), ConfigError> {
    let is_address = |input: &String| super::may_hold_secret(input) && !Path::new(input).exists();
    match inputs.iter().position(is_address) {
        None => Ok(()),
        Some(at) => Err(ConfigError::new(format!("input {} is no file but an address", at + 1))
            .with_hint("a server is named by --to; a file to be read by its path")),
    }
}

fn skip_list(path: &Path) -> Result<SkipList, ConfigError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        ConfigError::new(format!("{name}: the skip list cannot be read: {error}"))
            .with_hint("name a file by --skip-list, or leave it out")
    })?;
    SkipList::parse(&text).map_err(|error| {
        ConfigError::new(format!("{name}: the skip list has a mistake: {error}"))
            .with_hint("`src/source/resolve/skip.toml` in the source shows the form")
    })
}

/// Follows `env:NAME` and `file:PATH`.
pub(super) fn reveal(secret: &Secret, env: &Env, place: &str) -> Result<String, ConfigError> {
    let text = secret.reveal();
    if let Some(name) = text.strip_prefix("env:") {
        return env.get(name).filter(|value| !value.is_empty()).cloned().ok_or_else(|| {
            // Whoever writes the secret itself behind `env:` does not find it in the message.
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let name = if plain { name } else { "of no possible name" };
            ConfigError::new(format!("{place} names the variable {name}, which is not set"))
        });
    }
    if let Some(path) = text.strip_prefix("file:") {
        let content = std::fs::read_to_string(path).map_err(|error| {
            let path = TargetUrl::shown(path);
            ConfigError::new(format!(
                "{place} names the file {path}, which cannot be read: {error}"
            ))
        })?;
        return Ok(content.trim().to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
