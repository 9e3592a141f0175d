//! A fixed number of values, such as the gates or the states of a cell. The cell defines the number.

/// A fixed number of values: an array. Implemented by the library only.
///
/// Its methods are always inlined, because a function that a kernel calls is compiled without the kernel's instruction
/// set.
pub trait Group<V>: Copy {
    /// Number of values.
    const COUNT: usize;
    /// Creates a group in which every value is `value`.
    fn filled(value: V) -> Self;
    /// Returns the value at `index`.
    fn value(&self, index: usize) -> V;
    /// Replaces the value at `index`.
    fn set(&mut self, index: usize, value: V);
}

impl<V: Copy, const COUNT: usize> Group<V> for [V; COUNT] {
    const COUNT: usize = COUNT;

    #[inline(always)]
    fn filled(value: V) -> Self {
        [value; COUNT]
    }

    #[inline(always)]
    fn value(&self, index: usize) -> V {
        self[index]
    }

    #[inline(always)]
    fn set(&mut self, index: usize, value: V) {
        self[index] = value;
    }
}
