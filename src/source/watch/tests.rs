//! Every way in which a file can change, and those in which it only seems to.

use super::sums::BLOCK;
use super::*;
use std::io::{Read, Write};

/// More than two blocks, no two alike.
fn content() -> Vec<u8> {
    (0..700_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn watched(part: Option<(u64, u64)>) -> (tempfile::TempDir, PathBuf, Arc<Watch>) {
    let folder = tempfile::tempdir().expect("a test folder");
    let path = folder.path().join("f");
    std::fs::write(&path, content()).expect("writable");
    let watch = Arc::new(Watch::whole(&path).part(part));
    let recorder = watch.record().expect("opens");
    // As an unpacker that leaves the end, in pieces that are no blocks.
    let mut some = vec![0; 1_300_000];
    recorder.reader().read_exact(&mut some).expect("reads");
    recorder.finish().expect("reads");
    assert_eq!(watch.check(), Ok(()));
    (folder, path, watch)
}

fn read(watch: &Arc<Watch>, from: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    watch.open(from)?.read_to_end(&mut bytes).map(|_| bytes)
}

/// Later than the survey for any clock of a file system.
fn wait() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

#[test]
fn what_has_not_changed_is_read_from_any_place() {
    let whole = content();
    let (_folder, path, watch) = watched(None);
    for from in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, whole.len() - 1, whole.len(), whole.len() + 9] {
        let expected = whole.get(from..).unwrap_or_default();
        assert!(read(&watch, from as u64).expect("reads") == expected, "{from}");
    }
    wait();
    // Written anew with the same bytes.
    std::fs::write(&path, &whole).expect("writable");
    assert_eq!(watch.check(), Ok(()));
    let other = path.with_extension("other");
    std::fs::write(&other, &whole).expect("writable");
    std::fs::rename(&other, &path).expect("movable");
    assert_eq!(watch.check(), Ok(()));
}

#[test]
fn every_change_is_found_and_named() {
    let whole = content();
    let long = whole.len() as u64;
    type Write = fn(&Path, &[u8]);
    let changes: [(Write, Change); 5] = [
        (
            |path, whole| std::fs::write(path, &whole[..9]).expect("writable"),
            Change::Shorter { was: long, is: 9 },
        ),
        (
            |path, _| {
                let file = std::fs::OpenOptions::new().append(true).open(path);
                file.and_then(|mut file| file.write_all(b"more")).expect("writable");
            },
            Change::Longer { was: long, is: long + 4 },
        ),
        (
            |path, whole| {
                let mut other = whole.to_vec();
                other[BLOCK + 5] ^= 1;
                std::fs::write(path, other).expect("writable");
            },
            Change::Rewritten(Some(BLOCK as u64)),
        ),
        (
            |path, whole| {
                std::fs::write(path.with_extension("new"), &whole[4..]).expect("writable");
                std::fs::rename(path.with_extension("new"), path).expect("movable");
            },
            if cfg!(unix) { Change::Replaced } else { Change::Shorter { was: long, is: long - 4 } },
        ),
        (|path, _| std::fs::remove_file(path).expect("removable"), Change::Gone(String::new())),
    ];
    for (change, expected) in changes {
        let (_folder, path, watch) = watched(None);
        wait();
        change(&path, &whole);
        match (watch.check(), &expected) {
            (Err(Change::Gone(_)), Change::Gone(_)) => {}
            (found, expected) => assert_eq!(found.as_ref(), Err(expected)),
        }
        // What was found stays so.
        std::fs::write(&path, &whole).expect("writable");
        assert!(watch.check().is_err(), "{expected:?}");
    }
}

#[test]
fn a_reader_gives_nothing_of_a_changed_block() {
    let whole = content();
    let (_folder, path, watch) = watched(None);
    let mut other = whole.clone();
    other[BLOCK + 5] ^= 1;
    std::fs::write(&path, other).expect("writable");
    let mut given = Vec::new();
    watch.open(7).expect("opens").read_to_end(&mut given).expect_err("the second block is another");
    assert!(given == whole[7..BLOCK]);
    assert_eq!(watch.check(), Err(Change::Rewritten(Some(BLOCK as u64))));
    // Behind the changed block the old bytes still stand, and may be read.
    assert!(read(&watch, 2 * BLOCK as u64).expect("reads") == whole[2 * BLOCK..]);
}

#[test]
fn of_a_part_only_its_own_bytes_count() {
    let whole = content();
    let (start, length) = (1_000, 1_500_000);
    let (_folder, path, watch) = watched(Some((start, length)));
    let end = (start + length) as usize;
    assert!(read(&watch, start + 5).expect("reads") == whole[start as usize + 5..end]);
    wait();
    let mut other = [&whole[..], b"more"].concat();
    (other[0], other[end]) = (1, other[end] ^ 1);
    std::fs::write(&path, &other).expect("writable");
    assert_eq!(watch.check(), Ok(()));
    wait();
    other[end - 1] ^= 1;
    std::fs::write(&path, &other).expect("writable");
    assert_eq!(watch.check(), Err(Change::Rewritten(Some(start + BLOCK as u64))));
}

#[test]
fn during_the_survey_any_change_counts() {
    let folder = tempfile::tempdir().expect("a test folder");
    let path = folder.path().join("f");
    std::fs::write(&path, b"a,b\n").expect("writable");
    let watch = Watch::whole(&path);
    wait();
    std::fs::write(&path, b"a,c\n").expect("writable");
    assert_eq!(watch.check(), Err(Change::Rewritten(None)));
}
