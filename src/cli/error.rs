//! How a command ends when it does not end well.

use crate::config::ConfigError;
use crate::run::RunError;
use std::io;

/// Why a command cannot go on.
#[derive(Debug)]
pub enum CliError {
    /// A setting cannot be used.
    Config(Box<ConfigError>),
    /// The work failed.
    Run(Box<RunError>),
    /// The reader of our stdout has gone: no error, but no reason to go on either.
    BrokenPipe,
    /// Our own output cannot be written.
    Output(io::Error),
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Output(error)
        }
    }
}
