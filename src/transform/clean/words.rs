//! Words of a text, and whether a table of words may hold one.

/// Tells at a glance that a table does not hold a word: none of its words begins with this byte and has
/// this length. Most words of a roll are numbers and names.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    /// By first byte a bit for each length; lengths from 63 on share one.
    lengths: [u64; 256],
}

impl Default for Filter {
    fn default() -> Self {
        Self { lengths: [0; 256] }
    }
}

impl Filter {
    /// Takes a word of the table.
    pub fn add(&mut self, word: &str) {
        if let Some(first) = word.bytes().next() {
            self.lengths[usize::from(first)] |= bit(word);
        }
    }

    /// Whether the table may hold the word.
    pub fn may_hold(&self, word: &str) -> bool {
        let first = word.bytes().next();
        first.is_some_and(|first| self.lengths[usize::from(first)] & bit(word) != 0)
    }
}

fn bit(word: &str) -> u64 {
    1 << word.len().min(63)
}

/// The words of a name, without what stands around them.
pub(super) fn words(name: &str) -> impl Iterator<Item = &str> {
    let parts = name.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    parts.map(bare).filter(|word| !word.is_empty())
}

/// A word without what stands around it.
pub(super) fn bare(word: &str) -> &str {
    let inner = |byte: &u8| byte.is_ascii_alphanumeric();
    match word.as_bytes() {
        [first, .., last] if inner(first) && inner(last) => word,
        _ => word.trim_matches(|c: char| !c.is_alphanumeric() && c != '/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_never_denies_a_word_of_its_table() {
        let mut filter = Filter::default();
        let long = "X".repeat(200);
        let table = ["ST", "STREET", "\u{d1}ANDU", long.as_str()];
        table.iter().for_each(|word| filter.add(word));
        assert!(table.iter().all(|word| filter.may_hold(word)));
        assert!(!filter.may_hold("12") && !filter.may_hold("STR") && !filter.may_hold(""));
    }

    #[test]
    fn words_are_bare() {
        let found: Vec<_> = words("O'NEIL, J. (TR) C/O \u{d1}and\u{fa}; 'X'  -").collect();
        assert_eq!(found, ["O'NEIL", "J", "TR", "C/O", "\u{d1}and\u{fa}", "X"]);
    }
}
