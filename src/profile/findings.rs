//! What looks wrong in a column, in sentences.

use super::odd::{Oddity, Seen};
use super::report::{ColumnProfile, Finding, FindingExample};
use super::sketch::Sketch;
use crate::chunk::{ColumnKind, Place};
use crate::source::infer::Inferred;
use std::collections::BTreeMap;

/// Share of the cells that follow a habit before what breaks it is odd.
const HABIT: f64 = 0.95;
/// Share of whole numbers with six zeros at the end from which ids look rounded.
const ROUNDED: f64 = 0.2;
/// Share of the cells that may be out of line and still be a slip.
const FEW: f64 = 0.01;

/// Findings about one column, the gravest first.
pub fn of(column: &ColumnProfile, sketch: &Sketch, inferred: &Inferred) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    if sketch.cells == 0 {
        return vec![plain("empty", "no row holds a value", sketch.blanks)];
    }
    found.extend(mixed_types(inferred, sketch.cells));
    found.extend(sketch.odd.iter().filter_map(|(kind, seen)| odd(kind, seen, sketch, inferred)));
    found.extend(sentinel(column, sketch));
    found.extend(lost_zeros(column).or_else(|| odd_length(column)));
    found.extend(case(sketch));
    if column.distinct_exact && column.distinct == 1 && sketch.cells > 1 {
        found.push(plain("constant", "all values are the same", sketch.cells));
    }
    found
}

fn plain(kind: &str, message: impl Into<String>, cells: u64) -> Finding {
    Finding { kind: kind.into(), message: message.into(), cells, examples: Vec::new() }
}

fn with_examples(mut finding: Finding, examples: &[(Place, String)]) -> Finding {
    let example = |(place, value): &(Place, String)| FindingExample {
        row: Some(place.row),
        value: value.clone(),
    };
    finding.examples = examples.iter().map(example).collect();
    finding
}

/// Nearly all cells are of a type, and a few keep the column from it. Digits that do not fit are
/// codes: they begin with a zero.
fn mixed_types(inferred: &Inferred, cells: u64) -> Option<Finding> {
    let nearly = inferred.nearly.filter(|_| inferred.kind == ColumnKind::Text)?;
    let code = |(_, text): &(Place, String)| text.bytes().all(|byte| byte.is_ascii_digit());
    let few = inferred.outside as f64 <= (1.0 - HABIT) * cells as f64;
    if !few || inferred.first_misfits.iter().all(code) {
        return None;
    }
    let message = format!("most values are {}, these are not", nearly.plain());
    let finding = plain("mixed_types", message, inferred.outside);
    Some(with_examples(finding, &inferred.first_misfits))
}

fn odd(kind: Oddity, seen: &Seen, sketch: &Sketch, inferred: &Inferred) -> Option<Finding> {
    let share = seen.cells as f64 / sketch.cells as f64;
    let (word, message) = match kind {
        Oddity::NullWord => ("null_word", "words that mean \"nothing\" stand for a blank"),
        Oddity::FormulaError => ("formula_error", "errors of spreadsheet formulas"),
        // A column of measurements may be written so; ids may not.
        Oddity::Scientific if sketch.wholes == 0 && inferred.kind == ColumnKind::Double => {
            return None;
        }
        Oddity::Scientific => ("scientific", "numbers that a spreadsheet has shortened"),
        Oddity::MonthDay => ("month_day", "codes that a spreadsheet took for dates"),
        Oddity::Rounded if share < ROUNDED => return None,
        Oddity::Rounded => {
            ("rounded", "long numbers end in six zeros: a spreadsheet may have rounded them")
        }
        Oddity::Negative if share > FEW || inferred.kind == ColumnKind::Text => return None,
        Oddity::Negative => ("negative", "a few numbers are below zero"),
        Oddity::Mojibake => ("mojibake", "text was read in a wrong encoding on its way here"),
        Oddity::Replacement => {
            ("replacement", "characters were destroyed on the way here (U+FFFD)")
        }
        Oddity::Control => ("control", "tabs, line ends or other control characters"),
        Oddity::Padded => ("padded", "blanks before or behind the value"),
        Oddity::BlankText => ("blank_text", "blanks and nothing else"),
    };
    Some(with_examples(plain(word, message, seen.cells), &seen.examples))
}

