//! Texts of the user's own formats as numbers and dates.

use crate::chunk::{ColumnKind, MisfitKind};
use chrono::{Datelike, NaiveDate};
use polars::prelude::{
    Column, Float64Chunked, Int32Chunked, Int64Chunked, Int128Chunked, IntoColumn, IntoSeries,
    StringChunked,
};
use polars_arrow::array::{PrimitiveArray, Utf8ViewArray};

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberFormat {
    /// Before decimals.
    pub decimal: char,
    /// Between groups of three digits, where groups are allowed.
    pub group: Option<char>,
}

/// What texts become.
#[derive(Debug, Clone, PartialEq)]
pub struct Typing {
    /// The type.
    pub kind: ColumnKind,
    /// Of numbers.
    pub number: NumberFormat,
    /// Of dates, tried in order; `%m/%d/%Y` and the like.
    pub dates: Vec<String>,
}

/// What may stand around a number.
const SYMBOLS: [char; 4] = ['$', '€', '£', '¥'];
/// Blanks that do not break a line: between digits they can only stand between groups.
const GROUP_BLANKS: [char; 2] = ['\u{a0}', '\u{202f}'];
/// Blanks that are one and the same as groups.
const BLANKS: [char; 4] = [' ', '\u{a0}', '\u{202f}', '\u{2009}'];
/// Days from the beginning of the calendar to 1970.
const EPOCH: i32 = 719_163;

impl Typing {
    /// Name in the plan.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            ColumnKind::Date => "date",
            ColumnKind::Text => "text",
            _ => "number",
        }
    }

    /// The column; `misfit` is told of each row whose text does not fit, which is null.
    pub(super) fn column(
        &self,
        name: &str,
        texts: &Utf8ViewArray,
        mut misfit: impl FnMut(usize, MisfitKind),
    ) -> Column {
        macro_rules! parsed {
            ($parse:expr) => {{
                let mut fit = |row: usize| match $parse(texts.get(row)?) {
                    Ok(value) => Some(value),
                    Err(kind) => {
                        misfit(row, kind);
                        None
                    }
                };
                (0..texts.len()).map(&mut fit).collect::<PrimitiveArray<_>>()
            }};
        }
        let name = name.into();
        match self.kind {
            ColumnKind::BigInt => {
                Int64Chunked::with_chunk(name, parsed!(|text| self.whole(text))).into_column()
            }
            ColumnKind::Int => {
                let narrow =
                    |text| i32::try_from(self.whole(text)?).map_err(|_| MisfitKind::Overflow);
                Int32Chunked::with_chunk(name, parsed!(narrow)).into_column()
            }
            ColumnKind::Double => {
                Float64Chunked::with_chunk(name, parsed!(|text| self.real(text))).into_column()
            }
            ColumnKind::Decimal(scale) => {
                let array = parsed!(|text| self.scaled(text, usize::from(scale)));
                let values = Int128Chunked::with_chunk(name, array);
                values.into_decimal_unchecked(18, usize::from(scale)).into_series().into_column()
            }
            ColumnKind::Date => {
                let array = parsed!(|text| self.date(text));
                Int32Chunked::with_chunk(name, array).into_date().into_series().into_column()
            }
            ColumnKind::Text
            | ColumnKind::Bool
            | ColumnKind::Timestamp
            | ColumnKind::TimestampTz
            | ColumnKind::TimestampNs => {
                StringChunked::with_chunk(name, texts.clone()).into_column()
            }
        }
    }

    /// Digits with a sign and a point: `(1.200,50 €)` → `-1200.50`.
    fn plain(&self, text: &str) -> Result<String, MisfitKind> {
        let mut text = text.trim();
        let mut negative = false;
        const MINUS: [char; 2] = ['-', '\u{2212}'];
        if let Some(inside) = text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
            (text, negative) = (inside, true);
        }
        let around = |c: char| SYMBOLS.contains(&c) || c.is_whitespace();
        text = text.trim_matches(around);
        if let Some(rest) = text.strip_prefix(MINUS).or_else(|| text.strip_suffix(MINUS)) {
            (text, negative) = (rest.trim_matches(around), true);
        } else if let Some(rest) = text.strip_prefix('+') {
            text = rest.trim_matches(around);
        }
        let (whole, decimals) = match text.split_once(self.number.decimal) {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (text, None),
        };
        let mut plain = String::with_capacity(text.len() + 1);
        if negative {
            plain.push('-');
        }
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_group = |c: char| match self.number.group {
            Some(group) if BLANKS.contains(&group) => BLANKS.contains(&c),
            Some(group) => c == group || GROUP_BLANKS.contains(&c),
            None => GROUP_BLANKS.contains(&c),
        };
        let parts: Vec<&str> = whole.split(is_group).collect();
        let grouped = parts.iter().skip(1).all(|part| part.len() == 3) && parts[0].len() <= 3;
        let sound = parts.iter().all(|part| digits(part)) && (parts.len() == 1 || grouped);
        if !sound || decimals.is_some_and(|decimals| !digits(decimals)) {
            return Err(MisfitKind::Type);
        }
        parts.iter().for_each(|part| plain.push_str(part));
        if let Some(decimals) = decimals {
            plain.push('.');
            plain.push_str(decimals);
        }
        Ok(plain)
    }

    fn whole(&self, text: &str) -> Result<i64, MisfitKind> {
        let plain = self.plain(text)?;
        let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, ""));
        if decimals.bytes().any(|digit| digit != b'0') {
            return Err(MisfitKind::Fraction);
        }
        whole.parse().map_err(|_| MisfitKind::Overflow)
    }

    fn real(&self, text: &str) -> Result<f64, MisfitKind> {
        self.plain(text)?.parse().map_err(|_| MisfitKind::Type)
    }

    /// A decimal of 18 digits as a whole number of its smallest unit.
    fn scaled(&self, text: &str, scale: usize) -> Result<i128, MisfitKind> {
        let plain = self.plain(text)?;
        let (whole, decimals) = plain.split_once('.').unwrap_or((&plain, ""));
        let (kept, rest) = decimals.split_at(decimals.len().min(scale));
        if rest.bytes().any(|digit| digit != b'0') {
            return Err(MisfitKind::Fraction);
        }
        let digits = format!("{whole}{kept:0<scale$}");
        let value: i128 = digits.parse().map_err(|_| MisfitKind::Overflow)?;
        if value.unsigned_abs() < 10_u128.pow(18) { Ok(value) } else { Err(MisfitKind::Overflow) }
    }

    fn date(&self, text: &str) -> Result<i32, MisfitKind> {
        let tried = self.dates.iter().map(|format| NaiveDate::parse_from_str(text.trim(), format));
        // `%Y` takes fewer digits than four: `04/15/91` would be a day of the year 91.
        let written = |day: &NaiveDate| text.contains(&format!("{:04}", day.year()));
        let found = tried.flatten().find(|day| day.year() >= 1_000 || written(day));
        let found = found.ok_or(MisfitKind::Type)?;
        Ok(found.num_days_from_ce() - EPOCH)
    }
}
