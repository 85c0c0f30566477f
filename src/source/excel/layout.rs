//! Where the table lies on its sheet: the header row below a preamble, the first and last column.

use super::asked::{Bounds, HeaderAt};
use super::page::Page;
use super::range::Area;
use crate::source::SourceOptions;
use crate::source::cell::Cell;

/// Rows above a header that are looked at.
pub const PREAMBLE: usize = 20;

/// The place of a table on its sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Column of the first field, from 0.
    pub first_column: u16,
    /// Names of the fields; blank where the header is.
    pub headers: Vec<String>,
    /// Row of the header, from 1.
    pub header_row: Option<u32>,
    /// First row that can hold a record.
    pub first_row: u32,
    /// Rows above the header that hold something.
    pub preamble: Vec<u32>,
    /// The cells that alone are read, where the user says so; there is nothing beside them.
    pub area: Option<Area>,
}

impl Layout {
    /// Finds the table in the first rows of a sheet. `None`: the header row asked for is not there.
    pub fn find(page: &Page, options: &SourceOptions) -> Option<Self> {
        if page.is_empty() {
            return None;
        }
        if let Some(headers) = &options.headers {
            return Some(Self::headless(page, Some(headers)));
        }
        let header = match options.header_row {
            Some(0) => return Some(Self::headless(page, None)),
            Some(wanted) => {
                (0..page.len()).find(|record| u64::from(page.number(*record)) == wanted)?
            }
            None => find_header(page),
        };
        let row = page.number(header);
        // A header of several rows: those of its rows that hold something.
        let height = options.header_rows.map_or(1, |rows| rows.clamp(1, PREAMBLE as u64) as u32);
        let first_row = row.saturating_add(height);
        let behind = (header..page.len()).find(|record| page.number(*record) >= first_row);
        let behind = behind.unwrap_or(page.len());
        let (mut first, mut last) = filled_span(page, header)?;
        let more = (header + 1..behind).filter_map(|record| filled_span(page, record));
        let common = common_columns(page, behind).into_iter().map(|column| (column, column));
        for (from, to) in more.chain(common) {
            first = first.min(from);
            last = last.max(to);
        }
        let name = |column| {
            let texts = (header..behind).map(|record| page.at(record, column).text());
            let texts: Vec<_> = texts.map(|text| text.trim().to_owned()).collect();
            texts.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
        };
        Some(Self {
            first_column: first,
            headers: (first..=last).map(name).collect(),
            header_row: Some(row),
            first_row,
            preamble: (0..header).map(|record| page.number(record)).collect(),
            area: None,
        })
    }

    /// The table in the cells that the user asks for; the page holds only these. `None`: their first
    /// row is blank and should be the header.
    pub fn within(page: &Page, bounds: &Bounds, names: Option<&Vec<String>>) -> Option<Self> {
        let area = bounds.area;
        let is_header = |record: &usize| page.number(*record) == area.first_row;
        let header = (0..page.len()).find(is_header);
        let header = match bounds.header {
            HeaderAt::First => Some(header?),
            HeaderAt::None | HeaderAt::Names(_) => None,
        };
        let last = if area.has_last_column() { area.last_column } else { last_used(page, header) };
        let columns = area.first_column..=last.max(area.first_column);
        let headers = match (&bounds.header, header) {
            (HeaderAt::Names(names), _) => names.clone(),
            (_, Some(header)) => {
                columns.map(|column| page.at(header, column).text().trim().to_owned()).collect()
            }
            _ => names.cloned().unwrap_or_else(|| numbered(columns.count())),
        };
        Some(Self {
            first_column: area.first_column,
            headers,
            header_row: header.map(|_| area.first_row),
            first_row: area.first_row + u32::from(header.is_some()),
            preamble: Vec::new(),
            area: Some(area),
        })
    }

    /// A table without a header: all columns that the first rows use.
    fn headless(page: &Page, names: Option<&Vec<String>>) -> Self {
        let spans = || (0..page.len()).filter_map(|record| filled_span(page, record));
        let first = spans().map(|(first, _)| first).min().unwrap_or(0);
        let last = spans().map(|(_, last)| last).max().unwrap_or(0);
        Self {
            first_column: first,
            headers: names.cloned().unwrap_or_else(|| numbered(usize::from(last - first) + 1)),
            header_row: None,
            first_row: page.number(0),
            preamble: Vec::new(),
            area: None,
        }
    }

    /// Whether a column counts for nothing, because the user asks for others only.
    #[inline]
    pub fn is_outside(&self, column: u16) -> bool {
        self.area.is_some_and(|area| !area.holds_column(column))
    }

    /// The field at a column of the sheet.
    #[inline]
    pub fn field(&self, column: u16) -> Option<usize> {
        let field = usize::from(column.checked_sub(self.first_column)?);
        (field < self.headers.len()).then_some(field)
    }

    /// The column of the sheet that holds a field.
    pub fn column(&self, field: usize) -> u16 {
        self.first_column + field as u16
    }

    /// Whether a record repeats the header: whether the text at each column is the `same`.
    pub fn is_header(&self, mut same: impl FnMut(u16, &str) -> bool) -> bool {
        let mut headers = self.headers.iter().enumerate();
        self.header_row.is_some() && headers.all(|(field, header)| same(self.column(field), header))
    }
}

