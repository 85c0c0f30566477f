//! The only places that write to stdout and stderr.

use super::error::CliError;
use std::io::{self, Write};

/// Data for the user or the next program in the pipe.
pub fn stdout(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CliError::from)
}

/// A value as JSON, for scripts.
pub fn json(value: &impl serde::Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    stdout(&format!("{text}\n"))
}

/// Everything that is not data. A closed stderr is no reason to fail.
pub fn stderr(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
