//! What slashes, commas and points mean in the cells of a plain file: which part of a date is the day, and whether
//! `1.234` is a thousand. It is decided for each column over the whole file, before a row is loaded.
//!
//! Where one order of dates fits all rows of a column, it is used. Where both fit, evidence decides, in this order:
//! another column of the file whose rows prove one; a decimal comma (day first); the header (`dd/mm/yyyy`); a part
//! that is always 1 while the other takes at least three values (a monthly series). Then earlier loads of the table are
//! followed. Else the setting `date_order` decides, and that is always reported.

use super::prepare::Prepared;
use super::request::DateSetting;
use super::types;
use crate::chunk::{ColumnKind, DateOrder};
use crate::source::Table;
use crate::source::infer::{Common, Slashes};
use std::collections::HashMap;

/// Why dates of a column are read in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// Its rows are dates in no other order, or the same dates in both.
    Rows,
    /// The rows of the column at this position prove it.
    Sibling(usize),
    /// The column at this position has decimal commas.
    Comma(usize),
    /// The header names the order.
    Header,
    /// One part is always 1.
    Series,
    /// The setting says so, and nothing proves it.
    Setting,
}

/// Evidence of a file.
struct Evidence<'a> {
    headers: &'a [String],
    found: &'a [Common],
    setting: DateSetting,
}

impl Evidence<'_> {
    /// The order of the dates of a column; `None`: they stay text.
    fn order(&self, at: usize, slashes: Slashes) -> (Option<DateOrder>, Why) {
        if let Some(order) = proven(slashes) {
            return (Some(order), Why::Rows);
        }
        if !slashes.unequal {
            return (Some(DateOrder::default()), Why::Rows);
        }
        let comma = || self.comma().filter(|comma| *comma != at);
        let of_header = || order_of_header(&self.headers[at]).map(|order| (order, Why::Header));
        let evidence = self
            .siblings(at)
            .or_else(|| comma().map(|comma| (DateOrder::Dmy, Why::Comma(comma))))
            .or_else(of_header)
            .or_else(|| slashes.series.map(|order| (order, Why::Series)));
        match evidence {
            Some((order, why)) => (Some(order), why),
            None => (self.setting.order(), Why::Setting),
        }
    }

    /// The order that rows of other columns prove, where they do not contradict each other.
    fn siblings(&self, at: usize) -> Option<(DateOrder, Why)> {
        let others = self.found.iter().enumerate();
        let others = others.filter(|(other, found)| *other != at && found.are_dates());
        let mut proofs =
            others.filter_map(|(other, found)| Some((proven(found.slashes()?)?, other)));
        let (order, first) = proofs.next()?;
        proofs.all(|(other, _)| other == order).then_some((order, Why::Sibling(first)))
    }

    /// The first column that proves a decimal comma.
    fn comma(&self) -> Option<usize> {
        self.found.iter().position(|found| found.proves_comma())
    }
}

/// The order that rows prove.
fn proven(slashes: Slashes) -> Option<DateOrder> {
    match (slashes.month_first, slashes.day_first) {
        (true, false) => Some(DateOrder::Mdy),
        (false, true) => Some(DateOrder::Dmy),
        _ => None,
    }
}

/// The order that a header names: `Date of sale (dd/mm/yyyy)`.
fn order_of_header(header: &str) -> Option<DateOrder> {
    let letters = |c: char| c.is_ascii_alphabetic();
    let lower = header.to_ascii_lowercase();
    let parts: Vec<&str> =
        lower.split(|c: char| !letters(c)).filter(|part| !part.is_empty()).collect();
    let is = |part: &str, letter: char, most: usize| {
        !part.is_empty() && part.len() <= most && part.chars().all(|c| c == letter)
    };
    parts.windows(3).find_map(|window| match window {
        [day, month, year] if is(day, 'd', 2) && is(month, 'm', 2) && is(year, 'y', 4) => {
            Some(DateOrder::Dmy)
        }
        [month, day, year] if is(day, 'd', 2) && is(month, 'm', 2) && is(year, 'y', 4) => {
            Some(DateOrder::Mdy)
        }
        _ => None,
    })
}

