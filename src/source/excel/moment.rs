//! What a number with a date format means: a moment, a time of day, a duration, or just a number.

use crate::chunk::DateOrder;
use crate::source::number;

const DAY_MS: i64 = 86_400_000;
/// 1899-12-30 in days since 1970-01-01: day 0 of the 1900 system for serials behind its gap.
const EPOCH_1900: i64 = -25_569;
/// 1904-01-01 in days since 1970-01-01.
const EPOCH_1904: i64 = -24_107;
/// First serial behind 9999-12-31.
const END: f64 = 2_958_466.0;

/// The meaning of a serial number.
#[derive(Debug, Clone, PartialEq)]
pub enum Serial {
    /// Microseconds since 1970-01-01.
    Moment(i64),
    /// A time of day, a duration, or a day that is in no calendar.
    Text(String),
    /// Outside of what Excel can show as a date.
    Number(f64),
}

/// Reads a serial number. Excel keeps milliseconds at best, so the rest is rounding noise.
pub fn from_serial(value: f64, duration: bool, from_1904: bool) -> Serial {
    if !(0.0..END).contains(&value) {
        return Serial::Number(value);
    }
    let millis = (value * DAY_MS as f64).round() as i64;
    if duration {
        return Serial::Text(clock(millis));
    }
    let (day, time) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS));
    let epoch = match (from_1904, day) {
        (true, _) => EPOCH_1904,
        // Day 0 shows as "January 0": what is stored is a time of day.
        (false, 0) => return Serial::Text(clock(time)),
        // Excel believes that 1900 was a leap year: day 60 never was, days before it are one off.
        (false, 60) if time == 0 => return Serial::Text("1900-02-29".into()),
        (false, 60) => return Serial::Text(format!("1900-02-29 {}", clock(time))),
        (false, 1..60) => EPOCH_1900 + 1,
        (false, _) => EPOCH_1900,
    };
    Serial::Moment(((epoch + day) * DAY_MS + time) * 1_000)
}

/// `hh:mm:ss[.mmm]`; hours go on behind 24.
fn clock(millis: i64) -> String {
    let seconds = millis / 1_000;
    let text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match millis % 1_000 {
        0 => text,
        rest => format!("{text}.{rest:03}"),
    }
}

/// A cell of the ISO date type.
pub fn from_iso(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    match number::date(bytes, DateOrder::Mdy) {
        Ok(day) => Some(i64::from(day) * DAY_MS * 1_000),
        Err(_) => number::timestamp(bytes, DateOrder::Mdy).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::cell::moment_text;

    fn read(value: f64, duration: bool, from_1904: bool) -> String {
        match from_serial(value, duration, from_1904) {
            Serial::Moment(micros) => moment_text(micros),
            Serial::Text(text) => format!("text {text}"),
            Serial::Number(value) => format!("number {value}"),
        }
    }

    #[test]
    fn serials_follow_excel_through_its_leap_year() {
        let cases = [
            (1.0, "1900-01-01"),
            (59.0, "1900-02-28"),
            (60.0, "text 1900-02-29"),
            (61.0, "1900-03-01"),
            (45_943.5, "2025-10-13 12:00:00"),
            (45_943.541, "2025-10-13 12:59:02.400"),
            (0.5, "text 12:00:00"),
            (2_958_465.0, "9999-12-31"),
            (2_958_466.0, "number 2958466"),
            (-1.0, "number -1"),
        ];
        for (value, expected) in cases {
            assert_eq!(read(value, false, false), expected, "{value}");
        }
        assert_eq!(read(0.0, false, true), "1904-01-01");
        assert_eq!(read(44_481.0, false, true), "2025-10-13");
        assert_eq!(read(1.5, true, false), "text 36:00:00");
    }

    #[test]
    fn iso_cells_are_moments() {
        assert_eq!(from_iso("1970-01-02"), Some(86_400_000_000));
        assert_eq!(from_iso("1970-01-01T00:00:01"), Some(1_000_000));
        assert_eq!(from_iso("soon"), None);
    }
}
