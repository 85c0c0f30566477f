//! `etl report`: a page of what a run did, or of what is in a file.

use super::args::{LoadArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::text::{decimal, safe};
use super::watched::watched;
use super::{exit, output};
use crate::flow::{Observer, Stop};
use crate::report::{self, html};
use crate::run;
use clap::Args;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  etl report                                  the newest run of ./etl.duckdb
  etl report 01JD7Q4Z8W3M5N6P7R8S9T0V1X --out roll.html
  etl report SDF16P202501.csv                 a file that is not to be loaded
  etl report latest --json > run.json

The page is one file without scripts that asks nothing of the network: it can be
sent, printed and kept. Exit code 0 when the report was made, whatever it says.";

/// Make a page of what a run did, or of what is in a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Report {
    /// A run, `latest`, or files, folders and patterns
    #[arg(default_value = "latest", value_name = "RUN|FILE")]
    what: Vec<String>,
    /// Where the page is written, - for standard output [default: report-RUN.html or FILE.report.html]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The report as JSON, on standard output unless --out is given
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    load: LoadArgs,
}

impl Report {
    /// Whether errors are for scripts too.
    pub fn json(&self) -> bool {
        self.json || self.load.json()
    }

    /// Gathers, renders, writes.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let report = match self.what.as_slice() {
            [run] if is_run(run) => self.of_run(run, context)?,
            files => self.of_files(files, context)?,
        };
        let text = if self.json() {
            serde_json::to_string_pretty(&report).map_err(std::io::Error::other)? + "\n"
        } else {
            html(&report)
        };
        self.write(&text, &report, context)?;
        Ok(exit::DONE)
    }

    fn of_run(&self, run: &str, context: &Context) -> Result<report::Report, CliError> {
        let settings = context.settings(self.load.partial(), None)?;
        let request = settings.request(self.load.call(&[]), &context.env)?;
        Ok(run::report::of_run(&request.target, run, &request.pack, request.limits.memory)?)
    }

    fn of_files(&self, files: &[String], context: &Context) -> Result<report::Report, CliError> {
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let asked = self.load.ask(files, &settings, context)?;
        let work = |observer: &dyn Observer, stop: &Stop| {
            run::report::of_files(&asked.request, observer, stop)
        };
        Ok(watched(context, &settings, work)?)
    }

    fn write(
        &self,
        text: &str,
        report: &report::Report,
        context: &Context,
    ) -> Result<(), CliError> {
        let path = match &self.out {
            Some(path) if path.as_os_str() == "-" => return output::stdout(text),
            Some(path) => path.clone(),
            None if self.json() => return output::stdout(text),
            None => default_path(report),
        };
        std::fs::write(&path, text).map_err(|error| {
            let told = format!("{}: the report cannot be written: {error}", path.display());
            usage(told, "name another place by --out")
        })?;
        if !context.global.quiet {
            let size = decimal(text.len() as f64);
            output::stderr(&format!("report: {} ({size})", safe(&path.display().to_string())));
        }
        Ok(())
    }
}

/// A run's id or `latest`; whatever is a file is meant as one.
fn is_run(text: &str) -> bool {
    let ulid = text.len() == 26 && text.chars().all(|c| c.is_ascii_alphanumeric());
    (text == "latest" || ulid) && !Path::new(text).exists()
}

fn default_path(report: &report::Report) -> PathBuf {
    match &report.run {
        Some(run) => format!("report-{run}.html").into(),
        None => {
            let name = report.inputs.first().map_or("etl", |input| input.name.as_str());
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
            let name: String = name.chars().map(plain).collect();
            format!("{name}.report.html").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_from_a_file() {
        assert!(is_run("latest") && is_run("01JD7Q4Z8W3M5N6P7R8S9T0V1X"));
        assert!(!is_run("SDF16P202501.csv") && !is_run("src") && !is_run("-"));
    }
}
