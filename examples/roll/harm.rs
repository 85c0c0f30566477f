//! The kinds of damage: what each is called, where it can be done, and what a loader that keeps its
//! promises must make of it.

use crate::county::County;
use crate::roll::Kind;
use crate::row::Row;
use crate::sink::Format;

/// Numbers of so many digits are shown with an exponent by spreadsheets.
const SHOWN_DIGITS: usize = 12;

/// A kind of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Harm {
    TextInNumber,
    NegativeMoney,
    FractionMoney,
    BlankKey,
    IdEnotation,
    IdTooLongNumber,
    IdLostZeros,
    DuplicateKey,
    UnknownUseCode,
    UnknownQualification,
    UnknownImproved,
    AssessedAboveJust,
    PartsDoNotAdd,
    BadExemptionList,
    BadMonth,
    RaggedRow,
    OverLength,
    SaleYearOld,
    ExemptionAboveCap,
    ShortNaics,
    BadByte,
    PaddedLost,
}

/// Where a damaged row must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In the dead letters.
    Rejected,
    /// Among the duplicates: an extra row that the clean roll does not have.
    Duplicate,
    /// In the table as it was written, and in the list of warnings.
    Warning,
    /// In the table as it should be, counted as repaired.
    Repaired,
}

/// What the loader should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub end: End,
    pub code: &'static str,
    pub rule: &'static str,
}

/// All kinds of damage, with their names, in the order in which `--kinds all` uses them.
pub const ALL: [(Harm, &str); 22] = [
    (Harm::TextInNumber, "text-in-number"),
    (Harm::NegativeMoney, "negative-money"),
    (Harm::FractionMoney, "fraction-money"),
    (Harm::BlankKey, "blank-key"),
    (Harm::IdEnotation, "id-enotation"),
    (Harm::IdTooLongNumber, "id-too-long-number"),
    (Harm::IdLostZeros, "id-lost-zeros"),
    (Harm::DuplicateKey, "duplicate-key"),
    (Harm::UnknownUseCode, "unknown-use-code"),
    (Harm::UnknownQualification, "unknown-qualification"),
    (Harm::UnknownImproved, "unknown-improved"),
    (Harm::AssessedAboveJust, "assessed-above-just"),
    (Harm::PartsDoNotAdd, "parts-do-not-add"),
    (Harm::BadExemptionList, "bad-exemption-list"),
    (Harm::BadMonth, "bad-month"),
    (Harm::RaggedRow, "ragged-row"),
    (Harm::OverLength, "over-length"),
    (Harm::SaleYearOld, "sale-year-old"),
    (Harm::ExemptionAboveCap, "exemption-above-cap"),
    (Harm::ShortNaics, "short-naics"),
    (Harm::BadByte, "bad-byte"),
    (Harm::PaddedLost, "padded-lost"),
];

