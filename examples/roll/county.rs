//! The counties and the shape of their parcel ids, read from the code tables of the embedded pack.

use crate::rng::{Purpose, Rng};

const COUNTIES: &str = include_str!("../../packs/florida/codes/counties.csv");
const FORMATS: &str = include_str!("../../packs/florida/codes/county_parcel_formats.csv");
const BROWARD: u8 = 16;
/// No roll is longer than this; ten times the state.
const ROWS_AT_MOST: u64 = 100_000_000;

/// Parcels of one subdivision or condominium.
pub const BLOCK: u64 = 90;
/// One condominium in so many has ids such as `4940252E0010`, which spreadsheets read as numbers.
const EXPONENT_EVERY: u64 = 256;
const EXPONENT_AT: u64 = 2;
/// Lots of such a block from here on are 2^53 or more when read as a number.
const EXPONENT_FIRST_LOT: u64 = 11;

/// A county as far as rolls need it.
pub struct County {
    pub number: u8,
    pub name: String,
    pub fips: String,
    shape: String,
    constant_length: bool,
    leading_zero_share: f64,
}

impl County {
    /// The county of a DOR number.
    pub fn find(number: u8) -> Option<Self> {
        let county = record(COUNTIES, number)?;
        let format = record(FORMATS, number)?;
        Some(Self {
            number,
            name: county.get("name")?,
            fips: county.get("fips")?,
            shape: format.get("shape")?,
            constant_length: format.get("len_min")? == format.get("len_max")?,
            leading_zero_share: format.get("leading_zero_share")?.parse().unwrap_or(0.0),
        })
    }

    /// How many parcel ids the shape of the county has room for.
    pub fn capacity(&self) -> u64 {
        if self.number == BROWARD {
            return 50 * 216 * BLOCK * BLOCK;
        }
        let sizes = self.shape.chars().map(slot_size);
        sizes.fold(1u64, u64::saturating_mul).min(ROWS_AT_MOST) - 1
    }

    /// Whether a lost leading digit can be told from the length alone.
    pub fn has_constant_length(&self) -> bool {
        self.constant_length
    }

    /// Whether the usual id is a row of at least so many digits.
    pub fn has_digit_ids(&self, at_least: usize) -> bool {
        self.shape.len() >= at_least && self.shape.bytes().all(|slot| slot == b'9')
    }

    /// Whether ids begin with zero at all.
    pub fn has_leading_zeros(&self) -> bool {
        self.leading_zero_share > 0.01
    }

    /// Whether a block is a condominium: in Broward these have letters in their ids.
    pub fn is_condo(&self, seed: u64, block: u64) -> bool {
        let mut rng = Rng::of(seed, Purpose::Block, block);
        let drawn = rng.chance(if self.number == BROWARD { 0.366 } else { 0.18 });
        drawn || self.is_exponent_block(block)
    }

    /// The parcel id of a row. Different rows have different ids.
    pub fn parcel_id(&self, seed: u64, index: u64) -> String {
        if self.number == BROWARD {
            self.broward_id(seed, index)
        } else {
            self.shaped_id(seed, index)
        }
    }

    /// Rows whose id a spreadsheet reads as a number of 2^53 or more: the n-th of them.
    pub fn exponent_row(&self, n: u64) -> Option<u64> {
        if self.number != BROWARD {
            return None;
        }
        let lots = BLOCK - EXPONENT_FIRST_LOT;
        let block = n / lots * EXPONENT_EVERY + EXPONENT_AT;
        Some(block * BLOCK + EXPONENT_FIRST_LOT + n % lots)
    }

    fn is_exponent_block(&self, block: u64) -> bool {
        self.number == BROWARD && block % EXPONENT_EVERY == EXPONENT_AT
    }

    /// Township, range, section, plat, lot: `474119030010`; condominiums have letters.
    fn broward_id(&self, seed: u64, index: u64) -> String {
        let (block, lot) = (index / BLOCK, index % BLOCK);
        let (section, plat) = (block / BLOCK, block % BLOCK + 1);
        let place = section % 216;
        let township = 47 + section / 216;
        let range = 38 + place / 36;
        let land = format!("{township:02}{range:02}{:02}", place % 36 + 1);
        if self.is_exponent_block(block) {
            // A section holds fewer blocks than lie between two of these, so one digit tells.
            return format!("{land}{}E{:04}", plat % 10, lot);
        }
        let tens = char::from(b'A' + (plat / 10) as u8);
        if !self.is_condo(seed, block) {
            format!("{land}{plat:02}{:04}", (lot + 1) * 10)
        } else if block % 47 == 5 {
            format!("{land}{tens}{}{:04}", plat % 10, (lot + 1) * 10)
        } else {
            let units = char::from(b'A' + (plat % 10) as u8);
            format!("{land}{tens}{units}{:04}", (lot + 1) * 10)
        }
    }

    /// The county's usual shape: the row's number in the last slots, noise of the block before.
    fn shaped_id(&self, seed: u64, index: u64) -> String {
        let mut rng = Rng::of(seed ^ u64::from(self.number), Purpose::Id, index / BLOCK);
        let zero = rng.chance(self.leading_zero_share);
        let (mut number, mut room) = (index + 1, 1u64);
        let mut id: Vec<char> = Vec::with_capacity(self.shape.len());
        for slot in self.shape.chars().rev() {
            let size = slot_size(slot);
            let digit = if room < ROWS_AT_MOST { number % size } else { rng.below(size) };
            number /= size;
            room = room.saturating_mul(size);
            id.push(fill(slot, digit as u8));
        }
        // Where the number needs every slot, the first is not free to be chosen.
        if room_after_first(&self.shape) >= ROWS_AT_MOST
            && let Some(first) = id.last_mut().filter(|first| first.is_ascii_digit())
        {
            *first = if zero { '0' } else { char::from(b'1' + rng.below(9) as u8) };
        }
        id.iter().rev().collect()
    }
}

/// A digit or a letter in a slot; separators stand as they are. No E: only Broward's ids have it
/// where a spreadsheet takes it for an exponent, and they are made on purpose.
fn fill(slot: char, digit: u8) -> char {
    match slot {
        '9' => char::from(b'0' + digit),
        'A' => char::from(b"ABCDFGHIJKLMNOPQRSTUVWXYZ"[usize::from(digit)]),
        other => other,
    }
}

fn slot_size(slot: char) -> u64 {
    match slot {
        '9' => 10,
        'A' => 25,
        _ => 1,
    }
}

fn room_after_first(shape: &str) -> u64 {
    shape.chars().skip(1).map(slot_size).fold(1u64, u64::saturating_mul)
}

/// One record of a code table, by the number in its first column.
fn record(table: &str, number: u8) -> Option<Record> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().ok()?.clone();
    let wanted = number.to_string();
    let values = reader.records().flatten().find(|record| record.get(0) == Some(&wanted))?;
    Some(Record { header, values })
}

struct Record {
    header: csv::StringRecord,
    values: csv::StringRecord,
}

impl Record {
    fn get(&self, column: &str) -> Option<String> {
        let at = self.header.iter().position(|name| name == column)?;
        self.values.get(at).map(str::to_owned)
    }
}
