//! Days with a time as texts: how they are written, and what they are in UTC.

use super::MisfitKind;
use chrono::{LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Nanoseconds of a microsecond.
const MICRO: u32 = 1_000;

/// A day with a time, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970-01-01, of the clock that the text shows.
    seconds: i64,
    /// Nanoseconds of the second.
    nanos: u32,
    /// Seconds by which that clock is before UTC; `None`: the text does not say.
    offset: Option<i32>,
}

impl Moment {
    /// `2025-01-31 13:45[:00[.fraction]]`, `T` or a blank between, then perhaps `Z` or an offset (`+02:00`, `-0500`,
    /// `-05`). A minute has 60 seconds, and a fraction at most nine digits that are not zeros at its end.
    pub fn of(text: &[u8]) -> Option<Self> {
        let mut rest = Rest(text);
        let year = match rest.0 {
            [a, b, c, d, b'-', ..] => number(&[*a, *b, *c, *d])?,
            _ => return None,
        };
        rest.0 = &rest.0[5..];
        let month = rest.number()?;
        rest.one_of(b"-")?;
        let day = rest.number()?;
        rest.one_of(b" Tt")?;
        let hour = rest.number()?;
        rest.one_of(b":")?;
        let minute = rest.number()?;
        let (mut second, mut nanos) = (0, 0);
        if rest.one_of(b":").is_some() {
            second = rest.number()?;
            if rest.one_of(b".").is_some() {
                nanos = rest.fraction()?;
            }
        }
        let offset = rest.offset()?;
        let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
        let seconds = date.and_hms_opt(hour, minute, second)?.and_utc().timestamp();
        Some(Self { seconds, nanos, offset })
    }

    /// A moment in UTC, in microseconds since 1970-01-01, with or without the word that it is UTC.
    pub fn from_micros(micros: i64, is_utc: bool) -> Self {
        let nanos = micros.rem_euclid(1_000_000) as u32 * MICRO;
        Self { seconds: micros.div_euclid(1_000_000), nanos, offset: is_utc.then_some(0) }
    }

    /// A moment in nanoseconds since 1970-01-01.
    pub fn from_nanos(nanos: i64, is_utc: bool) -> Self {
        let seconds = nanos.div_euclid(1_000_000_000);
        let nanos = nanos.rem_euclid(1_000_000_000) as u32;
        Self { seconds, nanos, offset: is_utc.then_some(0) }
    }

    /// Whether the text says how far its clock is from UTC.
    pub fn has_offset(self) -> bool {
        self.offset.is_some()
    }

    /// Whether its clock is that of UTC.
    pub fn is_utc(self) -> bool {
        self.offset == Some(0)
    }

    /// Whether microseconds do not hold it.
    pub fn has_nanos(self) -> bool {
        !self.nanos.is_multiple_of(MICRO)
    }

    /// Microseconds since 1970-01-01: in UTC where the offset is known, else of the clock that the text shows.
    /// Nanoseconds are left out.
    pub fn micros(self) -> Result<i64, MisfitKind> {
        let seconds = self.seconds - i64::from(self.offset.unwrap_or(0));
        let micros = seconds.checked_mul(1_000_000);
        let micros = micros.and_then(|micros| micros.checked_add((self.nanos / MICRO).into()));
        micros.ok_or(MisfitKind::Overflow)
    }

    /// Nanoseconds since 1970-01-01, where 64 bits hold them: years 1678 to 2261.
    pub fn nanos(self) -> Result<i64, MisfitKind> {
        let seconds = i128::from(self.seconds - i64::from(self.offset.unwrap_or(0)));
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos);
        // DuckDB has no room for the two values at the ends.
        i64::try_from(nanos)
            .ok()
            .filter(|nanos| nanos.unsigned_abs() < i64::MAX as u64)
            .ok_or(MisfitKind::Overflow)
    }

    /// The same moment in UTC: a clock without an offset is in this zone.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        match self.offset {
            Some(_) => self,
            None => Self { offset: Some(zone.offset(self.seconds)), ..self },
        }
    }

    /// As people write it, with all digits.
    pub fn text(self) -> String {
        let Some(clock) = chrono::DateTime::from_timestamp(self.seconds, self.nanos) else {
            return self.seconds.to_string();
        };
        let sign = |offset: i32| if offset < 0 { '-' } else { '+' };
        let offset = self.offset.map_or_else(String::new, |offset| {
            let minutes = offset.unsigned_abs() / 60;
            format!("{}{:02}:{:02}", sign(offset), minutes / 60, minutes % 60)
        });
        let is_day =
            self.offset.is_none() && self.seconds.rem_euclid(86_400) == 0 && self.nanos == 0;
        let format = if is_day { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S%.f" };
        format!("{}{offset}", clock.format(format))
    }
}

/// The digits of a number of at most four.
fn number(digits: &[u8]) -> Option<u32> {
    let add = |number: u32, digit: &u8| {
        digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0'))
    };
    digits.iter().try_fold(0, add)
}

/// What is left of a text.
struct Rest<'t>(&'t [u8]);

