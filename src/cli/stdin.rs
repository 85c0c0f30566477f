//! Standard input as a file: `-` among the inputs.
//!
//! A load reads its input more than once (fingerprint, survey, rows), and what comes through a pipe
//! comes once. So it is written to a temporary file first, which goes when the command ends.

use super::args::usage;
use super::error::CliError;
use crate::config::Settings;
use crate::run::{RunError, RunErrorKind};
use std::io::{self, IsTerminal};
use tempfile::TempPath;

/// Takes standard input in where one of the inputs is `-`.
pub fn take(inputs: &[String], settings: &Settings) -> Result<Option<TempPath>, CliError> {
    match inputs.iter().filter(|input| *input == "-").count() {
        0 => return Ok(None),
        1 => {}
        _ => return Err(usage("`-` is given twice", "standard input can be read once")),
    }
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        let message = "`-` reads standard input, which is the keyboard here";
        return Err(usage(message, "pipe a file into it: … | etl ingest -"));
    }
    let folder = settings.temp_dir.as_ref().map(|folder| folder.value.clone());
    let mut spool = || -> io::Result<TempPath> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("etl-stdin-");
        let mut file = match &folder {
            Some(folder) => builder.tempfile_in(folder)?,
            None => builder.tempfile()?,
        };
        io::copy(&mut stdin, &mut file)?;
        Ok(file.into_temp_path())
    };
    spool().map(Some).map_err(|error| {
        let message = "standard input cannot be written to a temporary file";
        let mut failure = RunError::new(RunErrorKind::Limit, message)
            .with_hint("make room in the folder of temporary files, or name one with --temp-dir");
        failure.source = Some(Box::new(error));
        failure.into()
    })
}
