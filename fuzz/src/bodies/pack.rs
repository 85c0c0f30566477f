//! What files come packed in: zip archives, gzip, Zstandard, around text.

use super::file;
use super::reading::{Damage, every_way, in_words};
use etl::source::{Listing, SourceOptions, readable, resolve};

/// Any bytes; what begins like no packer is the members of an archive, separated by NUL.
pub fn pack(data: &[u8]) {
    // A Zstandard frame may have one to be skipped before it, which begins with one of 16 bytes.
    let marks = [&b"PK"[..], &[0x1f, 0x8b], &[0x28, 0xb5]];
    let packed = marks.iter().any(|mark| data.starts_with(mark))
        || data.get(1..4).is_some_and(|behind| behind == [0x2a, 0x4d, 0x18]);
    let path = if packed { file("t.bin", data) } else { file("t.bin", &archive(data)) };
    let options = SourceOptions::default();
    let files = match readable(resolve(&[path.display().to_string()], &Listing::default())) {
        Ok((files, _)) => files,
        Err(error) => return in_words(&error),
    };
    for input in files {
        // Old workbooks are read by another process; here everything happens in this one.
        if !matches!(input.format.name(), "csv" | "xlsx") {
            continue;
        }
        match input.format.survey(&input.content, &options) {
            Ok(tables) => tables.iter().for_each(|table| {
                every_way(&**table, Damage::Anywhere);
            }),
            Err(error) => in_words(&error),
        }
    }
}

/// Members with the names that they say, each after a line of its own.
fn archive(data: &[u8]) -> Vec<u8> {
    let members: Vec<(String, Vec<u8>)> = data
        .split(|byte| *byte == 0)
        .map(|member| {
            let (name, content) = match member.iter().position(|byte| *byte == b'\n') {
                Some(at) => (&member[..at], &member[at + 1..]),
                None => (&b"a.csv"[..], member),
            };
            (String::from_utf8_lossy(name).into_owned(), content.to_vec())
        })
        .collect();
    let parts: Vec<_> = members.iter().map(|(name, it)| (name.as_str(), it.clone())).collect();
    super::workbook::stored(&parts)
}
