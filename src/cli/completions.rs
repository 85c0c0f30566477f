//! `etl completions`: a completion script for a shell.

use super::error::CliError;
use super::{Cli, exit, output};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

const EXAMPLES: &str = "\
Examples:
  etl completions bash > ~/.local/share/bash-completion/completions/etl
  etl completions zsh > \"${fpath[1]}/_etl\"
  etl completions fish > ~/.config/fish/completions/etl.fish
  etl completions powershell >> $PROFILE";

/// Write a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Writes the script.
    pub fn run(&self) -> Result<u8, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "etl", &mut script);
        output::stdout(&String::from_utf8_lossy(&script))?;
        Ok(exit::DONE)
    }
}
