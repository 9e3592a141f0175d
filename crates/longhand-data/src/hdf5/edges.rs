//! Whether the filters of a dataset leave out the chunks that reach beyond its shape.
//!
//! The flag is in the layout message of the dataset's object header, and the HDF5 crate does not keep it.

use hdf5_reader::Hdf5File;
use hdf5_reader::error::{Error, Result};
use hdf5_reader::io::Cursor;

const LAYOUT: u16 = 0x08;
const CONTINUATION: u16 = 0x10;
const CHUNKED: u8 = 2;
const UNFILTERED_EDGES: u8 = 1;

/// Blocks of one header, and bytes of one block, that are looked at.
const MOST_BLOCKS: usize = 64;
const LARGEST_BLOCK: usize = 1 << 20;

/// How the messages of a header are stored.
struct Header {
    /// Where messages are, and how many bytes of them: the first block, then those that continuations add.
    blocks: Vec<(u64, u64)>,
    /// Bytes before each message's body.
    head: usize,
    /// Bytes of a continuation's signature and of its checksum, which are as many.
    frame: u64,
}

/// Whether chunks on the edge are stored unfiltered, by the header at `address`. The dataset's layout is of version 4
/// or newer; older ones have no such flag.
pub(super) fn are_unfiltered(file: &Hdf5File, address: u64) -> Result<bool> {
    let (offset_size, length_size) = (file.superblock().offset_size, file.superblock().length_size);
    let Header { mut blocks, head, frame } = header(file, address)?;
    let mut next = 0;
    while let Some(&(address, length)) = blocks.get(next) {
        next += 1;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if next > MOST_BLOCKS || length > LARGEST_BLOCK {
            break;
        }
        let block = file.storage().read_range(address, length)?;
        let mut cursor = Cursor::new(&block);
        // What is left in the end is a gap.
        while cursor.remaining() >= head as u64 {
            let kind = if frame == 0 { cursor.read_u16_le()? } else { u16::from(cursor.read_u8()?) };
            let size = cursor.read_u16_le()?;
            cursor.skip(head - if frame == 0 { 4 } else { 3 })?;
            match (kind, cursor.read_bytes(usize::from(size))?) {
                (LAYOUT, [version, CHUNKED, flags, ..]) if *version >= 4 => return Ok(flags & UNFILTERED_EDGES != 0),
                (CONTINUATION, body) => {
                    let mut body = Cursor::new(body);
                    let (address, length) = (body.read_offset(offset_size)?, body.read_length(length_size)?);
                    let length = length.checked_sub(2 * frame).ok_or(Error::InvalidObjectHeaderSignature)?;
                    blocks.push((address.saturating_add(frame), length));
                }
                _ => {}
            }
        }
    }
    Err(Error::UnsupportedEncoding("the layout message is not where it was expected".to_owned()))
}

fn header(file: &Hdf5File, address: u64) -> Result<Header> {
    // The longest start: signature, version, flags, times, limits of attributes and a length of eight bytes.
    let left = usize::try_from(file.storage().len().saturating_sub(address)).unwrap_or(usize::MAX);
    let start = file.storage().read_range(address, left.min(34))?;
    let mut cursor = Cursor::new(&start);
    if cursor.peek_bytes(4)? != b"OHDR" {
        // Version 1: version, number of messages and of references, then the length, all in 16 bytes.
        cursor.skip(8)?;
        let blocks = vec![(address + 16, u64::from(cursor.read_u32_le()?))];
        return Ok(Header { blocks, head: 8, frame: 0 });
    }
    cursor.skip(5)?;
    let flags = cursor.read_u8()?;
    let times = if flags & 0x20 == 0 { 0 } else { 16 };
    let limits = if flags & 0x10 == 0 { 0 } else { 4 };
    cursor.skip(times + limits)?;
    let length = cursor.read_uvar(1 << (flags & 3))?;
    let blocks = vec![(address + cursor.position(), length)];
    // The order of creation takes two more bytes, where it is tracked.
    Ok(Header { blocks, head: if flags & 4 == 0 { 4 } else { 6 }, frame: 4 })
}
