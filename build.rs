//! Lets the program find DuckDB's shared library without an environment variable: the library is
//! put beside the binary, and the binary looks there first. With the feature `bundled` DuckDB is
//! part of the binary and nothing is to do.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DUCKDB_LIB_DIR");
    if env::var_os("CARGO_FEATURE_BUNDLED").is_some() {
        return;
    }
    let system = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let Some(folder) = env::var_os("DUCKDB_LIB_DIR").map(PathBuf::from) else {
        return; // The system's own library, found by the system's own means.
    };
    let name = match system.as_str() {
        "windows" => "duckdb.dll",
        "macos" => "libduckdb.dylib",
        _ => "libduckdb.so",
    };
    let library = folder.join(name);
    println!("cargo:rerun-if-changed={}", library.display());
    if !library.exists() {
        println!(
            "cargo:error={} is missing: run scripts/duckdb.sh, or build with --features bundled",
            library.display()
        );
        return;
    }
    search_path(&system);
    let profile = profile_folder();
    // Windows looks for a DLL in the program's own folder only.
    let folders: &[&str] = if system == "windows" { &["", "deps", "examples"] } else { &[""] };
    for folder in folders {
        let target = profile.join(folder);
        if let Err(error) = put(&library, &target, name) {
            println!("cargo:error=cannot put {name} into {}: {error}", target.display());
        }
    }
}

/// Binaries lie beside the library, tests and examples one folder below; an installed tree may
/// have `bin` and `lib`.
fn search_path(system: &str) {
    let origin = match system {
        "windows" => return,
        "macos" => "@loader_path",
        _ => "$ORIGIN",
    };
    for place in ["", "/..", "/../lib"] {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{origin}{place}");
    }
}

/// `target/<profile>`, from `target/<profile>/build/<package>/out`.
fn profile_folder() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    out.ancestors().nth(3).expect("cargo's folders are this deep").to_path_buf()
}

/// A copy, or a hard link where that goes: 70 MB. Never written in place: a running program may
/// have the old one open.
fn put(library: &Path, folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let target = folder.join(name);
    let fresh = folder.join(format!("{name}.{}.new", std::process::id()));
    fs::hard_link(library, &fresh).or_else(|_| fs::copy(library, &fresh).map(drop))?;
    let placed = fs::rename(&fresh, &target);
    // Renaming one name of a file onto another name of it does nothing at all on Unix.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => placed.and(Err(error)),
        _ => placed,
    }
}
