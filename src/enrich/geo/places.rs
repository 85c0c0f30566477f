//! The points of parcels, from a file that the user has.
//!
//! An id is found as it is written, but for blanks at the ends and case; else by its letters and digits
//! alone, where these belong to one parcel: counties write ids with and without hyphens, and some ids of
//! a county differ in nothing else. Of each parcel only two hashes and the point are held: 32 bytes.

use super::error::Room;
use super::{Answer, GeoError, Locator, Match, Point, Precision, Question, csv, geojson};
use geo::Centroid;
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// One parcel.
#[derive(Debug, Clone, Copy)]
struct Entry {
    loose: u64,
    exact: u64,
    point: Point,
}

/// Points of parcels by county and id.
#[derive(Debug)]
pub struct Places {
    /// By loose hash.
    entries: Vec<Entry>,
    /// Whether the file says the county of each parcel.
    counties: bool,
    /// One bit an entry: a row has asked for it.
    used: Vec<AtomicU64>,
    /// Places of the file without an id or a point.
    left_out: u64,
}

/// Bytes of an entry while the list grows.
const ENTRY: usize = size_of::<Entry>() * 2;

impl Places {
    /// From GeoJSON (points, or polygons of which the middle is taken) or CSV. `county` gives the number
    /// of a county as the file may name it.
    pub fn read(
        mut input: impl Read,
        room: &mut Room,
        county: &dyn Fn(&str) -> Option<u8>,
    ) -> Result<Self, GeoError> {
        let mut places =
            Self { entries: Vec::new(), counties: false, used: Vec::new(), left_out: 0 };
        let (first, rest) = beginning(&mut input)?;
        let input = std::io::Cursor::new(first).chain(rest);
        let mut add = |id: &str, named: Option<&str>, point: Point| {
            room.take(ENTRY)?;
            let number = named.and_then(county);
            places.counties |= number.is_some();
            let (exact, loose) = hashes(number, id);
            match id.trim().is_empty() {
                true => places.left_out += 1,
                false => places.entries.push(Entry { loose, exact, point }),
            }
            Ok(())
        };
        let mut nowhere = 0;
        if first == [b'{'] {
            geojson::features(input, &mut |feature| {
                let named = |names: &[&str]| names.iter().find_map(|name| feature.property(name));
                let id = named(csv::ID).or_else(|| feature.id.as_ref().and_then(geojson::text));
                let point = feature.geometry()?.and_then(|shape| shape.centroid());
                let (Some(id), Some(point)) = (id, point) else {
                    nowhere += 1;
                    return Ok(());
                };
                let point = Point { longitude: point.x(), latitude: point.y() };
                add(&id, named(csv::COUNTY).as_deref(), point)
            })?;
        } else {
            nowhere = csv::places(input, &mut |place| add(place.id, place.county, place.point))?;
        }
        places.left_out += nowhere;
        Ok(places.indexed())
    }

    fn indexed(mut self) -> Self {
        self.entries.shrink_to_fit();
        // The same place twice (a multipart shape) is one; the order of the file decides nothing.
        let order = |a: &Entry, b: &Entry| {
            (a.loose, a.exact)
                .cmp(&(b.loose, b.exact))
                .then(a.point.longitude.total_cmp(&b.point.longitude))
                .then(a.point.latitude.total_cmp(&b.point.latitude))
        };
        self.entries.sort_unstable_by(order);
        self.entries.dedup_by_key(|entry| entry.exact);
        self.used = (0..self.entries.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        self
    }

    /// Parcels.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Places of the file that have no id or no point.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// No parcel.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the file says the county of each parcel; else it is good for one county.
    pub fn has_counties(&self) -> bool {
        self.counties
    }

    /// Parcels that no row has asked for.
    pub fn unused(&self) -> u64 {
        let used =
            self.used.iter().map(|bits| u64::from(bits.load(Ordering::Relaxed).count_ones()));
        self.len() as u64 - used.sum::<u64>()
    }

    fn find(&self, county: Option<u8>, id: &str) -> (Match, Option<Point>) {
        let (exact, loose) = hashes(county.filter(|_| self.counties), id);
        let from = self.entries.partition_point(|entry| entry.loose < loose);
        let alike = self.entries[from..].iter().take_while(|entry| entry.loose == loose);
        let alike = alike.enumerate();
        let mut only = None;
        let mut several = false;
        for (at, entry) in alike {
            if entry.exact == exact {
                return (Match::Matched, Some(self.take(from + at)));
            }
            several |= only.replace(from + at).is_some();
        }
        match only {
            None => (Match::RollOnly, None),
            Some(_) if several => (Match::Ambiguous, None),
            Some(at) => (Match::Loosely, Some(self.take(at))),
        }
    }

    fn take(&self, at: usize) -> Point {
        self.used[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
        self.entries[at].point
    }
}

impl Locator for Places {
    fn locate(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, GeoError> {
        let answer =
            |question: &Question<'_>| match question.id.map(|id| self.find(question.county, id)) {
                None => Answer { point: None, found: Some(Match::RollOnly) },
                Some((found, point)) => Answer {
                    point: point.map(|point| (point, Precision::Parcel)),
                    found: Some(found),
                },
            };
        Ok(questions.iter().map(answer).collect())
    }
}

/// The first byte that is no blank and no byte-order mark, which tells GeoJSON from CSV.
fn beginning<R: Read>(input: &mut R) -> Result<([u8; 1], &mut R), GeoError> {
    let mut byte = [0];
    loop {
        if input.read(&mut byte)? == 0 {
            return Err(GeoError::Form("it is empty".into()));
        }
        if !byte[0].is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(&byte[0]) {
            return Ok((byte, input));
        }
    }
}

/// Hashes of an id as it is written, and of its letters and digits alone.
fn hashes(county: Option<u8>, id: &str) -> (u64, u64) {
    let mut exact = SmallText::new(county);
    let mut loose = SmallText::new(county);
    for byte in id.trim().bytes().map(|byte| byte.to_ascii_uppercase()) {
        exact.push(byte);
        if byte.is_ascii_alphanumeric() || byte >= 0x80 {
            loose.push(byte);
        }
    }
    (xxh3_64_with_seed(exact.bytes(), 1), xxh3_64_with_seed(loose.bytes(), 2))
}

/// A few bytes; ids have at most 26. What is longer stands on the heap.
struct SmallText {
    short: [u8; SHORT],
    len: usize,
    long: Vec<u8>,
}

const SHORT: usize = 48;

impl SmallText {
    fn new(county: Option<u8>) -> Self {
        let mut short = [0; SHORT];
        short[0] = county.unwrap_or(0);
        Self { short, len: 1, long: Vec::new() }
    }

    fn push(&mut self, byte: u8) {
        if self.len < SHORT {
            self.short[self.len] = byte;
        } else {
            if self.long.is_empty() {
                self.long.extend_from_slice(&self.short);
            }
            self.long.push(byte);
        }
        self.len += 1;
    }

    fn bytes(&self) -> &[u8] {
        if self.long.is_empty() { &self.short[..self.len] } else { &self.long }
    }
}
