//! The table of what was done and what was left.

use super::{Args, Outcome};
use std::fmt::Write as _;
use std::io::Write as _;

/// Trials of one kind.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// What was done.
    pub fault: String,
    /// To which target.
    pub target: &'static str,
    /// How often.
    pub faults: u32,
    /// Loads that were compared with the undisturbed one.
    pub compared: u32,
    /// Those that differ, and why.
    pub wrong: Vec<String>,
    /// Why there is nothing here.
    pub skipped: Option<String>,
}

/// A line for whoever watches.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes the table; whether all is well.
pub fn write(args: &Args, rows: &[Row]) -> Outcome<bool> {
    let mut text = format!(
        "# Faults\n\nSeed {}, {} rows of sales, commits of 1,500 rows. Compared after each fault: every row \
         once, the\nsame rows, the same account, the same failed records as in a load that nobody \
         disturbed.\n\n| fault | target | faults | loads compared | differ |\n|---|---|---|---|---|\n",
        args.seed, args.rows
    );
    let (mut faults, mut wrong) = (0, Vec::new());
    for row in rows {
        let (fault, target) = (&row.fault, row.target);
        match &row.skipped {
            Some(why) => writeln!(text, "| {fault} | {target} | not tried: {why} | | |")?,
            None => {
                let (done, compared, differ) = (row.faults, row.compared, row.wrong.len());
                writeln!(text, "| {fault} | {target} | {done} | {compared} | {differ} |")?;
            }
        }
        faults += row.faults;
        wrong.extend(row.wrong.iter().map(|why| format!("- {fault}, {target}: {why}")));
    }
    writeln!(text, "\n{faults} faults, {} loads that differ.", wrong.len())?;
    let kills: u32 =
        rows.iter().filter(|row| row.fault.starts_with("kill")).map(|r| r.faults).sum();
    if wrong.is_empty() && kills > 0 {
        let bound = 300.0 / f64::from(kills);
        writeln!(
            text,
            "With 0 of {kills} kills the chance that one does harm is below {bound:.1} % (95 %)."
        )?;
    }
    for line in &wrong {
        writeln!(text, "{line}")?;
    }
    match &args.out {
        Some(path) => std::fs::write(path, &text)?,
        None => std::io::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(wrong.is_empty())
}
