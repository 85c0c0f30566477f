//! ZIP codes.

use super::Done;

/// Digits of a ZIP code, and of what may follow it.
const FIVE: usize = 5;
const FOUR: usize = 4;

/// `33314`, `33314-1234`; digits without the hyphen get it, a `+4` of zeros means that it is not known,
/// and digits that a spreadsheet has taken from the left (New England, Puerto Rico: three or four are
/// left) come back. What is no ZIP code, such as a foreign one, stays.
pub(super) fn apply(text: &str, plus4: bool, out: &mut String) -> Done {
    let (five, rest) = match text.split_once(['-', ' ']) {
        Some((five, rest)) => (five.trim_end(), rest.trim_start_matches(['-', ' '])),
        None if text.len() == FIVE + FOUR && text.is_ascii() => text.split_at(FIVE),
        None => (text.trim_end_matches('-'), ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let sound = (FIVE - 2..=FIVE).contains(&five.len()) && digits(five);
    let follows = rest.is_empty() || rest.len() == FOUR && digits(rest);
    if !sound || !follows || digits(text) && text.len() < FIVE - 1 {
        return Done::Same;
    }
    out.extend(std::iter::repeat_n('0', FIVE - five.len()));
    out.push_str(five);
    if plus4 && !rest.is_empty() && rest != "0000" {
        out.push('-');
        out.push_str(rest);
    }
    if out.as_str() == text { Done::Same } else { Done::Changed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(text: &str, plus4: bool) -> String {
        let mut out = String::new();
        match apply(text, plus4, &mut out) {
            Done::Same => text.to_owned(),
            _ => out,
        }
    }

    #[test]
    fn zip_codes_have_one_form() {
        for (text, plus4, five) in [
            ("33314", "33314", "33314"),
            ("333141234", "33314-1234", "33314"),
            ("33314-1234", "33314-1234", "33314"),
            ("33314 1234", "33314-1234", "33314"),
            ("33314-0000", "33314", "33314"),
            ("33314-", "33314", "33314"),
            ("2134", "02134", "02134"),
            ("2134-1000", "02134-1000", "02134"),
        ] {
            assert_eq!(
                (zip(text, true).as_str(), zip(text, false).as_str()),
                (plus4, five),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_zip_code_stays() {
        for text in
            ["M5V 2T6", "12", "134", "SW1A 1AA", "123456", "33314-12", "3331A", "", "75008 PARIS"]
        {
            assert_eq!(zip(text, true), text);
        }
    }
}
