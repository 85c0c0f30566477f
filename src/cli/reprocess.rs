//! `etl reprocess-failures`: load refused rows again.

use super::args::{LoadArgs, usage};
use super::context::Context;
use super::error::CliError;
use super::exit;
use super::ingest::perform;
use crate::flow::{Observer, Stop};
use crate::run::{self, ReprocessRequest, ReprocessSource};
use clap::Args;
use std::path::Path;

const EXAMPLES: &str = "\
Examples:
  etl reprocess-failures SDF16P202501.failed.jsonl     after the rules were corrected
  etl reprocess-failures SDF16P202501.corrected.xlsx   the sheet of `etl failures export`
  etl reprocess-failures 01JD7Q4Z8W3M5N6P7R8S9T0V1X    all refused rows of a run
  etl reprocess-failures                               all refused rows of the target

Rows that pass are loaded, the others stay refused with their attempts counted.
Twice is a no-op.";

/// Load refused rows again, after they or the rules were corrected
#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub struct Reprocess {
    /// A run, or files: *.failed.jsonl or a corrected CSV or XLSX; none: all of the target
    #[arg(value_name = "RUN|FILE")]
    what: Vec<String>,
    #[command(flatten)]
    load: LoadArgs,
}

impl Reprocess {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.load.json()
    }

    /// Replays, and tells what was done.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let what = source(&self.what, |path| path.exists())?;
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let request = settings.request(self.load.call(&[]), &context.env)?;
        let request = ReprocessRequest { request, what };
        let work = |observer: &dyn Observer, stop: &Stop| run::reprocess(&request, observer, stop);
        perform(context, &settings, self.json(), work)
    }
}

/// A run id, unless a file has that name.
fn source(what: &[String], exists: impl Fn(&Path) -> bool) -> Result<ReprocessSource, CliError> {
    let is_run = |name: &String| name.parse::<ulid::Ulid>().is_ok() && !exists(Path::new(name));
    match what {
        [] => Ok(ReprocessSource::All),
        [run] if is_run(run) => Ok(ReprocessSource::Run(run.clone())),
        several if several.iter().any(is_run) => {
            Err(usage("a run cannot be mixed with other runs or files", "give one run, or files"))
        }
        files => Ok(ReprocessSource::Files(files.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_from_a_file() {
        let run = "01JD7Q4Z8W3M5N6P7R8S9T0V1X".to_owned();
        let none = |_: &Path| false;
        assert_eq!(source(&[], none).ok(), Some(ReprocessSource::All));
        assert_eq!(
            source(std::slice::from_ref(&run), none).ok(),
            Some(ReprocessSource::Run(run.clone()))
        );
        assert!(matches!(
            source(std::slice::from_ref(&run), |_| true),
            Ok(ReprocessSource::Files(_))
        ));
        assert!(source(&[run, "a.jsonl".into()], none).is_err());
    }
}