impl Rest<'_> {
    /// A number of one or two digits.
    fn number(&mut self) -> Option<u32> {
        let length = self.0.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        (length > 0).then(|| number(digits)).flatten()
    }

    /// One of these characters.
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    /// Nanoseconds of the digits of a fraction.
    fn fraction(&mut self) -> Option<u32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(length);
        self.0 = rest;
        let (kept, more) = digits.split_at(length.min(9));
        let sound = length > 0 && more.iter().all(|digit| *digit == b'0');
        let value = kept.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
        sound.then(|| value * 10_u32.pow(9 - kept.len() as u32))
    }

    /// The offset at the end: `Some(None)` where there is none.
    fn offset(&mut self) -> Option<Option<i32>> {
        if self.0.is_empty() {
            return Some(None);
        }
        if self.0.len() > 1 && self.0[0] == b' ' {
            self.0 = &self.0[1..];
        }
        if self.one_of(b"Zz").is_some() {
            return self.0.is_empty().then_some(Some(0));
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number()?;
        let minutes = match self.0 {
            [] => 0,
            _ => {
                self.one_of(b":");
                self.number()?
            }
        };
        let sound = self.0.is_empty() && hours < 24 && minutes < 60;
        sound.then(|| Some(sign * i32::try_from(hours * 3_600 + minutes * 60).unwrap_or(0)))
    }
}

/// A time zone by its IANA name, such as `America/New_York`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(chrono_tz::Tz);

impl Zone {
    /// UTC.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// Seconds by which the zone is before UTC when its clock shows this. As in PostgreSQL, an hour that the clock
    /// shows twice or never is taken in standard time.
    fn offset(self, clock: i64) -> i32 {
        let Some(clock) = chrono::DateTime::from_timestamp(clock, 0) else { return 0 };
        let offset = |clock: &NaiveDateTime| self.0.offset_from_local_datetime(clock);
        let clock = clock.naive_utc();
        match offset(&clock) {
            LocalResult::Single(offset) => offset.fix().local_minus_utc(),
            LocalResult::Ambiguous(_, later) => later.fix().local_minus_utc(),
            LocalResult::None => {
                let before = clock - TimeDelta::hours(3);
                offset(&before).earliest().map_or(0, |offset| offset.fix().local_minus_utc())
            }
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        name.trim().parse().map(Self).map_err(|_| {
            format!("`{name}` is not a time zone; use an IANA name such as America/New_York or UTC")
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> Option<i64> {
        Moment::of(text.as_bytes()).and_then(|moment| moment.micros().ok())
    }

    #[test]
    fn moments_are_read_in_all_their_forms() {
        for (text, seconds) in [
            ("1970-01-01 00:00:01", 1),
            ("1970-01-01T00:01", 60),
            ("1970-1-1 0:0:1", 1),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01 00:00:00-0500", 18_000),
            ("1970-01-01 00:00:00-05", 18_000),
            ("1970-01-01 05:30:00 +05:30", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31 23:59:59", -1),
            ("0001-01-01 00:00:00", -62_135_596_800),
            ("9999-12-31 23:59:59", 253_402_300_799),
        ] {
            assert_eq!(micros(text), Some(seconds * 1_000_000), "{text}");
        }
        for text in [
            "1970-01-01",
            "1970-01-01 00",
            "1970-01-01 24:00:00",
            "1970-01-01 23:59:60",
            "1970-02-30 00:00",
            "1970-01-01 00:00:00.",
            "1970-01-01 00:00:00.1234567891",
            "1970-01-01 00:00:00+",
            "1970-01-01 00:00x",
            "1970-01-01 00:00:00+1:2:3",
            "01970-01-01 00:00",
            "1970-01-01 00:00:00+24:00",
            "",
        ] {
            assert_eq!(Moment::of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn no_digit_of_a_second_is_lost_untold() {
        let moment = |text: &str| Moment::of(text.as_bytes()).expect(text);
        let nanos = moment("2024-01-31 10:00:00.123456789");
        assert!(nanos.has_nanos());
        assert_eq!(nanos.nanos(), Ok(1_706_695_200_123_456_789));
        assert_eq!(nanos.micros(), Ok(1_706_695_200_123_456));
        assert_eq!(nanos.text(), "2024-01-31 10:00:00.123456789");
        assert!(!moment("2024-01-31 10:00:00.123456000").has_nanos());
        assert_eq!(moment("1969-12-31 23:59:59.999999999").nanos(), Ok(-1));
        assert_eq!(moment("9999-12-31 00:00:00.000000001").nanos(), Err(MisfitKind::Overflow));
        assert_eq!(Moment::from_nanos(-1, false), moment("1969-12-31 23:59:59.999999999"));
        assert_eq!(Moment::from_micros(-1, true).text(), "1969-12-31 23:59:59.999999+00:00");
        assert_eq!(moment("2024-01-31 10:00:00-05:30").text(), "2024-01-31 10:00:00-05:30");
    }

    #[test]
    fn a_clock_without_an_offset_is_in_the_zone() {
        let zone: Zone = "America/New_York".parse().expect("a zone");
        assert_eq!(zone.to_string(), "America/New_York");
        let utc = |text: &str| Moment::of(text.as_bytes()).expect(text).in_zone(zone).micros();
        assert_eq!(
            utc("2024-07-01 12:00:00"),
            Ok(micros("2024-07-01 16:00:00").expect("a moment"))
        );
        assert_eq!(
            utc("2024-01-01 12:00:00"),
            Ok(micros("2024-01-01 17:00:00").expect("a moment"))
        );
        // The clock shows 01:30 twice, and 02:30 never.
        assert_eq!(
            utc("2024-11-03 01:30:00"),
            Ok(micros("2024-11-03 06:30:00").expect("a moment"))
        );
        assert_eq!(
            utc("2024-03-10 02:30:00"),
            Ok(micros("2024-03-10 07:30:00").expect("a moment"))
        );
        // What it says itself goes before.
        assert_eq!(
            utc("2024-07-01 12:00:00Z"),
            Ok(micros("2024-07-01 12:00:00").expect("a moment"))
        );
        assert!("Mars/Olympus".parse::<Zone>().is_err());
    }
}
