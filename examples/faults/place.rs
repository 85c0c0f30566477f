//! A folder in which one load is tried, and what is left of it.

use super::{Args, Outcome};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Name of the roll.
pub const FILE: &str = "SDF16P202501.csv";

/// The same roll as its final release has it.
pub const FINAL: &str = "SDF16F202501.csv";

/// What a finished load has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Rows, rows without their doubles, and a hash over all of them.
    table: String,
    /// Account of the ledger.
    account: String,
    /// Failed records: source, row, content.
    failed: BTreeSet<String>,
}

/// Where a load takes place.
pub struct Place {
    /// The folder.
    pub folder: tempfile::TempDir,
    etl: PathBuf,
    /// The target.
    pub to: String,
}

impl Place {
    /// A folder with the roll in it.
    pub fn new(args: &Args, roll: &Path, to: &str) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::hard_link(roll, folder.path().join(FILE))
            .or_else(|_| std::fs::copy(roll, folder.path().join(FILE)).map(drop))?;
        Ok(Self { folder, etl: args.etl.clone(), to: to.to_owned() })
    }

    /// The command that is given again and again.
    pub fn command(&self, verb: &[&str]) -> Command {
        let mut command = Command::new(&self.etl);
        command
            .args(verb)
            .args(["--to", &self.to, "--format", "json", "--progress", "none"])
            .args(["--commit-rows", "1500", "--chunk-rows", "600", "--failed", "failed"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts the load.
    pub fn start(&self) -> Outcome<Child> {
        Ok(self.command(&["ingest", FILE, "--create"]).spawn()?)
    }

    /// Runs the load to its end.
    pub fn run(&self) -> Outcome<Output> {
        Ok(self.start()?.wait_with_output()?)
    }

    /// Gives the same command until it ends well.
    pub fn finish(&self) -> Outcome {
        self.finish_with(&["ingest", FILE, "--create"])
    }

    /// Puts the final release beside the roll: every 37th sale has another price.
    pub fn add_final(&self) -> Outcome {
        let text = std::fs::read_to_string(self.folder.path().join(FILE))?;
        let price =
            text.lines().next().unwrap_or_default().split(',').position(|n| n == "SALE_PRC");
        let price = price.ok_or("the roll has no prices")?;
        let line = |(at, line): (usize, &str)| {
            let mut fields: Vec<_> = line.split(',').collect();
            if at % 37 == 5 && fields.len() > price {
                fields[price] = "123400";
            }
            fields.join(",") + "\r\n"
        };
        let changed: String = text.lines().enumerate().map(line).collect();
        Ok(std::fs::write(self.folder.path().join(FINAL), changed)?)
    }

    /// The same for another verb.
    pub fn finish_with(&self, verb: &[&str]) -> Outcome {
        let mut told = String::new();
        for _ in 0..5 {
            let output = self.command(verb).output()?;
            if matches!(output.status.code(), Some(0 | 3)) {
                return Ok(());
            }
            told = format!("{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Err(format!("the same command does not end well: {told}").into())
    }

    fn ask(&self, sql: &str) -> Outcome<String> {
        let output = Command::new(&self.etl)
            .args(["sql", sql, "--to", &self.to, "--format", "csv", "--quiet"])
            .current_dir(self.folder.path())
            .output()?;
        match output.status.success() {
            // Each target has names of its own for what has none.
            true => Ok(String::from_utf8(output.stdout)?.lines().skip(1).collect()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }

    /// What the ledger has of the parts, for whoever looks for a mistake.
    pub fn ranges(&self) -> Outcome<String> {
        self.ask(
            "SELECT string_agg(concat_ws(' ', range, from_record, to_record, to_row, to_byte, inserted, \
               duplicate, rejected), '; ' ORDER BY from_record) FROM etl.ranges",
        )
    }

    /// What is there now; the same question for every target.
    pub fn left(&self) -> Outcome<Left> {
        let table = self.ask(
            "SELECT count(*), count(DISTINCT concat_ws('|', _etl_source, _etl_row)), \
               md5(string_agg(concat_ws('|', _etl_hash, _etl_row, co_no, parcel_id, sale_id_cd, \
               sale_prc, sale_yr, sale_mo, qual_cd, _etl_release), ',' \
               ORDER BY _etl_source, _etl_row)) FROM sales",
        )?;
        let account = self.ask(
            "SELECT read, inserted, updated, unchanged, superseded, duplicate, filtered, rejected, \
               read - inserted - updated - unchanged - superseded - duplicate - filtered - rejected \
             FROM etl.inputs WHERE status = 'done' ORDER BY release",
        )?;
        Ok(Left { table, account, failed: self.failed()? })
    }

    fn failed(&self) -> Outcome<BTreeSet<String>> {
        let (folder, mut all) = (self.folder.path().join("failed"), BTreeSet::new());
        if !folder.is_dir() {
            return Ok(all);
        }
        for entry in std::fs::read_dir(folder)? {
            for line in std::fs::read_to_string(entry?.path())?.lines() {
                let record: serde_json::Value = serde_json::from_str(line)?;
                let text = format!("{} {} {}", record["fingerprint"], record["row"], record["raw"]);
                if !all.insert(text) {
                    return Err("a failed record stands twice".into());
                }
            }
        }
        Ok(all)
    }
}

impl Left {
    /// In what it differs.
    pub fn differs(&self, other: &Self) -> String {
        let more = |a: &Self, b: &Self| a.failed.difference(&b.failed).count();
        format!(
            "table {} for {}, account {} for {}, {} failed records more, {} fewer",
            self.table,
            other.table,
            self.account,
            other.account,
            more(self, other),
            more(other, self)
        )
    }

    /// Whether the rows and failed records are those of `other`; a replay has an account of its own.
    pub fn is_load_of(&self, other: &Self) -> bool {
        self.table == other.table && self.failed == other.failed
    }
}
