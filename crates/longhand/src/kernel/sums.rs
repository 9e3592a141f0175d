//! Sums over slices, and zeros.

use super::equations::{Equations, compiled_here, each};
use super::real::Real;
use crate::Scalar;
use crate::scalar::compiled;

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

/// Sets every element to zero.
pub(crate) fn set_zero<T: Scalar>(out: &mut [T]) {
    type SetZero<T> = fn(&mut [T]);
    let set_zero: SetZero<T> =
        compiled([&(set_zero_f32 as SetZero<f32>), &(set_zero_f64 as SetZero<f64>)], |out| out.fill(T::zero()));
    set_zero(out);
}

fn set_zero_f32(out: &mut [f32]) {
    out.fill(0.0);
}

fn set_zero_f64(out: &mut [f64]) {
    out.fill(0.0);
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
