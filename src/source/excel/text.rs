//! Text of XML as people see it: entities, line ends, Excel's `_x000D_`, rich and phonetic runs.

use super::fault::Fault;
use super::xml::{Cursor, Tag, Token};
use memchr::{memchr, memchr2, memchr3, memmem};

/// Whether raw text stands for itself.
#[inline]
pub fn is_plain(raw: &[u8]) -> bool {
    plain_length(raw) == raw.len()
}

/// How much of a raw text, from its start on, stands for itself.
#[inline]
pub fn plain_length(raw: &[u8]) -> usize {
    memchr3(b'&', b'\r', b'_', raw).unwrap_or(raw.len())
}

/// The blanks that XML does not count unless it is told to preserve them.
pub const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Appends raw text with its entities resolved; every line end becomes `\n`.
pub fn append(raw: &[u8], out: &mut String) -> Result<(), Fault> {
    let mut rest = std::str::from_utf8(raw).map_err(|_| Fault::Utf8)?;
    while let Some(at) = memchr2(b'&', b'\r', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(behind) = rest.strip_prefix('\r') {
            out.push('\n');
            rest = behind.strip_prefix('\n').unwrap_or(behind);
            continue;
        }
        let end = memchr(b';', rest.as_bytes());
        let end = end.ok_or(Fault::Malformed("an `&` stands without its `;`"))?;
        out.push(entity(&rest[1..end])?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(())
}

/// Appends the text of a CDATA section.
pub fn append_verbatim(raw: &[u8], out: &mut String) -> Result<(), Fault> {
    let text = std::str::from_utf8(raw).map_err(|_| Fault::Utf8)?;
    match memchr(b'\r', raw) {
        Some(_) => out.push_str(&text.replace("\r\n", "\n").replace('\r', "\n")),
        None => out.push_str(text),
    }
    Ok(())
}

fn entity(name: &str) -> Result<char, Fault> {
    let code = match name {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok(),
                None => number.parse().ok(),
            },
            None => None,
        },
    };
    let unknown = || Fault::Entity(name.chars().take(40).collect());
    code.filter(|code| *code != 0).and_then(char::from_u32).ok_or_else(unknown)
}

/// The value of an attribute.
pub fn attribute(raw: &[u8]) -> Result<String, Fault> {
    let mut text = String::new();
    append(raw, &mut text)?;
    Ok(text)
}

/// Resolves `_xHHHH_` behind `from`: Excel writes a UTF-16 unit that XML cannot hold that way, and
/// an underscore that would begin such a thing as `_x005F_`.
pub fn unescape(text: &mut String, from: usize) {
    let Some(first) = memmem::find(&text.as_bytes()[from..], b"_x") else { return };
    let escaped = text.split_off(from + first);
    let mut rest = escaped.as_str();
    while let Some(at) = memchr(b'_', rest.as_bytes()) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let Some(unit) = unit(rest) else {
            text.push('_');
            rest = &rest[1..];
            continue;
        };
        rest = &rest[ESCAPE..];
        let low = unit_of_pair(unit, rest);
        rest = &rest[low.map_or(0, |_| ESCAPE)..];
        let pair = [unit, low.unwrap_or(0)];
        let units = pair[..1 + usize::from(low.is_some())].iter().copied();
        let decoded = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        text.extend(decoded);
    }
    text.push_str(rest);
}

/// Length of `_xHHHH_`.
const ESCAPE: usize = 7;

fn unit(text: &str) -> Option<u16> {
    let hex = text.as_bytes().strip_prefix(b"_x")?.first_chunk::<5>()?;
    let digits = hex[4] == b'_' && hex[..4].iter().all(u8::is_ascii_hexdigit);
    digits.then(|| u16::from_str_radix(text.get(2..6)?, 16).ok())?
}

/// The second half of a surrogate pair.
fn unit_of_pair(high: u16, rest: &str) -> Option<u16> {
    let is_high = (0xD800..0xDC00).contains(&high);
    unit(rest).filter(|low| is_high && (0xDC00..0xE000).contains(low))
}

