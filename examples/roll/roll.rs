//! What a roll is: its kind, county, year, release, and the file name the DOR gives it.

use clap::ValueEnum;

use crate::county::County;
use crate::rng::{Purpose, Rng};

/// Which roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Real property: name, address, legal.
    Nal,
    /// Sales.
    Sdf,
    /// Tangible personal property.
    Nap,
}

/// Which release of the year's roll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "verbatim")]
pub enum Release {
    /// Preliminary.
    P,
    /// Sales submission.
    S,
    /// Final.
    F,
}

/// Everything that all rows of a roll share.
pub struct World {
    pub county: County,
    pub year: i64,
    pub release: Release,
    pub submission: u8,
    pub seed: u64,
}

impl World {
    /// A stream of random numbers of this world.
    pub fn rng(&self, purpose: Purpose, index: u64) -> Rng {
        Rng::of(self.seed ^ (u64::from(self.county.number) << 40), purpose, index)
    }

    /// The file name without extension, as the DOR writes it: `NAL16P202501`.
    pub fn stem(&self, kind: Kind) -> String {
        format!(
            "{}{}{:?}{}{:02}",
            format!("{kind:?}").to_uppercase(),
            self.county.number,
            self.release,
            self.year,
            self.submission
        )
    }

    /// The id of the submission, one for NAL and SDF (`2B6D`), another for NAP. The letter between
    /// digits is never E, which a spreadsheet would read as an exponent.
    pub fn submission_id(&self, tangible: bool) -> String {
        let release = self.release as u64;
        let index = (self.year as u64 * 100 + u64::from(self.submission)) * 8 + release * 2;
        let mut rng = self.rng(Purpose::Id, index + u64::from(tangible));
        let letters = ['A', 'B', 'C', 'D'];
        format!("{}{}{}{}", rng.below(10), rng.pick(&letters), rng.below(10), rng.pick(&letters))
    }
}
