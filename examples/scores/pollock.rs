//! The Pollock benchmark (VLDB 2023) over polluted CSV files with clean answers.
//!
//! Ten figures a file: success, then precision, recall and F1 of the header (first line), of records
//! (the lines after it) and of cells, all as intersections of multisets. Simple: the sum of the ten
//! means. Weighted: the sums of the files weighted by how often such damage was seen in real files.
//! Cells are compared as they stand, records cell by cell: the published script also takes dates and
//! prices in other notations for equal, which can only add to what is shown here.

use crate::Outcome;
use crate::read::{Loaded, read};
use etl::source::SourceOptions;
use etl::source::csv::{CsvPolicy, Escaping, Quoting};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Scores of one way of reading.
#[derive(Debug, Default)]
pub struct Score {
    /// Sum of the ten means.
    pub simple: f64,
    /// The same weighted.
    pub weighted: f64,
    /// Means of the ten figures.
    pub means: [f64; 10],
    /// The sum of the ten means if each kind of damage had its share of the whole set.
    pub whole: f64,
    /// Files, and what each lacks of ten.
    pub losses: Vec<(String, f64, String)>,
    /// Files whose damaged row is known by their name, and those whose report names it.
    pub rows: (usize, usize),
}

/// Both ways.
#[derive(Debug, Default)]
pub struct Pollock {
    /// Files of the set.
    pub files: usize,
    /// The dialect as the set says.
    pub given: Score,
    /// Nothing is said.
    pub found: Score,
}

#[derive(Deserialize)]
struct Parameters {
    delimiter: String,
    quotechar: String,
    escapechar: String,
    header_lines: u64,
    preamble_lines: u64,
}

/// Scores the set.
pub fn score(set: &Path) -> Outcome<Option<Pollock>> {
    let root = set.join("polluted_files");
    let folder = root.join("csv");
    if !folder.is_dir() {
        return Ok(None);
    }
    let weights: HashMap<String, f64> =
        serde_json::from_slice(&std::fs::read(set.join("pollock_weights.json"))?)?;
    let mut paths: Vec<_> = folder
        .read_dir()?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    paths.sort();
    let given = way(&paths, &root, &weights, |name| {
        let file = root.join("parameters").join(format!("{name}_parameters.json"));
        Ok(options(&serde_json::from_slice(&std::fs::read(file)?)?))
    })?;
    let found = way(&paths, &root, &weights, |_| {
        Ok(SourceOptions { csv: CsvPolicy::Lenient, ..SourceOptions::default() })
    })?;
    Ok(Some(Pollock { files: paths.len(), given, found }))
}

fn options(given: &Parameters) -> SourceOptions {
    let first = |text: &str| text.chars().next().filter(|c| *c != '\0');
    let quote = first(&given.quotechar);
    let escape = match first(&given.escapechar) {
        None => Escaping::None,
        Some(escape) if Some(escape) == quote => Escaping::Doubled,
        // A double quote as the escape of another quote is what writers leave at its default.
        Some('"') => Escaping::Doubled,
        Some(escape) => Escaping::Char(escape),
    };
    SourceOptions {
        delimiter: first(&given.delimiter),
        quote: Some(quote.map_or(Quoting::None, Quoting::Char)),
        escape: Some(escape),
        header_row: Some(match given.header_lines {
            0 => 0,
            _ => given.preamble_lines + 1,
        }),
        header_rows: Some(given.header_lines.max(1)),
        csv: CsvPolicy::Lenient,
        ..SourceOptions::default()
    }
}