/// A number or day that stands for "unknown" at the end of the range.
fn sentinel(column: &ColumnProfile, sketch: &Sketch) -> Option<Finding> {
    let known = |value: &str| match column.is_moment() {
        true => {
            ["1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1970-01-01", "9999-12-31"]
                .iter()
                .any(|day| value.starts_with(day))
        }
        false => {
            let digits = value.trim_start_matches('-');
            let nines = !digits.is_empty() && digits.bytes().all(|digit| digit == b'9');
            value == "-1" || nines && (digits.len() > 2 || value.starts_with('-'))
        }
    };
    if !(column.is_moment() || column.is_number()) {
        return None;
    }
    let at_end = |value: &str| [&column.min, &column.max].contains(&&Some(value.to_owned()));
    let values = sketch.values.sorted();
    let (value, cells) = values.into_iter().find(|(value, cells)| {
        *cells > 1 && *cells < column.filled && known(value) && at_end(value)
    })?;
    let message = format!("{value} may stand for \"unknown\"");
    let examples = vec![FindingExample { row: None, value: value.to_owned() }];
    Some(Finding { examples, ..plain("sentinel", message, cells) })
}

/// Codes of one length, zeros in front, of which some are shorter.
fn lost_zeros(column: &ColumnProfile) -> Option<Finding> {
    let length = |shape: &str| -> Option<u64> {
        match shape.strip_prefix('9')? {
            "" => Some(1),
            rest => rest.strip_prefix('{')?.strip_suffix('}')?.parse().ok(),
        }
    };
    let usual = column.shapes.first()?;
    let width = length(&usual.value)?;
    let zeros = column.min.as_deref().is_some_and(|min| min.starts_with('0') && min.len() > 1);
    if column.is_number() || !zeros || (usual.count as f64) < HABIT * column.filled as f64 {
        return None;
    }
    let shorter =
        |shape: &&super::report::Frequent| length(&shape.value).is_some_and(|n| n < width);
    let cells: u64 = column.shapes.iter().filter(shorter).map(|shape| shape.count).sum();
    let message = format!("most have {width} digits; shorter ones may have lost zeros in front");
    (cells > 0).then(|| plain("lost_zeros", message, cells))
}

/// Texts of one length, of which a few are longer or shorter.
fn odd_length(column: &ColumnProfile) -> Option<Finding> {
    if column.is_number() || column.is_moment() || column.shapes_error > 0 {
        return None;
    }
    let all: u64 = column.shapes.iter().map(|shape| shape.count).sum();
    let mut lengths = BTreeMap::<u64, u64>::new();
    for shape in &column.shapes {
        *lengths.entry(characters(&shape.value)?).or_default() += shape.count;
    }
    let (usual, count) = lengths.iter().max_by_key(|(_, count)| **count)?;
    let others = column.filled - count;
    let few = others > 0 && others as f64 <= FEW * column.filled as f64;
    if all < column.filled || !few {
        return None;
    }
    let odd = column.shapes.iter().filter(|s| characters(&s.value).is_some_and(|n| n != *usual));
    let example =
        |shape: &super::report::Frequent| FindingExample { row: None, value: shape.value.clone() };
    let message = format!("nearly all have {usual} characters; others have shapes like these");
    let examples = odd.take(3).map(example).collect();
    Some(Finding { examples, ..plain("odd_length", message, others) })
}

/// Characters of the texts of a shape; `None` where the shape is not whole.
fn characters(shape: &str) -> Option<u64> {
    if shape.ends_with('…') {
        return None;
    }
    let (mut length, mut rest) = (0, shape.chars());
    while let Some(c) = rest.next() {
        match c {
            // The count stands for one more than the character before it.
            '{' => {
                let digits: String = rest.by_ref().take_while(|c| *c != '}').collect();
                length += digits.parse::<u64>().ok()? - 1;
            }
            _ => length += 1,
        }
    }
    Some(length)
}