/// Decides for the columns of plain inputs whose types are found in their cells, and notes why. Inputs that go into
/// one table share their evidence, so it makes no difference in which of them, or how many, the rows stand.
pub fn settle(inputs: &mut [Prepared], setting: DateSetting) {
    let mut shared: HashMap<(String, String), Common> = HashMap::new();
    for input in inputs.iter().filter(|input| input.declares_no_types()) {
        for at in types::open_columns(input) {
            let Some(own) = input.found.get(at) else { continue };
            let all = shared.entry(types::place(input, at)).or_insert(Common::NOTHING);
            *all = all.with(*own);
        }
    }
    for input in inputs.iter_mut().filter(|input| input.declares_no_types()) {
        let columns = input.found.len();
        let mut all = vec![Common::NOTHING; columns];
        for at in types::open_columns(input).into_iter().filter(|at| *at < columns) {
            all[at] = shared.get(&types::place(input, at)).copied().unwrap_or(Common::NOTHING);
        }
        settle_one(input, &all, setting);
    }
}

/// `all`: what the cells of each column have in common, over all inputs of the table.
fn settle_one(input: &mut Prepared, all: &[Common], setting: DateSetting) {
    let (own, headers) = (input.found.clone(), input.schema.headers.clone());
    let evidence = Evidence { headers: &headers, found: all, setting };
    let of_file = Evidence { headers: &headers, found: &own, setting };
    for at in types::open_columns(input) {
        let (Some(cells), Some(all)) = (own.get(at), all.get(at)) else { continue };
        // A file whose own rows prove an order is read in it, and one beside which others contradict each other by
        // its own evidence.
        let own_proof = cells.slashes().filter(|slashes| proven(*slashes).is_some());
        let decided = match (own_proof, all.slashes()) {
            (Some(slashes), _) => Some(of_file.order(at, slashes)),
            (None, Some(slashes)) => Some(evidence.order(at, slashes)),
            (None, None) => cells.slashes().map(|slashes| of_file.order(at, slashes)),
        };
        if let Some((order, why)) = decided {
            // What a file was loaded with does not depend on those beside it.
            let own_why = || cells.slashes().map(|slashes| of_file.order(at, slashes).1);
            input.reading.assumes_date_order |=
                cells.are_dates() && own_why() == Some(Why::Setting);
            if why == Why::Setting && order.is_some() {
                input.reading.assumed_orders.push(at);
            }
            set_order(input, at, order);
            if cells.are_dates() && cells.slashes().is_some() {
                tell_order(input, at, order, &why);
            }
        } else if let Some(comma) = evidence.comma().filter(|comma| *comma != at)
            && cells.may_be_grouped()
        {
            let cells = cells.as_text();
            set(input, at, cells);
            tell_groups(input, at, comma);
        } else if cells.proves_comma() {
            let why = "VARCHAR: decimal commas; a --clean file with as = \"number\" and decimal = \",\" reads them";
            let cells = cells.as_text();
            set(input, at, cells);
            types::note(input, at, why.to_owned());
        } else if cells.has_mixed_offsets() {
            tell_mixed(input, at);
        } else if input.schema.columns[at].kind == ColumnKind::Text {
            tell_short_years(input, at);
        }
    }
}

/// Reads dates of which nothing tells the order as earlier loads of the table have read them. `earlier`: the stored
/// types of these loads.
pub fn follow(input: &mut Prepared, earlier: &[String]) {
    for at in std::mem::take(&mut input.reading.assumed_orders) {
        let column = input.schema.columns[at].clone();
        let was_day_first =
            |json: &String| types::stored_order(json, &column.name) == DateOrder::Dmy;
        if column.order == DateOrder::Dmy || !earlier.iter().any(was_day_first) {
            continue;
        }
        types::set_order(input, at, DateOrder::Dmy);
        let (start, order) = (format!("{}: dates such as", column.header), DateOrder::Dmy);
        input.reading.told.retain(|told| !told.starts_with(&start));
        let example = example(&*input.table, column.field, has_slash);
        input.reading.told.push(format!(
            "{start} {example} are read as {}, as in earlier loads of this table, and no row proves it; \
             --date-format {}=%m/%d/%Y reads them as {}",
            order.plain(),
            column.name,
            order.other().plain(),
        ));
        let ty = column.kind.duckdb();
        types::note(input, at, format!("{ty}: {}, as in earlier loads", order.plain()));
    }
}

