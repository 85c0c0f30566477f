//! Rows of a real property roll.

use crate::owner::{self, Mail, OwnerKind};
use crate::parcel::Parcel;
use crate::places::{STREETS, TRACTS};
use crate::rng::{Purpose, Rng};
use crate::roll::{Release, World};
use crate::row::Row;
use crate::sales::{self, Sale};
use crate::uses::Use;

const CAPPED: [&str; 4] =
    ["JV_NON_HMSTD_RESD", "AV_NON_HMSTD_RESD", "JV_RESD_NON_RESD", "AV_RESD_NON_RESD"];

/// Fills the row of a parcel.
pub fn fill(world: &World, index: u64, row: &mut Row<'_>) {
    let parcel = Parcel::of(world, index);
    let mut rng = world.rng(Purpose::Parcel, index | 1 << 62);
    row.clear();
    identity(world, &parcel, row);
    values(world, &parcel, &mut rng, row);
    land(&parcel, &mut rng, row);
    buildings(world, &parcel, &mut rng, row);
    for (sale, slot) in sales::of_parcel(world, &parcel).iter().zip(["1", "2"]) {
        sold(&parcel, sale, slot, row);
    }
    place(world, &parcel, row);
    portability(world, &parcel, &mut rng, row);
}

fn identity(world: &World, parcel: &Parcel, row: &mut Row<'_>) {
    row.int("CO_NO", i64::from(world.county.number));
    row.text("PARCEL_ID", &parcel.id);
    row.text("FILE_T", "R");
    row.int("ASMNT_YR", world.year);
    row.format("BAS_STRT", format_args!("{:02}", parcel.basic_stratum));
    row.int_if("ATV_STRT", parcel.active_stratum.map(i64::from));
    row.int_if("GRP_NO", parcel.group.map(i64::from));
    row.format("DOR_UC", format_args!("{:03}", parcel.code));
    row.format("PA_UC", format_args!("{:02}", parcel.index % 4));
    row.format("ALT_KEY", format_args!("{}-{:07}", world.county.fips, parcel.index + 1));
    row.int("SEQ_NO", parcel.index as i64 + 1);
    row.text("RS_ID", &world.submission_id(false));
    row.text("MP_ID", &parcel.master_id());
    row.text("STATE_PAR_ID", &parcel.state_id(world));
}

fn values(world: &World, parcel: &Parcel, rng: &mut Rng, row: &mut Row<'_>) {
    let value = &parcel.value;
    row.int("JV", value.just);
    row.int("AV_SD", value.assessed_school);
    row.int("AV_NSD", value.assessed_county);
    row.int("TV_SD", value.taxable_school);
    row.int("TV_NSD", value.taxable_county);
    // The two capped parts are 0 where they do not apply; the others are blank.
    for column in CAPPED {
        row.int(column, 0);
    }
    for part in &value.parts {
        row.int(&format!("JV_{}", part.suffix), part.just);
        row.int(&format!("AV_{}", part.suffix), part.assessed);
    }
    for exemption in &value.exemptions {
        row.int(&format!("EXMPT_{:02}", exemption.code), exemption.amount);
    }
    if world.release == Release::F && rng.chance(0.004) {
        let change = rng.within(150, 90_000);
        row.int("JV_CHNG", if rng.chance(0.8) { -change } else { change });
        row.format("JV_CHNG_CD", format_args!("{:02}", rng.within(1, 6)));
    }
    let (built, razed) = (parcel.improved && rng.chance(0.03), rng.chance(0.003));
    row.int("NCONST_VAL", if built { value.just / 3 } else { 0 });
    row.int("DEL_VAL", if razed { value.just / 10 + 100 } else { 0 });
    if rng.chance(0.004) {
        let (flag, month) = (rng.within(1, 2), rng.within(1, 12));
        row.int("PAR_SPLT", flag * 10_000 + month * 100 + (world.year - 1) % 100);
    }
    if rng.chance(0.001) {
        row.int("DISTR_CD", rng.within(1, 9));
        row.int("DISTR_YR", world.year - 1);
    }
}

