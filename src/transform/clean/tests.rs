//! Each step by examples: what it changes, and what it leaves.

use super::*;

fn words() -> AddressWords {
    let rows = [
        ("STREET", "ST", "suffix"),
        ("ST", "ST", "suffix"),
        ("AVENUE", "AVE", "suffix"),
        ("AVE", "AVE", "suffix"),
        ("ROAD", "RD", "suffix"),
        ("DRIVE", "DR", "suffix"),
        ("COURT", "CT", "suffix"),
        ("NORTH", "N", "direction"),
        ("NORTHWEST", "NW", "direction"),
        ("NW", "NW", "direction"),
        ("SOUTH", "S", "direction"),
        ("APARTMENT", "APT", "unit"),
        ("APT", "APT", "unit"),
        ("SUITE", "STE", "unit"),
        ("BUILDING", "BLDG", "unit"),
    ];
    AddressWords::new(rows.into_iter())
}

fn through(step: &Step, text: &str) -> String {
    let mut out = String::new();
    match step.apply(text, &mut out) {
        Done::Same => text.to_owned(),
        Done::Blank => String::new(),
        Done::Changed => out,
    }
}

#[test]
fn addresses_are_written_as_the_postal_service_does() {
    let step = Step::Address(Arc::new(words()));
    for (text, written) in [
        ("12 Northwest 5th Street", "12 NW 5TH ST"),
        ("12 NW 5TH ST", "12 NW 5TH ST"),
        ("12 5TH STREET NORTHWEST", "12 5TH ST NW"),
        ("1200 S. OCEAN DRIVE, APARTMENT 4B", "1200 S OCEAN DR APT 4B"),
        ("1 ELM  AVENUE SUITE 200 BUILDING C", "1 ELM AVE STE 200 BLDG C"),
        ("12 NORTH STREET", "12 NORTH ST"),
        ("12 NORTH ELM STREET", "12 N ELM ST"),
        ("12 AVENUE C", "12 AVENUE C"),
        ("12 ROAD STREET", "12 ROAD ST"),
        ("12 COURT", "12 COURT"),
        ("P.O. Box 4711", "PO BOX 4711"),
        ("P O BOX 4711", "PO BOX 4711"),
        ("POST OFFICE BOX 12", "PO BOX 12"),
        ("APARTMENT 7", "APT 7"),
        ("12 ELM ST #4", "12 ELM ST #4"),
        ("12.5 MILE ROAD", "12.5 MILE RD"),
    ] {
        assert_eq!(through(&step, text), written, "{text}");
        assert_eq!(through(&step, written), written, "what is written so stays");
    }
}

#[test]
fn names_of_firms_and_places_are_no_streets() {
    let step = Step::Address(Arc::new(words()));
    for text in ["BANK OF THE COURT", "C/O SMITH STREET 12", "ORANGE DRIVE", "NORTH APARTMENT"] {
        assert_eq!(through(&step, text), text);
    }
}

fn owners() -> Arc<OwnerWords> {
    let rows = [
        ("LLC", "company"),
        ("INC", "company"),
        ("TRUST", "trust"),
        ("CITY OF", "government"),
        ("ET AL", "role"),
        ("ETAL", "role"),
        ("H/W", "role"),
        ("TR", "trust"),
    ];
    Arc::new(OwnerWords::new(rows.into_iter()))
}