fn numbered(columns: usize) -> Vec<String> {
    (1..=columns).map(|n| format!("column_{n}")).collect()
}

/// The last column of a table whose columns end nowhere: that of its header or of its common ones,
/// without a header that of any row.
fn last_used(page: &Page, header: Option<usize>) -> u16 {
    let last = |record| filled_span(page, record).map_or(0, |(_, last)| last);
    match header {
        Some(header) => {
            let common = common_columns(page, header + 1);
            common.into_iter().fold(last(header), u16::max)
        }
        None => (0..page.len()).map(last).max().unwrap_or(0),
    }
}

/// First and last column of a record that hold something.
fn filled_span(page: &Page, record: usize) -> Option<(u16, u16)> {
    let filled = || page.cells(record).iter().filter(|cell| !page.value(cell).is_blank());
    Some((filled().next()?.column, filled().next_back()?.column))
}

/// Columns that at least half of the records from `from` on use: they belong to the table even
/// where its header leaves them without a name.
fn common_columns(page: &Page, from: usize) -> Vec<u16> {
    let mut counts = std::collections::BTreeMap::<u16, usize>::new();
    for record in from..page.len() {
        for cell in page.cells(record).iter().filter(|cell| !page.value(cell).is_blank()) {
            *counts.entry(cell.column).or_default() += 1;
        }
    }
    let records = page.len().saturating_sub(from);
    counts
        .into_iter()
        .filter(|(_, count)| *count * 2 >= records)
        .map(|(column, _)| column)
        .collect()
}

/// The first row with at least two texts (in a table of one column: one). A row before it that is
/// just as full is the header itself, with numbers in it (`county, 2019, 2020`), unless both have
/// two cells and the later one is all text (`Date, 45000` above `id, name`). Where no row
/// qualifies, the first one is the header.
fn find_header(page: &Page) -> usize {
    let rows = page.len().min(PREAMBLE + 1);
    let filled = |record: usize| {
        page.cells(record).iter().filter(|cell| !page.value(cell).is_blank()).count()
    };
    let texts = |record: usize| {
        let is_text = |cell: &Cell<'_>| matches!(cell, Cell::Text(_)) && !cell.is_blank();
        page.cells(record).iter().filter(|cell| is_text(&page.value(cell))).count()
    };
    let wanted = if (0..page.len()).all(|record| filled(record) < 2) { 1 } else { 2 };
    let Some(found) = (0..rows).find(|record| texts(*record) >= wanted) else { return 0 };
    let doubtful = filled(found) > 2 || texts(found) < filled(found);
    (0..found)
        .find(|record| doubtful && texts(*record) > 0 && filled(*record) >= filled(found))
        .unwrap_or(found)
}

#[cfg(test)]
mod tests {
    use super::super::page::Packer;
    use super::*;

    fn page(rows: &[&[&str]]) -> Page {
        let mut packer = Packer::default();
        for (number, row) in (1..).zip(rows) {
            packer.begin_row(number);
            for (column, text) in (0..).zip(*row) {
                let cell = text.parse().map_or(Cell::Text(text), Cell::Number);
                assert!(packer.push(column, cell));
            }
            packer.end_row();
        }
        packer.page
    }

    fn found(rows: &[&[&str]]) -> (Option<u32>, u16, Vec<String>) {
        let layout = Layout::find(&page(rows), &SourceOptions::default()).expect("rows");
        (layout.header_row, layout.first_column, layout.headers)
    }

    #[test]
    fn the_header_is_found_below_a_preamble() {
        let rows: &[&[&str]] =
            &[&["Tax roll"], &[], &["Date", "45000"], &["id", "name", "value"], &["1", "x", "2"]];
        assert_eq!(found(rows).0, Some(4));
        assert_eq!(found(&[&["county", "2019", "2020"], &["A", "B", "3"]]).0, Some(1));
        assert_eq!(found(&[&["Date", "45000"], &["id", "name"], &["1", "x"]]).0, Some(2));
        assert_eq!(found(&[&["id"], &["1"], &["2"]]).0, Some(1));
        assert_eq!(found(&[&["1", "2"], &["3", "4"]]).0, Some(1));
    }

    #[test]
    fn a_header_of_several_rows_is_joined() {
        let rows: &[&[&str]] = &[&["", "2024", "2024"], &["id", "Jan", "Feb"], &["1", "2", "3"]];
        let options =
            SourceOptions { header_row: Some(1), header_rows: Some(2), ..SourceOptions::default() };
        let layout = Layout::find(&page(rows), &options).expect("rows");
        assert_eq!(layout.headers, ["id", "2024 Jan", "2024 Feb"]);
        assert_eq!((layout.header_row, layout.first_row), (Some(1), 3));
    }

    #[test]
    fn an_unnamed_column_full_of_values_belongs_to_the_table() {
        let rows: &[&[&str]] =
            &[&["", "", "a", "b"], &["", "0", "x", "y", "note"], &["", "1", "x", "y"], &["", "2"]];
        assert_eq!(found(rows), (Some(1), 1, vec!["".into(), "a".into(), "b".into()]));
    }
}
