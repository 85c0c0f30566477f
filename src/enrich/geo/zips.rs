//! The middles of ZIP codes: where a parcel is, about.

use super::{Answer, GeoError, Locator, Point, Precision, Question};
use hashbrown::HashMap;

/// Middles of ZIP codes.
#[derive(Debug, Clone, Default)]
pub struct Zips {
    points: HashMap<String, Point>,
}

/// Digits of a ZIP code.
const DIGITS: usize = 5;

impl Zips {
    /// From rows of ZIP code, latitude and longitude.
    pub fn new<'a>(rows: impl Iterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let place = |(zip, latitude, longitude): (&str, &str, &str)| {
            let point = Point::new(longitude.parse().ok()?, latitude.parse().ok()?)?;
            Some((zip.to_owned(), point))
        };
        Self { points: rows.filter_map(place).collect() }
    }
}

impl Locator for Zips {
    fn locate(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, GeoError> {
        let answer = |question: &Question<'_>| {
            let point = question.zip.and_then(|zip| self.points.get(zip.get(..DIGITS)?));
            Answer { point: point.map(|point| (*point, Precision::Zip)), found: None }
        };
        Ok(questions.iter().map(answer).collect())
    }
}
