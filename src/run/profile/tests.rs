//! The profile of a file does not depend on threads, and a key is one.

use super::*;
use crate::run::request::Limits;
use std::fmt::Write as _;

struct Silent;

impl Observer for Silent {
    fn on(&self, _event: &Event<'_>) {}
}

fn request(path: &std::path::Path, threads: usize) -> Request {
    let plain = Request::for_test(path);
    Request { limits: Limits { threads, ..plain.limits.clone() }, ..plain }
}

fn profile_of(text: &str, threads: usize) -> Profile {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.csv");
    std::fs::write(&path, text).expect("room");
    let mut found =
        profile(&request(&path, threads), &Silent, &Stop::default()).expect("a profile").profiles;
    let mut only = found.remove(0);
    only.input = "a.csv".into();
    only
}

/// Wide enough that blocks are small, long enough that there are many.
fn table(rows: u64) -> String {
    let mut text = "id,code,name,price,day,left,right,blank\n".to_owned();
    for n in 0..rows {
        let scrambled = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        writeln!(
            text,
            "{n},{:03},owner {},{}.{:02},2025-{:02}-{:02},{},{},",
            scrambled % 90,
            scrambled % 60_000,
            scrambled % 900_000,
            scrambled % 100,
            scrambled % 12 + 1,
            scrambled % 28 + 1,
            n / 300,
            n % 300,
        )
        .expect("memory takes all");
    }
    text
}

#[test]
fn the_profile_does_not_depend_on_threads() {
    let text = table(200_000);
    let alone = profile_of(&text, 1);
    assert_eq!(alone, profile_of(&text, 4));
    assert_eq!((alone.rows, alone.columns.len()), (200_000, 8));
    let types: Vec<&str> = alone.columns.iter().map(|column| column.ty.as_str()).collect();
    let int = "INTEGER";
    assert_eq!(types, [int, "VARCHAR", "VARCHAR", "DECIMAL(18,2)", "DATE", int, int, "VARCHAR"]);
    assert_eq!(alone.keys, [["id"]]);
    let id = alone.column("id").expect("the column");
    assert_eq!((id.unique, id.distinct, id.distinct_exact), (Some(true), 200_000, true));
    assert_eq!((id.min.as_deref(), id.max.as_deref()), (Some("0"), Some("199999")));
    let code = alone.column("code").expect("the column");
    assert_eq!((code.distinct, code.distinct_exact, code.top.len()), (90, true, 20));
    assert_eq!(alone.column("blank").expect("the column").blank, 200_000);
}

#[test]
fn a_pair_that_names_every_row_is_found_where_no_column_does() {
    let mut text = "left,right,other\n".to_owned();
    for n in 0..40_000 {
        writeln!(text, "{},{},{}", n / 200, n % 200, n % 7).expect("memory takes all");
    }
    assert_eq!(profile_of(&text, 2).keys, [["left", "right"]]);
    // One row twice, far from the first.
    text.push_str("0,0,5\n");
    assert!(profile_of(&text, 2).keys.is_empty());
}

#[test]
fn a_table_without_rows_has_a_profile() {
    let found = profile_of("a,b\n", 2);
    assert_eq!((found.rows, found.columns.len(), found.keys.len()), (0, 2, 0));
    assert_eq!(found.columns[0].unique, Some(false));
}
