//! Numbers, sizes, times and colours as people read them.

pub use crate::report::number::{binary, count, decimal, duration, plural};

/// Characters of a line of text, however narrow the terminal is.
const LEAST_ROOM: usize = 20;

/// A guess about the future, to the second: `12 s`, `3 min 42 s`.
pub fn coarse(seconds: f64) -> String {
    if seconds < 59.5 { format!("{:.0} s", seconds.ceil()) } else { duration(seconds) }
}

/// Text of several lines, made safe, the later ones indented below the first.
pub fn lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).map(safe).collect();
    lines.join("\n  ")
}

/// Words in lines of at most `width` characters; a longer word has a line of its own.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// The text behind `head`, in lines of about `width` characters, the later ones below where it began. Runs
/// of blanks stay: a value may be about them.
pub fn hang(head: &str, text: &str, width: usize) -> Vec<String> {
    let indent = head.chars().count();
    let room = width.saturating_sub(indent).max(LEAST_ROOM);
    let mut lines = Vec::new();
    let mut words = text.split(' ');
    let mut line = words.next().unwrap_or_default().to_owned();
    for word in words {
        if line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::replace(&mut line, word.to_owned()));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.push(line);
    let begin = |at: usize| if at == 0 { head.to_owned() } else { " ".repeat(indent) };
    lines.iter().enumerate().map(|(at, line)| begin(at) + line).collect()
}

/// Text from outside, made safe for a terminal.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// Cut in the middle to at most `width` characters: the end of a path says more than its middle.
pub fn shorten(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width || width < 5 {
        return text.to_owned();
    }
    let head = (width - 1) / 3;
    let tail = width - 1 - head;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(length - tail).collect();
    format!("{start}…{end}")
}

/// Cut at the end to at most `width` characters.
pub fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// A path without the `./` that joining with the current folder leaves.
pub fn plain_path(path: &str) -> &str {
    path.strip_prefix("./").or_else(|| path.strip_prefix(".\\")).unwrap_or(path)
}

/// An argument as it can be typed into a shell again.
pub fn shell(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:\\=,@%+".contains(c);
    let text = safe(argument);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else if text.contains('"') {
        format!("'{text}'")
    } else {
        format!("\"{text}\"")
    }
}

/// Which side a column is aligned to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lines of a table whose columns are as wide as they must be, two blanks apart.
pub fn table(rows: &[Vec<String>], align: &[Align], indent: &str) -> Vec<String> {
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..align.len()).map(|column| width(column).unwrap_or(0)).collect();
    rows.iter()
        .map(|row| {
            let cells =
                row.iter().zip(&widths).zip(align).map(|((cell, width), side)| match side {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                });
            let line = cells.collect::<Vec<_>>().join("  ");
            format!("{indent}{}", line.trim_end())
        })
        .collect()
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint(pub bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Trouble.
    pub fn red(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// Doubt.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// Success.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Side remarks.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators() {
        assert_eq!(
            [0, 999, 1_000, 95_332, 1_234_567].map(count).join(" "),
            "0 999 1,000 95,332 1,234,567"
        );
    }

    #[test]
    fn sizes_and_times_have_sensible_units() {
        assert_eq!(decimal(50_800_000.0), "50.8 MB");
        assert_eq!(decimal(405_000_000.0), "405 MB");
        assert_eq!(binary(512 << 20), "512 MiB");
        assert_eq!(binary(3 << 29), "1.5 GiB");
        assert_eq!(duration(0.4), "0.40 s");
        assert_eq!(duration(222.0), "3 min 42 s");
        assert_eq!(duration(59.97), "1 min 00 s");
        assert_eq!(duration(3_900.0), "1 h 05 min");
    }

    #[test]
    fn words_wrap_and_lines_hang() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("incomprehensible x", 4), ["incomprehensible", "x"]);
        assert_eq!(lines("first\n\nsecond\u{7}"), "first\n  second\\u{7}");
    }

    #[test]
    fn a_text_hangs_below_its_beginning_and_keeps_its_blanks() {
        let text = "row 7: \"  DAVIE  \" · take the blanks out";
        let lines = hang("  12  ", text, 28);
        assert_eq!(lines, ["  12  row 7: \"  DAVIE  \" ·", "      take the blanks out"]);
        assert_eq!(hang("- ", "", 80), ["- "]);
    }

    #[test]
    fn long_paths_keep_their_ends() {
        assert_eq!(shorten("data/2025/SDF16P202501.csv", 15), "data…202501.csv");
        assert_eq!(clip("abcdef", 4), "abc…");
    }

    #[test]
    fn text_from_outside_cannot_drive_the_terminal() {
        assert_eq!(safe("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(shell("my file.csv"), "\"my file.csv\"");
        assert_eq!(shell("C:\\rolls\\a.csv"), "C:\\rolls\\a.csv");
    }
}
