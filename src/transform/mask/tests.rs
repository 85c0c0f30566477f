//! What masks promise: nothing shines through, and twice is once.

use super::*;

fn key() -> MaskKey {
    MaskKey::new("s3cret")
}

#[test]
fn every_way_leaves_what_it_has_masked() {
    for way in [Masking::Hash, Masking::Partial, Masking::Null, Masking::Drop] {
        for text in ["SMITH JOHN & MARY", "1", "12 OAK ST ", "Müller"] {
            let once = way.masked(text, Some(&key()));
            let twice = once.as_deref().and_then(|text| way.masked(text, Some(&key())));
            assert_eq!(once, twice, "{way:?} {text}");
            assert!(!once.is_some_and(|masked| masked.contains("MITH") || masked.contains("OAK")));
        }
    }
}

#[test]
fn a_hash_depends_on_text_and_key_alone() {
    let hash = |text, key: &MaskKey| Masking::Hash.masked(text, Some(key));
    assert_eq!(hash("SMITH", &key()), hash(" SMITH ", &key()));
    assert_ne!(hash("SMITH", &key()), hash("SMYTH", &key()));
    assert_ne!(hash("SMITH", &key()), hash("SMITH", &MaskKey::new("other")));
    assert_eq!(Masking::Hash.masked("SMITH", None), None, "without a key nothing is let through");
    assert_eq!(hash("  ", &key()), None, "blank stays blank");
}

#[test]
fn a_key_is_never_shown() {
    let masks = Masks { columns: Vec::new(), key: Some(key()) };
    assert!(format!("{masks:?}").contains("MaskKey(***)"));
}

#[test]
fn partial_hides_the_length_of_words() {
    let partial = |text| Masking::Partial.masked(text, None);
    assert_eq!(partial("SMITH  JOHN").as_deref(), Some("S*** J***"));
    assert_eq!(partial("Ó ab").as_deref(), Some("Ó*** a***"));
}
