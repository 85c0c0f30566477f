//! What the name of a file or folder says: kind, county, roll year, release, submission.
//!
//! Published names are strict (`NAL16P202501.csv`), the names of zips and folders are hand-made and
//! may lie; [`settle`](super::settle()) weighs them against the rows.

use super::county::Counties;
use super::release::Release;

/// What a name says; whatever it does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameFacts {
    /// Kind of file, as a pack's kind id.
    pub kind: Option<String>,
    /// County number.
    pub county: Option<u8>,
    /// Roll year.
    pub year: Option<u16>,
    /// Release.
    pub release: Option<Release>,
    /// Submission number.
    pub submission: Option<u16>,
    /// The name, or a part of it, follows the DOR's pattern.
    pub published: bool,
    /// The name itself, without folders.
    pub source: String,
}

const ENDINGS: [&str; 14] = [
    ".csv", ".txt", ".tsv", ".dat", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".parquet", ".zip",
    ".gz", ".zst", ".dbf",
];

/// Reads a name. Folders before it are ignored, endings do not matter.
pub fn read_name(name: &str, counties: &Counties) -> NameFacts {
    let base = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(name);
    let mut stem = base;
    while let Some(shorter) = ENDINGS.iter().find_map(|e| strip_ending(stem, e)) {
        stem = shorter;
    }
    let words = words(stem);
    let strict = stem
        .split(|c: char| !c.is_ascii_alphanumeric())
        .find_map(|part| roll_name(part, counties).or_else(|| nav_name(part, counties)));
    let mut facts = strict.unwrap_or_else(|| NameFacts {
        kind: kind(&words),
        county: county(&words, counties),
        year: year(&words),
        release: release(&words),
        ..NameFacts::default()
    });
    facts.source = base.to_owned();
    facts
}

fn strip_ending<'a>(text: &'a str, ending: &str) -> Option<&'a str> {
    let cut =
        text.len().checked_sub(ending.len()).filter(|c| *c > 0 && text.is_char_boundary(*c))?;
    text[cut..].eq_ignore_ascii_case(ending).then(|| &text[..cut])
}

/// `NAL16P202501`, also with a date in place of the submission: `NAL26F20260827`.
fn roll_name(part: &str, counties: &Counties) -> Option<NameFacts> {
    let upper = part.to_ascii_uppercase();
    let kind = kind_word(upper.get(..3)?)?;
    let county = county_number(upper.get(3..5)?, counties)?;
    let release: Release = upper.get(5..6)?.parse().ok()?;
    let year = year_number(upper.get(6..10)?)?;
    let rest = &upper[10..];
    if !rest.bytes().all(|b| b.is_ascii_digit()) || !matches!(rest.len(), 0 | 2 | 4) {
        return None;
    }
    Some(NameFacts {
        kind: Some(kind.to_owned()),
        county: Some(county),
        year: Some(year),
        release: Some(release),
        submission: (rest.len() == 2).then(|| rest.parse().ok()).flatten(),
        published: true,
        source: String::new(),
    })
}

/// `NAVN162401`: two-digit year, no release.
fn nav_name(part: &str, counties: &Counties) -> Option<NameFacts> {
    let upper = part.to_ascii_uppercase();
    let kind = kind_word(upper.get(..4)?).filter(|k| k.starts_with("nav"))?;
    let digits =
        upper.get(4..).filter(|d| d.len() == 6 && d.bytes().all(|b| b.is_ascii_digit()))?;
    Some(NameFacts {
        kind: Some(kind.to_owned()),
        county: Some(county_number(&digits[..2], counties)?),
        year: digits[2..4].parse::<u16>().ok().map(|y| 2000 + y),
        release: None,
        submission: digits[4..].parse().ok(),
        published: true,
        source: String::new(),
    })
}

/// A run of letters or of digits.
struct Word<'a> {
    text: &'a str,
    /// Directly behind the word before, as `P` in `2025P`.
    attached: bool,
}

fn words(stem: &str) -> Vec<Word<'_>> {
    let mut found: Vec<Word<'_>> = Vec::new();
    let mut start = None;
    let mut last = ' ';
    let class = |c: char| if c.is_ascii_digit() { 1 } else { u8::from(c.is_alphabetic()) * 2 };
    let mut end_of_last = usize::MAX;
    for (at, c) in stem.char_indices().chain(std::iter::once((stem.len(), ' '))) {
        if class(c) != class(last) {
            if let Some(from) = start.take() {
                found.push(Word { text: &stem[from..at], attached: end_of_last == from });
                end_of_last = at;
            }
            if class(c) > 0 {
                start = Some(at);
            }
        }
        last = c;
    }
    found
}

fn kind_word(word: &str) -> Option<&'static str> {
    match word.to_ascii_uppercase().as_str() {
        "NAL" => Some("nal"),
        "SDF" => Some("sdf"),
        "NAP" | "TPP" => Some("nap"),
        "NAVN" => Some("navn"),
        "NAVD" => Some("navd"),
        _ => None,
    }
}

fn kind(words: &[Word<'_>]) -> Option<String> {
    let split_nav = words.windows(2).find(|w| w[0].text.eq_ignore_ascii_case("NAV"));
    let split_nav = split_nav.and_then(|w| kind_word(&format!("NAV{}", w[1].text)));
    let whole = words.iter().find_map(|w| kind_word(w.text));
    whole.or(split_nav).map(str::to_owned)
}

fn county_number(text: &str, counties: &Counties) -> Option<u8> {
    let two_digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| two_digits)?;
    counties.by_number(number).map(|c| c.number)
}

/// The county spelled out; else a lone two-digit county number beside a kind. A name that spells two
/// counties says nothing. A number beside a spelled name is ignored: numbers there were wrong.
fn county(words: &[Word<'_>], counties: &Counties) -> Option<u8> {
    let mut spelled = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let hit = (1..=3.min(words.len() - at)).rev().find_map(|n| {
            let text: String = words[at..at + n].iter().map(|w| w.text).collect();
            counties.by_spelling(&text).map(|c| (c.number, n))
        });
        match hit {
            Some((number, n)) => {
                spelled.push(number);
                at += n;
            }
            None => at += 1,
        }
    }
    spelled.dedup();
    if spelled.is_empty() && kind(words).is_some() {
        spelled = words.iter().filter_map(|w| county_number(w.text, counties)).collect();
    }
    match spelled[..] {
        [one] => Some(one),
        _ => None,
    }
}

fn year_number(text: &str) -> Option<u16> {
    let four_digits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|y| four_digits && (1990..2100).contains(y))
}

/// The one year in the name; two different ones say nothing.
fn year(words: &[Word<'_>]) -> Option<u16> {
    let mut years: Vec<u16> = words.iter().filter_map(|w| year_number(w.text)).collect();
    years.dedup();
    match years[..] {
        [one] => Some(one),
        _ => None,
    }
}

/// A word such as "Preliminary", or one of the letters P, S, F: as a capital standing alone, or
/// directly behind the year.
fn release(words: &[Word<'_>]) -> Option<Release> {
    let mut before: Option<&Word<'_>> = None;
    let mut found = Vec::new();
    for word in words {
        let behind_year = word.attached && before.is_some_and(|b| year_number(b.text).is_some());
        let alone = !word.attached && word.text.bytes().all(|b| b.is_ascii_uppercase());
        if word.text.len() > 1 || alone || behind_year {
            found.extend(word.text.parse::<Release>().ok());
        }
        before = Some(word);
    }
    found.dedup();
    match found[..] {
        [one] => Some(one),
        _ => None,
    }
}
