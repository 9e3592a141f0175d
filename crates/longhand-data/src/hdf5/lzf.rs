//! LZF, the fast compression of h5py (`compression="lzf"`), unpacked.

use hdf5_reader::FilterRegistry;
use hdf5_reader::error::Error;

/// The number under which h5py registered the filter.
const FILTER: u16 = 32_000;

/// The filters of the HDF5 crate, and this one.
pub(super) fn registry() -> FilterRegistry {
    let mut registry = FilterRegistry::new();
    registry.register(
        FILTER,
        Box::new(|_, packed, _| {
            unpack(packed).ok_or_else(|| Error::DecompressionError("the LZF data are cut off or corrupt".to_owned()))
        }),
    );
    registry
}

/// A control byte below 32 announces that many literal bytes and one more. Any other is a reference to bytes that are
/// unpacked already: its upper three bits are the length (7 means that a byte of further length follows), its lower
/// five and the next byte the distance.
///
/// Three bytes stand for at most 264, so the result is at most 88 times as long.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    let mut rest = packed.iter().copied();
    while let Some(control) = rest.next() {
        if control < 32 {
            for _ in 0..=control {
                unpacked.push(rest.next()?);
            }
            continue;
        }
        let mut length = usize::from(control >> 5) + 2;
        if control >> 5 == 7 {
            length += usize::from(rest.next()?);
        }
        let distance = (usize::from(control & 31) << 8 | usize::from(rest.next()?)) + 1;
        let start = unpacked.len().checked_sub(distance)?;
        // One by one: the reference may run into the bytes it produces.
        for i in start..start + length {
            unpacked.push(unpacked[i]);
        }
    }
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_references_are_unpacked() {
        assert_eq!(unpack(&[2, b'a', b'b', b'c']).unwrap(), b"abc");
        // Three bytes from two back, which are two old ones and the first of the new ones.
        assert_eq!(unpack(&[1, b'a', b'b', 0x20, 1]).unwrap(), b"ababa");
        assert_eq!(unpack(&[0, 7, 0xe0, 3, 0]).unwrap(), [7; 13]);
    }

    #[test]
    fn cut_off_or_impossible_data_are_refused() {
        for packed in [&[2, 1][..], &[0x20], &[0x20, 0], &[0xe0, 1], &[0, 1, 0x20, 1]] {
            assert_eq!(unpack(packed), None, "{packed:?}");
        }
    }
}
