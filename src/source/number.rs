//! Text to numbers, dates and booleans, without allocation and without guessing.
//!
//! The functions return `Err` with the reason, never a rounded value: a price with decimals in a
//! whole-dollar column is a misfit, not a smaller price.

use crate::chunk::{ColumnKind, DateOrder, MisfitKind, Moment};

/// A whole number: optional sign and digits, nothing else.
pub fn whole(text: &[u8]) -> Result<i64, MisfitKind> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 18 {
        return long(text, digits);
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

/// A number of more than 18 digits, where 64 bits hold it.
#[cold]
fn long(text: &[u8], digits: &[u8]) -> Result<i64, MisfitKind> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(classify(text));
    }
    let text = std::str::from_utf8(text).map_err(|_| MisfitKind::Type)?;
    text.parse().map_err(|_| MisfitKind::Overflow)
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

/// What a type of numbers would lose of a number: zeros in front, or digits of a whole number in a float. `None`:
/// nothing.
pub fn lost(text: &[u8], kind: ColumnKind) -> Option<MisfitKind> {
    let is_float = match kind {
        ColumnKind::Int | ColumnKind::BigInt | ColumnKind::Decimal(_) => false,
        ColumnKind::Double => true,
        _ => return None,
    };
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if let [b'0', b'0'..=b'9', ..] = digits {
        return Some(MisfitKind::LeadingZeros);
    }
    let whole =
        || std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
    // The digits between the first and the last that are not zero; a float shows 17 of them.
    let shown = || {
        let mantissa = digits.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
        let plain: Vec<u8> = mantissa.copied().filter(u8::is_ascii_digit).collect();
        let first = plain.iter().position(|digit| *digit != b'0').unwrap_or(plain.len());
        plain[first..].iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1)
    };
    let is_rounded = is_float
        && digits.len() > 15
        && whole().map_or_else(|| shown() > 17, |digits| !float_keeps(digits));
    is_rounded.then_some(MisfitKind::Rounded)
}

/// A decimal with at most `scale` digits behind the point that are not zeros at its end, as its unscaled value.
pub fn decimal(text: &[u8], scale: u8) -> Result<i128, MisfitKind> {
    if let Some(at) = text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        let plain = without_exponent(text, at).ok_or(MisfitKind::Type)?;
        return decimal(&plain, scale);
    }
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let point = memchr::memchr(b'.', rest).unwrap_or(rest.len());
    let (head, mut tail) = (&rest[..point], rest.get(point + 1..).unwrap_or(&[]));
    while let [shorter @ .., b'0'] = tail
        && tail.len() > usize::from(scale)
    {
        tail = shorter;
    }
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

/// The same number without an exponent, which begins at `at`: `-1500` for `-1.5e3`.
#[cold]
fn without_exponent(text: &[u8], at: usize) -> Option<Vec<u8>> {
    const MOST: i32 = 40;
    let (mantissa, exponent) = (&text[..at], std::str::from_utf8(&text[at + 1..]).ok()?);
    let exponent = exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() <= MOST)?;
    let (sign, number) = match mantissa {
        [b'-', rest @ ..] => (&b"-"[..], rest),
        [b'+', rest @ ..] => (&b""[..], rest),
        _ => (&b""[..], mantissa),
    };
    let point = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    let mut digits: Vec<u8> = number.iter().copied().filter(|byte| *byte != b'.').collect();
    if digits.is_empty() || digits.len() + 1 < number.len() {
        return None;
    }
    let mut point = point as i32 + exponent;
    while point < 1 {
        digits.insert(0, b'0');
        point += 1;
    }
    let point = point as usize;
    digits.resize(digits.len().max(point), b'0');
    Some([sign, &digits[..point], b".", &digits[point..]].concat())
}

/// The words that databases take for a truth value, in any case: `t`, `yes`, `on`, `1`, …
pub fn truth(text: &[u8]) -> Result<bool, MisfitKind> {
    let is = |words: [&str; 6]| words.iter().any(|word| text.eq_ignore_ascii_case(word.as_bytes()));
    if is(["true", "t", "yes", "y", "on", "1"]) {
        Ok(true)
    } else if is(["false", "f", "no", "n", "off", "0"]) {
        Ok(false)
    } else {
        Err(MisfitKind::Type)
    }
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

/// The digits before a fraction of zeros, with their sign: `180` of `180.0`, `-3` of `-3.`. `None` where the
/// text is anything else.
pub fn without_zeros(text: &[u8]) -> Option<&[u8]> {
    let point = memchr::memchr(b'.', text)?;
    let (head, tail) = (&text[..point], &text[point + 1..]);
    let digits = head.strip_prefix(b"-").or(head.strip_prefix(b"+")).unwrap_or(head);
    let sound = !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && tail.iter().all(|byte| *byte == b'0');
    sound.then_some(head)
}

/// `2025-01-31`, or `1/31/2025` where the order says that the month comes first, as days since 1970-01-01.
pub fn date(text: &[u8], order: DateOrder) -> Result<i32, MisfitKind> {
    if let [_, _, _, _, b'-', _, _, b'-', _, _] = text {
        let text = std::str::from_utf8(text).map_err(|_| MisfitKind::Type)?;
        let parsed = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
        return parsed.map(days).map_err(|_| MisfitKind::Type);
    }
    let date = Slashed::of(text).and_then(|date| date.days(order));
    date.ok_or(MisfitKind::Type)
}

/// A text of two numbers and a year with slashes between: a date in one order, in both, or in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slashed {
    /// The first part, of one or two digits.
    pub first: u8,
    /// The second part.
    pub second: u8,
    /// The year.
    year: i32,
}

