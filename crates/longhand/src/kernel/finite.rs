//! A check that all elements are finite.

use super::instruction_set::{InstructionSet, Kernel, run};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use crate::scalar::compiled;
use core::cell::Cell;
use nalgebra::ComplexField;

/// Number of independent vector sums, which hide the latency of an addition.
const SUMS: usize = 8;

/// Returns whether no element is NaN or infinite.
pub(crate) fn all_finite<T: Scalar>(values: &[T]) -> bool {
    type AllFinite<T> = fn(&[T]) -> bool;
    let all_finite: AllFinite<T> =
        compiled([&(all_finite_f32 as AllFinite<f32>), &(all_finite_f64 as AllFinite<f64>)], |values| {
            values.iter().all(ComplexField::is_finite)
        });
    all_finite(values)
}

fn all_finite_f32(values: &[f32]) -> bool {
    in_vectors(values)
}

fn all_finite_f64(values: &[f64]) -> bool {
    in_vectors(values)
}

fn in_vectors<S: Scalar + Precision>(values: &[S]) -> bool {
    let finite = Finite { values, result: Cell::new(false) };
    run(InstructionSet::best(), &finite);
    finite.result.get()
}

struct Finite<'a, S> {
    values: &'a [S],
    result: Cell<bool>,
}

impl<S: Scalar + Precision> Kernel<S> for Finite<'_, S> {
    /// Sums zero times each element. The sum is zero unless an element is NaN or infinite.
    #[inline(always)]
    fn run<V: Vector<S>>(&self, token: V::Token) {
        let count = self.values.len();
        if count < V::LANES {
            self.result.set(self.values.iter().all(ComplexField::is_finite));
            return;
        }
        let zero = V::splat(token, S::zero());
        // SAFETY: every use is at most `LANES` before the end of the values.
        let at = |place: usize| unsafe { V::load(token, self.values.as_ptr().add(place)) };
        // The last vector overlaps the one before it, if the vectors do not divide the values.
        let mut sum = at(count - V::LANES).mul_add(zero, zero);
        let mut place = 0;
        if count >= SUMS * V::LANES {
            let mut sums = [sum; SUMS];
            while place + SUMS * V::LANES <= count {
                for i in 0..SUMS {
                    sums[i] = at(place + i * V::LANES).mul_add(zero, sums[i]);
                }
                place += SUMS * V::LANES;
            }
            for i in 0..SUMS {
                sum = sum.add(sums[i]);
            }
        }
        while place + V::LANES <= count {
            sum = at(place).mul_add(zero, sum);
            place += V::LANES;
        }
        self.result.set(sum.sum_of_lanes() == S::zero());
    }
}

#[cfg(test)]
mod tests {
    use super::all_finite;
    use alloc::vec;

    #[test]
    fn finds_a_single_non_finite_element_at_any_position() {
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
