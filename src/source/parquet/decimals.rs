//! Decimals that DuckDB does not read right: those declared with more than 38 digits become 64-bit
//! floats of other bytes there. The name of a decimal is taken from such columns in a copy of the
//! footer, DuckDB hands over their bytes, and the digits are made here.

use super::thrift::Fields;
use crate::source::{SourceError, SourceErrorKind};

/// Most digits that DuckDB's decimals hold.
pub const MOST_DIGITS: i64 = 38;
/// Longest value in bytes: about 2,400 digits. Longer ones are damage.
const LONGEST: usize = 1_024;

/// Fields of a `SchemaElement` (parquet.thrift) and of its logical type.
mod id {
    pub const SCHEMA: i16 = 2;
    pub const TYPE: i16 = 1;
    pub const REPETITION: i16 = 3;
    pub const CHILDREN: i16 = 5;
    pub const CONVERTED: i16 = 6;
    pub const SCALE: i16 = 7;
    pub const PRECISION: i16 = 8;
    pub const LOGICAL: i16 = 10;
    pub const LOGICAL_DECIMAL: i16 = 5;
    pub const DECIMAL_SCALE: i16 = 1;
    pub const DECIMAL_PRECISION: i16 = 2;
}
/// `converted_type` of decimals.
const DECIMAL: i64 = 5;
/// Physical types that hold decimals of any width.
const BYTES: [i64; 2] = [6, 7];
const REPEATED: i64 = 2;

/// A column of wide decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wide {
    /// Its position among the columns of the file.
    pub column: usize,
    /// Digits behind the point.
    pub scale: u8,
}

/// Takes the name of a decimal from columns (not from parts of lists, structs and maps) of decimals
/// with more than 38 digits, and returns them.
pub fn take_apart(footer: &mut Fields) -> Vec<Wide> {
    let mut elements: Vec<_> = footer.list_mut(id::SCHEMA).collect();
    let mut wide = Vec::new();
    let (mut at, mut column) = (1, 0);
    while at < elements.len() {
        let element = &mut elements[at];
        if let Some(scale) = wide_scale(element) {
            element.remove(&[id::CONVERTED, id::LOGICAL, id::SCALE, id::PRECISION]);
            wide.push(Wide { column, scale });
        }
        at = behind(&elements, at);
        column += 1;
    }
    wide
}

/// Where the element behind `at` and all below it stands; the tree is written depth first.
fn behind(elements: &[&mut Fields], at: usize) -> usize {
    let mut end = at + 1;
    let mut open = children(elements[at]);
    while open > 0 && end < elements.len() {
        open = open - 1 + children(elements[end]);
        end += 1;
    }
    end
}

fn children(element: &Fields) -> u64 {
    element.int(id::CHILDREN).unwrap_or(0).clamp(0, i64::from(i32::MAX)) as u64
}

/// The scale of a column of wide decimals; `None`: it is none, or says nonsense of itself.
fn wide_scale(element: &Fields) -> Option<u8> {
    let bytes = element.int(id::TYPE).is_some_and(|ty| BYTES.contains(&ty));
    let repeated = element.int(id::REPETITION) == Some(REPEATED);
    let logical = element.fields(id::LOGICAL).and_then(|it| it.fields(id::LOGICAL_DECIMAL));
    let decimal = element.int(id::CONVERTED) == Some(DECIMAL) || logical.is_some();
    if !bytes || repeated || !decimal || children(element) > 0 {
        return None;
    }
    let told = |own, inner| element.int(own).or_else(|| logical?.int(inner));
    let precision = told(id::PRECISION, id::DECIMAL_PRECISION)?;
    let scale = told(id::SCALE, id::DECIMAL_SCALE).unwrap_or(0);
    let sound = precision > MOST_DIGITS && (0..=precision).contains(&scale);
    sound.then(|| u8::try_from(scale).ok()).flatten()
}

/// The error for a decimal with more than 38 digits that is not read.
pub fn refused(label: &str, column: &str, precision: i64, scale: i64) -> SourceError {
    let column = crate::chunk::quotable(column);
    let message = format!(
        "column \"{column}\" holds DECIMAL({precision},{scale}) in a way that is not read here: \
         decimals with more than 38 digits are read only in columns of their own"
    );
    SourceError::new(SourceErrorKind::NotTheFormat, label, message)
        .with_hint("write the file again with that column as text, or as DECIMAL(38) or less")
}

