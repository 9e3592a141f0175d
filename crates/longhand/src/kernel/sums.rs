//! Sums over slices, and zeros.

use super::equations::{Equations, compiled_here, each};
use super::real::Real;
use crate::Scalar;

/// Computes `out += values`.
pub(crate) fn add<T: Scalar>(out: &mut [T], values: &[T]) {
    #[derive(Clone, Copy)]
    struct Add;
    compiled_here!(Add, 1, 1);
    impl<T: Scalar> Equations<T, 1, 1> for Add {
        #[inline(always)]
        fn apply<V: Real<Scalar = T>>(self, [value]: [V; 1], [out]: [V; 1]) -> [V; 1] {
            [out + value]
        }
    }
    each(Add, [values], [out]);
}

/// Sets every element to zero. `fill` is generic, so it would be compiled in the user's crate, which may be a debug build.
pub(crate) fn set_zero<T: Scalar>(out: &mut [T]) {
    #[derive(Clone, Copy)]
    struct Zero;
    compiled_here!(Zero, 0, 1);
    impl<T: Scalar> Equations<T, 0, 1> for Zero {
        #[inline(always)]
        fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [out]: [V; 1]) -> [V; 1] {
            [out.constant(T::zero())]
        }
    }
    each(Zero, [], [out]);
}

/// The sum of the squares of `of(value)`. Eight running sums are added at the end, in the same order on every
/// processor.
pub(crate) fn sum_of_squares<T: Scalar, S: Scalar>(values: &[T], of: impl Fn(T) -> S) -> S {
    const SUMS: usize = 8;
    let mut sums = [S::zero(); SUMS];
    let mut chunks = values.chunks_exact(SUMS);
    for chunk in &mut chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            let value = of(value);
            *sum += value * value;
        }
    }
    let mut total = S::zero();
    for &value in chunks.remainder() {
        let value = of(value);
        total += value * value;
    }
    sums.iter().fold(total, |total, &sum| total + sum)
}
