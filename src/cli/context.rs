//! What the commands share: the environment, the terminal and the settings.

use super::args::GlobalArgs;
use super::error::CliError;
use super::machine::{self, Memory};
use super::output;
use super::text::Paint;
use crate::config::env::{CONFIG, Env, LOG};
use crate::config::{self, ColorWhen, Machine, Partial, ProgressKind, Settings, Sources};
use std::io::IsTerminal;
use std::path::PathBuf;

/// The world as the program finds it.
pub struct Context {
    /// Environment variables that are text.
    pub env: Env,
    /// Memory of this machine.
    pub memory: Memory,
    /// Flags that every command has.
    pub global: GlobalArgs,
    /// Gives what the program's allocator keeps of freed memory back to the system.
    pub give_back: fn(),
}

impl Context {
    /// Looks around.
    pub fn new(global: GlobalArgs, give_back: fn()) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let env = std::env::vars_os().filter_map(text).collect();
        Self { env, memory: Memory::look(), global, give_back }
    }

    /// Folds all layers of settings under `flags` and prints what the user should know.
    pub fn settings(&self, flags: Partial, rules: Option<PathBuf>) -> Result<Settings, CliError> {
        let mut flags = flags;
        flags.progress = self.global.progress.or(flags.progress);
        flags.color = self.global.color.or(flags.color);
        let named = self.env.get(CONFIG).filter(|path| !path.is_empty()).map(PathBuf::from);
        let sources = Sources {
            user_file: self.user_file(),
            project_file: Some("etl.toml".into()),
            named_file: self.global.config.clone().or(named),
            profile: self.global.profile.clone(),
            rules_file: rules,
            env: Some(&self.env),
            flags,
        };
        let machine = Machine { memory: self.memory.allowed(), threads: machine::threads() };
        let loaded = config::load(&sources, &machine)?;
        for warning in &loaded.warnings {
            output::stderr(&format!("{} {warning}", self.paint_stderr().yellow("warning:")));
        }
        Ok(loaded.settings)
    }

    /// The user's file: `$XDG_CONFIG_HOME/etl/config.toml` or where the platform keeps such things.
    pub fn user_file(&self) -> Option<PathBuf> {
        let folder =
            |name: &str| self.env.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let base = folder("XDG_CONFIG_HOME").or_else(|| {
            if cfg!(windows) {
                folder("APPDATA")
            } else if cfg!(target_os = "macos") {
                Some(folder("HOME")?.join("Library").join("Application Support"))
            } else {
                Some(folder("HOME")?.join(".config"))
            }
        })?;
        Some(base.join("etl").join("config.toml"))
    }

    /// Colours of stdout before or after the settings are known.
    pub fn paint(&self, settings: &Settings) -> Paint {
        Paint(self.colored(settings.ui().color, std::io::stdout().is_terminal()))
    }

    /// Colours of stderr, by the flag alone: errors in the settings must be printable too.
    pub fn paint_stderr(&self) -> Paint {
        let when = self.global.color.unwrap_or(ColorWhen::Auto);
        Paint(self.colored(when, std::io::stderr().is_terminal()))
    }

    fn colored(&self, when: ColorWhen, terminal: bool) -> bool {
        let plain = self.env.get("NO_COLOR").is_some_and(|value| !value.is_empty())
            || self.env.get("TERM").is_some_and(|value| value == "dumb");
        match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && !plain,
        }
    }

    /// How progress is told, once `auto` is decided.
    pub fn progress(&self, settings: &Settings) -> ProgressKind {
        let terminal = std::io::stderr().is_terminal();
        match settings.ui().progress {
            _ if self.global.quiet => ProgressKind::None,
            ProgressKind::Auto | ProgressKind::Bar if terminal && self.global.verbose == 0 => {
                ProgressKind::Bar
            }
            ProgressKind::Auto | ProgressKind::Bar => ProgressKind::Log,
            other => other,
        }
    }

    /// Characters of a line: what `COLUMNS` says, else those of the terminal, where they are not too many
    /// to read; else 80, so that output into files is the same everywhere.
    pub fn width(&self) -> usize {
        let told = self.env.get("COLUMNS").and_then(|columns| columns.parse::<usize>().ok());
        let seen = || {
            let (terminal_size::Width(width), _) =
                terminal_size::terminal_size_of(std::io::stdout())?;
            Some(usize::from(width).min(120))
        };
        told.or_else(seen).unwrap_or(80).clamp(40, 200)
    }

    /// Starts the log on stderr, where somebody asked for it.
    pub fn start_log(&self) {
        let filter = match (self.env.get(LOG), self.global.verbose) {
            (Some(filter), _) if !filter.is_empty() => filter.clone(),
            (_, 0) => return,
            (_, 1) => "etl=info".to_owned(),
            (_, 2) => "etl=debug".to_owned(),
            _ => "etl=trace".to_owned(),
        };
        let filter = tracing_subscriber::EnvFilter::new(filter);
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(self.paint_stderr().0)
            .finish();
        // Fails only when a log was started before, which then serves as well.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}
