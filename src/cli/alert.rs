//! Word to somebody who is not looking: more rows were refused than the user takes for normal.
//!
//! A command of the user gets the facts as JSON on stdin, a web address gets them by POST. What goes
//! wrong there is told and changes nothing: the load is done.

use super::output;
use super::text::safe;
use super::webhook;
use crate::config::Settings;
use crate::config::env::Env;
use crate::run::{RunError, RunErrorKind, RunStatus, Summary};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time of a command.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(50);

/// Tells of a run that is done, where more than the usual share was refused.
pub fn after(summary: &Summary, settings: &Settings, env: &Env) {
    let limit = settings.warn_error_rate.as_ref().map_or(1.0, |rate| rate.value.0);
    let rate = summary.tally.rejected as f64 / summary.tally.read.max(1) as f64;
    if !matches!(summary.status, RunStatus::Done | RunStatus::Partial) || rate <= limit {
        return;
    }
    let told = format!(
        "{} of {} rows were refused ({:.2} %), more than {:.2} %",
        summary.tally.rejected,
        summary.tally.read,
        rate * 100.0,
        limit * 100.0
    );
    output::stderr(&format!("warning: {told}"));
    if summary.tally.rejected == summary.tally.read {
        let hint = "not one row fits: look whether columns of the header have changed places, and \
                    whether `etl plan` shows the right kind, year and release";
        output::stderr(&format!("hint: {hint}"));
    }
    let inputs: Vec<Value> = summary
        .inputs
        .iter()
        .map(|input| {
            json!({
                "input": input.input, "table": input.table, "read": input.tally.read,
                "rejected": input.tally.rejected, "failed_file": input.failed_file,
            })
        })
        .collect();
    let facts = json!({
        "event": "refused_rows", "message": told, "run": summary.run, "target": summary.target,
        "read": summary.tally.read, "rejected": summary.tally.rejected, "rate": rate,
        "limit": limit, "inputs": inputs,
    });
    send(&facts, settings, env);
}

/// Tells of a run that was given up because too many rows were refused.
pub fn given_up(error: &RunError, settings: &Settings, env: &Env) {
    if error.kind == RunErrorKind::ErrorBudget {
        let facts = json!({
            "event": "error_budget_exceeded", "message": error.message, "kept": error.kept,
        });
        send(&facts, settings, env);
    }
}

fn send(facts: &Value, settings: &Settings, env: &Env) {
    let text = facts.to_string();
    if let Some(command) = &settings.alert_command
        && let Err(why) = run(&command.value, &text)
    {
        output::stderr(&format!("warning: the alert command failed: {}", safe(&why)));
    }
    if let Some(address) = &settings.alert_webhook {
        let place = address.origin.to_string();
        let sent = address.value.resolve(env, &place).and_then(|url| webhook::post(&url, &text));
        if let Err(why) = sent {
            output::stderr(&format!("warning: the alert could not be sent: {}", safe(&why)));
        }
    }
}

/// Runs a command of the system's shell with `text` on stdin.
fn run(command: &str, text: &str) -> Result<(), String> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut child = Command::new(shell)
        .args([flag, command])
        .env_remove("ETL_TO")
        .env_remove("ETL_ALERT_WEBHOOK")
        .stdin(Stdio::piped())
        // Data of ours goes to stdout; a command must not get between.
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read is no worse for it.
        let _ = stdin.write_all(text.as_bytes());
    }
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(status.to_string()),
            None if Instant::now() < until => std::thread::sleep(STEP),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it took longer than {} s", PATIENCE.as_secs()));
            }
        }
    }
}
