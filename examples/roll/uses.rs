//! Use codes by their share of a roll, and what each kind of use implies for a parcel.

use crate::rng::Rng;

/// What a use code means for the other columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// 001-008 without 003: a dwelling.
    Dwelling,
    /// 009: common elements of a development.
    Common,
    /// 000, 010, 040, 070, 080, 099.
    Vacant,
    /// 003 and 011-049: improved, capped as non-residential.
    Business,
    /// 050-069.
    Farm,
    /// 071-079.
    Institution,
    /// 081-089.
    Government,
    /// 090-098.
    Other,
}

/// Codes outside condominiums, in parts of a thousand.
const LAND: [(u16, u32); 52] = [
    (1, 788),
    (0, 52),
    (2, 24),
    (5, 10),
    (6, 1),
    (7, 1),
    (8, 26),
    (3, 5),
    (9, 18),
    (10, 7),
    (11, 5),
    (12, 3),
    (13, 1),
    (14, 1),
    (16, 2),
    (17, 3),
    (18, 2),
    (19, 2),
    (20, 1),
    (21, 2),
    (22, 1),
    (23, 1),
    (25, 1),
    (26, 1),
    (27, 1),
    (28, 2),
    (38, 1),
    (39, 2),
    (40, 2),
    (41, 2),
    (48, 9),
    (49, 1),
    (50, 1),
    (60, 1),
    (63, 1),
    (66, 1),
    (69, 1),
    (70, 1),
    (71, 2),
    (72, 1),
    (74, 1),
    (75, 1),
    (77, 1),
    (80, 1),
    (82, 2),
    (83, 1),
    (86, 3),
    (87, 1),
    (89, 4),
    (91, 1),
    (94, 3),
    (99, 1),
];
/// Codes inside them.
const CONDO: [(u16, u32); 3] = [(4, 985), (5, 10), (9, 5)];

/// Draws a use code.
pub fn draw(rng: &mut Rng, condo: bool) -> u16 {
    if condo { rng.weighted(&CONDO) } else { rng.weighted(&LAND) }
}

impl Use {
    /// The kind of use of a code.
    pub fn of(code: u16) -> Self {
        match code {
            0 | 10 | 40 | 70 | 80 | 99 => Self::Vacant,
            9 => Self::Common,
            3 | 11..=39 | 41..=49 => Self::Business,
            1..=8 => Self::Dwelling,
            50..=69 => Self::Farm,
            71..=79 => Self::Institution,
            81..=89 => Self::Government,
            _ => Self::Other,
        }
    }

    /// Whether buildings stand on it. Uses that may go either way are drawn without, except farms
    /// and public land of codes that say so.
    pub fn is_improved(self, code: u16) -> bool {
        match self {
            Self::Dwelling | Self::Business | Self::Institution => true,
            Self::Government => matches!(code, 83..=89),
            Self::Farm => code == 50,
            _ => false,
        }
    }

    /// A just value in the middle of what is usual.
    pub fn usual_value(self, code: u16) -> f64 {
        match (self, code) {
            (Self::Dwelling, 4 | 5) => 230_000.0,
            (Self::Dwelling, 2) => 95_000.0,
            (Self::Dwelling, _) => 430_000.0,
            (Self::Vacant, 0) => 120_000.0,
            (Self::Vacant, _) => 450_000.0,
            (Self::Business, 3) => 9_000_000.0,
            (Self::Business, _) => 1_700_000.0,
            (Self::Farm, _) => 900_000.0,
            (Self::Institution, _) => 2_400_000.0,
            (Self::Government, _) => 1_500_000.0,
            (Self::Common, _) => 200.0,
            (Self::Other, _) => 40_000.0,
        }
    }
}

/// The basic stratum of a code, by the DOR's table; `taxed` and `homestead` choose the alternate.
pub fn basic_stratum(code: u16, taxed: bool, homestead: bool) -> u8 {
    match code {
        1 | 2 | 4 | 5 => 1,
        6 | 8 => 2,
        0 | 7 => 4,
        9 => 13,
        10 | 40 | 99 => 5,
        3 | 11..=49 => 6,
        97 | 50..=69 if homestead => 9,
        97 | 50..=69 => 3,
        _ if taxed => 7,
        _ => 10,
    }
}
