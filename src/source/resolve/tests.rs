//! Folders, patterns and archives as they are found: everything that is listed comes out, in order.

use super::walk::listed_paths;
use super::*;
use crate::source::SourceErrorKind;
use std::fs;
use std::io;

fn made(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("writable");
        fs::write(path, content).expect("writable");
    }
    folder
}

/// What an argument within a folder comes to, with paths from that folder on.
fn listed(folder: &tempfile::TempDir, argument: &str, listing: &Listing) -> Vec<String> {
    let root = format!("{}/", folder.path().display());
    let found = resolve(&[format!("{root}{argument}")], listing);
    listed_paths(&found).into_iter().map(|told| told.replace(&root, "")).collect()
}

fn recursive() -> Listing {
    Listing { recursive: true, ..Listing::default() }
}

#[test]
fn folders_and_patterns_are_listed_in_order() {
    let files = [
        ("d/b.csv", "k\n1\n"),
        ("d/a.csv", "k\n1\n"),
        ("d/s/c.csv", "k\n1\n"),
        ("d/x.pdf", "%PDF"),
    ];
    let folder = made(&files);
    let plain = Listing::default();
    let sub = "skipped d/s: a folder; --recursive reads what is in it";
    let pdf = "skipped d/x.pdf: a PDF";
    assert_eq!(listed(&folder, "d", &plain), ["d/a.csv", "d/b.csv", sub, pdf]);
    assert_eq!(listed(&folder, "d", &recursive()), ["d/a.csv", "d/b.csv", "d/s/c.csv", pdf]);
    assert_eq!(listed(&folder, "d/*", &plain), ["d/a.csv", "d/b.csv", sub, pdf]);
    assert_eq!(listed(&folder, "d/*.csv", &plain), ["d/a.csv", "d/b.csv"]);
    assert_eq!(listed(&folder, "d/**/*.csv", &plain), ["d/a.csv", "d/b.csv", "d/s/c.csv"]);
    assert_eq!(listed(&folder, "*/[ab].csv", &plain), ["d/a.csv", "d/b.csv"]);
    assert_eq!(listed(&folder, "d/s/../a.?sv", &plain), ["d/s/../a.csv"]);
    // One file by two ways of a pattern is one input.
    let all = listed(&folder, "d/**/*", &recursive());
    assert_eq!(all, ["d/a.csv", "d/b.csv", "d/s/c.csv", pdf]);
    let none = listed(&folder, "d/*.txt", &plain);
    assert!(none.len() == 1 && none[0].starts_with("failed "), "{none:?}");
}

#[test]
fn a_pattern_that_asks_for_hidden_names_gets_them() {
    let folder = made(&[("d/.a.csv", "k\n1\n"), ("d/b.csv", "k\n1\n")]);
    let plain = Listing::default();
    assert_eq!(listed(&folder, "d/*.csv", &plain), ["skipped d/.a.csv: hidden", "d/b.csv"]);
    assert_eq!(listed(&folder, "d/.*.csv", &plain), ["d/.a.csv"]);
    assert_eq!(listed(&folder, "d/.a.csv", &plain), ["d/.a.csv"]);
}

#[test]
fn a_file_whose_name_looks_like_a_pattern_is_that_file() {
    let folder = made(&[("d/a[1].csv", "k\n1\n"), ("d/a1.csv", "k\n1\n")]);
    assert_eq!(listed(&folder, "d/a[1].csv", &Listing::default()), ["d/a[1].csv"]);
}

#[test]
fn a_readme_is_read_where_it_is_a_table() {
    let folder = made(&[
        ("d/README", "Sales of 2025, as delivered.\nAsk us, or them, or others.\n"),
        ("d/readme_1.txt", "field;type\na;number\nb;text\n"),
        ("d/readme_2.txt", "one\ntwo\n"),
        ("d/readme_3.txt", ""),
    ]);
    let why = "a text that holds no table";
    let expected = [
        format!("skipped d/README: {why}"),
        "d/readme_1.txt".to_owned(),
        format!("skipped d/readme_2.txt: {why}"),
        format!("skipped d/readme_3.txt: {why}"),
    ];
    assert_eq!(listed(&folder, "d", &Listing::default()), expected);
}

#[test]
fn streams_are_read_from_their_copies_only() {
    let folder = made(&[("copy", "k\n1\n")]);
    let found = resolve(&["-".to_owned()], &Listing::default());
    assert!(
        matches!(&found[..], [Listed::Failed(error)] if error.kind == SourceErrorKind::Unreadable)
    );
    let stream = Stream {
        argument: "-".into(),
        label: "stdin".into(),
        name: "stdin".into(),
        copy: folder.path().join("copy"),
    };
    let listing = Listing { streams: vec![stream], ..Listing::default() };
    let found = resolve(&["-".to_owned()], &listing);
    let [Listed::File(file)] = &found[..] else { panic!("a file") };
    assert!(file.content.is_stream());
    assert_eq!((file.content.label(), file.content.name()), ("stdin", "stdin"));
}

#[test]
fn errors_of_the_system_are_told_in_words() {
    let told = |kind: io::ErrorKind| SourceError::io("a.csv", kind.into());
    assert_eq!(told(io::ErrorKind::PermissionDenied).to_string(), "a.csv: permission denied");
    assert!(told(io::ErrorKind::PermissionDenied).hint.is_some());
    assert_eq!(told(io::ErrorKind::NotFound).to_string(), "a.csv: there is no such file");
}