#[test]
fn owners_are_listed_in_their_order() {
    let step = Step::Owners(owners());
    for (name, list) in [
        ("SMITH,JOHN A & MARY B", r#"["SMITH,JOHN A","MARY B"]"#),
        ("SMITH JOHN AND JONES MARY H/W", r#"["SMITH JOHN","JONES MARY"]"#),
        ("SMITH JOHN; JONES MARY ET AL", r#"["SMITH JOHN","JONES MARY"]"#),
        ("SMITH JOHN ETAL", r#"["SMITH JOHN"]"#),
        ("SMITH JOHN, & O\"NEIL  JO", r#"["SMITH JOHN","O\"NEIL JO"]"#),
        // One owner, who is named as he is.
        ("SMITH & SONS INC", ""),
        ("ANDREWS SANDY", ""),
        ("JOHN & MARY SMITH FAMILY TRUST", ""),
        ("O\"NEIL JO", ""),
        ("&", ""),
    ] {
        assert_eq!(through(&step, name), list, "{name}");
    }
    let kind = Step::OwnerKind(owners());
    for (name, told) in [
        ("SUNRISE, LLC", "company"),
        ("CITY OF DAVIE", "government"),
        ("SMITH JOHN TR", "trust"),
        ("SMITH JOHN", "person"),
        ("CHER", ""),
    ] {
        assert_eq!(through(&kind, name), told, "{name}");
    }
}

#[test]
fn plain_steps() {
    let nulls = Step::Nulls(vec!["N/A".into(), "-".into()]);
    let states = States::new([("FLORIDA", "FL"), ("NEW YORK", "NY"), ("TEXAS", "TX")].into_iter());
    let states = Step::State(Arc::new(states));
    let pattern = Replacement::pattern(r"^(\d+) EUR$", "$1").expect("a pattern");
    for (step, text, done) in [
        (Step::Squeeze, " a \t b\u{a0}", "a b"),
        (Step::Squeeze, "a b", "a b"),
        (nulls.clone(), "n/a", ""),
        (nulls, "n/a.", "n/a."),
        (states.clone(), "Florida", "FL"),
        (states.clone(), "N.Y.", "N.Y."),
        (states.clone(), "new  york", "NY"),
        // Never the first two letters: TE is no state, NE another one.
        (states, "TEXCOCO", "TEXCOCO"),
        (Step::Replace(Replacement::text(";", ",")), "a;b;", "a,b,"),
        (Step::Replace(pattern), "12 EUR", "12"),
        (Step::Case(Letters::Upper), "straße", "STRASSE"),
        (Step::Case(Letters::Title), "o'neil SMITH-jones", "O'neil Smith-Jones"),
        (Step::Pad { width: 5, with: '0', right: false }, "42", "00042"),
        (Step::Pad { width: 4, with: ' ', right: true }, "ab", "ab  "),
    ] {
        assert_eq!(through(&step, text), done, "{step:?} {text}");
    }
    assert!(Replacement::pattern("(", "").is_err());
}

fn typing(kind: ColumnKind, decimal: char, group: Option<char>) -> Typing {
    let dates = vec!["%m/%d/%Y".into(), "%d.%m.%Y".into()];
    Typing { kind, number: NumberFormat { decimal, group }, dates }
}

fn typed(typing: &Typing, texts: &[&str]) -> (Column, Vec<usize>) {
    let array = Utf8ViewArray::from_slice_values(texts);
    let mut misfits = Vec::new();
    let column = typing.column("x", &array, |row, _| misfits.push(row));
    (column, misfits)
}

#[test]
fn numbers_and_dates_of_other_formats() {
    let euro = typing(ColumnKind::Double, ',', Some('.'));
    let (column, misfits) = typed(&euro, &["1.234,50 €", "-3", "(12,5)", "1.23,4", "x"]);
    let values: Vec<_> = column.f64().expect("doubles").iter().collect();
    assert_eq!(values, [Some(1234.5), Some(-3.0), Some(-12.5), None, None]);
    assert_eq!(misfits, [3, 4]);
    let dollars = typing(ColumnKind::BigInt, '.', Some(','));
    let (column, misfits) =
        typed(&dollars, &["$1,200.00", "1,200.50", "12,00", "99999999999999999999"]);
    let values: Vec<_> = column.i64().expect("whole numbers").iter().collect();
    assert_eq!(values, [Some(1200), None, None, None]);
    assert_eq!(misfits, [1, 2, 3]);
    let (column, misfits) =
        typed(&typing(ColumnKind::Date, '.', None), &["07/04/2025", "4.7.2025", "2025"]);
    let days = column.cast(&polars::prelude::DataType::Int32).expect("days");
    let days: Vec<_> = days.i32().expect("days").iter().collect();
    assert_eq!(days, [Some(20273), Some(20273), None]);
    assert_eq!(misfits, [2]);
    let (column, misfits) =
        typed(&typing(ColumnKind::Decimal(2), '.', Some(',')), &["1,000.5", "1.005"]);
    assert_eq!((column.null_count(), misfits), (1, vec![1]));
}
