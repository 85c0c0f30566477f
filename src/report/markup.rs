//! Text in a page: the one place that makes foreign text harmless.

/// Text for an element or a quoted attribute. Characters that HTML does not allow, and those that turn
/// the direction of writing, are shown by their number.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || turns(c) => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// Marks by which a text could be made to read as another.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The text cut to a number of characters, then escaped.
pub fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return escape(text);
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", escape(&head))
}

/// A coordinate: short, and never `-0` or `NaN`.
pub fn at(value: f64) -> String {
    let text = format!("{:.1}", if value.is_finite() { value } else { 0.0 });
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".into() } else { text.to_owned() }
}

/// A picture with what it says in words, for those who do not see it. `title` and `words` are text.
pub fn picture(class: &str, size: (f64, f64), title: &str, words: &str, body: &str) -> String {
    let (width, height) = (at(size.0), at(size.1));
    let (title, words) = (escape(title), escape(words));
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{title}. {words}\"><title>{title}</title><desc>{words}</desc>{body}</svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_text() {
        assert_eq!(
            escape("<script>alert('x')</script>&\"\u{0}\u{202e}"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;\\u0000\\u202e"
        );
        assert_eq!(clipped("<b>abcdef", 4), "&lt;b&gt;…");
    }

    #[test]
    fn coordinates_are_short() {
        assert_eq!([at(1.0), at(-0.01), at(f64::NAN), at(2.25)], ["1", "0", "0", "2.2"]);
    }
}
