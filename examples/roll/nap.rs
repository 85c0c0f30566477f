//! Rows of a tangible personal property roll.

use crate::owner::{self, OwnerKind};
use crate::places::NAICS;
use crate::rng::{Purpose, Rng};
use crate::roll::World;
use crate::row::Row;

/// The standard exemption.
const STANDARD: i64 = 25_000;

/// Fills the row of an account.
pub fn fill(world: &World, index: u64, row: &mut Row<'_>) {
    let mut rng = world.rng(Purpose::Account, index);
    row.clear();
    row.int("CO_NO", i64::from(world.county.number));
    row.format("ACCT_ID", format_args!("{:03}{:06}", 110 + index / 1_000_000, index % 1_000_000));
    row.text("FILE_T", "P");
    row.format("ASMNT_YR", format_args!("{}", world.year));
    row.format("TAX_AUTH_CD", format_args!("{:04}", rng.within(1, 37) * 100 + 12));
    row.text("NAICS_CD", rng.pick(&NAICS));
    values(&mut rng, row);
    names(world, index, row);
    row.int("SEQ_NO", index as i64 + 1);
    row.bare("TS_ID", &world.submission_id(true));
}

fn values(rng: &mut Rng, row: &mut Row<'_>) {
    let skew = rng.unit() * rng.unit() * rng.unit();
    let equipment = 180 + (skew * 900_000.0) as i64;
    let leasehold = rng.chance(0.06).then(|| rng.within(500, 90_000));
    let just = equipment + leasehold.unwrap_or(0);
    let pollution = rng.chance(0.002).then_some(equipment / 5);
    let scrap = pollution.map(|value| value / 10);
    let assessed = just - pollution.unwrap_or(0) + scrap.unwrap_or(0);
    row.int("JV_F_F_E", equipment);
    row.int_if("JV_LESE_IMP", leasehold);
    row.int("JV_TOTAL", just);
    row.int("AV_TOTAL", assessed);
    row.int_if("JV_POL_CONTRL", pollution);
    row.int_if("AV_POL_CONTRL", scrap);
    let exempt = if rng.chance(0.02) {
        let standard = assessed.min(STANDARD);
        let rest = assessed - standard;
        match rest {
            0 => row.format("EXMPT", format_args!("M;{standard}")),
            _ => row.format("EXMPT", format_args!("A;{rest};M;{standard}")),
        }
        Some(assessed)
    } else if rng.chance(0.97) {
        let standard = assessed.min(STANDARD);
        row.format("EXMPT", format_args!("M;{standard}"));
        Some(standard)
    } else {
        None
    };
    row.int_if("EXMPT_VAL", exempt);
    row.int("TAX_VAL", assessed - exempt.unwrap_or(0));
    row.int("PEN_RATE", if exempt.is_some() { 0 } else { rng.pick(&[5, 10, 15, 25]) });
}

fn names(world: &World, index: u64, row: &mut Row<'_>) {
    let mut rng = owner::stream(world, index);
    let kind = rng.weighted(&[(OwnerKind::Company, 85), (OwnerKind::Person, 15)]);
    row.text("OWN_NAM", &owner::name(world, &mut rng, kind));
    let mail = owner::mail_elsewhere(world, &mut rng);
    row.text("OWN_ADDR", &mail.street);
    row.text("OWN_CITY", &mail.city);
    row.text("OWN_STATE", mail.state);
    if let Some(zip) = mail.zip {
        row.format("OWN_ZIPCD", format_args!("{zip:05}"));
    }
    row.text("OWN_STATE_DOM", mail.domicile);
    let (city, zip) = owner::town(world, &mut rng);
    row.text("PHY_ADDR", &owner::street(&mut rng));
    row.text("PHY_CITY", &city);
    row.format("PHY_ZIPCD", format_args!("{zip:05}"));
}
