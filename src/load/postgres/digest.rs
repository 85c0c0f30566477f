//! What the table holds between two keys, told by one number for each block of rows.
//!
//! Most chunks of a file that is loaded again meet rows that are as they were. To have each of them told
//! by the server costs it more than to look at them (half as much as a `\copy` of the whole file,
//! measured). So it adds up a hash of content and row number of up to [`BLOCK`] rows that stood together
//! in their source, and the same sum here says that these very rows are there, unchanged and in the same
//! order. Whatever else comes out says nothing: such rows are asked for one by one.

use super::session::Row;
use crate::chunk::{Held, Loaded};
use crate::duck::quote;
use crate::load::LoadError;
use crate::load::lookup::rank_of;
use crate::load::target::KeyQuestion;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a block are those whose numbers differ in the last bits only: one changed row has so many
/// asked for.
const BLOCK: u32 = 6;
/// So far around a likely distance between row numbers others are tried.
const NEAR: i64 = 8;
/// On so many blocks, before they are tried on all.
const PROBES: usize = 8;

/// SQL for the blocks of rows of a span. The hash is that by which the server divides tables into
/// partitions, so it may not change from one version to the next.
pub fn question(schema: &str, of: &KeyQuestion, between: &str, most: usize) -> String {
    let spec = &of.spec;
    format!(
        "SELECT t._etl_run, t._etl_source, t._etl_release, count(*), min(t._etl_row), \
           max(t._etl_row), sum(uuid_hash_extended(t._etl_hash, t._etl_row)) \
         FROM {}.{} AS t WHERE {between} AND {} \
         GROUP BY t._etl_run, t._etl_source, t._etl_release, t._etl_row >> {BLOCK} LIMIT {most}",
        quote(schema),
        quote(&spec.name),
        spec.scope_of("t"),
    )
}

/// Rows of the table that stood together in their source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where they came from.
    pub of: Arc<Loaded>,
    /// Rank of their release, as the rows have it.
    pub own_rank: i64,
    rows: u64,
    first: i64,
    last: i64,
    sum: i128,
}

impl Block {
    /// From a row of the answer; `None` where rows have no provenance of ours.
    pub fn read(
        row: &Row<'_>,
        mut origin: impl FnMut(&str, &str) -> Arc<Loaded>,
    ) -> Result<Option<Self>, LoadError> {
        let texts = row.values()?;
        let number = |at: usize| texts[at].and_then(|text| text.parse::<i64>().ok());
        let (Some(run), Some(source)) = (texts[0], texts[1]) else { return Ok(None) };
        let sum = texts[6].and_then(|text| text.parse::<i128>().ok());
        let (Some(rows), Some(first), Some(last), Some(sum)) =
            (number(3), number(4), number(5), sum)
        else {
            return Ok(None);
        };
        let own_rank = texts[2].map_or(0, rank_of);
        Ok(Some(Self { of: origin(run, source), own_rank, rows: rows as u64, first, last, sum }))
    }
}

/// Finds the rows of a chunk that blocks hold as they are, by their numbers in the source and their
/// hashes: `met` gets the row and its block. `ahead`: by how much the numbers of the table's rows were
/// ahead of these the last time.
pub fn meet(
    places: &[i64],
    hashes: &[u128],
    ahead: i64,
    blocks: &[Block],
    mut met: impl FnMut(u32, &Block, Held),
) {
    let chunk = Numbered { places, hashes };
    let mut open: Vec<_> = blocks.iter().collect();
    open.sort_unstable_by_key(|block| block.first);
    let mut taken = vec![false; places.len()];
    for ahead in distances(places, ahead, blocks) {
        let step = (open.len() / PROBES).max(1);
        if !open.iter().step_by(step).any(|block| chunk.holds(block, ahead).is_some()) {
            continue;
        }
        open.retain(|block| {
            let rows =
                chunk.holds(block, ahead).filter(|rows| !taken[rows.clone()].contains(&true));
            for row in rows.clone().into_iter().flatten() {
                taken[row] = true;
                let held = Held { of: Arc::clone(&block.of), row: (places[row] + ahead) as u64 };
                met(row as u32, block, held);
            }
            rows.is_none()
        });
    }
}

/// How far the numbers of the table's rows may be ahead of the chunk's: as far as before, or where a file in
/// the order of its keys has its first and its last row, or near one of these, as the order of files is
/// seldom quite that of keys. Rows that were put in or taken out before the chunk move all of it, those
/// within it a part.
fn distances(places: &[i64], before: i64, blocks: &[Block]) -> Vec<i64> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Vec::new() };
    let from = blocks.iter().map(|block| block.first - first).min();
    let to = blocks.iter().map(|block| block.last - last).max();
    let likely: Vec<_> = [Some(before), from, to].into_iter().flatten().collect();
    let mut found = Vec::new();
    for away in 0..=NEAR {
        let around = likely.iter().flat_map(|one| [one + away, one - away]);
        for one in around {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    found
}

/// Rows of a chunk by their numbers.
struct Numbered<'c> {
    places: &'c [i64],
    hashes: &'c [u128],
}

