//! Owners: people, couples, companies, trusts, governments, and where their mail goes.

use crate::places::{
    ABROAD, BROWARD_CITIES, ELSEWHERE, ENDINGS, FIRMS, GIVEN, STREETS, SURNAMES, SYLLABLES, TRADES,
    WAYS,
};
use crate::rng::{Purpose, Rng};
use crate::roll::World;

/// Many counties cut owner names here.
const NAME_CUT: usize = 30;

/// Who owns a parcel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum OwnerKind {
    Person,
    Company,
    Trust,
    Government,
    Association,
}

/// A street address as a mail line, a city, a state and a ZIP.
pub struct Mail {
    pub street: String,
    pub unit: String,
    pub city: String,
    pub state: &'static str,
    pub zip: Option<i64>,
    pub domicile: &'static str,
}

/// An owner's name, cut as counties cut it.
pub fn name(world: &World, rng: &mut Rng, kind: OwnerKind) -> String {
    let county = world.county.name.to_uppercase();
    let mut name = match kind {
        OwnerKind::Person => person(rng),
        OwnerKind::Company => company(rng),
        OwnerKind::Trust => trust(rng),
        OwnerKind::Government => government(&county, rng),
        OwnerKind::Association => {
            format!("{} {} HOMEOWNERS ASSN INC", rng.pick(&FIRMS), rng.pick(&STREETS))
        }
    };
    name.truncate(NAME_CUT);
    name.truncate(name.trim_end().len());
    name
}

/// The public body that owns land.
fn government(county: &str, rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => format!("{county} COUNTY"),
        1 => format!("CITY OF {}", rng.pick(&BROWARD_CITIES).0),
        2 => format!("SCHOOL BOARD OF {county} COUNTY"),
        _ => format!("{county} COUNTY BOARD OF COUNTY COMMISSIONERS"),
    }
}

fn surname(rng: &mut Rng) -> String {
    if rng.chance(0.55) {
        rng.pick(&SURNAMES).to_owned()
    } else {
        format!("{}{}", rng.pick(&SYLLABLES), rng.pick(&SYLLABLES))
    }
}

fn person(rng: &mut Rng) -> String {
    let (family, given) = (surname(rng), rng.pick(&GIVEN));
    let initial = char::from(b'A' + rng.below(26) as u8);
    match rng.below(10) {
        0..=2 => format!("{family},{given}"),
        3..=5 => format!("{family},{given} {initial}"),
        6..=8 => format!("{family},{given} & {}", rng.pick(&GIVEN)),
        _ => format!("{family},{given} {initial} H/E {}", surname(rng)),
    }
}

fn company(rng: &mut Rng) -> String {
    let (firm, trade, ending) = (rng.pick(&FIRMS), rng.pick(&TRADES), rng.pick(&ENDINGS));
    match rng.below(3) {
        0 => format!("{firm} {trade} {ending}"),
        1 => format!("{} {firm} {ending}", rng.within(100, 9999)),
        _ => format!("{firm} {} {trade}, {ending}", surname(rng)),
    }
}

fn trust(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("{} FAM TR", surname(rng)),
        1 => format!("{},{} TRSTEE", surname(rng), rng.pick(&GIVEN)),
        _ => format!("{} {} REV LIV TR", rng.pick(&GIVEN), surname(rng)),
    }
}

/// A street line.
pub fn street(rng: &mut Rng) -> String {
    let number = rng.within(1_000, 19_999);
    let side = rng.pick(&["NW", "SW", "NE", "SE", "N", "S"]);
    if rng.chance(0.6) {
        let nth = rng.within(1, 215);
        let way = rng.pick(&["STREET", "AVENUE", "COURT", "TERRACE", "PLACE"]);
        format!("{number} {side} {nth} {way}")
    } else {
        format!("{number} {} {}", rng.pick(&STREETS), rng.pick(&WAYS))
    }
}

/// A city of the county and its ZIP.
pub fn town(world: &World, rng: &mut Rng) -> (String, i64) {
    if world.county.number == 16 {
        let (city, zip) = rng.pick(&BROWARD_CITIES);
        return (city.to_owned(), zip);
    }
    // 44 ZIPs for each county keep all of them between 32003 and 34997.
    let zip = 32_003 + (i64::from(world.county.number) - 11) * 44 + rng.within(0, 40);
    let county = world.county.name.to_uppercase();
    let city = if rng.chance(0.2) { format!("{county} BEACH") } else { county };
    (city, zip)
}

/// Where an owner who does not live on the parcel gets mail.
pub fn mail_elsewhere(world: &World, rng: &mut Rng) -> Mail {
    let unit =
        if rng.chance(0.2) { format!("STE {}", rng.within(100, 999)) } else { String::new() };
    let street = street(rng);
    match rng.below(100) {
        0..=5 => {
            let (city, country) = rng.pick(&ABROAD);
            Mail { street, unit, city: city.into(), state: country, zip: None, domicile: "FC" }
        }
        6..=40 => {
            let (state, city, zip) = rng.pick(&ELSEWHERE);
            Mail { street, unit, city: city.into(), state, zip: Some(zip), domicile: state }
        }
        _ => {
            let (city, zip) = town(world, rng);
            let city = if city == "UNINCORPORATED" { "FORT LAUDERDALE".into() } else { city };
            Mail { street, unit, city, state: "FL", zip: Some(zip), domicile: "FL" }
        }
    }
}

/// The stream that owners of a row are drawn from.
pub fn stream(world: &World, index: u64) -> Rng {
    world.rng(Purpose::Owner, index)
}