fn land(parcel: &Parcel, rng: &mut Rng, row: &mut Row<'_>) {
    let just = parcel.value.just;
    let month = rng.within(1, 12);
    row.format("DT_LAST_INSPT", format_args!("{month:02}{:02}", rng.within(19, 24)));
    if matches!(parcel.code, 4 | 5 | 9) {
        // A unit has a share of the land's value, and no area.
        row.int("LND_VAL", just / 10);
        row.int("LND_UNTS_CD", 5);
        row.int("NO_LND_UNTS", 1);
        return;
    }
    let value = match parcel.value.classified() {
        Some(part) => part.assessed,
        None if parcel.improved => (just as f64 * (0.1 + 0.25 * rng.unit())) as i64,
        None => just,
    };
    row.int("LND_VAL", value);
    if parcel.kind == Use::Farm {
        // Whole numbers of acres have two implied decimals.
        let hundredths = rng.within(250, 90_000);
        row.int("LND_UNTS_CD", 1);
        row.int("NO_LND_UNTS", hundredths);
        row.int("LND_SQFOOT", hundredths * 43_560 / 100);
        return;
    }
    let square_feet = rng.within(3_000, 14_000) * if just > 2_000_000 { 9 } else { 1 };
    row.int("LND_SQFOOT", square_feet);
    match rng.below(50) {
        0 => {
            row.int("LND_UNTS_CD", 5);
            row.int("NO_LND_UNTS", 1);
        }
        1 => row.int("LND_UNTS_CD", 6),
        2 => {
            row.int("LND_UNTS_CD", 3);
            row.int("NO_LND_UNTS", square_feet / 100);
        }
        _ => {
            row.int("LND_UNTS_CD", 2);
            row.int("NO_LND_UNTS", square_feet);
        }
    }
}

fn buildings(world: &World, parcel: &Parcel, rng: &mut Rng, row: &mut Row<'_>) {
    if !parcel.improved {
        return;
    }
    let age = rng.within(1, 75);
    let built = world.year - age;
    row.int("IMP_QUAL", rng.weighted(&[(3, 60), (2, 15), (4, 18), (1, 2), (5, 4), (6, 1)]));
    if !matches!(parcel.kind, Use::Dwelling | Use::Farm) {
        row.int("CONST_CLASS", rng.weighted(&[(3, 70), (2, 12), (4, 10), (5, 5), (1, 3)]));
    }
    row.int("EFF_YR_BLT", built + rng.within(0, age / 2));
    row.int("ACT_YR_BLT", built);
    row.int("TOT_LVG_AREA", 420 + parcel.value.just / rng.within(150, 320));
    if parcel.code != 4 {
        row.int("NO_BULDNG", if parcel.kind == Use::Business { rng.within(1, 4) } else { 1 });
    }
    let homes = match parcel.code {
        1 | 2 | 4 | 5 => Some(1),
        8 => Some(rng.within(2, 9)),
        3 => Some(rng.within(10, 240)),
        _ => None,
    };
    row.int_if("NO_RES_UNTS", homes);
    let features = !parcel.condo && rng.chance(0.55);
    row.int("SPEC_FEAT_VAL", if features { parcel.value.just / rng.within(25, 120) } else { 0 });
}

fn sold(parcel: &Parcel, sale: &Sale, slot: &str, row: &mut Row<'_>) {
    if sale.several {
        row.bare(&format!("MULTI_PAR_SAL{slot}"), "C");
    }
    row.text(&format!("QUAL_CD{slot}"), sale.qualification);
    row.text(&format!("VI_CD{slot}"), if parcel.improved { "I" } else { "V" });
    row.int(&format!("SALE_PRC{slot}"), sale.price);
    row.int(&format!("SALE_YR{slot}"), sale.year);
    row.format(&format!("SALE_MO{slot}"), format_args!("{:02}", sale.month));
    row.format(&format!("CLERK_NO{slot}"), format_args!("{}", sale.document));
    row.int_if(&format!("SAL_CHNG_CD{slot}"), sale.change);
}

