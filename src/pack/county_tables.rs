//! Counties from the code tables that describe them.

use super::county::{Counties, County, ParcelFormat};
use super::load::{Loader, number};
use super::model::CodeTable;

const COUNTIES: &str = "codes/counties.csv";
const FORMATS: &str = "codes/county_parcel_formats.csv";

/// Counties from the two code tables of these names, where the pack has them.
pub(super) fn counties(loader: &mut Loader, tables: &[CodeTable]) -> Counties {
    let table = |name: &str| tables.iter().find(|t| t.name == name);
    let formats = table("county_parcel_formats");
    let mut list = Vec::new();
    for row in table("counties").map(|t| Rows { table: t }).into_iter().flat_map(Rows::each) {
        let place = format!("county {}", row.cell("name"));
        let Some(number) = number::<u8>(loader, COUNTIES, &place, "number", row.cell("number"))
        else {
            continue;
        };
        let spellings = row.cell("spellings").split('|').map(str::trim).filter(|s| !s.is_empty());
        let spellings = spellings.map(str::to_owned).collect();
        let format = formats.and_then(|t| {
            let mine = Rows { table: t }.each().find(|r| r.cell("number") == row.cell("number"))?;
            parcel_format(loader, &place, &mine)
        });
        let (name, fips) = (row.cell("name").to_owned(), row.cell("fips").to_owned());
        list.push(County { number, name, fips, spellings, format });
    }
    let counties = Counties::new(list);
    for spelling in counties.ambiguous() {
        loader.problem(COUNTIES, format!("spelling {spelling}"), "stands for two counties");
    }
    counties
}

fn parcel_format(loader: &mut Loader, place: &str, row: &Row<'_>) -> Option<ParcelFormat> {
    let length = |loader: &mut Loader, field: &str| {
        number::<usize>(loader, FORMATS, place, field, row.cell(field))
    };
    let share = |loader: &mut Loader, field: &str| {
        number::<f64>(loader, FORMATS, place, field, row.cell(field)).unwrap_or(0.0)
    };
    let (len_min, len_max) = (length(loader, "len_min")?, length(loader, "len_max")?);
    Some(ParcelFormat {
        len_min,
        len_median: length(loader, "len_median").unwrap_or(len_max),
        len_max,
        constant_len: (len_min == len_max).then_some(len_max),
        shape: row.cell("shape").to_owned(),
        shape_share: share(loader, "shape_share"),
        leading_zero_share: share(loader, "leading_zero_share"),
        note: row.cell("note").to_owned(),
    })
}

#[derive(Clone, Copy)]
struct Rows<'a> {
    table: &'a CodeTable,
}

impl<'a> Rows<'a> {
    fn each(self) -> impl Iterator<Item = Row<'a>> {
        self.table.rows.iter().map(move |cells| Row { table: self.table, cells })
    }
}

struct Row<'a> {
    table: &'a CodeTable,
    cells: &'a [String],
}

impl Row<'_> {
    /// The cell of a named column; blank if the table has no such column.
    fn cell(&self, column: &str) -> &str {
        self.table.column(column).map_or("", |at| &self.cells[at])
    }
}
