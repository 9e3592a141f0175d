//! Whether all numbers are finite.

use crate::Scalar;
use core::any::Any;
use nalgebra::ComplexField;

/// Numbers whose sums are independent of one another, so that they are computed in vectors.
const LANES: usize = 32;

/// Whether no element is NaN or infinite.
pub(crate) fn all_finite<T: Scalar>(values: &[T]) -> bool {
    // Compiled here for `f32` and `f64`, and not again in every crate that trains.
    let compiled: [&dyn Any; 2] = [&(generic::<f32> as fn(&[f32]) -> bool), &(generic::<f64> as fn(&[f64]) -> bool)];
    let compiled = compiled.into_iter().find_map(|all_finite| all_finite.downcast_ref::<fn(&[T]) -> bool>());
    compiled.map_or_else(|| generic(values), |all_finite| all_finite(values))
}

/// Zero times a number is zero, unless the number is NaN or infinite.
fn generic<T: Scalar>(values: &[T]) -> bool {
    let mut sums = [T::zero(); LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for lane in 0..LANES {
            sums[lane] += chunk[lane] * T::zero();
        }
    }
    sums.iter().all(|&sum| sum == T::zero()) && rest.iter().all(ComplexField::is_finite)
}

#[cfg(test)]
mod tests {
    use super::all_finite;
    use alloc::vec;

    #[test]
    fn a_single_number_that_is_not_finite_is_found_anywhere() {
        for count in [0, 1, 31, 32, 33, 100] {
            assert!(all_finite(&vec![f32::MAX; count]));
            for place in 0..count {
                for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                    let mut values = vec![-1.0; count];
                    values[place] = bad;
                    assert!(!all_finite(&values), "{bad} at {place} of {count}");
                }
            }
        }
    }
}
