//! The header of a roll, read from the column lists of the embedded pack, so that generator and
//! program cannot disagree about names or order.

use hashbrown::HashMap;

use crate::roll::{Kind, Release};

const NAL: &str = include_str!("../../packs/florida/columns/nal.csv");
const SDF: &str = include_str!("../../packs/florida/columns/sdf.csv");
const NAP: &str = include_str!("../../packs/florida/columns/nap.csv");

/// First layout with these columns: the final rolls of 2026.
const SINCE_2026_FINAL: [&str; 2] = ["EXMPT_47", "EXMPT_48"];

/// Column names in file order, and where each stands.
pub struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    /// The columns of a kind of roll in the year and release given.
    pub fn of(kind: Kind, year: i64, release: Release) -> Self {
        let list = match kind {
            Kind::Nal => NAL,
            Kind::Sdf => SDF,
            Kind::Nap => NAP,
        };
        let newest = year > 2026 || (year == 2026 && release == Release::F);
        let mut names = source_names(list);
        names.retain(|name| newest || !SINCE_2026_FINAL.contains(&name.as_str()));
        let places = names.iter().enumerate().map(|(at, name)| (name.clone(), at)).collect();
        Self { names, places }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The names in file order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Where a column stands.
    pub fn place(&self, name: &str) -> usize {
        *self.places.get(name).expect("the pack declares every column that the generator fills")
    }

    /// The letters that a spreadsheet shows above a column.
    pub fn letters(place: usize) -> String {
        let mut left = place + 1;
        let mut letters = Vec::new();
        while left > 0 {
            letters.insert(0, b'A' + ((left - 1) % 26) as u8);
            left = (left - 1) / 26;
        }
        letters.into_iter().map(char::from).collect()
    }
}

/// The DOR's names: column `source` of the list where it is filled, else `name`.
fn source_names(list: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(list.as_bytes());
    let header = reader.headers().expect("the pack's column lists have a header").clone();
    let at = |wanted: &str| header.iter().position(|name| name == wanted);
    let name_at = at("name").expect("the pack's column lists have a column `name`");
    let source_at = at("source").unwrap_or(name_at);
    reader
        .records()
        .map(|record| record.expect("the pack's column lists are well-formed CSV"))
        .map(|record| {
            let source = record.get(source_at).unwrap_or_default();
            let name = record.get(name_at).unwrap_or_default();
            if source.is_empty() { name } else { source }.to_uppercase()
        })
        .collect()
}