fn place(world: &World, parcel: &Parcel, row: &mut Row<'_>) {
    let mut near = parcel.neighbourhood(world);
    let mut own = owner::stream(world, parcel.index);
    let (city, zip) = owner::town(world, &mut near);
    let tract = format!("{} {}", near.pick(&TRACTS), near.pick(&STREETS));
    let (book, page) = (near.within(10, 183), near.within(1, 200));
    let (street, unit) = situs(parcel, &mut near, &mut own);
    let (lot, part) = (parcel.index % 90 + 1, own.within(1, 24));
    row.format("S_LEGAL", format_args!("{tract} {book}-{page} B LOT {lot} BLK {part}"));
    let legal = row.text_of("S_LEGAL").unwrap_or_default();
    let cut = legal[..legal.len().min(30)].trim_end().to_owned();
    row.text("S_LEGAL", &cut);
    row.format("MKT_AR", format_args!("{}", parcel.market_area()));
    row.format("NBRHD_CD", format_args!("{}", parcel.neighbourhood_code()));
    row.format("TAX_AUTH_CD", format_args!("{:04}", near.within(1, 37) * 100 + 12));
    row.format("TWN", format_args!("{}S", near.within(47, 51)));
    row.format("RNG", format_args!("{}E", near.within(38, 43)));
    row.format("SEC", format_args!("{:02}", near.within(1, 36)));
    let (area, group) = (near.within(10_100, 980_000), near.within(1, 5));
    row.format("CENSUS_BK", format_args!("{}{area:06}{group}", world.county.fips));
    row.text("PHY_ADDR1", &street);
    row.text("PHY_ADDR2", &unit);
    row.text("PHY_CITY", &city);
    row.int("PHY_ZIPCD", zip);
    owner(world, parcel, &mut own, row, (street, unit, city, zip));
}

fn situs(parcel: &Parcel, near: &mut Rng, own: &mut Rng) -> (String, String) {
    let line = owner::street(near);
    let (number, road) = line.split_once(' ').unwrap_or(("1", &line));
    let number: u64 = number.parse().unwrap_or(1);
    if parcel.condo {
        let unit = format!("# {}", own.within(1, 24) * 100 + own.within(1, 30));
        return (format!("{number} {road}"), unit);
    }
    (format!("{} {road}", number + parcel.index % 90 * 10), String::new())
}

type Home = (String, String, String, i64);

fn owner(world: &World, parcel: &Parcel, rng: &mut Rng, row: &mut Row<'_>, home: Home) {
    let kind = match parcel.kind {
        Use::Government => OwnerKind::Government,
        Use::Vacant if parcel.code == 80 => OwnerKind::Government,
        Use::Common => OwnerKind::Association,
        _ if parcel.homestead => rng.weighted(&[(OwnerKind::Person, 92), (OwnerKind::Trust, 8)]),
        Use::Dwelling => rng.weighted(&[
            (OwnerKind::Person, 60),
            (OwnerKind::Company, 30),
            (OwnerKind::Trust, 10),
        ]),
        _ => rng.weighted(&[(OwnerKind::Company, 85), (OwnerKind::Person, 15)]),
    };
    row.text("OWN_NAME", &owner::name(world, rng, kind));
    let mail = if parcel.homestead {
        let (street, unit, city, zip) = home;
        Mail { street, unit, city, state: "FL", zip: Some(zip), domicile: "FL" }
    } else {
        owner::mail_elsewhere(world, rng)
    };
    row.text("OWN_ADDR1", &mail.street);
    row.text("OWN_ADDR2", &mail.unit);
    row.text("OWN_CITY", &mail.city);
    row.text("OWN_STATE", mail.state);
    row.int_if("OWN_ZIPCD", mail.zip);
    row.text("OWN_STATE_DOM", mail.domicile);
    if parcel.homestead {
        row.text("APP_STAT", rng.pick(&["H", "W", "O"]));
        if rng.chance(0.5) {
            row.text("CO_APP_STAT", rng.pick(&["H", "W"]));
        }
    }
    if kind == OwnerKind::Government {
        row.text("PUBLIC_LND", rng.pick(&["C", "M", "S", "D"]));
    }
}

fn portability(world: &World, parcel: &Parcel, rng: &mut Rng, row: &mut Row<'_>) {
    let Some(part) = parcel.value.homestead() else { return };
    if parcel.code == 8 || !rng.chance(0.02) {
        return;
    }
    row.int("ASS_TRNSFR_FG", 1);
    row.int("PREV_HMSTD_OWN", rng.within(1, 2));
    row.int("ASS_DIF_TRNS", part.just - part.assessed);
    row.int("CONO_PRV_HM", i64::from(world.county.number));
    // The home before: some parcel of the same county.
    let before =
        world.county.parcel_id(world.seed, rng.below(world.county.capacity().min(900_000)));
    row.text("PARCEL_ID_PRV_HMSTD", &before);
    row.int("YR_VAL_TRNSF", world.year - rng.within(1, 2));
}