impl Numbered<'_> {
    /// The rows that are a block's, where they are the same.
    fn holds(&self, block: &Block, ahead: i64) -> Option<Range<usize>> {
        let from = self.places.partition_point(|place| place + ahead < block.first);
        let to = self.places.partition_point(|place| place + ahead <= block.last);
        let rows = from..to.max(from);
        let hashed = |row| i128::from(uuid_hash(self.hashes[row], self.places[row] + ahead));
        let same =
            rows.len() as u64 == block.rows && rows.clone().map(hashed).sum::<i128>() == block.sum;
        same.then_some(rows)
    }
}

/// `uuid_hash_extended` of the server: Bob Jenkins' lookup3 over the 16 bytes, as a machine reads them that
/// has the lowest byte first. (`hash_bytes_extended` in src/common/hashfn.c of PostgreSQL)
fn uuid_hash(uuid: u128, seed: i64) -> i64 {
    let bytes = uuid.to_be_bytes();
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| bytes[at * 4 + byte]));
    let start = 0x9e37_79b9_u32.wrapping_add(16).wrapping_add(3_923_095);
    let mut state = [start; 3];
    if seed != 0 {
        state[0] = state[0].wrapping_add((seed as u64 >> 32) as u32);
        state[1] = state[1].wrapping_add(seed as u32);
        mix(&mut state);
    }
    for (at, part) in state.iter_mut().enumerate() {
        *part = part.wrapping_add(word(at));
    }
    mix(&mut state);
    state[0] = state[0].wrapping_add(word(3));
    finish(&mut state);
    (u64::from(state[1]) << 32 | u64::from(state[2])) as i64
}

fn mix([a, b, c]: &mut [u32; 3]) {
    let step = |one: &mut u32, two: &mut u32, three: &u32, by: u32| {
        *one = one.wrapping_sub(*two) ^ two.rotate_left(by);
        *two = two.wrapping_add(*three);
    };
    step(a, c, b, 4);
    step(b, a, c, 6);
    step(c, b, a, 8);
    step(a, c, b, 16);
    step(b, a, c, 19);
    step(c, b, a, 4);
}

fn finish([a, b, c]: &mut [u32; 3]) {
    let step = |one: &mut u32, two: &u32, by: u32| {
        *one = (*one ^ *two).wrapping_sub(two.rotate_left(by));
    };
    step(c, b, 14);
    step(a, c, 11);
    step(b, a, 25);
    step(c, b, 16);
    step(a, c, 4);
    step(b, a, 14);
    step(c, b, 24);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_server() {
        // SELECT uuid_hash_extended('00010203-0405-0607-0809-0a0b0c0d0e0f', 5)
        let uuid = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;
        assert_eq!(uuid_hash(uuid, 0), -2_148_041_578_476_338_960);
        assert_eq!(uuid_hash(uuid, 5), -7_326_476_726_731_535_982);
        let other = uuid | 0xffff_ffff << 96;
        assert_eq!(uuid_hash(other, 12_345_678_901), 1_693_749_409_111_097_488);
    }

    fn block(first: i64, last: i64, hashes: &[(u128, i64)]) -> Block {
        let of = Arc::new(Loaded { run: "1".into(), source: "a.csv".into() });
        let sum = hashes.iter().map(|(hash, row)| i128::from(uuid_hash(*hash, *row))).sum();
        Block { of, own_rank: 0, rows: hashes.len() as u64, first, last, sum }
    }

    fn met(places: &[i64], hashes: &[u128], blocks: &[Block]) -> Vec<(u32, u64)> {
        let mut found = Vec::new();
        meet(places, hashes, 0, blocks, |row, _, held| found.push((row, held.row)));
        found.sort_unstable();
        found
    }

    #[test]
    fn a_block_says_that_all_of_its_rows_are_there_or_nothing() {
        let blocks = [block(2, 4, &[(12, 2), (14, 4)]), block(5, 6, &[(15, 5), (16, 6)])];
        // Row 3 was refused then, and is now.
        assert_eq!(
            met(&[2, 4, 5, 6], &[12, 14, 15, 16], &blocks),
            [(0, 2), (1, 4), (2, 5), (3, 6)]
        );
        // It is not refused now.
        assert_eq!(met(&[2, 3, 4, 5, 6], &[12, 13, 14, 15, 16], &blocks), [(3, 5), (4, 6)]);
        // A row is another one; two have changed places.
        assert_eq!(met(&[2, 4, 5, 6], &[12, 13, 15, 16], &blocks), [(2, 5), (3, 6)]);
        assert_eq!(met(&[2, 4, 5, 6], &[12, 14, 16, 15], &blocks), [(0, 2), (1, 4)]);
        assert_eq!(met(&[], &[], &blocks), []);
    }

    #[test]
    fn rows_that_were_put_in_move_what_is_behind_them() {
        let blocks = [block(2, 3, &[(12, 2), (13, 3)]), block(4, 5, &[(14, 4), (15, 5)])];
        assert_eq!(met(&[7, 8, 9, 10], &[12, 13, 14, 15], &blocks).len(), 4);
        // One more in between.
        assert_eq!(
            met(&[2, 3, 4, 5, 6], &[12, 13, 99, 14, 15], &blocks),
            [(0, 2), (1, 3), (3, 4), (4, 5)]
        );
    }
}
