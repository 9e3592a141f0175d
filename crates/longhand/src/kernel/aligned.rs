//! A buffer that starts at a cache line.

use crate::Scalar;
use alloc::vec::Vec;

/// Size of a cache line, and of the widest vector, in bytes.
const LINE: usize = 64;

/// Scalars that start at a cache line, so that no vector crosses a line. The buffer grows to the largest requested
/// length and never shrinks.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    values: Vec<T>,
    /// Number of elements before the first one that starts a cache line.
    offset: usize,
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Aligned { values: Vec::new(), offset: 0 }
    }
}

impl<T: Scalar> Aligned<T> {
    /// Returns `length` elements with unspecified values.
    pub(super) fn take(&mut self, length: usize) -> &mut [T] {
        let with_room = length + LINE / size_of::<T>().max(1);
        if self.values.len() < with_room {
            self.values.resize(with_room, T::zero());
        }
        let misaligned = self.values.as_ptr().addr() % LINE;
        self.offset = if misaligned == 0 { 0 } else { (LINE - misaligned) / size_of::<T>() };
        &mut self.values[self.offset..][..length]
    }

    /// The elements of the last `take`, followed by unspecified ones up to the end of the buffer.
    pub(super) fn values(&self) -> &[T] {
        &self.values[self.offset..]
    }
}