fn way(
    paths: &[PathBuf],
    root: &Path,
    weights: &HashMap<String, f64>,
    options: impl Fn(&str) -> Outcome<SourceOptions>,
) -> Outcome<Score> {
    let mut score = Score::default();
    let mut kinds = BTreeMap::new();
    let (mut weighted, mut weight_of_all) = (0.0, 0.0);
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let clean = clean_lines(&root.join("clean").join(&name))?;
        let loaded = load(path, &options(&name)?);
        let figures = match &loaded {
            Ok(loaded) => figures(&clean, loaded),
            Err(_) => [0.0; 10],
        };
        if let (Some(row), Ok(loaded)) = (damaged_row(&name), &loaded) {
            score.rows.0 += 1;
            score.rows.1 += usize::from(loaded.named.contains(&row));
        }
        let sum: f64 = figures.iter().sum();
        let (kind, share) = kind(&name);
        let of_kind = kinds.entry(kind).or_insert((share, 0.0, 0_usize));
        of_kind.1 += sum;
        of_kind.2 += 1;
        let weight = weights.get(&name).copied().unwrap_or(0.0);
        weighted += sum * weight;
        weight_of_all += weight;
        for (mean, figure) in score.means.iter_mut().zip(figures) {
            *mean += figure / paths.len() as f64;
        }
        if sum < 9.999 {
            let why = loaded.err().map_or_else(String::new, |error| error.to_string());
            score.losses.push((name, 10.0 - sum, why));
        }
    }
    score.simple = score.means.iter().sum();
    score.whole = kinds.values().map(|(share, sum, files)| share * sum / *files as f64).sum();
    let present: f64 = kinds.values().map(|(share, ..)| share).sum();
    score.whole /= present;
    score.weighted = if weight_of_all > 0.0 { weighted / weight_of_all } else { 0.0 };
    score.losses.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(score)
}

/// Nothing in, nothing out: an empty file is no failure here.
fn load(path: &Path, options: &SourceOptions) -> Outcome<Loaded> {
    if path.metadata()?.len() == 0 { Ok(Loaded::default()) } else { read(path, options) }
}

fn clean_lines(path: &Path) -> Outcome<Vec<Vec<String>>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_path(path)?;
    let mut lines = Vec::new();
    for record in reader.records() {
        lines.push(record?.iter().map(str::to_owned).collect());
    }
    Ok(lines)
}

/// The kind of damage, and how many of the 2,290 files of the whole set have it.
fn kind(name: &str) -> (&'static str, f64) {
    match name {
        _ if name.starts_with("row_less_sep") || name.starts_with("row_more_sep") => {
            ("delimiter less or more", 1_428.0)
        }
        _ if name.starts_with("row_extra_quote") => ("stray quote", 756.0),
        _ if name.starts_with("row_field_delimiter") => ("other delimiter in a row", 84.0),
        _ => ("whole file", 22.0),
    }
}

/// The row that the name of the file gives, as an editor counts.
fn damaged_row(name: &str) -> Option<u64> {
    let rest = ["row_less_sep_row", "row_more_sep_row", "row_extra_quote", "row_field_delimiter_"]
        .iter()
        .find_map(|kind| name.strip_prefix(kind))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().ok().map(|row| row + 1)
}

fn figures(clean: &[Vec<String>], loaded: &Loaded) -> [f64; 10] {
    let mut lines: Vec<&[String]> = Vec::new();
    lines.extend(loaded.header.as_deref());
    lines.extend(loaded.rows.iter().map(Vec::as_slice));
    let expected: Vec<&[String]> = clean.iter().map(Vec::as_slice).collect();
    let cells = |lines: &[&[String]]| -> Vec<String> {
        lines.iter().flat_map(|line| line.iter().cloned()).collect()
    };
    let records =
        |lines: &[&[String]]| -> Vec<String> { lines.iter().map(|l| l.join("\u{1f}")).collect() };
    let (head, rest) = expected.split_at(1.min(expected.len()));
    let (mine, others) = lines.split_at(1.min(lines.len()));
    let header = measure(&cells(head), &cells(mine));
    let record = measure(&records(rest), &records(others));
    let cell = measure(&cells(rest), &cells(others));
    [1.0, header.0, header.1, header.2, record.0, record.1, record.2, cell.0, cell.1, cell.2]
}

/// Precision, recall and F1 of two multisets.
fn measure(expected: &[String], loaded: &[String]) -> (f64, f64, f64) {
    if expected.is_empty() {
        return (1.0, 1.0, 1.0);
    }
    let mut left = BTreeMap::<&str, usize>::new();
    for text in expected {
        *left.entry(text).or_default() += 1;
    }
    let mut common = 0;
    for text in loaded {
        if let Some(count) = left.get_mut(text.as_str()).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return (0.0, 0.0, 0.0);
    }
    let (precision, recall) =
        (common as f64 / expected.len() as f64, common as f64 / loaded.len() as f64);
    (precision, recall, precision * recall / (precision + recall) * 2.0)
}
