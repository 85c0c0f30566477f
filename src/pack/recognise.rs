//! Which kind of file a header belongs to.

use std::collections::HashSet;

use super::bind::Binding;
use super::model::{Kind, Pack};

/// At least this share of the header must be columns of the kind: a table with columns of its own
/// beside a few borrowed ones is not a roll.
const HEADER_SHARE: f64 = 0.6;
/// At least this many columns must be ones that no other kind of the pack has.
const DISTINCTIVE: usize = 3;
/// A header without a required column is still meant for a kind if it has this share of its columns.
const RESEMBLANCE: f64 = 0.5;

/// A kind that fits, and why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Recognised {
    /// Id of the kind.
    pub kind: String,
    /// Share of the kind's columns that the header has, 0 to 1.
    pub share: f64,
    /// One sentence for people.
    pub evidence: String,
}

impl Pack {
    /// The kind whose columns the header holds; `None` when none fits well.
    pub fn recognise(&self, header: &[String]) -> Option<Recognised> {
        self.best(header, |binding, _| binding.missing_required.is_empty())
    }

    /// The kind that a header is meant for although it lacks a required column: a renamed key must
    /// not turn a roll into a plain table unnoticed.
    pub fn resembles(&self, header: &[String]) -> Option<Recognised> {
        self.best(header, |_, found| found.share >= RESEMBLANCE)
    }

    fn best(
        &self,
        header: &[String],
        fits: impl Fn(&Binding, &Recognised) -> bool,
    ) -> Option<Recognised> {
        let mut best: Option<(f64, Recognised)> = None;
        for kind in &self.kinds {
            let binding = kind.bind(header, None);
            let Some((score, found)) = self.judge(kind, &binding, header.len()) else { continue };
            if !fits(&binding, &found) {
                continue;
            }
            if best.as_ref().is_none_or(|(top, _)| score > *top) {
                best = Some((score, found));
            }
        }
        best.map(|(_, found)| found)
    }

    /// The kind of a file without a header, from one of its rows: as many cells as columns, the
    /// kind's marker in its place, and a known county number.
    pub fn recognise_cells(&self, cells: &[String]) -> Option<Recognised> {
        self.kinds.iter().filter(|k| k.headerless).find_map(|kind| {
            let (column, value) = kind.marker.as_ref()?;
            let (marker, _) = kind.column(column)?;
            let county = kind.county_column.as_ref().and_then(|c| kind.column(c));
            let known = county.is_none_or(|(at, _)| {
                let number = cells.get(at).and_then(|c| c.trim().parse().ok());
                number.is_some_and(|n| self.counties.by_number(n).is_some())
            });
            let fits = cells.len() == kind.columns.len() && cells[marker].trim() == value && known;
            fits.then(|| Recognised {
                kind: kind.id.clone(),
                share: 1.0,
                evidence: format!(
                    "no header, {} cells in a row, the first row has {column} {value} and a county number",
                    cells.len()
                ),
            })
        })
    }

    fn judge(&self, kind: &Kind, binding: &Binding, width: usize) -> Option<(f64, Recognised)> {
        let bound = binding.bound();
        let own = self.distinctive(kind, binding);
        if own.len() < DISTINCTIVE || width == 0 {
            return None;
        }
        let header_share = bound as f64 / width as f64;
        if header_share < HEADER_SHARE {
            return None;
        }
        let share = bound as f64 / kind.columns.len() as f64;
        let evidence = format!(
            "{bound} of {width} header names are columns of {}, among them {}",
            kind.id.to_uppercase(),
            own[..DISTINCTIVE].join(", "),
        );
        Some((header_share + share, Recognised { kind: kind.id.clone(), share, evidence }))
    }

    /// The bound columns that no other kind has, under their own names.
    fn distinctive(&self, kind: &Kind, binding: &Binding) -> Vec<String> {
        let others = self.kinds.iter().filter(|k| k.id != kind.id).flat_map(|k| &k.columns);
        let shared: HashSet<&str> = others
            .flat_map(|c| std::iter::once(&c.name).chain(&c.aliases))
            .map(String::as_str)
            .collect();
        let bound = kind.columns.iter().zip(&binding.columns).filter(|(_, place)| place.is_some());
        bound
            .map(|(column, _)| column.name.clone())
            .filter(|name| !shared.contains(name.as_str()))
            .collect()
    }
}
