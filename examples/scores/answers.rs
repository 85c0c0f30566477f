//! csv-spectrum: each text has its answer as JSON.

use crate::Outcome;
use crate::read::read;
use etl::source::SourceOptions;
use serde_json::Value;
use std::path::Path;

/// How many are equal, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Equal {
    /// Files compared.
    pub files: usize,
    /// Files with every value as the answer has it.
    pub equal: usize,
    /// The others by name.
    pub wrong: Vec<(String, String)>,
}

/// Compares every text of csv-spectrum that has its answer.
pub fn spectrum(set: &Path) -> Outcome<Option<Equal>> {
    let folder = set.join("csvs");
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut paths: Vec<_> = folder
        .read_dir()?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let mut all = Equal::default();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let answer = set.join("json").join(format!("{name}.json"));
        if !answer.is_file() {
            continue;
        }
        all.files += 1;
        match compare(&path, &answer) {
            Ok(None) => all.equal += 1,
            Ok(Some(difference)) => all.wrong.push((name, difference)),
            Err(error) => all.wrong.push((name, error.to_string())),
        }
    }
    Ok(Some(all))
}

fn compare(path: &Path, answer: &Path) -> Outcome<Option<String>> {
    let expected: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&std::fs::read(answer)?)?;
    let loaded = read(path, &SourceOptions::default())?;
    let header = loaded.header.unwrap_or_default();
    if loaded.rows.len() != expected.len() {
        return Ok(Some(format!("{} rows, expected {}", loaded.rows.len(), expected.len())));
    }
    for (row, answer) in loaded.rows.iter().zip(&expected) {
        for (name, value) in answer {
            let found = header.iter().position(|header| header == name).map(|at| row[at].as_str());
            if found != value.as_str() {
                return Ok(Some(format!("{name} is {found:?}, expected {value}")));
            }
        }
    }
    Ok(None)
}
