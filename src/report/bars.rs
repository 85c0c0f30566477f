//! Bars that stand in tables: a share of a whole, with the number beside it in the text.

use super::markup::at;

/// A bar for parts of a whole, each with a class; the rest stays empty. It says nothing that the cells
/// beside it do not say, so it is hidden from those who listen.
pub fn bar(parts: &[(&str, f64)], whole: f64) -> String {
    let mut body = String::new();
    for (class, part) in parts.iter().filter(|(_, part)| *part > 0.0) {
        let width = (part / whole.max(f64::MIN_POSITIVE) * 100.0).clamp(0.4, 100.0);
        body.push_str(&format!("<i class=\"{class}\" style=\"width:{}%\"></i>", at(width)));
    }
    format!("<span class=\"meter\" aria-hidden=\"true\">{body}</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_are_seen_and_none_is_longer_than_all() {
        let text = bar(&[("a", 1.0), ("b", 0.0), ("c", 4_000.0)], 2_000.0);
        assert!(text.contains("class=\"a\" style=\"width:0.4%\""), "{text}");
        assert!(text.contains("width:100%") && !text.contains("class=\"b\""), "{text}");
    }
}