/// Values that differ in capitals only.
fn case(sketch: &Sketch) -> Option<Finding> {
    if sketch.values.error() > 0 {
        return None;
    }
    let mut folded = BTreeMap::<String, Vec<(&str, u64)>>::new();
    for (text, count) in sketch.values.sorted() {
        folded.entry(text.to_lowercase()).or_default().push((text, count));
    }
    let several: Vec<_> = folded.values().filter(|spellings| spellings.len() > 1).collect();
    let cells: u64 = several.iter().flat_map(|texts| &texts[1..]).map(|(_, count)| count).sum();
    let first = several.first()?;
    let example = |(text, _): &(&str, u64)| FindingExample { row: None, value: (*text).to_owned() };
    let examples = first.iter().take(3).map(example).collect();
    Some(Finding { examples, ..plain("case", "values differ in capitals only", cells) })
}

#[cfg(test)]
mod tests {
    use crate::chunk::Place;
    use crate::profile::column::{Column, Named};
    use crate::profile::sketch::Folder;

    /// The kinds of findings, and the cells of each, of a column with `usual` a hundred times.
    fn kinds(usual: impl Fn(usize) -> String, odd: &[&str]) -> Vec<(String, u64)> {
        let mut texts: Vec<String> = (0..100).map(usual).collect();
        texts.extend(odd.iter().map(|text| (*text).to_owned()));
        let cells = texts.iter().map(|text| (!text.is_empty()).then_some(text.as_str()));
        let place = |row| Place { row: row as u64 + 2, byte: None };
        let mut column = Column::default();
        column.add(Folder::default().fold(cells, texts.len(), place));
        let (name, header) = ("a".to_owned(), "A".to_owned());
        let told = column.finish(Named { name, header, declared: None, unique: None });
        told.findings.into_iter().map(|finding| (finding.kind, finding.cells)).collect()
    }

    fn found(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
        expected.iter().map(|(kind, cells)| ((*kind).to_owned(), *cells)).collect()
    }

    #[test]
    fn what_breaks_the_habit_of_a_column_is_found() {
        let year = |n: usize| (1950 + n % 70).to_string();
        assert_eq!(kinds(year, &[]), []);
        assert_eq!(kinds(year, &["9999", "9999"]), found(&[("sentinel", 2)]));
        assert_eq!(
            kinds(year, &["N/A", "N/A", "", " 1950"]),
            found(&[("mixed_types", 2), ("null_word", 2), ("padded", 1)])
        );
        let code = |n: usize| format!("{:03}", n % 50);
        assert_eq!(kinds(code, &["7", "12"]), found(&[("lost_zeros", 2)]));
        let word = |n: usize| ["COMMERCIAL", "Vacant land"][n % 2].to_owned();
        assert_eq!(kinds(word, &["Commercial", "VACANT LAND"]), found(&[("case", 2)]));
        let id = |n: usize| format!("4741190{n:05}");
        assert_eq!(kinds(id, &["474119000000"]), []);
        let rounded: Vec<String> = (0..40).map(|n| format!("47{}19000000", n % 3)).collect();
        let rounded: Vec<&str> = rounded.iter().map(String::as_str).collect();
        assert_eq!(kinds(id, &rounded), found(&[("rounded", 41)]));
    }

    #[test]
    fn a_few_out_of_line_are_found() {
        let id = |n: usize| format!("47A{n:09}");
        assert_eq!(kinds(id, &["47A00000007"]), found(&[("odd_length", 1)]));
        let price = |n: usize| (n * 100).to_string();
        assert_eq!(kinds(price, &["-100"]), found(&[("negative", 1)]));
        let change = |n: usize| (n as i64 - 50).to_string();
        assert_eq!(kinds(change, &[]), []);
        assert_eq!(super::characters("9{12}-A{2}x"), Some(16));
    }

    #[test]
    fn a_column_of_nothing_or_of_one_value_says_so() {
        assert_eq!(kinds(|_| String::new(), &[]), found(&[("empty", 100)]));
        assert_eq!(kinds(|_| "16".into(), &[]), found(&[("constant", 100)]));
    }
}
