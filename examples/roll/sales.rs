//! Which parcels were sold, so that NAL slots and SDF rows tell the same sales: parcels come in
//! groups of 63, each group has eight sales of seven parcels, and row `n` of the SDF is sale
//! `n % 8` of group `n / 8`.

use crate::parcel::Parcel;
use crate::rng::{Purpose, Rng};
use crate::roll::World;

/// Parcels of a group.
pub const GROUP: u64 = 63;
/// Its sales.
pub const SALES: u64 = 8;
/// Every so many groups have one deed that covers several parcels.
const BULK_EVERY: u64 = 12;
/// Parcels of such a deed.
const BULK: usize = 4;
const DISQUALIFIED: [(&str, u32); 9] = [
    ("11", 70),
    ("12", 6),
    ("14", 3),
    ("16", 3),
    ("18", 4),
    ("19", 4),
    ("30", 6),
    ("37", 12),
    ("41", 2),
];

/// One sale of one parcel.
pub struct Sale {
    pub year: i64,
    pub month: u8,
    pub price: i64,
    pub qualification: &'static str,
    pub change: Option<i64>,
    pub document: u64,
    pub several: bool,
}

/// The parcels of a group's sales in order; two neighbours of them are the same parcel.
fn sold(world: &World, group: u64) -> [u64; SALES as usize] {
    let mut rng = world.rng(Purpose::Sale, group);
    let mut sold = [0; SALES as usize];
    // Each of the first seven has nine parcels to itself, so no two fall together.
    for (first, place) in (group * GROUP..).step_by(9).zip(sold.iter_mut().take(7)) {
        *place = first + rng.below(9);
    }
    sold[7] = sold[6];
    sold
}

/// The sale that an SDF row tells.
pub fn at_row(world: &World, row: u64) -> (Sale, Parcel) {
    let (group, at) = (row / SALES, (row % SALES) as usize);
    let parcel = Parcel::of(world, sold(world, group)[at]);
    (sale(world, group, at, &parcel), parcel)
}

/// The sales of a parcel, at most two.
pub fn of_parcel(world: &World, parcel: &Parcel) -> Vec<Sale> {
    let group = parcel.index / GROUP;
    let sold = sold(world, group);
    let places = (0..sold.len()).filter(|at| sold[*at] == parcel.index);
    places.map(|at| sale(world, group, at, parcel)).collect()
}

/// A deed number: one for each sale, one for all parcels of a deed that covers several.
fn sale(world: &World, group: u64, at: usize, parcel: &Parcel) -> Sale {
    let several = group % BULK_EVERY == 5 && at < BULK;
    let slot = if several { 0 } else { at as u64 };
    let document = 119_000_000 + group * SALES + slot;
    // What a deed says is drawn for the deed, so that all its parcels say the same.
    let mut rng = world.rng(Purpose::Sale, (1 << 42) + group * SALES + slot);
    let (year, month) = moment(&mut rng, world.year);
    let base = if several { 2_500_000 } else { parcel.value.just };
    let market = base / 20 * rng.within(18, 26) / 100 * 100 + 10_000;
    let mut sale =
        Sale { year, month, price: market, qualification: "01", change: None, document, several };
    qualify(&mut rng, &mut sale);
    sale
}

fn qualify(rng: &mut Rng, sale: &mut Sale) {
    if sale.several {
        sale.qualification = "05";
    } else if rng.chance(0.44) {
        sale.qualification = if rng.chance(0.9) { "01" } else { "02" };
    } else if rng.chance(0.004) {
        sale.qualification = "03";
        sale.change = Some(rng.within(1, 7));
    } else {
        sale.qualification = rng.weighted(&DISQUALIFIED);
        if sale.qualification == "11" {
            sale.price = if rng.chance(0.85) { 100 } else { 0 };
        }
    }
}

/// Sales of the year before, and of the roll year up to June, when preliminary rolls are made.
fn moment(rng: &mut Rng, roll_year: i64) -> (i64, u8) {
    if rng.chance(0.7) {
        (roll_year - 1, rng.within(1, 12) as u8)
    } else {
        (roll_year, rng.within(1, 5) as u8)
    }
}
