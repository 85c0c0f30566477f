//! What a parcel is, apart from its owner and sales: the part that NAL and SDF must agree on.

use crate::county::BLOCK;
use crate::rng::{Purpose, Rng};
use crate::roll::World;
use crate::uses::{self, Use};
use crate::value::Value;

/// A parcel: a pure function of the world and its number.
pub struct Parcel {
    pub index: u64,
    pub id: String,
    pub block: u64,
    pub condo: bool,
    pub code: u16,
    pub kind: Use,
    pub improved: bool,
    pub homestead: bool,
    pub value: Value,
    pub basic_stratum: u8,
    pub active_stratum: Option<u8>,
    pub group: Option<u8>,
}

impl Parcel {
    /// The parcel of a number.
    pub fn of(world: &World, index: u64) -> Self {
        let block = index / BLOCK;
        let condo = world.county.is_condo(world.seed, block);
        let mut rng = world.rng(Purpose::Parcel, index);
        let code = uses::draw(&mut rng, condo);
        let kind = Use::of(code);
        let homestead = has_homestead(&mut rng, code);
        let value = Value::draw(world, index, block, code, homestead);
        let taxed = value.taxable_school > 0 || value.taxable_county > 0;
        let basic_stratum = uses::basic_stratum(code, taxed, homestead);
        let studied = basic_stratum < 9;
        Self {
            index,
            id: world.county.parcel_id(world.seed, index),
            block,
            condo,
            code,
            kind,
            improved: kind.is_improved(code),
            homestead,
            basic_stratum,
            active_stratum: studied.then(|| active_stratum(basic_stratum)),
            group: studied.then(|| group(value.just, kind.usual_value(code))),
            value,
        }
    }

    /// The block's own stream: what neighbours share.
    pub fn neighbourhood(&self, world: &World) -> Rng {
        world.rng(Purpose::Block, self.block.wrapping_add(1 << 40))
    }

    /// The neighborhood code.
    pub fn neighbourhood_code(&self) -> u64 {
        110_000 + self.block * 37 % 880_000
    }

    /// The market area.
    pub fn market_area(&self) -> u64 {
        self.block % 21 + 1
    }

    /// The DOR's master parcel id: eight hex digits, one after the other. Some read as numbers with
    /// an exponent (`000928E3`), as in the published rolls.
    pub fn master_id(&self) -> String {
        format!("{:08X}", 0x0009_0000 + self.index)
    }

    /// The statewide parcel id: `C16-001-192-0124-2`.
    pub fn state_id(&self, world: &World) -> String {
        let n = self.index + 1;
        let (a, b, c) = (n / 10_000_000 % 1000, n / 10_000 % 1000, n % 10_000);
        let check = (a * 7 + b * 3 + c * 9) % 10;
        format!("C{}-{a:03}-{b:03}-{c:04}-{check}", world.county.number)
    }
}

fn has_homestead(rng: &mut Rng, code: u16) -> bool {
    rng.chance(match code {
        1 => 0.64,
        4 | 5 => 0.40,
        2 => 0.45,
        8 => 0.15,
        50 => 0.3,
        _ => 0.0,
    })
}

fn active_stratum(basic: u8) -> u8 {
    // Strata too small to be studied alone are pooled as 8.
    if matches!(basic, 3 | 5) { 8 } else { basic }
}

fn group(just: i64, usual: f64) -> u8 {
    let ratio = just as f64 / usual;
    match ratio {
        r if r < 0.05 => 5,
        r if r < 0.45 => 1,
        r if r < 0.85 => 2,
        r if r < 1.5 => 3,
        _ => 4,
    }
}
