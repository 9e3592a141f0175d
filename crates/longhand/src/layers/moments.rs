//! Means over the features of one step.

use crate::Scalar;
use crate::compensated_sum::compensated_sum;
use crate::kernel::Sums;
use crate::scalar::count;

/// The mean.
#[inline(always)]
pub(super) fn mean<T: Scalar>(sums: impl Sums<T>, values: &[T]) -> T {
    let n = count::<T>(values.len());
    let mean = sums.sum(values) / n;
    // The sum may overflow although the mean does not.
    if mean.is_finite() { mean } else { compensated_sum(values.len(), |i| values[i] / n) }
}

/// The mean of the products.
#[inline(always)]
pub(super) fn mean_product<T: Scalar>(sums: impl Sums<T>, a: &[T], b: &[T]) -> T {
    sums.dot(a, b) / count(a.len())
}

/// `sqrt(mean(values^2) + epsilon)`.
#[inline(always)]
pub(super) fn root_mean_square<T: Scalar>(sums: impl Sums<T>, values: &[T], epsilon: T) -> T {
    let square = mean_product(sums, values, values);
    if square.is_finite() {
        return (square + epsilon).sqrt();
    }
    // The squares overflow, so divide by the largest magnitude first.
    let largest = values.iter().fold(T::zero(), |largest, value| largest.max(value.abs()));
    let square_of = |i: usize| (values[i] / largest) * (values[i] / largest);
    let square = compensated_sum(values.len(), square_of) / count(values.len());
    largest * (square + epsilon / largest / largest).sqrt()
}
