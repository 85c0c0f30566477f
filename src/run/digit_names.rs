//! Columns of digits that are names, not numbers: ZIP codes, parcel and phone numbers. Nobody adds them up, and
//! a number would lose their leading zeros. Which headers mean such a column is said by `digit_names.toml`.

use crate::chunk::ColumnKind;
use crate::source::infer::Common;
use serde::Deserialize;
use std::sync::OnceLock;

/// The words of headers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigitNames {
    /// Words, or several with blanks between, that stand side by side in the header.
    names: Vec<String>,
    /// Words of headers that are meant only where values are long.
    long_only: Vec<String>,
    /// Digits that a value must have more than, to be long.
    long: usize,
    /// Words that make a measure of the column when they stand behind the name.
    measures: Vec<String>,
}

impl DigitNames {
    /// Those that are built in.
    pub fn embedded() -> &'static Self {
        static NAMES: OnceLock<DigitNames> = OnceLock::new();
        NAMES.get_or_init(|| {
            toml::from_str(include_str!("digit_names.toml"))
                .expect("the list is built in, and a test reads it")
        })
    }

    /// Whether a column of whole numbers holds names.
    pub fn are_in(&self, header: &str, cells: Common) -> bool {
        if !matches!(cells.kind(), ColumnKind::Int | ColumnKind::BigInt) {
            return false;
        }
        let words = words(header);
        let is_long = cells.digits() > self.long;
        let long = self.long_only.iter().filter(|_| is_long);
        self.names.iter().chain(long).any(|name| self.stands_in(&words, name))
    }

    /// Whether a name stands in the words of a header, and no measure anywhere behind it.
    fn stands_in(&self, words: &[String], name: &str) -> bool {
        let name: Vec<&str> = name.split(' ').collect();
        words.windows(name.len()).enumerate().any(|(at, window)| {
            let mut behind = words[at + name.len()..].iter();
            let measure = behind.any(|word| self.measures.contains(word));
            !measure && window.iter().zip(&name).all(|(word, part)| word == part)
        })
    }
}

/// The words of a header in small letters: `OwnerZip_Code 2` is `owner`, `zip`, `code`, `2`.
fn words(header: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in header.chars() {
        let begins = letter.is_uppercase() && before.is_lowercase();
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().into_iter().for_each(|word| word.extend(letter.to_lowercase()));
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::infer::fit;

    fn is_name(header: &str, text: &str) -> bool {
        let cell = fit(text);
        DigitNames::embedded().are_in(header, Common::of(cell.kinds, cell.whole, cell.scale))
    }

    #[test]
    fn headers_of_names_are_known_by_whole_words() {
        for header in [
            "zip",
            "ZIP",
            "Zip Code",
            "OwnerZip",
            "owner_zipcode",
            "PARCEL_ID",
            "Parcel Number",
            "folio",
            "Account No",
            "FIPS",
            "phone",
            "GEOID",
            "site.pin",
        ] {
            assert!(is_name(header, "33601"), "{header}");
        }
        for header in [
            "zip_count",
            "Parcel Value",
            "zipper",
            "pinned",
            "spin",
            "phone area",
            "folio balance",
            "size",
            "account balance",
            "parcel_id_count",
            "id",
        ] {
            assert!(!is_name(header, "33601"), "{header}");
        }
    }

    #[test]
    fn an_id_is_a_name_where_it_is_long() {
        assert!(is_name("id", "1234567890") && is_name("Owner ID", "474119030001"));
        assert!(!is_name("id", "123456789") && !is_name("idle", "1234567890"));
    }

    #[test]
    fn only_whole_numbers_are_digits_of_names() {
        assert!(!is_name("zip", "33601.5") && !is_name("zip", "abc"));
    }
}
