//! What becomes of cells, by the kind of their column.

use super::*;
use crate::chunk::{Alteration, Altered};

fn spec(kind: ColumnKind, role: Role) -> ReadColumn {
    ReadColumn {
        name: "c".into(),
        header: "C".into(),
        field: 0,
        kind,
        role,
        width: None,
        max_len: None,
        nulls: vec!["NULL".into()],
        key: false,
        clean: true,
        order: Default::default(),
        float: false,
        zone: None,
        exact: false,
    }
}

#[test]
fn a_column_of_blanks_is_all_null_whatever_its_type() {
    for kind in [ColumnKind::Text, ColumnKind::BigInt, ColumnKind::Date, ColumnKind::Decimal(2)] {
        let mut builder = ColumnBuilder::new(&spec(kind, Role::Plain), 4);
        builder.push_text("").expect("blank fits");
        builder.push_text(" NULL ").expect("null token fits");
        let column = builder.finish();
        assert_eq!((column.len(), column.null_count()), (2, 2), "{kind:?}");
    }
}

#[test]
fn nulls_before_and_after_values_keep_their_rows() {
    let mut builder = ColumnBuilder::new(&spec(ColumnKind::BigInt, Role::Plain), 4);
    for text in ["", "5", "", "x", "-7"] {
        let fits = builder.push_text(text).is_ok();
        assert_eq!(fits, text != "x");
    }
    let column = builder.finish();
    let values: Vec<_> = column.i64().expect("bigint").iter().collect();
    assert_eq!(values, [None, Some(5), None, None, Some(-7)]);
}

#[test]
fn codes_are_padded_and_ids_never() {
    let mut code = spec(ColumnKind::Text, Role::Code);
    code.width = Some(3);
    let mut builder = ColumnBuilder::new(&code, 2);
    assert_eq!(builder.push_text("1"), Err(MisfitKind::Padded));
    assert_eq!(builder.push_cell(Cell::Number(12.0)), Err(MisfitKind::Padded));
    let column = builder.finish();
    let values: Vec<_> = column.str().expect("text").iter().collect();
    assert_eq!(values, [Some("001"), Some("012")]);

    let mut builder = ColumnBuilder::new(&spec(ColumnKind::Text, Role::Id), 2);
    assert_eq!(builder.push_cell(Cell::Number(474_119_030_010.0)), Ok(()));
    assert_eq!(builder.push_cell(Cell::Number(4.940_252e16)), Err(MisfitKind::IdInexact));
    assert_eq!(builder.push_text("4.74119E+11"), Err(MisfitKind::IdScientific));
    let column = builder.finish();
    let values: Vec<_> = column.str().expect("text").iter().collect();
    assert_eq!(values, [Some("474119030010"), None, None]);
}

#[test]
fn a_nul_in_text_is_refused_not_stored() {
    let mut builder = ColumnBuilder::new(&spec(ColumnKind::Text, Role::Plain), 1);
    assert_eq!(builder.push_text("a\0b"), Err(MisfitKind::Unstorable));
    assert_eq!(builder.finish().null_count(), 1);
}

#[test]
fn padding_is_the_same_as_pushing_nulls() {
    let kinds = [
        ColumnKind::Text,
        ColumnKind::Int,
        ColumnKind::BigInt,
        ColumnKind::Double,
        ColumnKind::Decimal(2),
        ColumnKind::Bool,
        ColumnKind::Date,
    ];
    for kind in kinds {
        let cell = match kind {
            ColumnKind::Bool => Cell::Bool(true),
            ColumnKind::Date => Cell::Moment(86_400_000_000),
            _ => Cell::Number(7.0),
        };
        let [mut padded, mut pushed] =
            [(); 2].map(|()| ColumnBuilder::new(&spec(kind, Role::Plain), 2));
        for at in [0, 3, 4, 9] {
            padded.pad(at);
            (pushed.len..at).for_each(|_| pushed.push_null());
            for builder in [&mut padded, &mut pushed] {
                builder.push_cell(cell).expect("it fits");
            }
        }
        padded.pad(2);
        padded.pad(12);
        (0..2).for_each(|_| pushed.push_null());
        let (padded, pushed) = (padded.finish(), pushed.finish());
        assert_eq!((padded.len(), padded.null_count()), (12, 8), "{kind:?}");
        assert!(padded.equals_missing(&pushed), "{kind:?}");
    }
}

#[test]
fn numbers_too_large_for_a_whole_column_are_told_apart_from_fractions() {
    for kind in [ColumnKind::Int, ColumnKind::BigInt] {
        let mut builder = ColumnBuilder::new(&spec(kind, Role::Plain), 4);
        assert_eq!(builder.push_cell(Cell::Number(0.5)), Err(MisfitKind::Fraction));
        assert_eq!(builder.push_cell(Cell::Number(1e300)), Err(MisfitKind::Overflow));
        assert_eq!(builder.push_cell(Cell::Number(-9.3e18)), Err(MisfitKind::Overflow));
        assert_eq!(builder.push_cell(Cell::Number(-0.0)), Ok(()));
        assert_eq!(builder.finish().null_count(), 3, "{kind:?}");
    }
}

