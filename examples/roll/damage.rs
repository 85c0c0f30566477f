//! Does the damage to a row, and tells what it did.

use crate::harm::{Harm, is_exponent};
use crate::owner::{self, OwnerKind};
use crate::rng::{Purpose, Rng};
use crate::roll::{Kind, World};
use crate::row::{Row, Shape};
use crate::sink::Format;

/// A cell that was changed.
pub struct Change {
    pub column: String,
    /// The value as it should be.
    pub right: String,
    /// The value as it was written.
    pub written: String,
}

/// Owners may have 50 characters, cities 40.
const LONG_NAME: &str = "THE HONORABLE AND BELOVED DESCENDANTS OF THE FOUNDING FAMILIES OF";
/// Neighborhoods may have 10.
const LONG_CODE: &str = "NEIGHBORHOOD-665550-EAST";
/// A number of 17 digits is past 2^53, from where a double has no odd numbers.
const LONG_DIGITS: usize = 17;
/// Digits that a spreadsheet keeps.
const KEPT_DIGITS: usize = 15;

/// Damages the row of a number.
pub fn apply(
    world: &World,
    kind: Kind,
    format: Format,
    harm: Harm,
    index: u64,
    row: &mut Row<'_>,
) -> Change {
    let mut rng = world.rng(Purpose::Harm, index);
    let column = column_of(harm, kind, row, &mut rng);
    let right = row.shown(column);
    let written = match harm {
        Harm::IdEnotation => write_enotation(row, column, &right, format),
        Harm::IdTooLongNumber => write_long_number(row, column, &right),
        Harm::IdLostZeros => write_short_id(row, column, &right),
        Harm::PaddedLost => {
            let number = right.parse::<i64>().unwrap_or(0);
            row.int(column, number);
            number.to_string()
        }
        Harm::RaggedRow => ragged(row, &mut rng),
        Harm::BadByte => {
            let name = right.replacen('E', "é", 1);
            row.latin1(column, &name);
            name
        }
        Harm::DuplicateKey => rewrite(world, kind, row, column, &right, &mut rng),
        Harm::BlankKey => {
            row.blank(column);
            String::new()
        }
        _ => write_value(harm, kind, row, column, &mut rng),
    };
    Change { column: column.to_owned(), right, written }
}

