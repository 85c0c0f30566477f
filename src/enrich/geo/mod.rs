//! Geography: where a parcel lies, in which zones, how far from what.
//!
//! [`Places`] finds the point of a row: by the parcel's id in a file that the user has, else the middle of
//! its ZIP code, which says little more than the town. [`Layer`]s are polygons whose name a point takes
//! over, or shapes to which its distance is measured; they are asked for points of parcels only. All of it
//! is read before the first row and held in memory, and [`GeoError::Full`] says where it does not fit.
//!
//! A service that is asked over the network would be another [`Locator`]: questions go through
//! [`Cached`], which asks each one once.

mod cache;
mod csv;
mod error;
mod geojson;
mod layer;
mod lru;
mod places;
mod stage;
mod zips;

pub use cache::{Cached, Counts};
pub use error::{GeoError, Room};
pub use layer::{Layer, Wanted};
pub use places::Places;
pub use stage::{Geography, Inputs, Locate};
pub use zips::Zips;

/// A point in degrees (WGS84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Degrees east, negative in America.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}

impl Point {
    /// A point, where both are degrees of this earth.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let sound = longitude.abs() <= 180.0 && latitude.abs() <= 90.0;
        sound.then_some(Self { longitude, latitude })
    }

    /// As an array, the way trees want it.
    fn array(self) -> [f64; 2] {
        [self.longitude, self.latitude]
    }
}

/// What is asked about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Question<'a> {
    /// County number, where the roll has one.
    pub county: Option<u8>,
    /// Parcel id.
    pub id: Option<&'a str>,
    /// ZIP code; more than five characters are allowed.
    pub zip: Option<&'a str>,
}

/// How the id of a row was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// As it is written, but for blanks at the ends and case.
    Matched,
    /// By its letters and digits alone, which only one parcel of the county has.
    Loosely,
    /// Several parcels of the county have these letters and digits.
    Ambiguous,
    /// Not there.
    RollOnly,
}

impl Match {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Loosely => "matched_loosely",
            Self::Ambiguous => "ambiguous",
            Self::RollOnly => "roll_only",
        }
    }
}

/// How much a point says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// The parcel's own point.
    Parcel,
    /// The middle of its ZIP code.
    Zip,
}

impl Precision {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parcel => "parcel",
            Self::Zip => "zip",
        }
    }
}

/// What is known of the place of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The point and how much it says.
    pub point: Option<(Point, Precision)>,
    /// How the id was found, where ids were looked for.
    pub found: Option<Match>,
}

/// Something that knows where parcels are.
pub trait Locator: Send + Sync {
    /// An answer for each question, in order.
    fn locate(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, GeoError>;
}

#[cfg(test)]
mod tests;