/// Columns whose dates a load has read in another order than files beside it prove now, in words.
pub fn contradicted(input: &Prepared, stored: &str) -> Vec<String> {
    let mut told = Vec::new();
    for at in types::open_columns(input) {
        let Some(slashes) = input.found.get(at).and_then(|cells| cells.slashes()) else { continue };
        let column = &input.schema.columns[at];
        let was = types::stored_order(stored, &column.name);
        let is_date = column.kind == ColumnKind::Date || column.kind.is_moment();
        let is_open = slashes.month_first && slashes.day_first && slashes.unequal;
        if is_date && is_open && was != column.order {
            told.push(format!(
                "{}: its dates were read as {} when it was loaded, as nothing proved it then; other files of \
                 the table are {}: --fresh loads it again",
                column.header,
                was.plain(),
                column.order.plain()
            ));
        }
    }
    told
}

fn set(input: &mut Prepared, at: usize, cells: Common) {
    input.found[at] = cells;
    types::set(input, at, cells.kind());
}

fn set_order(input: &mut Prepared, at: usize, order: Option<DateOrder>) {
    let cells = input.found[at];
    match order {
        Some(order) => {
            types::set_order(input, at, order);
            if cells.are_dates() {
                set(input, at, cells.in_order(order));
            }
        }
        None if cells.are_dates() => set(input, at, cells.without_order()),
        None => {}
    }
}

/// Says what the order is and why, in the plan; where nothing proves it, everywhere.
fn tell_order(input: &mut Prepared, at: usize, order: Option<DateOrder>, why: &Why) {
    let header = |other: &usize| input.schema.headers[*other].clone();
    let column = input.schema.columns[at].clone();
    let ty = column.kind.duckdb();
    let Some(order) = order else {
        let example = example(&*input.table, column.field, has_slash);
        input.reading.told.push(format!(
            "{}: dates such as {example} stay text: no row proves which part is the day; --date-order mdy or \
             dmy reads them as dates",
            column.header
        ));
        types::note(input, at, format!("{ty}: no row proves the order of its dates"));
        return;
    };
    let because = match why {
        Why::Rows if order == DateOrder::default() => return,
        Why::Rows => "its rows prove it".to_owned(),
        Why::Sibling(other) => format!("column {} proves it", header(other)),
        Why::Comma(other) => format!("column {} has decimal commas", header(other)),
        Why::Header => "its header says so".to_owned(),
        Why::Series => "the day is always 1".to_owned(),
        Why::Setting => {
            let (read, other) = (order.plain(), order.other());
            let example = example(&*input.table, column.field, has_slash);
            input.reading.told.push(format!(
                "{}: dates such as {example} are read as {read}, and no row proves it (date_order = {}); \
                 --date-order {} reads them as {}, --date-order text leaves them as they are",
                column.header,
                order.name(),
                other.name(),
                other.plain(),
            ));
            "date_order says so, and no row proves it".to_owned()
        }
    };
    types::note(input, at, format!("{ty}: {}, because {because}", order.plain()));
}

fn tell_mixed(input: &mut Prepared, at: usize) {
    let header = input.schema.columns[at].header.clone();
    input.reading.told.push(format!(
        "{header}: stays text: some of its times have an offset from UTC, and some have none"
    ));
    types::note(input, at, "VARCHAR: some of its times have an offset, some have none".to_owned());
}

fn tell_groups(input: &mut Prepared, at: usize, comma: usize) {
    let comma = input.schema.headers[comma].clone();
    let column = input.schema.columns[at].clone();
    let example = example(&*input.table, column.field, |text| text.contains('.'));
    input.reading.told.push(format!(
        "{}: numbers such as {example} stay text: column {comma} has decimal commas, so a point may stand between \
         thousands; a --clean file with as = \"number\", decimal = \",\" and group = \".\" reads them",
        column.header
    ));
    types::note(input, at, "VARCHAR: its points may stand between thousands".to_owned());
}

/// Names the way to read dates with years of two digits, where all values of the sample look like it.
fn tell_short_years(input: &mut Prepared, at: usize) {
    let field = input.schema.columns[at].field;
    let mut short = false;
    for row in input.table.sample() {
        let text = row.get(field).map_or("", |text| text.trim());
        match text.is_empty() {
            true => {}
            false if is_short(text) => short = true,
            false => return,
        }
    }
    if short {
        let name = input.schema.columns[at].name.clone();
        let told = format!(
            "VARCHAR: a year has four digits; if these are dates, --date-format {name}=%m/%d/%y reads them"
        );
        types::note(input, at, told);
    }
}

/// `04/15/91`.
fn is_short(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let digits = |part: &&str| part.len() <= 2 && part.parse::<u8>().is_ok();
    parts.len() == 3 && parts.iter().all(digits) && parts[2].len() == 2
}

fn has_slash(text: &str) -> bool {
    text.contains('/')
}