/// The column that a kind of damage is done to.
fn column_of(harm: Harm, kind: Kind, row: &Row<'_>, rng: &mut Rng) -> &'static str {
    let (money, id, name) = match kind {
        Kind::Nal => ("JV", "PARCEL_ID", "OWN_NAME"),
        Kind::Sdf => ("SALE_PRC", "PARCEL_ID", "SALE_PRC"),
        Kind::Nap => ("JV_TOTAL", "ACCT_ID", "OWN_NAM"),
    };
    match harm {
        Harm::TextInNumber => money,
        Harm::FractionMoney if kind == Kind::Nal => rng.pick(&["JV", "AV_NSD", "TV_SD"]),
        Harm::FractionMoney => money,
        Harm::NegativeMoney if kind == Kind::Nal => "LND_VAL",
        Harm::NegativeMoney => money,
        Harm::BlankKey if kind == Kind::Sdf => "SALE_ID_CD",
        Harm::BlankKey | Harm::IdEnotation | Harm::IdTooLongNumber | Harm::IdLostZeros => id,
        Harm::DuplicateKey | Harm::BadByte => name,
        Harm::UnknownUseCode => "DOR_UC",
        Harm::UnknownQualification => "QUAL_CD",
        Harm::UnknownImproved => "VI_CD",
        Harm::AssessedAboveJust if kind == Kind::Nal => "AV_SD",
        Harm::AssessedAboveJust => "AV_TOTAL",
        Harm::PartsDoNotAdd => "JV_F_F_E",
        Harm::BadExemptionList => "EXMPT",
        Harm::BadMonth if kind == Kind::Nal => "SALE_MO1",
        Harm::BadMonth => "SALE_MO",
        Harm::OverLength => match kind {
            Kind::Nal => rng.pick(&["OWN_NAME", "OWN_CITY"]),
            Kind::Sdf => "NBRHD_CD",
            Kind::Nap => rng.pick(&["OWN_NAM", "OWN_CITY"]),
        },
        Harm::SaleYearOld if kind == Kind::Nal => "SALE_YR1",
        Harm::SaleYearOld => "SALE_YR",
        Harm::ExemptionAboveCap => "EXMPT_01",
        Harm::ShortNaics => "NAICS_CD",
        Harm::PaddedLost if kind == Kind::Sdf => {
            let drawn = rng.pick(&["DOR_UC", "QUAL_CD", "SALE_MO"]);
            // Use codes always have a zero to lose.
            let padded = row.text_of(drawn).is_some_and(|code| code.starts_with('0'));
            if padded { drawn } else { "DOR_UC" }
        }
        Harm::PaddedLost => "DOR_UC",
        Harm::RaggedRow => last_column(row),
    }
}

/// The only column whose loss leaves all others in place.
fn last_column(row: &Row<'_>) -> &'static str {
    let last = row.columns().names().last().map(String::as_str);
    ["SPC_CIR_TXT", "STATE_PARCEL_ID", "TS_ID"]
        .into_iter()
        .find(|name| last == Some(name))
        .expect("a roll is a NAL, SDF or NAP, and these are their last columns")
}

/// Damage that puts another value into a cell.
fn write_value(harm: Harm, kind: Kind, row: &mut Row<'_>, column: &str, rng: &mut Rng) -> String {
    let number = row.int_of(column).unwrap_or(0);
    match harm {
        Harm::TextInNumber if kind == Kind::Sdf => row.text(column, "1,200"),
        Harm::TextInNumber => row.text(column, rng.pick(&["N/A", "12O00"])),
        Harm::NegativeMoney => row.int(column, -number - 1),
        Harm::FractionMoney => row.number(column, &format!("{number}.56")),
        Harm::UnknownUseCode => row.text(column, "999"),
        Harm::UnknownQualification => row.text(column, "77"),
        Harm::UnknownImproved => row.text(column, "X"),
        Harm::AssessedAboveJust => {
            let just = row.int_of(if kind == Kind::Nal { "JV" } else { "JV_TOTAL" });
            row.int(column, just.unwrap_or(number) + 1_000);
        }
        Harm::PartsDoNotAdd => row.int(column, number + 7),
        Harm::BadExemptionList => row.text(column, "Z;100"),
        Harm::BadMonth if kind == Kind::Nal => row.text(column, "13"),
        Harm::BadMonth => row.text(column, "00"),
        Harm::OverLength if kind == Kind::Sdf => row.text(column, LONG_CODE),
        Harm::OverLength => row.text(column, LONG_NAME),
        Harm::SaleYearOld => row.int(column, number - rng.within(3, 9)),
        Harm::ExemptionAboveCap => row.int(column, 30_000),
        Harm::ShortNaics => row.text(column, "53111"),
        _ => {}
    }
    row.shown(column)
}

/// An id as a spreadsheet leaves it: in a workbook the number itself, if the id has an exponent of
/// its own; else the short form that it shows, which is what it saves to CSV.
fn write_enotation(row: &mut Row<'_>, column: &str, id: &str, format: Format) -> String {
    let (digits, exponent) = match id.split_once('E') {
        Some((digits, exponent)) => (digits, exponent.parse().unwrap_or(0)),
        None => (id.trim_start_matches('0'), 0usize),
    };
    let power = digits.len() - 1 + exponent;
    let (head, tail) = digits.split_at(1);
    if format == Format::Xlsx && is_exponent(id) {
        let number = format!("{head}.{}E+{power:02}", tail.trim_end_matches('0'));
        row.number(column, &number);
        return number;
    }
    let shown: f64 = format!("{head}.{tail}").parse().unwrap_or(1.0);
    let text = format!("{shown:.5}");
    let text = format!("{}E+{power:02}", text.trim_end_matches('0').trim_end_matches('.'));
    if format == Format::Xlsx {
        row.text(column, &text)
    } else {
        row.number(column, &text)
    }
    text
}

/// An id typed with more digits than a spreadsheet keeps: those after the fifteenth are zeros.
fn write_long_number(row: &mut Row<'_>, column: &str, id: &str) -> String {
    let id = id.trim_start_matches('0');
    let length = id.len().max(LONG_DIGITS);
    let kept = &id[..id.len().min(KEPT_DIGITS)];
    let number = format!("{kept:0<length$}");
    row.number(column, &number);
    number
}

/// An id without its leading zeros; in counties that have none, without its first digit.
fn write_short_id(row: &mut Row<'_>, column: &str, id: &str) -> String {
    let short = match id.trim_start_matches('0') {
        same if same.len() == id.len() => id[1..].trim_start_matches('0'),
        short => short,
    };
    row.number(column, short);
    short.to_owned()
}

fn ragged(row: &mut Row<'_>, rng: &mut Rng) -> String {
    if rng.chance(0.5) {
        row.set_shape(Shape::Short);
        return "(field missing)".into();
    }
    row.set_shape(Shape::Long);
    "(one field more)".into()
}

/// The value by which a repeated row differs from the first one.
fn rewrite(
    world: &World,
    kind: Kind,
    row: &mut Row<'_>,
    column: &str,
    right: &str,
    rng: &mut Rng,
) -> String {
    if kind == Kind::Sdf {
        row.int(column, row.int_of(column).unwrap_or(0) + 1_000);
        return row.shown(column);
    }
    let mut name = owner::name(world, rng, OwnerKind::Company);
    if name == right {
        name = owner::name(world, rng, OwnerKind::Trust);
    }
    row.text(column, &name);
    name
}
