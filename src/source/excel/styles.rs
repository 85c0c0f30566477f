//! Which cell styles show a number as a date, a time or a duration.

use super::fault::Fault;
use super::pattern::Pattern;
use super::tags::{Edge, Tags};
use super::text;
use super::xml::Tag;
use hashbrown::HashMap;
use std::io::Read;

/// How a style shows numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// As numbers, whatever their decoration: percent, currency, fraction.
    #[default]
    Number,
    /// As a date or a time of day.
    Moment,
    /// As elapsed hours, minutes or seconds.
    Duration,
    /// As a code: whole numbers by the [`Pattern`] with this number.
    Code(u16),
}

/// Most styles and number formats that are kept: Excel allows 65,490.
const MOST: usize = 1 << 20;

/// Longest number of a format that is kept: they have three digits.
const LONGEST_ID: usize = 16;

/// The cell styles of a workbook.
#[derive(Debug, Default)]
pub struct Styles {
    shown: Vec<Shown>,
    patterns: Vec<Pattern>,
    /// Days count from 1904.
    pub from_1904: bool,
}

/// The element whose children are being read.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    Formats,
    Cells,
    Other,
}

impl Styles {
    /// Those of a workbook without a styles part.
    pub fn none(from_1904: bool) -> Self {
        Self { from_1904, ..Self::default() }
    }

    /// Reads the styles part.
    pub fn read(part: Box<dyn Read + Send>, from_1904: bool) -> Result<Self, Fault> {
        let mut formats = HashMap::<Vec<u8>, Shown>::new();
        let (mut shown, mut patterns) = (Vec::new(), Vec::new());
        let mut section = Section::Other;
        let mut tags = Tags::new(part);
        while let Some(edge) = tags.next()? {
            match edge {
                Edge::Close(b"numFmts" | b"cellXfs") => section = Section::Other,
                Edge::Close(_) => {}
                Edge::Open(tag) => match (section, tag.name) {
                    (_, b"numFmts") if !tag.empty => section = Section::Formats,
                    (_, b"cellXfs") if !tag.empty => section = Section::Cells,
                    (Section::Formats, b"numFmt") => {
                        if let Some((id, format)) = custom(&tag, &mut patterns)? {
                            formats.insert(id, format);
                        }
                    }
                    (Section::Cells, b"xf") => shown.push(of_cell(&tag, &formats)?),
                    _ => {}
                },
            }
            if shown.len().max(formats.len()) > MOST {
                return Err(Fault::TooLarge("the workbook has more than a million styles".into()));
            }
        }
        Ok(Self { shown, patterns, from_1904 })
    }

    /// How the style shows numbers; one that is not there shows them as they are.
    #[inline]
    pub fn shown(&self, style: usize) -> Shown {
        self.shown.get(style).copied().unwrap_or_default()
    }

    /// The pattern of a code.
    pub fn pattern(&self, number: u16) -> Option<&Pattern> {
        self.patterns.get(usize::from(number))
    }
}

fn custom(tag: &Tag<'_>, patterns: &mut Vec<Pattern>) -> Result<Option<(Vec<u8>, Shown)>, Fault> {
    let (Some(id), Some(code)) = (tag.get(b"numFmtId")?, tag.get(b"formatCode")?) else {
        return Ok(None);
    };
    if id.len() > LONGEST_ID {
        return Ok(None);
    }
    let code = text::attribute(code)?;
    let shown = match (of_code(&code), Pattern::of(&code)) {
        (Shown::Number, Some(pattern)) => of_pattern(pattern, patterns),
        (shown, _) => shown,
    };
    Ok(Some((id.to_vec(), shown)))
}

/// Adds a pattern to those that are known.
fn of_pattern(pattern: Pattern, patterns: &mut Vec<Pattern>) -> Shown {
    let known = patterns.iter().position(|known| *known == pattern);
    let number = known.unwrap_or_else(|| {
        patterns.push(pattern);
        patterns.len() - 1
    });
    // Excel allows some hundred formats.
    u16::try_from(number).map_or(Shown::Number, Shown::Code)
}

fn of_cell(tag: &Tag<'_>, formats: &HashMap<Vec<u8>, Shown>) -> Result<Shown, Fault> {
    let Some(id) = tag.get(b"numFmtId")? else { return Ok(Shown::Number) };
    Ok(formats.get(id).copied().unwrap_or_else(|| {
        let number = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
        number.map_or(Shown::Number, built_in)
    }))
}

