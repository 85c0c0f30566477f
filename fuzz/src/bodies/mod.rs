//! What each fuzz target does with its bytes, and what must hold whatever they are: no panic, every
//! record a row or a reject, and the same answer by every way that leads to it ([`reading`] says which
//! ways there are). Included by the fuzz targets and by the integration tests, which run it over the
//! seeds.

mod csv;
mod dead_letter;
mod pack;
mod parquet;
mod reading;
mod workbook;

pub use csv::csv;
pub use dead_letter::dead_letter;
pub use pack::pack;
pub use parquet::parquet;
pub use workbook::xlsx;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of this process. In memory where the system has such a place: a disk would be the slowest
/// part.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let make = || match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm"),
        false => tempfile::tempdir(),
    };
    FOLDER.get_or_init(|| make().expect("a temporary folder")).path()
}

/// Where a file of this name lies. Tests run beside each other, so each thread has files of its own.
fn place(name: &str) -> PathBuf {
    folder().join(format!("{:?}-{name}", std::thread::current().id()))
}

/// A file that is written anew for each input.
fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = place(name);
    std::fs::write(&path, bytes).expect("the folder is writable");
    path
}
