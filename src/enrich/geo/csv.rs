//! Places as a table: an id, a latitude, a longitude, perhaps a county.

use super::{GeoError, Point};
use std::io::Read;

/// Names that a column may have, the usual first.
pub(super) const ID: &[&str] =
    &["parcel_id", "parcelid", "parcelno", "parcel_no", "folio", "pin", "parno", "acct_id", "id"];
pub(super) const COUNTY: &[&str] = &["co_no", "county_no", "county", "cntyno", "fips"];
const LATITUDE: &[&str] = &["latitude", "lat", "y"];
const LONGITUDE: &[&str] = &["longitude", "lon", "lng", "long", "x"];

/// A row of such a table.
pub(super) struct Place<'r> {
    pub id: &'r str,
    pub county: Option<&'r str>,
    pub point: Point,
}

/// Reads the rows; gives how many were passed over because they have no coordinates.
pub(super) fn places(
    input: impl Read,
    each: &mut dyn FnMut(Place<'_>) -> Result<(), GeoError>,
) -> Result<u64, GeoError> {
    let wrong = |error: csv::Error| GeoError::Form(format!("it is no CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let headers = reader.headers().map_err(wrong)?.clone();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            headers
                .iter()
                .position(|header| header.trim_start_matches('\u{feff}').eq_ignore_ascii_case(name))
        })
    };
    let must = |names: &[&str]| {
        find(names).ok_or_else(|| GeoError::Form(format!("it has no column {}", names[0])))
    };
    let (id, latitude, longitude) = (must(ID)?, must(LATITUDE)?, must(LONGITUDE)?);
    let county = find(COUNTY);
    let mut record = csv::StringRecord::new();
    let mut left_out = 0;
    while reader.read_record(&mut record).map_err(wrong)? {
        let number = |at: usize| record.get(at).unwrap_or_default().parse::<f64>().ok();
        let (Some(y), Some(x)) = (number(latitude), number(longitude)) else {
            left_out += 1;
            continue;
        };
        let point = Point::new(x, y).ok_or(GeoError::NotDegrees { x, y })?;
        let county = county.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
        each(Place { id: record.get(id).unwrap_or_default(), county, point })?;
    }
    Ok(left_out)
}
