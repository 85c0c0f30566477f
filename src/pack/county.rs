//! Counties: numbers, names in the spellings that occur, federal codes, and the shape of parcel ids.

/// What the parcel ids of a county look like.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParcelFormat {
    /// Shortest id, in characters.
    pub len_min: usize,
    /// Median length.
    pub len_median: usize,
    /// Longest id.
    pub len_max: usize,
    /// The one length all ids have, where that is so.
    pub constant_len: Option<usize>,
    /// Most frequent shape: 9 a digit, A a letter, other characters as they are.
    pub shape: String,
    /// Share of ids with that shape, 0 to 1.
    pub shape_share: f64,
    /// Share of ids that begin with a zero.
    pub leading_zero_share: f64,
    /// What else is known.
    pub note: String,
}

/// One county.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct County {
    /// Number in the files, 11 to 77.
    pub number: u8,
    /// Canonical name.
    pub name: String,
    /// Five-digit federal code.
    pub fips: String,
    /// Further spellings.
    pub spellings: Vec<String>,
    /// Shape of its parcel ids, where known.
    pub format: Option<ParcelFormat>,
}

/// All counties of a pack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counties {
    list: Vec<County>,
    /// Squeezed spelling and place in `list`.
    spelled: Vec<(String, usize)>,
}

impl Counties {
    /// Builds the index of spellings.
    pub fn new(list: Vec<County>) -> Self {
        let mut spelled = Vec::new();
        for (place, county) in list.iter().enumerate() {
            for text in std::iter::once(&county.name).chain(&county.spellings) {
                let key = squeeze(text);
                if !spelled.contains(&(key.clone(), place)) {
                    spelled.push((key, place));
                }
            }
        }
        Counties { list, spelled }
    }

    /// The county with this number.
    pub fn by_number(&self, number: u8) -> Option<&County> {
        self.list.iter().find(|c| c.number == number)
    }

    /// The county with this name, in any of its spellings: case, blanks, dots, dashes and a final
    /// "County" do not matter.
    pub fn by_spelling(&self, text: &str) -> Option<&County> {
        let key = squeeze(text);
        let short = key.strip_suffix("COUNTY").unwrap_or(&key);
        let hit = |k: &str| self.spelled.iter().find(|(s, _)| s == k).map(|(_, p)| &self.list[*p]);
        hit(&key).or_else(|| hit(short))
    }

    /// The county with this federal code.
    pub fn by_fips(&self, fips: &str) -> Option<&County> {
        self.list.iter().find(|c| c.fips == fips)
    }

    /// All counties, by number.
    pub fn iter(&self) -> impl Iterator<Item = &County> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the pack knows no counties.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Spellings that two counties share, for the check of a pack.
    pub(super) fn ambiguous(&self) -> Vec<String> {
        let clash = |(key, place): &&(String, usize)| {
            self.spelled.iter().any(|(k, p)| k == key && p != place)
        };
        self.spelled.iter().filter(clash).map(|(key, _)| key.clone()).collect()
    }
}

fn squeeze(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}
