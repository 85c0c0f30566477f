//! `etl config`: the settings and where they come from.

use super::args::{Format, LoadArgs};
use super::context::Context;
use super::error::CliError;
use super::text::{Align, Paint, safe, table};
use super::{exit, output};
use crate::config::env::{OTHERS, variable};
use crate::config::{DEFAULTS, Entry, KEYS, schema};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// Show the settings and where they come from
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every setting with its value and its origin
    Show(Box<Show>),
    /// The JSON schema of etl.toml, for editors
    Schema,
    /// The commented file of all defaults, to copy from
    Defaults,
    /// The environment variables that are read
    Env,
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    load: LoadArgs,
}

impl Config {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        matches!(&self.command, Command::Show(show) if show.load.format == Format::Json)
    }

    /// Prints.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        match &self.command {
            Command::Schema => output::json(&schema())?,
            Command::Defaults => output::stdout(DEFAULTS)?,
            Command::Env => output::stdout(&variables())?,
            Command::Show(show) => {
                let settings = context.settings(show.load.partial(), show.load.rules_file())?;
                let entries = settings.entries();
                if self.json() {
                    output::json(&as_json(&entries))?;
                } else {
                    output::stdout(&as_text(&entries, context.paint(&settings)))?;
                }
            }
        }
        Ok(exit::DONE)
    }
}

fn as_json(entries: &[Entry]) -> Vec<Value> {
    let origin = |entry: &Entry| entry.origin.as_ref().map(ToString::to_string);
    entries
        .iter()
        .map(|entry| json!({ "key": entry.key, "value": entry.value, "origin": origin(entry) }))
        .collect()
}

fn as_text(entries: &[Entry], paint: Paint) -> String {
    let mut rows = vec![["key", "value", "from"].map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(|entry| {
        let value = match &entry.value {
            Value::Null => "-".to_owned(),
            Value::String(text) => safe(text),
            Value::Array(items) => {
                let items = items.iter().map(|item| safe(item.as_str().unwrap_or_default()));
                items.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        let origin =
            entry.origin.as_ref().map_or_else(String::new, |origin| safe(&origin.to_string()));
        vec![entry.key.clone(), value, origin]
    }));
    let mut lines = table(&rows, &[Align::Left; 3], "");
    lines[0] = paint.bold(&lines[0]);
    lines.join("\n") + "\n"
}

fn variables() -> String {
    let ours = KEYS.iter().map(|key| vec![variable(key.name), key.help.to_owned()]);
    let others = OTHERS.iter().map(|(name, help)| vec![(*name).to_owned(), (*help).to_owned()]);
    let no_color = vec!["NO_COLOR".to_owned(), "No colours, whatever the value.".to_owned()];
    let rows: Vec<_> = ours.chain(others).chain([no_color]).collect();
    table(&rows, &[Align::Left; 2], "").join("\n") + "\n"
}
