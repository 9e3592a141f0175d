//! Repairs the checksums of corrupt HDF5 files, so that the code behind the checksums is reached.

/// Structures with a checksum: their signature, and the number of bytes before the checksum in files whose addresses
/// and lengths have eight bytes.
const STRUCTURES: [(&[u8; 4], usize); 4] = [(b"FAHD", 24), (b"EAHD", 68), (b"BTHD", 34), (b"FRHP", 142)];

/// Returns the file with repaired checksums, or `None` if there is nothing to repair.
pub fn repaired(file: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = file.to_vec();
    // Superblocks of version 2 and 3.
    if file.starts_with(b"\x89HDF\r\n\x1a\n") && matches!(file.get(8), Some(2 | 3)) {
        repair(&mut repaired, 0, 44);
    }
    for at in 0..file.len().saturating_sub(8) {
        let signature = &file[at..at + 4];
        if let Some((_, length)) = STRUCTURES.iter().find(|(known, _)| signature == *known) {
            repair(&mut repaired, at, *length);
        } else if signature == b"OHDR" {
            let flags = file[at + 5];
            let start = 6 + usize::from(flags & 0x20 != 0) * 16 + usize::from(flags & 0x10 != 0) * 4;
            let width = 1 << (flags & 3);
            let Some(length) = file.get(at + start..at + start + width) else { continue };
            let length = length.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
            repair(&mut repaired, at, length.saturating_add(start + width));
        }
    }
    (repaired != file).then_some(repaired)
}

/// Stores the checksum of `length` bytes from `at` behind them.
fn repair(file: &mut [u8], at: usize, length: usize) {
    let Some(end) = at.checked_add(length).filter(|end| end.saturating_add(4) <= file.len()) else { return };
    let checksum = lookup3(&file[at..end]);
    file[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// Bob Jenkins' hash `lookup3`, byte by byte, which is the checksum of HDF5.
fn lookup3(bytes: &[u8]) -> u32 {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u32, |word, &byte| word << 8 | u32::from(byte));
    let add = |state: &mut [u32; 3], block: &[u8]| {
        for (sum, bytes) in state.iter_mut().zip(block.chunks(4)) {
            *sum = sum.wrapping_add(word(bytes));
        }
    };
    let mut state = [0xdead_beef_u32.wrapping_add(bytes.len() as u32); 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        add(&mut state, &rest[..12]);
        rest = &rest[12..];
        let [mut a, mut b, mut c] = state;
        for (x, y, z, bits) in [(0, 2, 1, 4), (1, 0, 2, 6), (2, 1, 0, 8), (0, 2, 1, 16), (1, 0, 2, 19), (2, 1, 0, 4)] {
            let mut s = [a, b, c];
            s[x] = s[x].wrapping_sub(s[y]) ^ s[y].rotate_left(bits);
            s[y] = s[y].wrapping_add(s[z]);
            [a, b, c] = s;
        }
        state = [a, b, c];
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        for (x, y, bits) in [(2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24)] {
            state[x] = (state[x] ^ state[y]).wrapping_sub(state[y].rotate_left(bits));
        }
    }
    state[2]
}
