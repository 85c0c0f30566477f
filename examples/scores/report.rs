//! The table.

use crate::answers::Equal;
use crate::pollock::{Pollock, Score};
use crate::sweep::{Fate, Sweep};
use std::fmt;

/// Everything measured.
pub struct Report<'a> {
    /// The day.
    pub date: &'a str,
    /// Files by kind.
    pub sweeps: Vec<Sweep>,
    /// csv-spectrum.
    pub spectrum: Option<Equal>,
    /// Pollock.
    pub pollock: Option<Pollock>,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let memory = memory().map_or_else(String::new, |gib| format!(", {gib} GiB of memory"));
        writeln!(f, "# Scores of {}\n", self.date)?;
        writeln!(
            f,
            "{cores} cores{memory}. By `scripts/scores.sh`: every file of some public sets of"
        )?;
        writeln!(
            f,
            "test files, each checked by the program in a process of its own with 60 seconds.\n"
        )?;
        self.table(f)?;
        self.values(f)?;
        self.failures(f)
    }
}

impl Report<'_> {
    fn table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| files | number | loaded | refused with a code | without | crashed | hung |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
        for sweep in &self.sweeps {
            let count = |is: fn(&Fate) -> bool| sweep.files.iter().filter(|(_, f)| is(f)).count();
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} |",
                sweep.title,
                sweep.files.len(),
                count(|fate| *fate == Fate::Loaded),
                count(|fate| matches!(fate, Fate::Refused(_))),
                count(|fate| matches!(fate, Fate::Unclear(_))),
                count(|fate| matches!(fate, Fate::Crashed(_))),
                count(|fate| *fate == Fate::Hung),
            )?;
        }
        Ok(())
    }

    fn values(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(equal) = &self.spectrum {
            let Equal { files, equal, .. } = equal;
            writeln!(f, "\n**csv-spectrum**: {equal} of {files} files equal to their answers.")?;
        }
        let Some(pollock) = &self.pollock else { return Ok(()) };
        writeln!(f, "\n**Pollock** over {} files, `--csv lenient`; cells compared", pollock.files)?;
        writeln!(f, "as they stand, records cell by cell, weights normalised over these files.\n")?;
        writeln!(
            f,
            "| dialect | simple /10 | simple, kinds as in the whole set | weighted /10 | header F1 | record F1 | cell F1 | damaged row named |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|")?;
        for (name, score) in [("given", &pollock.given), ("found", &pollock.found)] {
            let Score { simple, whole, weighted, means, rows: (known, named), .. } = score;
            let (header, record, cell) = (means[3], means[6], means[9]);
            writeln!(
                f,
                "| {name} | {simple:.3} | {whole:.3} | {weighted:.3} | {header:.4} | {record:.4} | {cell:.4} | \
                 {named} of {known} |"
            )?;
        }
        writeln!(
            f,
            "\nTo beat (DuckDB 1.2, the whole set): 9.962 / 9.600 given, 9.075 / 8.440 found."
        )
    }

    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(equal) = &self.spectrum {
            for (name, why) in &equal.wrong {
                writeln!(f, "\n- csv-spectrum `{name}`: {why}")?;
            }
        }
        if let Some(pollock) = &self.pollock {
            for (way, score) in [("given", &pollock.given), ("found", &pollock.found)] {
                writeln!(f, "\n## Pollock, dialect {way}: files that lose most\n")?;
                let shown = score.losses.iter().filter(|(_, loss, _)| *loss > 0.3);
                for (name, loss, why) in shown {
                    writeln!(f, "- `{name}` loses {loss:.2} {why}")?;
                }
            }
        }
        for sweep in &self.sweeps {
            let lost = sweep.files.iter().filter(|(_, fate)| *fate != Fate::Loaded);
            let lines: Vec<_> = lost.map(|(name, fate)| line(name, fate)).collect();
            if lines.is_empty() {
                continue;
            }
            writeln!(f, "\n## Not loaded: {}\n", sweep.title)?;
            for line in lines {
                writeln!(f, "- {line}")?;
            }
        }
        Ok(())
    }
}

fn line(name: &str, fate: &Fate) -> String {
    match fate {
        Fate::Loaded => format!("`{name}`"),
        Fate::Refused(said) => format!("`{name}`: {said}"),
        Fate::Unclear(said) => format!("`{name}`: **no code** {said}"),
        Fate::Crashed(said) => format!("`{name}`: **CRASHED** {said}"),
        Fate::Hung => format!("`{name}`: **HUNG**"),
    }
}

/// GiB of this machine, where it says so.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib.div_ceil(1 << 20))
}
