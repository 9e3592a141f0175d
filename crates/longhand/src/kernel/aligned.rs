//! A buffer that begins at a cache line.

use crate::Scalar;
use alloc::vec::Vec;

/// Bytes in a cache line, and in the widest vector.
const LINE: usize = 64;

/// Scalars from the beginning of a cache line on, so that whole vectors lie in one line each. It is grown once.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    values: Vec<T>,
    /// Elements before the first one that begins a cache line.
    offset: usize,
}

impl<T> Default for Aligned<T> {
    fn default() -> Self {
        Aligned { values: Vec::new(), offset: 0 }
    }
}

impl<T: Scalar> Aligned<T> {
    /// So many elements, whatever stands in them.
    pub(super) fn take(&mut self, length: usize) -> &mut [T] {
        let with_room = length + LINE / size_of::<T>().max(1);
        if self.values.len() < with_room {
            self.values.resize(with_room, T::zero());
        }
        let misaligned = self.values.as_ptr().addr() % LINE;
        self.offset = if misaligned == 0 { 0 } else { (LINE - misaligned) / size_of::<T>() };
        &mut self.values[self.offset..][..length]
    }

    /// The elements that were taken, and whatever stands behind them.
    pub(super) fn values(&self) -> &[T] {
        &self.values[self.offset..]
    }
}
