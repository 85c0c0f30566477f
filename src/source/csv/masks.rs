//! Which of 64 bytes are what: one bit a byte, the first in the lowest.

use wide::u8x16;

/// Bytes of a group.
pub const GROUP: usize = 64;

/// The bytes that equal `byte`.
#[inline(always)]
pub fn equal(group: &[u8; GROUP], byte: u8) -> u64 {
    let wanted = u8x16::splat(byte);
    let (sixteens, _) = group.as_chunks::<16>();
    let bits = sixteens.iter().enumerate().map(|(at, bytes)| {
        let found = u8x16::new(*bytes).simd_eq(wanted).to_bitmask();
        u64::from(found) << (16 * at)
    });
    bits.fold(0, |all, some| all | some)
}

/// The bytes behind which an odd number of quotes has passed; `inside`: one had passed before.
#[inline(always)]
pub fn quoted(quotes: u64, inside: bool) -> u64 {
    let mut quoted = quotes;
    for shift in [1, 2, 4, 8, 16, 32] {
        quoted ^= quoted << shift;
    }
    if inside { !quoted } else { quoted }
}

/// The lowest `count` bits, of which there are at least one.
pub fn lowest(count: usize) -> u64 {
    u64::MAX >> (GROUP - count.clamp(1, GROUP))
}

/// `bytes` in groups; the last may be filled up with NUL. With each group how many of its bytes are
/// real.
pub fn each_group(bytes: &[u8], mut each: impl FnMut(&[u8; GROUP], usize)) {
    let (groups, rest) = bytes.as_chunks::<GROUP>();
    for group in groups {
        each(group, GROUP);
    }
    if !rest.is_empty() {
        let mut padded = [0; GROUP];
        padded[..rest.len()].copy_from_slice(rest);
        each(&padded, rest.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bit_says_what_its_byte_is(bytes in prop::array::uniform32(0u8..4), byte in 0u8..4) {
            let group: [u8; GROUP] = std::array::from_fn(|at| bytes[at * 7 % 32]);
            let bits = equal(&group, byte);
            for (at, found) in group.iter().enumerate() {
                prop_assert_eq!(bits >> at & 1 == 1, *found == byte);
            }
        }
    }

    #[test]
    fn quotes_open_and_close() {
        assert_eq!(quoted(0b100_0100, false), 0b11_1100);
        assert_eq!(quoted(0b100, true) & 0xff, 0b11);
        assert_eq!((lowest(1), lowest(3), lowest(64)), (1, 7, u64::MAX));
    }
}