const SHARED: [&str; 6] =
    ["A", "B 12", "a text that does not fit in a place", "NULL", "07", "4.7E+11"];
/// Pushes texts by number, in batches, and what the column then holds.
fn shared(spec: &ReadColumn, cells: &[Option<u64>], others: &[&str]) -> Vec<Option<String>> {
    let mut texts = MutableBinaryViewArray::<str>::new();
    SHARED.iter().for_each(|text| texts.push_value_ignore_validity(text));
    let shared = SharedTexts::new(texts, true, true);
    let mut builder = ColumnBuilder::new(spec, 4);
    for batch in cells.chunks(MOST) {
        let numbers: Vec<_> = batch.iter().map(|cell| cell.unwrap_or(u64::MAX)).collect();
        let bits = batch.iter().enumerate().map(|(at, cell)| u64::from(cell.is_some()) << at);
        let filled = bits.fold(0, |all, bit| all | bit);
        builder.push_shared(&shared, &numbers, filled, |_, _| {});
    }
    others.iter().for_each(|text| _ = builder.push_text(text));
    let column = builder.finish();
    column.str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn shared_texts_are_the_same_as_copies() {
    let plain = spec(ColumnKind::Text, Role::Plain);
    let mut code = spec(ColumnKind::Text, Role::Code);
    code.width = Some(2);
    let mut short = plain.clone();
    short.max_len = Some(3);
    let id = spec(ColumnKind::Text, Role::Id);
    let some: Vec<_> = [None, Some(2), Some(0), None, Some(1), Some(4)].repeat(40);
    let with_null: Vec<_> = some.iter().copied().chain([Some(3), None]).collect();
    let damaged: Vec<_> = some.iter().copied().chain([Some(5)]).collect();
    for spec in [&plain, &code, &short, &id] {
        for cells in [&some[..], &with_null, &damaged, &[None; 70], &[]] {
            for others in [&[][..], &["", "its own"]] {
                let text = |cell: &Option<u64>| cell.map_or("", |number| SHARED[number as usize]);
                let mut builder = ColumnBuilder::new(spec, 4);
                cells.iter().map(text).chain(others.iter().copied()).for_each(|text| {
                    _ = builder.push_text(text);
                });
                let copied = builder.finish();
                let copied: Vec<_> =
                    copied.str().expect("text").iter().map(|it| it.map(str::to_owned)).collect();
                assert_eq!(shared(spec, cells, others), copied, "{:?} {others:?}", spec.role);
            }
        }
    }
}

#[test]
fn whole_numbers_are_the_same_texts_at_once_as_one_by_one() {
    let mut code = spec(ColumnKind::Text, Role::Code);
    (code.width, code.max_len, code.nulls) = (Some(3), Some(5), vec!["999".into()]);
    let wholes = [7, 100, 999, 0, 123_456, 999_999_999_999_999, 42];
    let filled = 0b111_0111;
    for spec in [code, spec(ColumnKind::Text, Role::Id)] {
        let (mut single, mut many) = (ColumnBuilder::new(&spec, 4), ColumnBuilder::new(&spec, 4));
        let (mut told, mut told_many) = (Vec::new(), Vec::new());
        for (at, whole) in wholes.iter().enumerate() {
            let cell = Cell::Number(*whole as f64);
            let cell = if filled >> at & 1 == 1 { cell } else { Cell::Blank };
            told.extend(single.push_cell(cell).err().map(|kind| (at, kind)));
        }
        many.push_whole_texts(&wholes, filled, |at, kind| told_many.push((at, kind)));
        assert_eq!(told, told_many);
        let (columns, altered) = ColumnBuilder::finish_all(vec![single]);
        let (columns_many, altered_many) = ColumnBuilder::finish_all(vec![many]);
        assert_eq!((columns, altered), (columns_many, altered_many));
    }
}

#[test]
fn changed_cells_are_marked_one_by_one_and_many_at_once() {
    let texts = ["a", " a", "", "NULL", "  ", "a\u{a0}", " NULL ", "5"];
    let mut single = ColumnBuilder::new(&spec(ColumnKind::Text, Role::Plain), 16);
    let mut many = ColumnBuilder::new(&spec(ColumnKind::Text, Role::Plain), 16);
    for _ in 0..2 {
        single.push_null();
        many.push_null();
        texts.iter().for_each(|text| single.push_text(text).expect("it fits"));
        many.push_texts(texts.iter().map(|text| Some(*text)), true, |at, kind| {
            panic!("{at}: {kind:?}");
        });
    }
    let marked = |builder| {
        let (columns, altered) = ColumnBuilder::finish_all(vec![builder]);
        let told = |one: &Altered| (one.what, one.rows.iter().collect::<Vec<_>>());
        (columns[0].null_count(), altered.iter().map(told).collect::<Vec<_>>())
    };
    let expected =
        vec![(Alteration::Trimmed, vec![2, 6, 11, 15]), (Alteration::NoValue, vec![4, 7, 13, 16])];
    assert_eq!(marked(single), (10, expected.clone()));
    assert_eq!(marked(many), (10, expected));
}
