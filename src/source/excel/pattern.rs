//! Number formats of digits alone, such as `00000` and `000-00-0000`: what a cell of one shows is a code
//! and no quantity, with zeros in front that its number does not have.

/// Longest format that is taken for one; no code is longer.
const LONGEST: usize = 40;

/// A format of at least two zeros, perhaps with separators among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// A zero where a digit stands, and the separators.
    text: Box<str>,
    /// How many zeros there are.
    zeros: usize,
}

impl Pattern {
    /// The pattern of a format code, by its first section; `None`: it shows quantities or something else.
    pub fn of(code: &str) -> Option<Self> {
        let mut text = String::new();
        let mut chars = without_prefix(code).chars();
        let mut quoted = false;
        while let Some(c) = chars.next() {
            match c {
                '"' => quoted = !quoted,
                ';' if !quoted => break,
                '0' if !quoted => text.push('0'),
                // A blank as wide as the next character.
                '_' if !quoted => {
                    chars.next();
                }
                '\\' if !quoted => text.push(chars.next().filter(|it| is_separator(*it))?),
                c if is_separator(c) => text.push(c),
                _ => return None,
            }
        }
        let text = text.trim();
        let zeros = text.bytes().filter(|byte| *byte == b'0').count();
        let sound = zeros >= 2 && text.len() <= LONGEST;
        sound.then(|| Self { text: text.into(), zeros })
    }

    /// Appends what a cell shows that holds a whole number of these digits. Digits that the pattern has
    /// no place for stand in front, as in Excel.
    pub fn write(&self, digits: &str, out: &mut String) {
        let missing = self.zeros.saturating_sub(digits.len());
        let mut surplus = digits.len().saturating_sub(self.zeros);
        let mut digits = digits.bytes().map(char::from);
        let mut place = 0;
        for c in self.text.chars() {
            if c != '0' {
                out.push(c);
                continue;
            }
            out.extend(digits.by_ref().take(std::mem::take(&mut surplus)));
            let digit = if place < missing { None } else { digits.next() };
            out.push(digit.unwrap_or('0'));
            place += 1;
        }
    }
}

/// A format code without the language (`[$-409]`) or the colour in front.
fn without_prefix(code: &str) -> &str {
    let mut code = code;
    while let Some((name, rest)) = code.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_colour = name.len() > 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_colour && !name.starts_with("$-") {
            break;
        }
        code = rest;
    }
    code
}

/// What may stand between the digits. A point or a slash could make a fraction or a day of them.
fn is_separator(c: char) -> bool {
    matches!(c, '-' | ' ' | '(' | ')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_digits_show_zeros_in_front() {
        let cases = [
            ("00000", "2035", "02035"),
            ("00000", "33601", "33601"),
            ("00000", "0", "00000"),
            ("00000", "1234567", "1234567"),
            ("00", "5", "05"),
            ("000\\-00\\-0000", "12345678", "012-34-5678"),
            ("000-00-0000", "123456789", "123-45-6789"),
            ("00000\\-0000", "20351234", "02035-1234"),
            ("\\(000\\)\\ 000\\-0000", "8135551000", "(813) 555-1000"),
            ("(000) 000-0000", "18135551000", "(1813) 555-1000"),
            ("[$-409]00000", "501", "00501"),
            ("[Red]000", "7", "007"),
            ("00000;-00000", "501", "00501"),
            ("00000_);(00000)", "501", "00501"),
            ("0000\"-\"00", "12345", "0123-45"),
        ];
        for (code, digits, expected) in cases {
            let pattern = Pattern::of(code).unwrap_or_else(|| panic!("{code} is a pattern"));
            let mut shown = String::new();
            pattern.write(digits, &mut shown);
            assert_eq!(shown, expected, "{code} {digits}");
        }
    }

    #[test]
    fn other_formats_are_no_patterns() {
        let codes = [
            "0",
            "General",
            "#,##0",
            "0.00",
            "00.0",
            "00%",
            "0E+00",
            "00/00",
            "00\\/00",
            "00\\.00",
            "yyyy",
            "[h]00",
            "[>5]00",
            "\\Y000000",
            "\"No \"000",
            "0,000",
            "# 00",
            "@",
            "",
            "???",
        ];
        for code in codes {
            assert_eq!(Pattern::of(code), None, "{code}");
        }
        assert_eq!(Pattern::of(&"0".repeat(LONGEST + 1)), None);
    }
}
