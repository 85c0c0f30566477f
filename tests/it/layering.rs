//! The house rules that no compiler checks: who imports whom, how long a file may be, that every
//! file says what it promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms of `src` from the bottom to the top, and what each may import. ARCHITECTURE.md explains it.
const ROOMS: &[(&str, &[&str])] = &[
    // Of the program beside the library.
    ("heap", &[]),
    ("chunk", &[]),
    ("duck", &[]),
    ("pack", &[]),
    ("report", &["chunk"]),
    ("source", &["chunk", "duck"]),
    ("profile", &["chunk", "source"]),
    ("stage", &["chunk", "duck"]),
    ("validate", &["chunk", "profile", "stage"]),
    ("transform", &["chunk", "stage"]),
    ("enrich", &["chunk", "stage", "transform"]),
    ("rules", &[]),
    ("flow", &["chunk", "source", "stage"]),
    ("load", &["chunk", "duck", "source", "stage", "flow"]),
    (
        "run",
        &[
            "chunk",
            "duck",
            "pack",
            "report",
            "source",
            "stage",
            "validate",
            "transform",
            "enrich",
            "profile",
            "rules",
            "flow",
            "load",
        ],
    ),
    ("config", &["source", "rules", "run"]),
    (
        "cli",
        &["chunk", "duck", "pack", "profile", "report", "source", "flow", "load", "run", "config"],
    ),
];

/// Lines of a file before its tests.
const LONGEST: usize = 500;

/// Files that are longer today, with their own limit. To be split, not to be grown.
const LONGER: &[(&str, usize)] = &[];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files(folders: &[&str]) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| rust_files(&root().join(folder), &mut paths));
    assert!(paths.len() > 20, "the sources are not where they should be");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(root()).expect("inside the project");
        let text = fs::read_to_string(&path).expect("a source file");
        (name.to_string_lossy().replace('\\', "/"), text)
    };
    paths.into_iter().map(read).collect()
}

/// The room of a file: `src/load/gate.rs` and `src/load.rs` are both of `load`.
fn room(file: &str) -> Option<&str> {
    let inside = file.strip_prefix("src/")?;
    let room = inside.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&room)).then_some(room)
}

/// Names behind `crate::` in the code of a file, also in groups: `use crate::{load, run::check}`.
fn imports(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = code.collect::<Vec<_>>().join("\n");
    let name = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.extend(Some(name(rest))),
            Some(group) => {
                let (mut depth, mut start) = (0, 0);
                for (at, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        ',' if depth == 0 => {
                            found.insert(name(&group[start..at]));
                            start = at + 1;
                        }
                        '}' if depth == 0 => {
                            found.insert(name(&group[start..at]));
                            break;
                        }
                        '}' => depth -= 1,
                        _ => {}
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn a_group_of_imports_is_read_whole() {
    let text = "use crate::{enrich, load::{a, b}, run};\n// crate::cli\nlet x = crate::duck::y();";
    let expected = ["duck", "enrich", "load", "run"].map(str::to_owned);
    assert_eq!(imports(text), BTreeSet::from(expected));
}

#[test]
fn imports_point_downwards_only() {
    let rooms: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        for import in *allowed {
            assert!(rooms[..at].contains(import), "{room} may import {import}, which is not below");
        }
    }
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, text) in files(&["src"]) {
        let Some(room) = room(&file) else { continue };
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("{file}: the room {room} is not in the table"));
            continue;
        };
        for import in imports(&text).into_iter().filter(|import| import != room) {
            if !may.contains(&import.as_str()) {
                wrong.push(format!("{file}: {room} must not import {import}"));
            }
            used.insert((room.to_owned(), import));
        }
    }
    for (room, may) in ROOMS {
        for import in *may {
            if !used.contains(&((*room).to_owned(), (*import).to_owned())) {
                wrong.push(format!("{room} may import {import} but does not: drop it here"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short_and_say_what_they_promise() {
    let mut wrong = Vec::new();
    for (file, text) in files(&["src", "tests", "examples"]) {
        if !text.starts_with("//!") {
            wrong.push(format!("{file}: the first line must be `//!` and say what it promises"));
        }
        let lines = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let longer = LONGER.iter().find(|(name, _)| *name == file);
        let most = longer.map_or(LONGEST, |(_, most)| *most);
        if lines > most {
            wrong.push(format!("{file}: {lines} lines before its tests, {most} at most"));
        }
        if longer.is_some() && lines <= LONGEST {
            wrong.push(format!("{file} is short enough: drop it from LONGER"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `unsafe` is denied for the package; the files that talk to DuckDB's C API are the exception, and the one that
/// talks to the allocator.
#[test]
fn unsafe_code_is_where_c_is() {
    let exceptions: Vec<String> = files(&["src"])
        .into_iter()
        .filter(|(_, text)| text.contains("(unsafe_code"))
        .map(|(file, _)| file)
        .collect();
    assert!(!exceptions.is_empty());
    for file in exceptions {
        let talks_to_c = file.starts_with("src/duck/") || file == "src/heap.rs";
        assert!(talks_to_c, "{file} allows unsafe code");
    }
}

#[test]
fn only_the_command_line_reads_the_environment_and_prints() {
    let mut wrong = Vec::new();
    for (file, text) in files(&["src"]) {
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]");
        let code = code.filter(|line| !line.trim_start().starts_with("//"));
        let inside = file.starts_with("src/cli/") || file.contains("/tests");
        for line in code.filter(|_| !inside) {
            for banned in [
                "env::var(",
                "env::var_os",
                "env::vars",
                "env::home_dir",
                "println!",
                "stdout()",
                "stderr()",
            ] {
                if line.contains(banned) {
                    wrong.push(format!("{file}: {banned} belongs into src/cli"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
