//! How the texts of a column repeat, guessed from the first records: only how a new table is stored
//! depends on it, never what it holds.

use crate::load::table::Texts;
use std::collections::HashSet;

/// Fewer values in the sample tell nothing.
const ENOUGH: usize = 100;

/// What the values of a field in the sample say. That they repeat is never concluded: the first
/// records of a file stand close together, and a wrong guess in that direction costs much more.
pub(super) fn texts_of(sample: &[Vec<String>], field: usize) -> Texts {
    let values = sample.iter().filter_map(|record| record.get(field));
    let filled: Vec<_> = values.map(|value| value.trim()).filter(|v| !v.is_empty()).collect();
    let distinct = filled.iter().collect::<HashSet<_>>().len();
    let mostly_filled = filled.len() >= ENOUGH && filled.len() * 2 >= sample.len();
    match mostly_filled && distinct * 2 > filled.len() {
        true => Texts::Differ,
        false => Texts::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: impl Iterator<Item = String>) -> Texts {
        texts_of(&values.map(|value| vec![value]).collect::<Vec<_>>(), 0)
    }

    #[test]
    fn only_many_filled_values_of_their_own_differ() {
        assert_eq!(texts((0..300).map(|n| format!("{n} MAIN ST"))), Texts::Differ);
        assert_eq!(texts((0..300).map(|n| format!("CITY {}", n % 20))), Texts::Unknown);
        assert_eq!(texts((0..50).map(|n| n.to_string())), Texts::Unknown);
        let sparse = |n: u32| if n.is_multiple_of(3) { n.to_string() } else { " ".into() };
        assert_eq!(texts((0..900).map(sparse)), Texts::Unknown);
        assert_eq!(texts_of(&[], 3), Texts::Unknown);
    }
}
