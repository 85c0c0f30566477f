//! Random numbers that depend on nothing but (seed, purpose, index): the same row comes out the
//! same whether the roll is written from the start, from the middle, or twice.

/// What a stream of numbers is drawn for. Each purpose has its own stream, so that a change in how
/// owners are drawn does not move the values.
#[derive(Clone, Copy)]
pub enum Purpose {
    Block = 1,
    Parcel,
    Value,
    Owner,
    Sale,
    Account,
    Plan,
    Harm,
    Id,
}

/// SplitMix64: small, fast, good enough for made-up rolls.
pub struct Rng(u64);

impl Rng {
    /// The stream of one (seed, purpose, index).
    pub fn of(seed: u64, purpose: Purpose, index: u64) -> Self {
        let start = mix(seed ^ mix((purpose as u64) << 56 ^ index));
        Self(start)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// A number in `0..n` (`n > 0`).
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..=high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as u64) as i64
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// One of the items by weight.
    pub fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total: u64 = items.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.below(total);
        for (item, weight) in items {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return *item,
            }
        }
        items[0].0
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
