//! Cells that the reader has changed: blanks around a value are left out, a text that means "no value"
//! becomes none. It happens to millions of cells or to none, so a changed cell costs one bit.

/// What was done to cells of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    /// Index into `ReadSchema::columns`.
    pub column: u16,
    /// What was done.
    pub what: Alteration,
    /// To which rows of the frame.
    pub rows: Marks,
}

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alteration {
    /// Blanks before and behind the value are left out.
    Trimmed,
    /// The text means "no value".
    NoValue,
    /// A fraction of zeros behind a whole number, an id or a code is left out: `180.0`.
    ZeroFraction,
    /// A time with an offset is loaded as the time in UTC, since its column keeps no offset.
    InUtc,
    /// Decimals behind the sixth of a second are left out, since the column does not keep them.
    Nanoseconds,
}

/// Marked numbers, one bit each; nothing is held where none is marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(Vec<u64>);

impl Marks {
    /// Marks a number.
    #[cold]
    pub fn mark(&mut self, number: usize) {
        let word = number / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    /// Whether none is marked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many of the numbers below this one are marked.
    pub fn below(&self, number: u32) -> usize {
        let (word, bit) = (number as usize / 64, number % 64);
        let whole = self.0.iter().take(word).map(|word| word.count_ones() as usize).sum::<usize>();
        let rest = self.0.get(word).map_or(0, |word| (word & ((1 << bit) - 1)).count_ones());
        whole + rest as usize
    }

    /// The marked numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        let bits = |(at, word): (usize, &u64)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        };
        self.0.iter().enumerate().flat_map(bits)
    }
}

impl FromIterator<usize> for Marks {
    fn from_iter<I: IntoIterator<Item = usize>>(numbers: I) -> Self {
        let mut marks = Self::default();
        numbers.into_iter().for_each(|number| marks.mark(number));
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_and_found_again() {
        let marks: Marks = [0, 5, 63, 64, 200].into_iter().collect();
        assert_eq!(marks.iter().collect::<Vec<_>>(), [0, 5, 63, 64, 200]);
        assert_eq!(
            [0, 1, 63, 64, 65, 200, 201, 9_999].map(|n| marks.below(n)),
            [0, 1, 2, 3, 4, 4, 5, 5]
        );
        assert!(Marks::default().is_empty() && Marks::default().below(7) == 0);
    }
}