/// The number that bytes (as hexadecimal digits) hold: big-endian, in two's complement, `scale` of its
/// digits behind the point. `None`: they hold none, or far too many.
pub fn text(hex: &str, scale: u8) -> Option<String> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let pair = |pair: &[u8]| Some((digit(pair[0])? << 4 | digit(pair[1])?) as u8);
    let mut bytes = hex.as_bytes().chunks_exact(2).map(pair).collect::<Option<Vec<u8>>>()?;
    if bytes.is_empty() || hex.len() % 2 == 1 || bytes.len() > LONGEST {
        return None;
    }
    let negative = bytes[0] & 0x80 != 0;
    if negative {
        negate(&mut bytes);
    }
    let digits = digits(&bytes);
    let scale = usize::from(scale);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (head, tail) = padded.split_at(padded.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    Some(format!("{}{head}{point}{tail}", if negative { "-" } else { "" }))
}

/// Two's complement. (The least number of a width is its own magnitude without a sign.)
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

/// Decimal digits of a magnitude.
fn digits(bytes: &[u8]) -> String {
    const LIMB: u64 = 1_000_000_000;
    // The lowest limb first.
    let mut limbs = vec![0_u64];
    for byte in bytes {
        let mut carry = u64::from(*byte);
        for limb in &mut limbs {
            let value = *limb * 256 + carry;
            (*limb, carry) = (value % LIMB, value / LIMB);
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let highest = limbs.pop().unwrap_or_default();
    let rest = limbs.iter().rev().map(|limb| format!("{limb:09}"));
    rest.fold(highest.to_string(), |text, limb| text + &limb)
}

/// Digits of a decimal's text, without the point and zeros in front.
pub fn count_digits(text: &str) -> usize {
    let digits = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    digits.count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::parquet::thrift::Value;

    #[test]
    fn bytes_of_any_width_are_their_number() {
        let cases = [
            ("00", 0, "0"),
            ("01", 0, "1"),
            ("FF", 0, "-1"),
            ("80", 0, "-128"),
            ("7f", 2, "1.27"),
            ("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFB", 0, "-5"),
            ("0000000000000000000000000000000005", 3, "0.005"),
            ("FFFFFF38", 2, "-2.00"),
            ("00FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", 0, "340282366920938463463374607431768211455"),
            ("FF00000000000000000000000000000001", 1, "-34028236692093846346337460743176821145.5"),
            ("3B9ACA00", 0, "1000000000"),
            ("0DE0B6B3A7640000", 18, "1.000000000000000000"),
        ];
        for (hex, scale, expected) in cases {
            assert_eq!(text(hex, scale).as_deref(), Some(expected), "{hex}");
        }
        assert_eq!(text("", 0), None);
        assert_eq!(text("0", 0), None);
        assert_eq!(text("0G", 0), None);
        assert_eq!(text(&"00".repeat(LONGEST + 1), 0), None);
    }

    #[test]
    fn digits_are_counted_without_zeros_in_front() {
        let cases = [("0.005", 1), ("-12.50", 4), ("0", 0), ("0.00", 0), ("100", 3)];
        for (text, count) in cases {
            assert_eq!(count_digits(text), count, "{text}");
        }
    }

    #[test]
    fn only_columns_of_their_own_are_taken_apart() {
        let int = |id, value| (id, Value::Int(5, value));
        let element = |fields: Vec<(i16, Value)>| Value::Struct(Fields(fields));
        let decimal = |precision, scale| {
            let kinds = [int(id::TYPE, 7), int(id::CONVERTED, DECIMAL)];
            let sizes = [int(id::SCALE, scale), int(id::PRECISION, precision)];
            kinds.into_iter().chain(sizes).collect::<Vec<_>>()
        };
        let elements = vec![
            element(vec![int(id::CHILDREN, 4)]),
            element(decimal(38, 2)),
            element(vec![int(id::CHILDREN, 1)]),
            element(decimal(40, 2)),
            element(decimal(39, 3)),
            element(decimal(39, 300)),
        ];
        let schema = Value::List(false, 12, elements);
        let mut footer = Fields(vec![(id::SCHEMA, schema)]);
        assert_eq!(take_apart(&mut footer), [Wide { column: 2, scale: 3 }]);
        let left: Vec<_> = footer.list_mut(id::SCHEMA).map(|it| it.int(id::PRECISION)).collect();
        assert_eq!(left, [None, Some(38), None, Some(40), None, Some(39)]);
    }
}
