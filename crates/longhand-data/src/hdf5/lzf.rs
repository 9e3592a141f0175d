//! Decompression of LZF, the fast compression of h5py (`compression="lzf"`).

/// The filter's registered id.
pub(super) const FILTER: u16 = 32_000;

/// Decompresses LZF data; returns `None` if they are truncated or corrupt, or decompress to more than `limit` bytes.
///
/// A control byte `n` below 32 is followed by `n + 1` literal bytes. Any other control byte is a reference to bytes
/// that are already decompressed. Its upper three bits are the length minus 2; if they are 7, the next byte is added to
/// the length. Its lower five bits and the following byte are the distance minus 1.
///
/// Three bytes encode at most 264 bytes, so the output is at most 88 times as long as the input.
pub(super) fn decompress(compressed: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut output = Vec::with_capacity(limit.min(compressed.len().saturating_mul(88)));
    let mut rest = compressed.iter().copied();
    while let Some(control) = rest.next() {
        if control < 32 {
            if output.len() + usize::from(control) >= limit {
                return None;
            }
            for _ in 0..=control {
                output.push(rest.next()?);
            }
            continue;
        }
        let mut length = usize::from(control >> 5) + 2;
        if control >> 5 == 7 {
            length += usize::from(rest.next()?);
        }
        let distance = (usize::from(control & 31) << 8 | usize::from(rest.next()?)) + 1;
        let start = output.len().checked_sub(distance)?;
        if output.len() + length > limit {
            return None;
        }
        // Byte by byte, because the reference may overlap its own output.
        for i in start..start + length {
            output.push(output[i]);
        }
    }
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_references_are_decompressed() {
        assert_eq!(decompress(&[2, b'a', b'b', b'c'], 3).unwrap(), b"abc");
        // A length of 3 at a distance of 2: the third byte is the first byte of the output.
        assert_eq!(decompress(&[1, b'a', b'b', 0x20, 1], 5).unwrap(), b"ababa");
        assert_eq!(decompress(&[0, 7, 0xe0, 3, 0], 99).unwrap(), [7; 13]);
    }

    #[test]
    fn truncated_or_corrupt_data_are_rejected() {
        for compressed in [&[2, 1][..], &[0x20], &[0x20, 0], &[0xe0, 1], &[0, 1, 0x20, 1]] {
            assert_eq!(decompress(compressed, 99), None, "{compressed:?}");
        }
    }

    #[test]
    fn data_beyond_the_limit_are_rejected() {
        assert_eq!(decompress(&[2, b'a', b'b', b'c'], 2), None);
        assert_eq!(decompress(&[1, b'a', b'b', 0x20, 1], 4), None);
    }
}
