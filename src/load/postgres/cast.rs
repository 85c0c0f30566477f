//! Texts as values of types that the program has no kind for: `smallint`, `real`, `numeric`, `uuid`, `jsonb`, enums.
//! A text that its column would not take, or would change, refuses its row here; what only the server knows (the
//! labels of an enum, whether a text is JSON) it says itself.

use super::fields::Fields;
use super::types::Form;
use crate::chunk::{Code, Problem};
use polars_arrow::array::{Array, Utf8ViewArray};

/// Most digits of a `numeric` before and behind its point.
const DIGITS: usize = 1_000;

/// A column of the server that takes texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cast<'c> {
    /// Its name.
    pub name: &'c str,
    /// The form in which it takes values.
    pub form: Form,
    /// Digits in all and behind the point, of a `numeric` with bounds.
    pub size: Option<(u32, u32)>,
}

impl Cast<'_> {
    /// The fields of a column of texts, and the rows that have none because the column would not take their text.
    pub fn fields(self, texts: &Utf8ViewArray) -> (Fields, Vec<(u32, Problem)>) {
        let mut fields = Fields::default();
        let mut refused = Vec::new();
        for row in 0..texts.len() {
            if !texts.is_valid(row) {
                fields.push(None);
                continue;
            }
            let text = texts.value(row);
            // What the program itself makes of a text has no blanks; others are the server's.
            let is_own =
                matches!(self.form, Form::Int2 | Form::Float4 | Form::Numeric | Form::Uuid);
            match self.field(if is_own { text.trim() } else { text }) {
                Ok(field) => fields.push(Some(&field)),
                Err(wrong) => {
                    fields.push(None);
                    refused.push((row as u32, self.problem(texts.value(row), &wrong)));
                }
            }
        }
        (fields, refused)
    }

    fn problem(self, text: &str, wrong: &str) -> Problem {
        let shown = crate::chunk::quotable(text);
        let told =
            format!("\"{shown}\" {wrong}: column {} of the table does not take it", self.name);
        Problem::new(Code::E404, told)
            .with_rule("type")
            .with_column(self.name)
            .with_value(text)
            .with_hint("correct the value, or widen the column, then `etl reprocess-failures`")
    }

    /// The binary form of a text, without its length.
    fn field(self, text: &str) -> Result<Vec<u8>, String> {
        let whole = |what: &str| {
            // What a spreadsheet makes of a code is no whole number.
            let number = Number::of(text).filter(|_| !text.contains(['e', 'E']));
            number.and_then(|number| number.whole()).ok_or_else(|| format!("is not {what}"))
        };
        Ok(match self.form {
            Form::Int2 => {
                let number = i16::try_from(whole("a whole number")?);
                number
                    .map_err(|_| "is not between -32768 and 32767".to_owned())?
                    .to_be_bytes()
                    .into()
            }
            Form::Float4 => real(text)?.to_be_bytes().into(),
            Form::Numeric => {
                let number = Number::of(text).ok_or("is not a number")?;
                number.bounded(self.size)?.binary()
            }
            Form::Uuid => uuid(text).ok_or("is not a UUID")?.to_be_bytes().into(),
            Form::Jsonb => [&[1], text.as_bytes()].concat(),
            _ => text.as_bytes().into(),
        })
    }
}

/// A number with 24 bits, where its shortest text is that of the number that was written.
fn real(text: &str) -> Result<f32, String> {
    let number = Number::of(text).ok_or("is not a number")?;
    let narrow: f32 = text.parse().map_err(|_| "is not a number")?;
    // The shortest text that is this float, or all digits of a whole number.
    let texts = [narrow.to_string(), format!("{narrow:.0}")];
    let is_it = |text: &String| Number::of(text).is_some_and(|shown| shown.equals(&number));
    let same = narrow.is_finite() && texts.iter().any(is_it);
    if same { Ok(narrow) } else { Err("has more digits than real keeps".into()) }
}

/// 32 hexadecimal digits, with hyphens between or none, in braces or not.
fn uuid(text: &str) -> Option<u128> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let digits: String = inside.chars().filter(|c| *c != '-').collect();
    let sound = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| u128::from_str_radix(&digits, 16).ok()).flatten()
}

/// A decimal number: digits without zeros at either end, and where its point stands.
#[derive(Debug)]
struct Number {
    negative: bool,
    /// Digits, 0 to 9.
    digits: Vec<u8>,
    /// Digits before the point; negative: zeros behind it.
    point: i64,
    /// Digits behind the point as it is written, with zeros at the end: a `numeric` without bounds shows them.
    written: i64,
}

