//! `etl profile`: what the columns of files hold.

mod show;

use super::args::{ReadArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::watched::watched;
use super::{exit, output, report_error};
use crate::flow::{Observer, Stop};
use crate::profile::{Drift, FORM, Profile as Found, drift};
use crate::run;
use crate::source::Skipped;
use clap::Args;
use serde::{Deserialize, Serialize};
use show::Style;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  etl profile broward_2025.xlsx
  etl profile broward_2025.xlsx -v                with values and shapes
  etl profile NAL16P202501.csv --format json > NAL16.profile.json
  etl profile NAL16F202501.csv --against NAL16.profile.json
  etl profile listings.csv --write-rules rules.toml

All rows are read. Counts are exact, but for columns of more than 1,024 values:
there different values (0.8 %), quantiles and the most frequent values are
estimated. Keys are checked on all rows.";

/// Say what the columns of files hold, and what looks wrong
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Profile {
    /// Files, folders or patterns, - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Say what has changed since an earlier profile (its JSON)
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Write rules that these rows keep, for --rules
    #[arg(long, value_name = "FILE")]
    write_rules: Option<PathBuf>,
    #[command(flatten)]
    read: ReadArgs,
}

/// The JSON of this command.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    profiles: Vec<Found>,
}

/// The same with what has changed.
#[derive(Serialize)]
struct Answer<'a> {
    profiles: &'a [Found],
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<Vec<Vec<Drift>>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    skipped: &'a [Skipped],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    failed_inputs: &'a [run::FailedInput],
}

impl Profile {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.read.load().json()
    }

    /// Profiles, and tells.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let load = self.read.load();
        let settings = context.settings(load.partial(), None)?;
        let earlier = self.against.as_deref().map(earlier).transpose()?;
        if let Some(path) = self.write_rules.as_deref().filter(|path| path.exists()) {
            let message = format!("{} is there already", path.display());
            return Err(usage(message, "rules may have been edited: give another name"));
        }
        let asked = load.ask(&self.inputs, &settings, context)?;
        let work =
            |observer: &dyn Observer, stop: &Stop| run::profile(&asked.request, observer, stop);
        let profiled = watched(context, &settings, work)?;
        let found = profiled.profiles;
        if let Some(path) = &self.write_rules {
            write_rules(path, &asked.request, &found)?;
        }
        let drift = earlier.map(|earlier| compare(&earlier, &found)).transpose()?;
        if self.json() {
            let (skipped, failed_inputs) = (&profiled.skipped, &profiled.failed_inputs);
            output::json(&Answer { profiles: &found, drift, skipped, failed_inputs })?;
        } else {
            let style = Style {
                paint: context.paint(&settings),
                width: context.width(),
                all: context.global.verbose > 0,
            };
            output::stdout(&show::render(&found, drift.as_deref(), style))?;
            report_error::tell_failed(&profiled.failed_inputs, context.paint_stderr());
        }
        Ok(exit::of_failed(&profiled.failed_inputs))
    }
}

fn write_rules(path: &Path, request: &run::Request, found: &[Found]) -> Result<(), CliError> {
    let [only] = found else {
        let message = format!("--write-rules is for one table, and these are {}", found.len());
        return Err(usage(message, "give one file, or one sheet by --sheet"));
    };
    let text = run::proposed_rules(request, only)?;
    std::fs::write(path, text).map_err(|error| {
        usage(format!("{}: {error}", path.display()), "name a file that can be written")
    })
}

fn earlier(path: &Path) -> Result<Vec<Found>, CliError> {
    let name = path.display();
    let wrong = |why: String| {
        let hint = "give what `etl profile FILE --format json` has written";
        usage(format!("{name}: {why}"), hint)
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let document: Document = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("it is no profile of this version: {error}")))?;
    match document.profiles.iter().find(|profile| profile.form != FORM) {
        Some(other) => Err(wrong(format!("its form is {}, and {FORM} is read", other.form))),
        None => Ok(document.profiles),
    }
}

/// Each table against the earlier one of its kind, or of its place where kinds say nothing.
fn compare(before: &[Found], after: &[Found]) -> Result<Vec<Vec<Drift>>, CliError> {
    let of_kind = |kind: &str| {
        let mut same = before.iter().filter(|profile| profile.kind == kind);
        same.next().filter(|_| same.next().is_none())
    };
    let compared = after.iter().enumerate().map(|(at, profile)| {
        let same = before.iter().find(|earlier| earlier.input == profile.input);
        let found = same.or_else(|| of_kind(&profile.kind)).or_else(|| before.get(at));
        let message = || format!("{}: the earlier profile has no such table", profile.input);
        let hint = "profile the same files as before";
        Ok(drift(found.ok_or_else(|| usage(message(), hint))?, profile))
    });
    compared.collect()
}
