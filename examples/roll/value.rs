//! The values of a parcel: just, assessed and taxable, their nine parts, and the exemptions, so
//! that every sum and cap of the DOR's rules holds.

use crate::rng::{Purpose, Rng};
use crate::roll::World;
use crate::uses::Use;

/// A pair of columns that part of the value goes to: `JV_x` and `AV_x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub suffix: &'static str,
    pub just: i64,
    pub assessed: i64,
}

/// An exemption granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exemption {
    pub code: u8,
    pub amount: i64,
}

/// All values of a parcel.
pub struct Value {
    pub just: i64,
    pub assessed_school: i64,
    pub assessed_county: i64,
    pub taxable_school: i64,
    pub taxable_county: i64,
    pub parts: Vec<Part>,
    pub exemptions: Vec<Exemption>,
}

const HOMESTEAD: &str = "HMSTD";
const RESIDENTIAL: &str = "NON_HMSTD_RESD";
const NON_RESIDENTIAL: &str = "RESD_NON_RESD";
const CLASSIFIED: &str = "CLASS_USE";

impl Value {
    /// Draws the values of a parcel.
    pub fn draw(world: &World, index: u64, block: u64, code: u16, homestead: bool) -> Self {
        let mut rng = world.rng(Purpose::Value, index);
        let area = 0.6 + world.rng(Purpose::Value, block.wrapping_add(1 << 41)).unit() * 0.9;
        let kind = Use::of(code);
        let just = just_value(&mut rng, kind.usual_value(code) * area);
        let parts = parts(&mut rng, kind, code, homestead, just);
        let assessed_county = parts.iter().map(|part| part.assessed).sum();
        // The 10 % caps bind county levies only: schools see the full value of those parts.
        let assessed_school = parts.iter().map(Part::school).sum();
        let mut value = Self {
            just,
            assessed_school,
            assessed_county,
            taxable_school: 0,
            taxable_county: 0,
            parts,
            exemptions: Vec::new(),
        };
        value.exempt(&mut rng, world.year, kind, code);
        value.tax();
        value
    }

    /// The homestead part, if there is one.
    pub fn homestead(&self) -> Option<Part> {
        self.parts.iter().copied().find(|part| part.suffix == HOMESTEAD)
    }

    /// The part assessed as farm land, if there is one.
    pub fn classified(&self) -> Option<Part> {
        self.parts.iter().copied().find(|part| part.suffix == CLASSIFIED)
    }

    fn exempt(&mut self, rng: &mut Rng, year: i64, kind: Use, code: u16) {
        match kind {
            Use::Government => self.grant(20, self.assessed_school),
            Use::Vacant if code == 80 => self.grant(20, self.assessed_school),
            Use::Institution => {
                let exemption = match code {
                    72 => 16,
                    73 => 12,
                    74 => 13,
                    _ => 9,
                };
                self.grant(exemption, self.assessed_school);
            }
            _ => {}
        }
        if let Some(part) = self.homestead() {
            self.exempt_homestead(rng, year, part.assessed);
        }
    }

    fn exempt_homestead(&mut self, rng: &mut Rng, year: i64, assessed: i64) {
        let first = assessed.min(25_000);
        self.grant(1, first);
        if rng.chance(0.035) {
            // A totally disabled veteran: nothing is left to be taxed.
            self.grant(5, assessed - first);
            return;
        }
        let second = (assessed - 50_000).clamp(0, second_homestead_cap(year));
        self.grant(2, second);
        let left = assessed - first - second;
        if rng.chance(0.06) {
            self.grant(3, left.min(50_000));
            self.grant(4, left.min(25_000));
        } else if rng.chance(0.05) {
            self.grant(33, left.min(500));
        } else if rng.chance(0.01) {
            self.grant(32, left.min(500));
        } else if rng.chance(0.02) {
            self.grant(35, left.min(5_000));
        } else if rng.chance(0.01) {
            self.grant(34, left.min(500));
        }
    }

    fn grant(&mut self, code: u8, amount: i64) {
        if amount > 0 {
            self.exemptions.push(Exemption { code, amount });
        }
    }

    fn tax(&mut self) {
        let sum = |applies: fn(u8) -> bool| -> i64 {
            self.exemptions.iter().filter(|e| applies(e.code)).map(|e| e.amount).sum()
        };
        let (school, county) = (sum(reduces_school), sum(reduces_county));
        self.taxable_school = (self.assessed_school - school).max(0);
        self.taxable_county = (self.assessed_county - county).max(0);
    }
}

impl Part {
    /// What schools assess: only homesteads and classified land are capped for them.
    fn school(&self) -> i64 {
        if matches!(self.suffix, HOMESTEAD | CLASSIFIED) { self.assessed } else { self.just }
    }
}

/// The second homestead exemption, indexed since 2025.
pub fn second_homestead_cap(year: i64) -> i64 {
    match year {
        ..=2024 => 25_000,
        2025 => 25_722,
        _ => 26_411,
    }
}

/// Exemptions that schools grant, among those drawn here.
pub fn reduces_school(code: u8) -> bool {
    !matches!(code, 2..=4)
}

/// Exemptions that the county grants, among those drawn here.
pub fn reduces_county(code: u8) -> bool {
    code != 4
}

/// A skewed draw around the usual value, in tens of dollars.
fn just_value(rng: &mut Rng, usual: f64) -> i64 {
    let skew = rng.unit() * rng.unit();
    let value = usual * (0.3 + 0.7 * rng.unit() + 2.4 * skew * skew);
    (value / 10.0).round() as i64 * 10
}

fn parts(rng: &mut Rng, kind: Use, code: u16, homestead: bool, just: i64) -> Vec<Part> {
    let capped = |rng: &mut Rng, suffix, just: i64, low: f64| {
        let share = (low + (1.15 - low) * rng.unit()).min(1.0);
        Part { suffix, just, assessed: (just as f64 * share) as i64 }
    };
    match kind {
        Use::Dwelling if homestead && code == 8 => {
            let half = just / 2;
            vec![capped(rng, HOMESTEAD, half, 0.3), capped(rng, RESIDENTIAL, just - half, 0.7)]
        }
        Use::Dwelling if homestead => vec![capped(rng, HOMESTEAD, just, 0.3)],
        Use::Dwelling | Use::Common => vec![capped(rng, RESIDENTIAL, just, 0.7)],
        Use::Vacant if code == 0 => vec![capped(rng, RESIDENTIAL, just, 0.7)],
        Use::Farm => {
            let yard = if code == 50 { just / 4 } else { 0 };
            let land = just - yard;
            let assessed = (land as f64 * (0.03 + 0.1 * rng.unit())) as i64;
            let mut parts = vec![Part { suffix: CLASSIFIED, just: land, assessed }];
            if yard > 0 {
                let suffix = if homestead { HOMESTEAD } else { NON_RESIDENTIAL };
                parts.push(capped(rng, suffix, yard, 0.6));
            }
            parts
        }
        Use::Government | Use::Institution => {
            vec![Part { suffix: NON_RESIDENTIAL, just, assessed: just }]
        }
        Use::Vacant | Use::Business | Use::Other => vec![capped(rng, NON_RESIDENTIAL, just, 0.75)],
    }
}
