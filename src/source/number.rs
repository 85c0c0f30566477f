//! Text to numbers, dates and booleans, without allocation and without guessing.
//!
//! The functions return `Err` with the reason, never a rounded value: a price with decimals in a
//! whole-dollar column is a misfit, not a smaller price.

use crate::chunk::MisfitKind;

/// A whole number: optional sign and digits, nothing else.
pub fn whole(text: &[u8]) -> Result<i64, MisfitKind> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return Err(classify_long(text, digits));
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(classify(text));
        }
        value = value * 10 + i64::from(digit);
    }
    Ok(if negative { -value } else { value })
}

fn classify_long(text: &[u8], digits: &[u8]) -> MisfitKind {
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        MisfitKind::Overflow
    } else {
        classify(text)
    }
}

/// Why a text is no whole number.
#[cold]
fn classify(text: &[u8]) -> MisfitKind {
    match real(text) {
        Ok(_) => MisfitKind::Fraction,
        Err(kind) => kind,
    }
}

/// A number with a decimal point or exponent; infinities and NaN are none.
pub fn real(text: &[u8]) -> Result<f64, MisfitKind> {
    let plausible =
        text.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E'));
    let number = plausible
        .then(|| std::str::from_utf8(text).ok()?.parse::<f64>().ok())
        .flatten()
        .ok_or(MisfitKind::Type)?;
    if number.is_finite() { Ok(number) } else { Err(MisfitKind::Overflow) }
}

/// Whether a 64-bit float of a whole number is that number, or is written with these digits. At most 15
/// digits always are.
pub fn float_keeps(digits: &str) -> bool {
    let same = |float: f64| format!("{float:.0}") == digits || float.to_string() == digits;
    digits.len() <= 15 || digits.parse().is_ok_and(same)
}

/// A decimal with at most `scale` digits behind the point, as its unscaled value.
pub fn decimal(text: &[u8], scale: u8) -> Result<i128, MisfitKind> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let point = memchr::memchr(b'.', rest).unwrap_or(rest.len());
    let (head, tail) = (&rest[..point], rest.get(point + 1..).unwrap_or(&[]));
    let all_digits = head.iter().chain(tail).all(u8::is_ascii_digit);
    if !all_digits || head.len() + tail.len() == 0 {
        return Err(MisfitKind::Type);
    }
    if tail.len() > usize::from(scale) {
        return Err(MisfitKind::Fraction);
    }
    let leading = head.iter().take_while(|byte| **byte == b'0').count();
    if head.len() - leading + usize::from(scale) > 18 {
        return Err(MisfitKind::Overflow);
    }
    let digits = |value: i128, bytes: &[u8]| {
        bytes.iter().fold(value, |value, byte| value * 10 + i128::from(byte - b'0'))
    };
    let pad = 10_i128.pow(u32::from(scale) - tail.len() as u32);
    let value = digits(digits(0, head), tail) * pad;
    Ok(if negative { -value } else { value })
}

/// `true`/`false`, in any case.
pub fn boolean(text: &[u8]) -> Result<bool, MisfitKind> {
    if text.eq_ignore_ascii_case(b"true") {
        Ok(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Ok(false)
    } else {
        Err(MisfitKind::Type)
    }
}

/// `2025-01-31` or `1/31/2025` as days since 1970-01-01.
pub fn date(text: &[u8]) -> Result<i32, MisfitKind> {
    let text = std::str::from_utf8(text).map_err(|_| MisfitKind::Type)?;
    let parsed = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d"),
        bytes if bytes.contains(&b'/') && bytes.len() >= 8 && bytes.len() <= 10 => {
            chrono::NaiveDate::parse_from_str(text, "%m/%d/%Y")
        }
        _ => return Err(MisfitKind::Type),
    };
    parsed.map(days).map_err(|_| MisfitKind::Type)
}

/// Days since 1970-01-01.
pub fn days(date: chrono::NaiveDate) -> i32 {
    date.signed_duration_since(chrono::NaiveDate::default()).num_days() as i32
}

