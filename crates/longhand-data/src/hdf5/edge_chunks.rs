//! Reads the flag that chunks extending beyond a dataset's shape are stored without filters.
//!
//! The flag is in the layout message of the dataset's object header. The HDF5 crate does not expose it.

use hdf5_reader::Hdf5File;
use hdf5_reader::error::{Error, Result};
use hdf5_reader::io::Cursor;

/// Message types of an object header.
const LAYOUT_MESSAGE: u16 = 0x08;
const CONTINUATION_MESSAGE: u16 = 0x10;
/// Layout class of chunked storage.
const CHUNKED: u8 = 2;
/// Flag of a chunked layout: chunks on the edge are not filtered.
const UNFILTERED_EDGES: u8 = 1;

/// Limits of the search, for corrupt files: blocks per header, and bytes per block.
const MOST_BLOCKS: usize = 64;
const LARGEST_BLOCK: usize = 1 << 20;

/// Storage of an object header's messages.
struct ObjectHeader {
    /// Address and length in bytes of each block of messages: the first block, then those of continuations.
    blocks: Vec<(u64, u64)>,
    /// Bytes of each message's prefix.
    prefix: usize,
    /// Bytes of a continuation's signature, and of its checksum: 4 each, or 0 in version 1.
    frame: u64,
}

/// Returns whether chunks on the edge are stored unfiltered, according to the object header at `address`. The dataset
/// must have a layout of version 4 or newer; older versions do not have the flag.
pub(super) fn are_unfiltered(file: &Hdf5File, address: u64) -> Result<bool> {
    let (offset_size, length_size) = (file.superblock().offset_size, file.superblock().length_size);
    let ObjectHeader { mut blocks, prefix, frame } = read_header_start(file, address)?;
    let mut next = 0;
    while let Some(&(address, length)) = blocks.get(next) {
        next += 1;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if next > MOST_BLOCKS || length > LARGEST_BLOCK {
            break;
        }
        let block = file.storage().read_range(address, length)?;
        let mut cursor = Cursor::new(&block);
        // A rest shorter than a message prefix is a gap.
        while cursor.remaining() >= prefix as u64 {
            let kind = if frame == 0 { cursor.read_u16_le()? } else { u16::from(cursor.read_u8()?) };
            let size = cursor.read_u16_le()?;
            cursor.skip(prefix - if frame == 0 { 4 } else { 3 })?;
            match (kind, cursor.read_bytes(usize::from(size))?) {
                (LAYOUT_MESSAGE, [version, CHUNKED, flags, ..]) if *version >= 4 => {
                    return Ok(flags & UNFILTERED_EDGES != 0);
                }
                (CONTINUATION_MESSAGE, body) => {
                    let mut body = Cursor::new(body);
                    let (address, length) = (body.read_offset(offset_size)?, body.read_length(length_size)?);
                    let length = length.checked_sub(2 * frame).ok_or(Error::InvalidObjectHeaderSignature)?;
                    blocks.push((address.saturating_add(frame), length));
                }
                _ => {}
            }
        }
    }
    Err(Error::UnsupportedEncoding("the object header has no chunked layout message of version 4 or newer".to_owned()))
}

/// Reads the start of the object header at `address`, up to the first message.
fn read_header_start(file: &Hdf5File, address: u64) -> Result<ObjectHeader> {
    // The longest start has 34 bytes: signature, version, flags, times, attribute limits and a length of eight bytes.
    let left = usize::try_from(file.storage().len().saturating_sub(address)).unwrap_or(usize::MAX);
    let start = file.storage().read_range(address, left.min(34))?;
    let mut cursor = Cursor::new(&start);
    if cursor.peek_bytes(4)? != b"OHDR" {
        // Version 1 has 16 bytes: version, number of messages and reference count (8 bytes), length, padding.
        cursor.skip(8)?;
        let blocks = vec![(address + 16, u64::from(cursor.read_u32_le()?))];
        return Ok(ObjectHeader { blocks, prefix: 8, frame: 0 });
    }
    cursor.skip(5)?;
    let flags = cursor.read_u8()?;
    let times = if flags & 0x20 == 0 { 0 } else { 16 };
    let limits = if flags & 0x10 == 0 { 0 } else { 4 };
    cursor.skip(times + limits)?;
    let length = cursor.read_uvar(1 << (flags & 3))?;
    let blocks = vec![(address + cursor.position(), length)];
    // If the creation order is tracked, the prefix has two more bytes.
    Ok(ObjectHeader { blocks, prefix: if flags & 4 == 0 { 4 } else { 6 }, frame: 4 })
}