/// A cell of the sample that has a property, in quotes.
fn example(table: &dyn Table, field: usize, has: impl Fn(&str) -> bool) -> String {
    let rows = table.sample();
    let cells = rows.iter().filter_map(|row| row.get(field));
    let found = cells.map(|cell| cell.trim()).find(|cell| has(cell));
    found.map_or_else(|| "these".to_owned(), |cell| format!("\"{cell}\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Place;
    use crate::source::infer::TypeFinder;

    fn cells(texts: &[&str]) -> Common {
        let mut finder = TypeFinder::default();
        texts.iter().for_each(|text| finder.add(text, || Place { row: 2, byte: None }));
        finder.finish().common
    }

    fn orders(columns: &[(&str, &[&str])], setting: DateSetting) -> Vec<(Option<DateOrder>, Why)> {
        let headers: Vec<_> = columns.iter().map(|(header, _)| (*header).to_owned()).collect();
        let found: Vec<_> = columns.iter().map(|(_, texts)| cells(texts)).collect();
        let evidence = Evidence { headers: &headers, found: &found, setting };
        let slashes = found.iter().enumerate();
        slashes.filter_map(|(at, found)| Some(evidence.order(at, found.slashes()?))).collect()
    }

    const BOTH: &[&str] = &["02/01/2014", "03/04/2014"];
    const DAYS: &[&str] = &["31/12/2012", "02/01/2013"];
    const MONTHS: &[&str] = &["12/31/2012", "02/01/2013"];

    #[test]
    fn rows_go_before_all_other_evidence() {
        let found = orders(&[("a (mm/dd/yyyy)", DAYS), ("b", &["10,5"])], DateSetting::Mdy);
        assert_eq!(found, [(Some(DateOrder::Dmy), Why::Rows)]);
        // Two columns that prove opposite orders decide each for themselves, and prove nothing for a third.
        let found = orders(&[("a", DAYS), ("b", MONTHS), ("c", BOTH)], DateSetting::Mdy);
        assert_eq!(found[0], (Some(DateOrder::Dmy), Why::Rows));
        assert_eq!(found[1], (Some(DateOrder::Mdy), Why::Rows));
        assert_eq!(found[2], (Some(DateOrder::Mdy), Why::Setting));
    }

    #[test]
    fn evidence_has_an_order() {
        let day_first = |why| (Some(DateOrder::Dmy), why);
        let found = orders(&[("a (mm/dd/yyyy)", BOTH), ("b", DAYS)], DateSetting::Mdy);
        assert_eq!(found[0], day_first(Why::Sibling(1)));
        let found = orders(&[("a (mm/dd/yyyy)", BOTH), ("b", &["10,5"])], DateSetting::Mdy);
        assert_eq!(found[0], day_first(Why::Comma(1)));
        let series = &["1/1/2012", "1/2/2012", "1/3/2012"];
        let found = orders(&[("a (mm/dd/yyyy)", series)], DateSetting::Dmy);
        assert_eq!(found[0], (Some(DateOrder::Mdy), Why::Header));
        let found = orders(&[("a", series)], DateSetting::Mdy);
        assert_eq!(found[0], day_first(Why::Series));
        let found = orders(&[("a", BOTH)], DateSetting::Dmy);
        assert_eq!(found[0], day_first(Why::Setting));
        let found = orders(&[("a", BOTH)], DateSetting::Text);
        assert_eq!(found[0], (None, Why::Setting));
        let found = orders(&[("a", &["02/02/2014"])], DateSetting::Text);
        assert_eq!(found[0], (Some(DateOrder::Mdy), Why::Rows));
    }

    #[test]
    fn a_header_may_name_the_order() {
        for (header, order) in [
            ("Date of Sale (dd/mm/yyyy)", Some(DateOrder::Dmy)),
            ("sold D.M.Y", Some(DateOrder::Dmy)),
            ("MM-DD-YYYY", Some(DateOrder::Mdy)),
            ("sold (mm/dd/yy)", Some(DateOrder::Mdy)),
            ("yyyy/mm/dd", None),
            ("dad my yard", None),
            ("date", None),
        ] {
            assert_eq!(order_of_header(header), order, "{header}");
        }
    }

    #[test]
    fn years_of_two_digits_are_known() {
        assert!(is_short("04/15/91") && is_short("4/5/00"));
        assert!(!is_short("04/15/1991") && !is_short("04/15") && !is_short("a/15/91"));
    }
}
