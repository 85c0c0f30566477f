//! The shape of a text: `9{5}-9{4}` for a long ZIP, `A{2}` for a state, `9{3} A{4} A{2}` for an
//! address. A 9 stands for a digit, A for a capital, a for any other letter; other characters stand
//! for themselves; `{n}` counts a run.

/// Runs of a shape; what follows is `…`.
const RUNS: usize = 16;

/// Writes the shape of a text in the place of what `out` holds.
pub fn shape(text: &str, out: &mut String) {
    out.clear();
    let mut characters = text.chars().map(class).peekable();
    let mut runs = 0;
    while let Some(class) = characters.next() {
        if runs == RUNS {
            out.push('…');
            return;
        }
        runs += 1;
        out.push(class);
        let mut count = 1_u32;
        while characters.next_if_eq(&class).is_some() {
            count += 1;
        }
        counted(count, out);
    }
}

/// The shape of a text of so many digits.
pub fn digits(count: usize, out: &mut String) {
    out.clear();
    out.push('9');
    counted(count as u32, out);
}

fn counted(count: u32, out: &mut String) {
    if count > 1 {
        out.push('{');
        out.push_str(itoa::Buffer::new().format(count));
        out.push('}');
    }
}

#[inline]
fn class(c: char) -> char {
    match c {
        '0'..='9' => '9',
        'A'..='Z' => 'A',
        'a'..='z' => 'a',
        // Braces count here.
        '{' | '}' => '¤',
        c if c.is_ascii() => c,
        c if c.is_uppercase() => 'A',
        c if c.is_alphabetic() => 'a',
        c => c,
    }
}

/// A regular expression for the texts of a shape; `None` where the shape is not whole.
pub fn pattern(shape: &str) -> Option<String> {
    if shape.ends_with('…') || !shape.is_ascii() || shape.contains(char::is_control) {
        return None;
    }
    let mut out = String::new();
    let mut rest = shape.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '9' => out.push_str("[0-9]"),
            'A' => out.push_str("[A-Z]"),
            'a' => out.push_str("[a-z]"),
            '{' if rest.peek().is_some_and(char::is_ascii_digit) => {
                out.push('{');
                out.extend(rest.by_ref().take_while(|c| *c != '}'));
                out.push('}');
            }
            c if c.is_ascii_alphanumeric() || " ,;:_'-/@#&\"%=<>!~`".contains(c) => out.push(c),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        let mut out = String::new();
        shape(text, &mut out);
        out
    }

    #[test]
    fn shapes_count_runs() {
        for (text, expected) in [
            ("33301-1234", "9{5}-9{4}"),
            ("FL", "A{2}"),
            ("12 Main St.", "9{2} Aa{3} Aa."),
            ("Ñandú", "Aa{4}"),
            ("", ""),
        ] {
            assert_eq!(of(text), expected);
        }
        assert!(of("a1b2c3d4e5f6g7h8i9").ends_with('…'));
        let mut out = "x".to_owned();
        digits(12, &mut out);
        assert_eq!(out, of("474119030010"));
    }

    #[test]
    fn a_pattern_matches_the_texts_of_its_shape_only() {
        for text in ["33301-1234", "FL", "12 Main St.", "C16-001-192-0124-2", "a(b)+c"] {
            let pattern = pattern(&of(text)).expect("a whole shape");
            let matches = regex::Regex::new(&format!("^(?:{pattern})$")).expect("a pattern");
            assert!(matches.is_match(text), "{pattern} for {text}");
            assert!(!matches.is_match(&format!("{text}1")), "{pattern}");
        }
        assert_eq!(pattern(&of("a{2}")), None);
        assert_eq!(pattern(&of("a\tb")), None);
    }
}
