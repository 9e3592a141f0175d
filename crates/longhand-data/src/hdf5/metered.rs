//! Storage that limits how much is read from a file.

use std::sync::atomic::{AtomicU64, Ordering};

use hdf5_reader::error::{Error, Result};
use hdf5_reader::storage::{FileStorage, Storage, StorageBuffer};

/// Limit of the bytes read, as a multiple of the file's size. A valid file is read about once: the structure a few
/// times, the values once.
const MOST_READS: u64 = 16;
/// Bytes that may be read in addition, for small files.
const ALLOWANCE: u64 = 1 << 18;

/// A file of which a limited number of bytes can be read.
///
/// The parts of a corrupt file may overlap: 10,000 nodes of a B-tree that share their entries, or chunks that share
/// their values. Time and memory would then be proportional to the square of the file's size.
pub(super) struct Metered {
    file: FileStorage,
    left: AtomicU64,
}

impl Metered {
    pub(super) fn new(file: FileStorage) -> Self {
        let limit = file.len().saturating_mul(MOST_READS).saturating_add(ALLOWANCE);
        Self { file, left: AtomicU64::new(limit) }
    }
}

impl Storage for Metered {
    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read_range(&self, offset: u64, len: usize) -> Result<StorageBuffer> {
        let take = |left: u64| left.checked_sub(len as u64);
        // A range beyond the end of the file is not read.
        let is_inside = offset.checked_add(len as u64).is_some_and(|end| end <= self.file.len());
        if is_inside && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(Error::InvalidData("parts of the file overlap".to_owned()));
        }
        self.file.read_range(offset, len)
    }
}
