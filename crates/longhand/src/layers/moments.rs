//! Sums over the features of one step.

use crate::Scalar;
use crate::scalar::count;

/// Number of running sums. The compiler keeps them in vectors, and their order is the same on every processor.
const SUMS: usize = 8;

/// The sum of `term(i)` for `i` below `length`, in eight running sums.
#[inline(always)]
fn sum_of<T: Scalar>(length: usize, term: impl Fn(usize) -> T) -> T {
    let mut sums = [T::zero(); SUMS];
    let whole = length - length % SUMS;
    for first in (0..whole).step_by(SUMS) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += term(first + i);
        }
    }
    let rest = (whole..length).fold(T::zero(), |rest, i| rest + term(i));
    sums.iter().fold(rest, |total, &sum| total + sum)
}

/// The mean.
#[inline(always)]
pub(super) fn mean<T: Scalar>(values: &[T]) -> T {
    let n = count::<T>(values.len());
    let mean = sum_of(values.len(), |i| values[i]) / n;
    // The sum may overflow although the mean does not.
    if mean.is_finite() { mean } else { sum_of(values.len(), |i| values[i] / n) }
}

/// The sum of the products.
#[inline(always)]
pub(super) fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let b = &b[..a.len()];
    sum_of(a.len(), |i| a[i] * b[i])
}

/// The mean of the products.
#[inline(always)]
pub(super) fn mean_product<T: Scalar>(a: &[T], b: &[T]) -> T {
    dot(a, b) / count(a.len())
}

/// `sqrt(mean(values^2) + epsilon)`.
#[inline(always)]
pub(super) fn root_mean_square<T: Scalar>(values: &[T], epsilon: T) -> T {
    let square = mean_product(values, values);
    if square.is_finite() {
        return (square + epsilon).sqrt();
    }
    // The squares overflow, so divide by the largest magnitude first.
    let largest = values.iter().fold(T::zero(), |largest, value| largest.max(value.abs()));
    let square = sum_of(values.len(), |i| (values[i] / largest) * (values[i] / largest)) / count(values.len());
    largest * (square + epsilon / largest / largest).sqrt()
}