/// The formats that a workbook does not spell out, East Asian ones included.
fn built_in(id: u32) -> Shown {
    match id {
        14..=22 | 27..=36 | 45 | 47 | 50..=58 => Shown::Moment,
        46 => Shown::Duration,
        _ => Shown::Number,
    }
}

/// Reads the first section of a format code: a letter of dates that is not quoted, escaped or in
/// brackets makes a moment, elapsed time in brackets (`[h]`) a duration.
fn of_code(code: &str) -> Shown {
    let mut chars = code.chars();
    let (mut quoted, mut half_day) = (false, false);
    let mut brackets = 0_usize;
    // In brackets: all characters so far are the same one of h, m, s.
    let mut elapsed = false;
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let open = !quoted && brackets == 0;
        match c.to_ascii_lowercase() {
            // The next character is literal, blank or fill.
            '_' | '\\' | '*' => before = chars.next().unwrap_or(c),
            '"' => (quoted, before) = (!quoted, c),
            _ if quoted => before = c,
            ';' => return Shown::Number,
            '[' => (brackets, before) = (brackets + 1, c),
            ']' if elapsed && brackets == 1 => return Shown::Duration,
            ']' => (brackets, before) = (brackets.saturating_sub(1), c),
            'a' if open && !half_day => (half_day, before) = (true, c),
            // AM/PM or A/P.
            'p' | 'm' | '/' if open && half_day => return Shown::Moment,
            'd' | 'm' | 'h' | 'y' | 's' if open && !half_day => return Shown::Moment,
            lower => {
                if !(elapsed && c.eq_ignore_ascii_case(&before)) {
                    elapsed = before == '[' && matches!(lower, 'm' | 'h' | 's');
                }
                before = c;
            }
        }
    }
    Shown::Number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_codes_are_told_apart() {
        use Shown::{Duration, Moment, Number};
        let cases = [
            ("DD/MM/YY", Moment),
            ("H:MM:SS;@", Moment),
            ("m\"M\"d\"D\";@", Moment),
            ("[$-404]e\"\u{5e74}\"m\"\u{6708}\"d", Moment),
            ("[$-409]h:mm AM/PM", Moment),
            ("AM/PM", Moment),
            ("[h]:mm:ss", Duration),
            ("[ss]", Duration),
            ("[Blue]\\+[h]:mm;[Red]\\-[h]:mm", Duration),
            ("[>=100][Magenta][s].00", Duration),
            ("General", Number),
            ("0.00E+00", Number),
            ("0%", Number),
            ("#,##0\\ [$\u{20bd}-46D]", Number),
            ("\"$\"#,##0_);[Red](\"$\"#,##0)", Number),
            ("\\Y000000", Number),
            ("#,##0.0####\" YMD\"", Number),
            ("0_ ;[Red]\\-0\\ ", Number),
            ("[>=100][Magenta].00", Number),
            ("0.00;yyyy", Number),
            ("_(* #,##0.00_)", Number),
            ("_d*m0", Number),
        ];
        for (code, expected) in cases {
            assert_eq!(of_code(code), expected, "{code}");
        }
    }

    #[test]
    fn styles_are_those_of_cells_and_follow_the_formats() {
        let xml = "<x:styleSheet><x:numFmts count='9'><x:numFmt formatCode='yyyy' numFmtId='164'/>\
                   <x:numFmt numFmtId='165' formatCode='&quot;d&quot;0'/></x:numFmts>\
                   <x:cellStyleXfs><x:xf numFmtId='14'/></x:cellStyleXfs>\
                   <x:cellXfs><x:xf numFmtId='0'/><x:xf fontId='1' numFmtId='164'><x:alignment/>\
                   </x:xf><x:xf numFmtId='165'/><x:xf numFmtId='46'/><x:xf/></x:cellXfs>\
                   <x:dxfs><x:dxf><x:numFmt numFmtId='165' formatCode='d'/></x:dxf></x:dxfs>\
                   </x:styleSheet>";
        let part = Box::new(std::io::Cursor::new(xml.as_bytes().to_vec()));
        let styles = Styles::read(part, false).expect("sound");
        let shown: Vec<_> = (0..6).map(|style| styles.shown(style)).collect();
        use Shown::{Duration, Moment, Number};
        assert_eq!(shown, [Number, Moment, Number, Duration, Number, Number]);
    }
}
