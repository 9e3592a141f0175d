//! A checksum of a whole file, inside of the file.
//!
//! The JSON text in the metadata begins with `{"checksum":"0123abcd",`. The checksum is the CRC-32 of all bytes of the file, with
//! zeros in place of these eight digits. A CRC-32 detects every change of up to four bytes in a row.

use std::ops::Range;

/// The digits before the checksum is known.
pub(crate) const PLACEHOLDER: &str = "00000000";
/// In front of the digits; the quotation marks are escaped, because the text is a JSON string.
const MARK: &[u8] = br#"{\"checksum\":\""#;

/// Writes the checksum in place of the placeholder.
pub(crate) fn fill_in(bytes: &mut [u8]) {
    if let Some(place) = place(bytes) {
        let checksum = of(bytes, &place);
        bytes[place].copy_from_slice(checksum.as_bytes());
    }
}

/// Whether a file has a checksum, and the right one.
pub(crate) fn is_right(bytes: &[u8]) -> bool {
    place(bytes).is_some_and(|place| of(bytes, &place).as_bytes() == &bytes[place])
}

/// Where the digits are: behind the first mark, because the metadata is in front of everything that a user has named.
fn place(bytes: &[u8]) -> Option<Range<usize>> {
    let start = bytes.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let end = start + PLACEHOLDER.len();
    (end <= bytes.len()).then_some(start..end)
}

fn of(bytes: &[u8], place: &Range<usize>) -> String {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..place.start]);
    hasher.update(PLACEHOLDER.as_bytes());
    hasher.update(&bytes[place.end..]);
    format!("{:08x}", hasher.finalize())
}
