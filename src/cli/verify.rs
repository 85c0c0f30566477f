//! `etl verify`: the source of a run beside what the target holds of it.

use super::args::LoadArgs;
use super::context::Context;
use super::error::CliError;
use super::text::{Align, Paint, count, plural, safe, table};
use super::watched::watched;
use super::{exit, output};
use crate::flow::{Observer, Stop};
use crate::run::{self, RuleDifference, Verified, VerifiedInput};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  etl verify                                    the newest run, its files as the ledger names them
  etl verify 01JD7Q4Z8W3M5N6P7R8S9T0V1X --to postgres://loader@db.example/rolls
  etl verify latest moved/broward_2025.xlsx     the same file in another folder

Give the flags of the load: other rules or agents make other rows.

Exit code 0 when the target holds what the source has, 1 when it does not.";

/// Read the source of a run again and compare it with the target
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// Run, or `latest`
    #[arg(default_value = "latest", value_name = "RUN")]
    run: String,
    /// Its files, where they are no longer where they were
    #[arg(value_name = "INPUT")]
    inputs: Vec<String>,
    #[command(flatten)]
    load: LoadArgs,
}

impl Verify {
    /// Whether the result is for scripts.
    pub fn json(&self) -> bool {
        self.load.json()
    }

    /// Compares, and tells.
    pub fn run(&self, context: &Context) -> Result<u8, CliError> {
        let settings = context.settings(self.load.partial(), self.load.rules_file())?;
        let asked = self.load.ask(&self.inputs, &settings, context)?;
        let work = |observer: &dyn Observer, stop: &Stop| {
            run::verify(&asked.request, &self.run, observer, stop)
        };
        let verified = watched(context, &settings, work)?;
        if self.json() {
            output::json(&verified)?;
        } else {
            output::stdout(&told(&verified, context.paint(&settings)))?;
        }
        Ok(if verified.holds { exit::DONE } else { exit::FAILED })
    }
}

fn told(verified: &Verified, paint: Paint) -> String {
    let head = [
        "input",
        "table",
        "read",
        "same",
        "later",
        "refused",
        "repeated",
        "missing",
        "different",
        "altered",
        "extra",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(verified.inputs.iter().map(row));
    let aligned = [[Align::Left; 2].as_slice(), &[Align::Right; 9]].concat();
    let mut lines = table(&rows, &aligned, "");
    lines[0] = paint.bold(&lines[0]);
    for input in &verified.inputs {
        let label = safe(&input.input);
        lines.extend(
            input.wrong.iter().map(|wrong| paint.red(&format!("{label}: {}", safe(wrong)))),
        );
        lines.extend(input.changes.iter().map(|change| format!("{label}: {}", changed(change))));
        if !input.rows.is_empty() && !input.wrong.is_empty() {
            let rows: Vec<_> = input.rows.iter().map(|row| count(*row)).collect();
            lines.push(format!("{label}: see row {}", rows.join(", ")));
        }
    }
    lines.push(match verified.holds {
        true => format!("the target holds what run {} has loaded", safe(&verified.run)),
        false => paint
            .red(&format!("the target does not hold what run {} has loaded", safe(&verified.run))),
    });
    lines.join("\n") + "\n"
}

/// Cells that differ because a rule has changed, with an example.
fn changed(change: &RuleDifference) -> String {
    let RuleDifference { version, rule, cells, examples } = change;
    let value = |value: &Option<String>| {
        value.as_deref().map_or("nothing".into(), |v| format!("\"{}\"", safe(v)))
    };
    let example = examples.first().map_or_else(String::new, |cell| {
        let (was, is) = (value(&cell.was), value(&cell.is));
        format!(" (row {}, {}: {was} is {is} today)", count(cell.row), safe(&cell.column))
    });
    let differ = if *cells == 1 { "differs" } else { "differ" };
    let cells = plural(*cells, "cell");
    format!(
        "{cells} {differ} by a rule that has changed since the load (version {version}: {rule}){example}"
    )
}

fn row(input: &VerifiedInput) -> Vec<String> {
    let counts = [
        input.read,
        input.same,
        input.later,
        input.refused,
        input.repeated,
        input.missing,
        input.different,
        input.altered,
        input.extra,
    ];
    let names = [&input.input, &input.table].map(|text| safe(text));
    names.into_iter().chain(counts.map(count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_is_said_in_words() {
        let good = VerifiedInput {
            input: "sdf.csv".into(),
            table: "sales".into(),
            read: 95_332,
            same: 95_000,
            refused: 332,
            ..VerifiedInput::default()
        };
        let bad = VerifiedInput {
            input: "nal.csv".into(),
            table: "parcels".into(),
            read: 10,
            same: 9,
            different: 1,
            rows: vec![1_007],
            wrong: vec![
                "rows other than in the source, and no run of etl has written them: 1".into(),
            ],
            ..VerifiedInput::default()
        };
        let verified = Verified { run: "01JD".into(), holds: false, inputs: vec![good, bad] };
        insta::assert_snapshot!(told(&verified, Paint(false)));
    }
}
