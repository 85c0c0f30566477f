//! Every file of a kind, checked by the program in a process of its own.

use crate::Outcome;
use rayon::prelude::*;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time for one file, on a machine that may be busy.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its rows were read; perhaps some were refused, one by one.
    Loaded,
    /// The file was refused with a code.
    Refused(String),
    /// The file was refused without one.
    Unclear(String),
    /// The program died.
    Crashed(String),
    /// It did not come back in time.
    Hung,
}

/// A kind of files.
#[derive(Debug)]
pub struct Sweep {
    /// What they are.
    pub title: &'static str,
    /// Each file below the folder of sets, and its fate.
    pub files: Vec<(String, Fate)>,
}

const WORKBOOKS: [&str; 5] = ["xlsx", "xlsm", "xls", "xlsb", "ods"];

/// A name, and which files it is for.
type Kind<'a> = (&'static str, &'a dyn Fn(&Path) -> bool);

/// All kinds.
pub fn all(corpora: &Path, etl: &Path) -> Outcome<Vec<Sweep>> {
    let mut files = Vec::new();
    walk(corpora, &mut files)?;
    files.sort();
    let relative = |path: &Path| path.strip_prefix(corpora).unwrap_or(path).to_owned();
    let ends = |path: &Path, endings: &[&str]| {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        endings.contains(&ending.as_str())
    };
    let inside = |path: &Path, part: &str| path.components().any(|c| c.as_os_str() == part);
    let hostile = |path: &Path| {
        ["bad_data", "arrow-testing", "synthetic"].iter().any(|part| inside(path, part))
    };
    let fuzz = |path: &Path| inside(path, "fuzzing") || inside(path, "encoding-fuzzing");
    let kinds: [Kind<'_>; 6] = [
        ("workbooks", &|path| ends(path, &WORKBOOKS)),
        ("hostile zip containers, called .xlsx", &|path| {
            inside(path, "zip-hostile") && ends(path, &["zip"])
        }),
        ("CSV", &|path| {
            let answers = inside(path, "clean") || inside(path, "results");
            let polluted = inside(path, "pollock") && answers;
            let fuzzed = fuzz(path) && inside(path, "csv");
            (ends(path, &["csv", "tsv", "ssv", "txt"]) && !polluted || fuzzed)
                && !inside(path, "LICENSE.txt")
        }),
        ("Parquet, good", &|path| ends(path, &["parquet"]) && !hostile(path)),
        ("Parquet, bad", &|path| {
            ends(path, &["parquet"]) && hostile(path) || fuzz(path) && inside(path, "parquet")
        }),
        ("encrypted Parquet", &|path| ends(path, &["encrypted"])),
    ];
    let spare = tempfile::tempdir()?;
    let mut sweeps = Vec::new();
    for (title, belongs) in kinds {
        let chosen: Vec<_> = files.iter().filter(|path| belongs(&relative(path))).collect();
        let fates: Vec<_> = chosen
            .par_iter()
            .map(|path| {
                let name = relative(path).to_string_lossy().replace('\\', "/");
                Ok((name, fate(etl, path, spare.path(), corpora)?))
            })
            .collect::<Outcome<_>>()?;
        if !fates.is_empty() {
            sweeps.push(Sweep { title, files: fates });
        }
    }
    Ok(sweeps)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn fate(etl: &Path, path: &Path, spare: &Path, corpora: &Path) -> Outcome<Fate> {
    let log = tempfile::NamedTempFile::new_in(spare)?;
    let mut file = path.to_owned();
    let mut copy = None;
    if path.extension().is_some_and(|ending| ending == "zip") {
        let folder = tempfile::tempdir_in(spare)?;
        file = folder.path().join(path.file_name().unwrap_or_default()).with_extension("xlsx");
        std::fs::copy(path, &file)?;
        copy = Some(folder);
    }
    let mut child = Command::new(etl)
        .arg("check")
        .arg(&file)
        .args(["--type", "generic", "--progress", "none"])
        .current_dir(spare)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(File::create(log.path())?))
        .spawn()?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Ok(Fate::Hung);
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let said = String::from_utf8_lossy(&std::fs::read(log.path())?).into_owned();
    let said = sentence(&said, &[&file, corpora]);
    drop(copy);
    Ok(match status.code() {
        Some(0 | 3 | 5) => Fate::Loaded,
        Some(1 | 2 | 4 | 6 | 8) if has_code(&said) => Fate::Refused(said),
        Some(1 | 2 | 4 | 6 | 8) => Fate::Unclear(said),
        Some(code) => Fate::Crashed(format!("exit {code}: {said}")),
        None => Fate::Crashed(format!("killed by a signal: {said}")),
    })
}

/// `E101` and the like.
fn has_code(text: &str) -> bool {
    let digits = |code: &[u8]| code[0] == b'E' && code[1..].iter().all(u8::is_ascii_digit);
    text.as_bytes().windows(4).any(digits)
}

/// What was said, on one line, without the folders of this machine.
fn sentence(said: &str, hidden: &[&Path]) -> String {
    let mut text = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for path in hidden {
        let shown = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        text = text.replace(&path.display().to_string(), &shown);
    }
    let kept: String = text.chars().filter(|c| !c.is_control()).take(240).collect();
    kept.replace('|', "\\|")
}