impl Harm {
    /// Its name.
    pub fn name(self) -> &'static str {
        ALL.iter().find(|(harm, _)| *harm == self).map_or("", |(_, name)| *name)
    }

    /// What a loader must make of it; `None` where the roll or the format cannot have it.
    pub fn expected(self, kind: Kind, format: Format, county: &County) -> Option<Expected> {
        let workbook = format == Format::Xlsx;
        match self {
            Self::RaggedRow | Self::BadByte if workbook => None,
            Self::IdTooLongNumber if !workbook => None,
            Self::IdLostZeros if !county.has_constant_length() => None,
            Self::IdLostZeros | Self::IdTooLongNumber if !county.has_digit_ids(1) => None,
            Self::IdEnotation if !county.has_digit_ids(SHOWN_DIGITS) => None,
            _ => match kind {
                Kind::Nal => self.expected_in_nal(),
                Kind::Sdf => self.expected_in_sdf(),
                Kind::Nap => self.expected_in_nap(),
            },
        }
    }

    fn expected_in_nal(self) -> Option<Expected> {
        self.expected_anywhere().or(match self {
            Self::NegativeMoney => rejected("E304", "NAL-20"),
            Self::IdEnotation | Self::IdTooLongNumber | Self::IdLostZeros => rejected("E306", ""),
            Self::UnknownUseCode => rejected("E304", "NAL-14"),
            Self::AssessedAboveJust => rejected("E304", "NAL-22"),
            Self::BadMonth => rejected("E304", "NAL-73"),
            Self::OverLength => warning("E301", "length"),
            Self::SaleYearOld => warning("E304", "NAL-72"),
            Self::ExemptionAboveCap => warning("E304", "NAL-33"),
            Self::BadByte => warning("E201", ""),
            Self::PaddedLost => Some(Expected { end: End::Repaired, code: "E301", rule: "padded" }),
            _ => None,
        })
    }

    fn expected_in_sdf(self) -> Option<Expected> {
        self.expected_anywhere().or(match self {
            Self::NegativeMoney => rejected("E304", "SDF-07"),
            Self::IdEnotation | Self::IdTooLongNumber | Self::IdLostZeros => rejected("E306", ""),
            Self::UnknownUseCode => rejected("E304", "SDF-19"),
            Self::UnknownQualification => rejected("E304", "SDF-08"),
            Self::UnknownImproved => rejected("E304", "SDF-09"),
            Self::BadMonth => rejected("E304", "SDF-05"),
            Self::SaleYearOld => rejected("E304", "SDF-04"),
            Self::OverLength => warning("E301", "length"),
            Self::PaddedLost => Some(Expected { end: End::Repaired, code: "E301", rule: "padded" }),
            _ => None,
        })
    }

    fn expected_in_nap(self) -> Option<Expected> {
        self.expected_anywhere().or(match self {
            Self::PartsDoNotAdd => rejected("E304", "NAP-03"),
            Self::AssessedAboveJust => rejected("E304", "NAP-04"),
            Self::BadExemptionList => rejected("E304", "NAP-09"),
            Self::OverLength => warning("E301", "length"),
            Self::ShortNaics => warning("E304", "NAP-11"),
            Self::BadByte => warning("E201", ""),
            _ => None,
        })
    }

    fn expected_anywhere(self) -> Option<Expected> {
        match self {
            Self::TextInNumber | Self::FractionMoney => rejected("E301", ""),
            Self::BlankKey => rejected("E305", ""),
            Self::DuplicateKey => {
                Some(Expected { end: End::Duplicate, code: "E302", rule: "duplicate" })
            }
            Self::RaggedRow => rejected("E202", ""),
            _ => None,
        }
    }

    /// Whether a sound row can be damaged this way, with the end expected and no other.
    pub fn fits(self, kind: Kind, county: &County, row: &Row<'_>) -> bool {
        // Another parcel of the same deed would look wrong without this one.
        if kind == Kind::Sdf && !row.is_blank("MULTI_PAR_SAL") {
            return false;
        }
        match (self, kind) {
            (Self::BadMonth | Self::SaleYearOld, Kind::Nal) => !row.is_blank("SALE_YR1"),
            (Self::NegativeMoney, Kind::Nal) => row.int_of("LND_VAL").is_some_and(|land| land > 0),
            (Self::ExemptionAboveCap, _) => {
                // Who pays nothing pays nothing either way, so only the cap is broken.
                let nothing = |name: &str| row.int_of(name).unwrap_or(0) == 0;
                row.int_of("EXMPT_01") == Some(25_000)
                    && nothing("TV_SD")
                    && nothing("TV_NSD")
                    && row.int_of("EXMPT_05").is_some_and(|rest| rest > 10_000)
            }
            (Self::BadExemptionList, _) => !row.is_blank("EXMPT"),
            (Self::IdEnotation, _) => {
                let id = row.text_of("PARCEL_ID").unwrap_or_default();
                is_exponent(id) || is_digits(id) && id.trim_start_matches('0').len() >= SHOWN_DIGITS
            }
            (Self::IdTooLongNumber, _) => is_digits(row.text_of("PARCEL_ID").unwrap_or_default()),
            (Self::IdLostZeros, _) => {
                let id = row.text_of("PARCEL_ID").unwrap_or_default();
                is_digits(id) && (id.starts_with('0') || !county.has_leading_zeros())
            }
            (Self::BadByte, _) => {
                let column = if kind == Kind::Nal { "OWN_NAME" } else { "OWN_NAM" };
                row.text_of(column).is_some_and(|name| name.contains('E'))
            }
            _ => true,
        }
    }
}

/// Whether an id reads as a number with an exponent that a double can hold: `4940252E0010`.
pub fn is_exponent(id: &str) -> bool {
    let Some((digits, exponent)) = id.split_once('E') else { return false };
    is_digits(digits) && is_digits(exponent) && exponent.parse().is_ok_and(|e: u32| e < 300)
}

/// Digits and nothing else.
pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn rejected(code: &'static str, rule: &'static str) -> Option<Expected> {
    Some(Expected { end: End::Rejected, code, rule })
}

fn warning(code: &'static str, rule: &'static str) -> Option<Expected> {
    Some(Expected { end: End::Warning, code, rule })
}

impl End {
    /// Its name in the truth file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Duplicate => "duplicate",
            Self::Warning => "warning",
            Self::Repaired => "repaired",
        }
    }
}

/// The kinds of damage of a comma-separated list of names and ends (`all`, `rejected`,
/// `warning` …) that the roll and the format can have.
pub fn choose(
    list: &str,
    kind: Kind,
    format: Format,
    county: &County,
) -> Result<Vec<Harm>, String> {
    let end_of = |harm: Harm| harm.expected(kind, format, county).map(|expected| expected.end);
    let mut chosen = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let named: Vec<Harm> =
            ALL.iter().filter(|(_, name)| *name == word).map(|(harm, _)| *harm).collect();
        let group =
            |harm: &Harm| end_of(*harm).is_some_and(|end| word == "all" || word == end.name());
        let found: Vec<Harm> = if named.is_empty() {
            ALL.iter().map(|(harm, _)| *harm).filter(group).collect()
        } else {
            named.into_iter().filter(|harm| end_of(*harm).is_some()).collect()
        };
        if found.is_empty() {
            return Err(format!("no kind of damage `{word}` for this roll and format"));
        }
        chosen.extend(found);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}