impl Slashed {
    /// The year must have four digits, of which the first is not 0: `04/15/91` may be of any century, and codes
    /// of places look like it (`12/28/19`, `1/2/0003`).
    #[inline]
    pub fn of(text: &[u8]) -> Option<Self> {
        let [parts @ .., b'/', b'1'..=b'9', _, _, _] = text else { return None };
        if !matches!(parts.len(), 3..=5) {
            return None;
        }
        let slash = parts.iter().position(|byte| *byte == b'/')?;
        let year = &text[text.len() - 4..];
        let number = |digits: &[u8]| -> Option<u16> {
            let add = |number: u16, digit: &u8| {
                digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
            };
            digits.iter().try_fold(0, add)
        };
        // A blank may stand in the place of a leading zero.
        let part = |digits: &[u8]| match digits {
            [_] | [b'0'..=b'9', _] => u8::try_from(number(digits)?).ok(),
            [b' ', digit] => u8::try_from(number(&[*digit])?).ok(),
            _ => None,
        };
        let (first, second) = (part(&parts[..slash])?, part(&parts[slash + 1..])?);
        Some(Self { first, second, year: i32::from(number(year)?) })
    }

    /// Days since 1970-01-01, where it is a date in this order.
    pub fn days(self, order: DateOrder) -> Option<i32> {
        let (month, day) = match order {
            DateOrder::Mdy => (self.first, self.second),
            DateOrder::Dmy => (self.second, self.first),
        };
        chrono::NaiveDate::from_ymd_opt(self.year, month.into(), day.into()).map(days)
    }
}

/// Days since 1970-01-01.
pub fn days(date: chrono::NaiveDate) -> i32 {
    date.signed_duration_since(chrono::NaiveDate::default()).num_days() as i32
}

/// A day with a time as microseconds since 1970-01-01: in UTC where its offset is known. A bare date is its midnight.
pub fn timestamp(text: &[u8], order: DateOrder) -> Result<i64, MisfitKind> {
    moment(text, order)?.micros()
}

/// A day with a time, or a bare date as its midnight.
pub fn moment(text: &[u8], order: DateOrder) -> Result<Moment, MisfitKind> {
    if text.len() < SHORTEST_MOMENT {
        let day = date(text, order)?;
        return Ok(Moment::from_micros(i64::from(day) * 86_400_000_000, false));
    }
    Moment::of(text).ok_or(MisfitKind::Type)
}

/// Bytes of the shortest text with a time that is looked at: `2025-1-1 1:00:00`, `2025-01-01 10:00`.
const SHORTEST_MOMENT: usize = 14;

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
    fn a_fraction_of_zeros_is_left_out_of_whole_numbers_only() {
        for (text, whole) in [("180.0", "180"), ("-3.", "-3"), ("+7.000", "+7"), ("0.0", "0")] {
            assert_eq!(without_zeros(text.as_bytes()), Some(whole.as_bytes()), "{text}");
        }
        for text in ["180", "180.5", ".0", "-.0", "1.0.0", "1e5.0", "", "1 .0"] {
            assert_eq!(without_zeros(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn dates_and_times() {
        let date = |text: &[u8]| super::date(text, DateOrder::Mdy);
        let timestamp = |text: &[u8]| super::timestamp(text, DateOrder::Mdy);
        assert_eq!(date(b"1970-01-02"), Ok(1));
        assert_eq!(date(b"1969-12-31"), Ok(-1));
        assert_eq!(date(b"1/31/2025"), date(b"2025-01-31"));
        assert_eq!(date(b" 1/ 2/2025"), date(b"2025-01-02"));
        assert_eq!(date(b"2025-02-30"), Err(MisfitKind::Type));
        for text in
            ["04/15/91", "01/02/00", "04/15/199", "12/28/19", "1/2/0003", "04/15/+199", "a/1/2020"]
        {
            assert_eq!(date(text.as_bytes()), Err(MisfitKind::Type), "{text}");
            assert_eq!(timestamp(text.as_bytes()), Err(MisfitKind::Type), "{text}");
        }
        assert_eq!(timestamp(b"1970-01-01 00:00:01"), Ok(1_000_000));
        assert_eq!(timestamp(b"1970-01-01T01:00:00+01:00"), Ok(0));
        assert_eq!(timestamp(b"1970-01-02"), Ok(86_400_000_000));
    }

    #[test]
    fn the_order_says_which_part_is_the_day() {
        assert_eq!(date(b"31/1/2025", DateOrder::Dmy), date(b"2025-01-31", DateOrder::Dmy));
        assert_eq!(date(b"02/01/2014", DateOrder::Dmy), date(b"2014-01-02", DateOrder::Mdy));
        assert_eq!(date(b"02/01/2014", DateOrder::Mdy), date(b"2014-02-01", DateOrder::Mdy));
        assert_eq!(date(b"1/31/2025", DateOrder::Dmy), Err(MisfitKind::Type));
        assert_eq!(date(b"31/1/2025", DateOrder::Mdy), Err(MisfitKind::Type));
        assert_eq!(date(b"30/2/2025", DateOrder::Dmy), Err(MisfitKind::Type));
        assert_eq!(
            timestamp(b"31/1/2025", DateOrder::Dmy),
            timestamp(b"2025-01-31", DateOrder::Mdy)
        );
    }
}