/// Appends the text of a string item behind its start tag: the runs joined, without the phonetic
/// ones, up to the end tag `closing`.
pub fn append_item(cursor: &mut Cursor<'_>, closing: &[u8], out: &mut String) -> Result<(), Fault> {
    let mut phonetic = false;
    loop {
        match cursor.next()?.ok_or(Fault::Cut)? {
            Token::Open(tag) if tag.name == b"rPh" => phonetic = !tag.empty,
            Token::Close(b"rPh") => phonetic = false,
            Token::Open(tag) if tag.name == b"t" && !tag.empty && !phonetic => {
                append_run(cursor, &tag, out)?;
            }
            Token::Close(name) if name == closing => return Ok(()),
            _ => {}
        }
    }
}

/// Appends a `<t>`: without the blanks around it, unless they are to be preserved.
fn append_run(cursor: &mut Cursor<'_>, tag: &Tag<'_>, out: &mut String) -> Result<(), Fault> {
    let start = out.len();
    append_until(cursor, b"t", out)?;
    if tag.get(b"xml:space")? != Some(b"preserve") {
        out.truncate(start + out[start..].trim_end_matches(BLANKS).len());
        let blanks = out[start..].len() - out[start..].trim_start_matches(BLANKS).len();
        out.drain(start..start + blanks);
    }
    unescape(out, start);
    Ok(())
}

/// Appends all text up to the end tag `closing`.
pub fn append_until(
    cursor: &mut Cursor<'_>,
    closing: &[u8],
    out: &mut String,
) -> Result<(), Fault> {
    loop {
        match cursor.next()?.ok_or(Fault::Cut)? {
            Token::Text(raw) => append(raw, out)?,
            Token::Verbatim(raw) => append_verbatim(raw, out)?,
            Token::Close(name) if name == closing => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(xml: &str) -> String {
        let mut out = String::from("before ");
        append_item(&mut Cursor::new(xml.as_bytes(), 0), b"si", &mut out).expect("sound");
        out.split_off(7)
    }

    #[test]
    fn runs_are_joined_and_phonetic_ones_left_out() {
        let xml = "<r><rPr><b/></rPr><t>a </t></r><r><t xml:space=\"preserve\"> b </t></r>\
                   <rPh sb=\"0\" eb=\"1\"><t>kana</t></rPh><phoneticPr fontId=\"1\"/><t/></si>";
        assert_eq!(item(xml), "a b ");
        assert_eq!(item("</si>"), "");
    }

    #[test]
    fn entities_line_ends_and_sections_are_text() {
        assert_eq!(
            item("<t>a&amp;&lt;&#65;&#x42;&quot;<!-- no --><![CDATA[ <&> ]]>c</t></si>"),
            "a&<AB\" <&> c"
        );
        assert_eq!(item("<t>a\r\nb\rc&#13;d</t></si>"), "a\nb\nc\rd");
        assert_eq!(item("<t>\n\t a \n</t></si>"), "a");
        for broken in ["&x;", "&#0;", "&#xD800;", "&#x110000;", "&amp", "&#;"] {
            append(broken.as_bytes(), &mut String::new()).expect_err(broken);
        }
    }

    #[test]
    fn escapes_of_excel_are_resolved() {
        let cases = [
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_xD83D__xDCF7_!", "\u{1F4F7}!"),
            ("_xD83D_!", "\u{FFFD}!"),
            ("_xDCF7_", "\u{FFFD}"),
            ("_x00_ _x000G_ __x0041_ _x", "_x00_ _x000G_ _A _x"),
            ("_xé000_", "_xé000_"),
        ];
        for (raw, expected) in cases {
            let mut text = format!("_x0041_{raw}");
            unescape(&mut text, 7);
            assert_eq!(text, format!("_x0041_{expected}"), "{raw}");
        }
    }
}
