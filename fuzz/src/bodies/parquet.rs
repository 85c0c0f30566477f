//! Parquet: a whole file, or a footer that is put behind sound pages.

use super::file;
use super::reading::{Damage, tables};
use etl::source::parquet::Parquet;
use etl::source::{Listing, SourceOptions, readable, resolve};

/// A sound file of a few pages.
const SOUND: &[u8] = include_bytes!("../../seeds/parquet/small");

/// Where the bytes do not begin like a file they are a footer: its length, which a changed one nearly
/// never has, is written behind it.
pub fn parquet(data: &[u8]) {
    let path = if data.starts_with(b"PAR1") || data.is_empty() {
        file("t.parquet", data)
    } else {
        file("t.parquet", &with_footer(data))
    };
    let argument = path.display().to_string();
    if readable(resolve(&[argument], &Listing::default())).is_ok() {
        tables(&Parquet, &path, &SourceOptions::default(), Damage::Same, |_, _| {});
    }
}

/// The pages of the sound file, another footer.
fn with_footer(footer: &[u8]) -> Vec<u8> {
    let (rest, _) = SOUND.split_at(SOUND.len() - 8);
    let length = SOUND[rest.len()..rest.len() + 4].try_into().map_or(0, u32::from_le_bytes);
    let pages = &rest[..rest.len().saturating_sub(length as usize)];
    let length = (footer.len() as u32).to_le_bytes();
    [pages, footer, &length[..], b"PAR1"].concat()
}
