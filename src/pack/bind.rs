//! Puts the columns of a header in their place by name, never by position.

use std::collections::HashMap;

use super::model::{Column, Kind, Required};

/// Which header cell holds which column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Binding {
    /// For each column of the kind, the place of its header cell.
    pub columns: Vec<Option<usize>>,
    /// Header cells that stand for no column.
    pub unknown: Vec<usize>,
    /// Columns that the header lacks although the roll year publishes them.
    pub missing: Vec<String>,
    /// Those of them without which the file cannot be loaded.
    pub missing_required: Vec<String>,
    /// Columns named more than once, with all places; the first is bound.
    pub duplicates: Vec<(String, Vec<usize>)>,
    /// Header as written, and the column it is another spelling of.
    pub renamed: Vec<(String, String)>,
    /// Unknown header as written, and the missing column it may be meant for. Never bound.
    pub near: Vec<(String, String)>,
    /// Name of the known layout with just these columns.
    pub layout: Option<String>,
}

impl Binding {
    /// How many columns of the kind are there.
    pub fn bound(&self) -> usize {
        self.columns.iter().flatten().count()
    }
}

impl Kind {
    /// Binds a header by name and alias. Case, surrounding blanks and quotes and a byte order mark do
    /// not matter; the order of columns does not matter. `year` is the roll year, if known: columns
    /// that it does not publish are not missed.
    pub fn bind(&self, header: &[String], year: Option<u16>) -> Binding {
        let cells: Vec<String> = header.iter().map(|h| normal(h)).collect();
        let mut binding = Binding::default();
        let claims = self.claims(&cells, &mut binding);
        for (column, places) in self.columns.iter().zip(&claims) {
            binding.columns.push(places.first().copied());
            if places.len() > 1 {
                binding.duplicates.push((column.name.clone(), places.clone()));
            }
            if let Some(first) = places.first().filter(|p| cells[**p] != column.name) {
                binding.renamed.push((header[*first].clone(), column.name.clone()));
            }
        }
        self.note_layout(&mut binding);
        self.note_missing(&mut binding, year);
        self.note_near(&mut binding, header, &cells);
        binding
    }

    /// Binds a file without a header: the first `width` columns in published order.
    pub fn bind_positions(&self, width: usize) -> Binding {
        let mut binding = Binding {
            columns: (0..self.columns.len()).map(|i| (i < width).then_some(i)).collect(),
            unknown: (self.columns.len()..width.max(self.columns.len())).collect(),
            ..Binding::default()
        };
        self.note_layout(&mut binding);
        self.note_missing(&mut binding, None);
        binding
    }

    /// The header places of each column: those with its own name, else those with an alias.
    /// An alias beside the name itself is a column of its own and stays unknown.
    fn claims(&self, cells: &[String], binding: &mut Binding) -> Vec<Vec<usize>> {
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut aliases: HashMap<String, usize> = HashMap::new();
        for (i, column) in self.columns.iter().enumerate() {
            names.insert(&column.name, i);
            aliases.insert(normal(&column.source), i);
            for alias in &column.aliases {
                aliases.insert(normal(alias), i);
            }
        }
        let mut by_name = vec![Vec::new(); self.columns.len()];
        let mut by_alias = vec![Vec::new(); self.columns.len()];
        for (place, cell) in cells.iter().enumerate() {
            match (names.get(cell.as_str()), aliases.get(cell)) {
                (Some(i), _) => by_name[*i].push(place),
                (None, Some(i)) => by_alias[*i].push(place),
                (None, None) => binding.unknown.push(place),
            }
        }
        for (own, other) in by_name.iter_mut().zip(by_alias) {
            if own.is_empty() {
                *own = other;
            } else {
                binding.unknown.extend(other);
            }
        }
        binding.unknown.sort_unstable();
        by_name
    }

    fn note_layout(&self, binding: &mut Binding) {
        if !binding.unknown.is_empty() {
            return;
        }
        let fits = |without: &[String]| {
            let there = self.columns.iter().zip(&binding.columns);
            there.into_iter().all(|(c, place)| place.is_some() != without.contains(&c.name))
        };
        let layout = self.layouts.iter().find(|l| fits(&l.without));
        binding.layout = layout.map(|l| l.name.clone());
    }

    fn note_missing(&self, binding: &mut Binding, year: Option<u16>) {
        for (column, place) in self.columns.iter().zip(&binding.columns) {
            if place.is_some() {
                continue;
            }
            if matches!(column.required, Required::Yes | Required::Column) {
                binding.missing_required.push(column.name.clone());
            }
            if binding.layout.is_none() && published(column, year) {
                binding.missing.push(column.name.clone());
            }
        }
    }

    fn note_near(&self, binding: &mut Binding, header: &[String], cells: &[String]) {
        let free: Vec<&Column> = self
            .columns
            .iter()
            .zip(&binding.columns)
            .filter(|(_, place)| place.is_none())
            .map(|(column, _)| column)
            .collect();
        for place in &binding.unknown {
            let best = free
                .iter()
                .filter_map(|c| likeness(&cells[*place], &c.name).map(|far| (far, c)))
                .min_by_key(|(far, _)| *far);
            if let Some((_, column)) = best {
                binding.near.push((header[*place].clone(), column.name.clone()));
            }
        }
    }
}

/// A header cell as it is compared.
pub(super) fn normal(header: &str) -> String {
    let blank = |c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '"' | '\'');
    header.trim_matches(blank).to_lowercase()
}

/// Without a year only the columns of all years count as published.
fn published(column: &Column, year: Option<u16>) -> bool {
    let (from, to) = column.years;
    match year {
        Some(year) => from.is_none_or(|f| year >= f) && to.is_none_or(|t| year <= t),
        None => from.is_none() && to.is_none(),
    }
}

/// Distance of two names that differ by a slip of the pen, or `None`.
fn likeness(written: &str, name: &str) -> Option<usize> {
    let squeeze = |s: &str| -> Vec<char> { s.chars().filter(|c| c.is_alphanumeric()).collect() };
    let (a, b) = (squeeze(written), squeeze(name));
    // `exmpt_49` is not `exmpt_47` misspelt: digits carry meaning.
    let digits = |s: &[char]| s.iter().filter(|c| c.is_ascii_digit()).collect::<String>();
    if digits(&a) != digits(&b) {
        return None;
    }
    let allowed = match a.len().max(b.len()) {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    };
    let far = distance(&a, &b);
    (far <= allowed).then_some(far)
}

/// Edits between two short words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let swap = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = swap.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
