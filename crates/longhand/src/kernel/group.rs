//! A fixed number of values, such as the gates or the states of a cell: arrays whose length the cell defines.

/// A fixed number of values: an array. Implemented by the library only.
///
/// Its methods are inlined everywhere: in a kernel, a function that is not inlined is compiled without the instruction set.
pub trait Group<V>: Copy {
    /// Number of values.
    const COUNT: usize;
    /// The same value everywhere.
    fn filled(value: V) -> Self;
    /// One value.
    fn value(&self, index: usize) -> V;
    /// Replaces one value.
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