impl Number {
    fn of(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (rest, 0),
        };
        let (head, tail) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if head.len() + tail.len() == 0
            || !head.bytes().chain(tail.bytes()).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        // Zeros in front are part of a code, which no number keeps.
        if head.len() > 1 && head.starts_with('0') {
            return None;
        }
        let mut digits: Vec<u8> = head.bytes().chain(tail.bytes()).map(|b| b - b'0').collect();
        let zeros = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..zeros);
        let written = tail.len() as i64 - i64::from(exponent);
        let point = head.len() as i64 - zeros as i64 + i64::from(exponent);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Some(Self { negative: negative && !digits.is_empty(), digits, point, written })
    }

    fn equals(&self, other: &Self) -> bool {
        (self.negative, &self.digits) == (other.negative, &other.digits)
            && (self.digits.is_empty() || self.point == other.point)
    }

    /// Digits behind the point.
    fn scale(&self) -> usize {
        if self.digits.is_empty() {
            return 0;
        }
        usize::try_from(self.digits.len() as i64 - self.point).unwrap_or(0)
    }

    /// The number, where it is a whole one of 64 bits.
    fn whole(&self) -> Option<i64> {
        let zeros = usize::try_from(self.point - self.digits.len() as i64).ok();
        let zeros = if self.digits.is_empty() { 0 } else { zeros.filter(|zeros| *zeros < 19)? };
        let digits = self.digits.iter().copied().chain(std::iter::repeat_n(0, zeros));
        let number = digits.fold(0i128, |number, digit| number * 10 + i128::from(digit));
        (self.digits.len() < 20)
            .then(|| i64::try_from(if self.negative { -number } else { number }).ok())?
    }

    /// The number, unless a column of this size would round it or has no room for it.
    fn bounded(self, size: Option<(u32, u32)>) -> Result<Self, String> {
        let (all, behind) =
            size.map_or((2 * DIGITS, DIGITS), |(all, behind)| (all as usize, behind as usize));
        if self.scale() > behind {
            return Err(format!("has more than {behind} decimals"));
        }
        if usize::try_from(self.point).is_ok_and(|before| before > all - behind)
            && !self.digits.is_empty()
        {
            return Err(format!("has more than {} digits before its point", all - behind));
        }
        Ok(self)
    }

    /// The binary form of `numeric`: groups of four digits.
    fn binary(&self) -> Vec<u8> {
        let before = self.point.div_euclid(4) + i64::from(self.point.rem_euclid(4) > 0);
        let lead = (before * 4 - self.point) as usize;
        let mut digits = vec![0; lead];
        digits.extend(&self.digits);
        digits.resize(digits.len().next_multiple_of(4), 0);
        let groups: Vec<i16> = digits
            .chunks(4)
            .map(|group| group.iter().fold(0, |number, digit| number * 10 + i16::from(*digit)))
            .collect();
        let groups = if self.digits.is_empty() { Vec::new() } else { groups };
        let weight = if groups.is_empty() { 0 } else { before - 1 };
        let sign: u16 = if self.negative { 0x4000 } else { 0 };
        let mut out = Vec::with_capacity(8 + groups.len() * 2);
        out.extend((groups.len() as i16).to_be_bytes());
        out.extend((weight as i16).to_be_bytes());
        out.extend(sign.to_be_bytes());
        let shown = self.written.clamp(self.scale() as i64, DIGITS as i64);
        out.extend((shown as i16).to_be_bytes());
        groups.iter().for_each(|group| out.extend(group.to_be_bytes()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(form: Form, size: Option<(u32, u32)>, text: &str) -> Result<Vec<u8>, String> {
        Cast { name: "v", form, size }.field(text)
    }

    #[test]
    fn numbers_are_written_in_groups_of_four_digits() {
        let groups = |text: &str| {
            let field = cast(Form::Numeric, None, text).expect(text);
            let words: Vec<i16> =
                field.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
            words
        };
        // Number of groups, weight of the first, sign, digits behind the point, groups.
        assert_eq!(groups("0"), [0, 0, 0, 0]);
        assert_eq!(groups("0.000"), [0, 0, 0, 3]);
        assert_eq!(groups("12345"), [2, 1, 0, 0, 1, 2345]);
        assert_eq!(groups("-1.5"), [2, 0, 0x4000, 1, 1, 5000]);
        assert_eq!(groups("0.00012"), [2, -1, 0, 5, 1, 2000]);
        assert_eq!(groups("1e6"), [1, 1, 0, 0, 100]);
        assert_eq!(groups("20.50"), [2, 0, 0, 2, 20, 5000]);
    }

    #[test]
    fn what_a_column_would_round_or_has_no_room_for_is_refused() {
        let size = Some((10, 2));
        for text in ["12.34", "12.340000", "99999999.99", "-0.01", "0", "0.000", "1e3"] {
            assert!(cast(Form::Numeric, size, text).is_ok(), "{text}");
        }
        for text in ["12.345", "100000000", "1e9", "abc", "", "1,5", "NaN"] {
            assert!(cast(Form::Numeric, size, text).is_err(), "{text}");
        }
        for text in ["32767", "-32768", "7.0", "+7"] {
            assert!(cast(Form::Int2, None, text).is_ok(), "{text}");
        }
        for text in ["32768", "7.5", "x", "99999999999999999999999"] {
            assert!(cast(Form::Int2, None, text).is_err(), "{text}");
        }
        for text in ["0.1", "16777216", "1.5e10", "-2.5"] {
            assert!(cast(Form::Float4, None, text).is_ok(), "{text}");
        }
        for text in ["16777217", "0.123456789", "0.10000000000000000001", "inf", "1e400", "1e-400"]
        {
            assert!(cast(Form::Float4, None, text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_uuid_has_32_digits() {
        let text = "A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11";
        assert_eq!(
            cast(Form::Uuid, None, text),
            Ok(0xa0ee_bc99_9c0b_4ef8_bb6d_6bb9_bd38_0a11u128.to_be_bytes().into())
        );
        assert!(cast(Form::Uuid, None, &text[1..]).is_err());
        assert!(cast(Form::Uuid, None, "g0eebc999c0b4ef8bb6d6bb9bd380a11").is_err());
    }
}