/// `2025-01-31 13:45:00[.ffffff]`, `T` or blank between, optional `Z` or offset, as microseconds
/// since 1970-01-01 in UTC. A time without a zone is taken as UTC, a bare date as its midnight.
pub fn timestamp(text: &[u8]) -> Result<i64, MisfitKind> {
    let text = std::str::from_utf8(text).map_err(|_| MisfitKind::Type)?;
    if text.len() < 16 {
        return date(text.as_bytes()).map(|day| i64::from(day) * 86_400_000_000);
    }
    // Addresses begin with digits too, and the formats are dear.
    if !matches!(text.as_bytes(), [b'0'..=b'9', _, _, _, b'-', ..]) {
        return Err(MisfitKind::Type);
    }
    if let Ok(moment) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(moment.timestamp_micros());
    }
    ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok())
        .map(|moment| moment.and_utc().timestamp_micros())
        .ok_or(MisfitKind::Type)
}

/// Whether a text looks like a number that a spreadsheet has shortened: `4.74119E+11`.
///
/// Ids such as `4940252E0010` or `000928E3` are sound (they stand in real rolls), so the point
/// behind the first digit or the signed exponent must be there.
pub fn is_scientific(text: &[u8]) -> bool {
    // Behind the letter there are a sign and three digits at most.
    let from = text.len().saturating_sub(5);
    let letter = text[from..].iter().position(|b| matches!(b, b'E' | b'e'));
    let Some(at) = letter.map(|at| from + at) else { return false };
    let (mantissa, exponent) = (&text[..at], &text[at + 1..]);
    let signed = matches!(exponent.first(), Some(b'+' | b'-'));
    let exponent = if signed { &exponent[1..] } else { exponent };
    let exponent_ok = (1..=3).contains(&exponent.len()) && exponent.iter().all(u8::is_ascii_digit);
    let mantissa = mantissa.strip_prefix(b"-").unwrap_or(mantissa);
    let pointed = mantissa.len() > 2 && mantissa[0].is_ascii_digit() && mantissa[1] == b'.';
    let digits = mantissa.iter().all(|b| b.is_ascii_digit() || *b == b'.')
        && mantissa.iter().filter(|b| **b == b'.').count() <= 1
        && mantissa.first().is_some_and(u8::is_ascii_digit);
    exponent_ok && digits && (signed || pointed) && (pointed || mantissa.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        assert_eq!(whole(b"0012"), Ok(12));
        assert_eq!(whole(b"-7"), Ok(-7));
        assert_eq!(whole(b"1234.56"), Err(MisfitKind::Fraction));
        assert_eq!(whole(b"12O00"), Err(MisfitKind::Type));
        assert_eq!(whole(b"N/A"), Err(MisfitKind::Type));
        assert_eq!(whole(b"-"), Err(MisfitKind::Type));
        assert_eq!(whole(b"12345678901234567890"), Err(MisfitKind::Overflow));
        assert_eq!(whole(b"1e5"), Err(MisfitKind::Fraction));
    }

    #[test]
    fn decimals_keep_every_digit() {
        assert_eq!(decimal(b"12.5", 2), Ok(1250));
        assert_eq!(decimal(b"-0.05", 2), Ok(-5));
        assert_eq!(decimal(b".5", 2), Ok(50));
        assert_eq!(decimal(b"0.5", 18), Ok(500_000_000_000_000_000));
        assert_eq!(decimal(b"12.5", 17), Err(MisfitKind::Overflow));
        assert_eq!(decimal(b"1.234", 2), Err(MisfitKind::Fraction));
        assert_eq!(decimal(b"1.2.3", 2), Err(MisfitKind::Type));
    }

    #[test]
    fn spreadsheet_notation_is_told_from_real_ids() {
        for damaged in ["4.74119E+11", "4.74119E11", "4E+11", "1.5e-7"] {
            assert!(is_scientific(damaged.as_bytes()), "{damaged}");
        }
        for sound in ["4940252E0010", "000928E3", "474119030010", "12E3", "E5", "1.2.3E+4", ""] {
            assert!(!is_scientific(sound.as_bytes()), "{sound}");
        }
    }

    #[test]
    fn dates_and_times() {
        assert_eq!(date(b"1970-01-02"), Ok(1));
        assert_eq!(date(b"1969-12-31"), Ok(-1));
        assert_eq!(date(b"1/31/2025"), date(b"2025-01-31"));
        assert_eq!(date(b"2025-02-30"), Err(MisfitKind::Type));
        assert_eq!(timestamp(b"1970-01-01 00:00:01"), Ok(1_000_000));
        assert_eq!(timestamp(b"1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(timestamp(b"1970-01-02"), Ok(86_400_000_000));
    }
}
