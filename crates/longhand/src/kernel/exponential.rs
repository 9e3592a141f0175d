//! The exponential and the logistic function of vectors.
//!
//! Let `t = n ln 2 + r` with `|r| <= ln 2 / 2`. Then `exp(t) = 2^n (1 + p)`, where `p = exp(r) - 1` is computed by its
//! Taylor series. The first omitted term is below half a unit in the last place. There is no branch, so the same code
//! runs on vectors of any width.
//!
//! `sigmoid(x) = e / (e + 1)` with `e = exp(x)`, which loses no precision where the result is tiny. The error is at
//! most 3 units in the last place if the result is at least `2^-62.5` (`2^-510.5` at f64). Smaller results are flushed
//! to zero.

use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;

/// The logistic function of a scalar. The argument of the exponential is never positive, so it cannot overflow.
pub(super) fn sigmoid_of<T: Scalar>(x: T) -> T {
    if x >= T::zero() {
        T::one() / (T::one() + (-x).exp())
    } else {
        let e = x.exp();
        e / (T::one() + e)
    }
}

/// `exp(r) - 1` for `t = n ln 2 + r`.
#[inline(always)]
pub(super) fn exponential_of_rest<T: Precision, V: Vector<T>>(t: V, n: V) -> V {
    let r = n.mul_add(t.constant(T::MINUS_LN2_LOW), n.mul_add(t.constant(T::MINUS_LN2_HIGH), t));
    let mut series = t.constant(T::SERIES[0]);
    for &coefficient in &T::SERIES[1..] {
        series = series.mul_add(r, t.constant(coefficient));
    }
    series.mul_add(r.mul(r), r)
}

/// The logistic function of each lane.
#[inline(always)]
pub(super) fn sigmoid_vector<T: Precision, V: Vector<T>>(x: V) -> V {
    // `min` and `max` return their second operand for NaN, so NaN stays NaN.
    let t = x.constant(T::SIGMOID_LOWEST).max(x.constant(T::SIGMOID_LIMIT).min(x));
    let shifted = t.mul_add(x.constant(T::LOG2_E), x.constant(T::ROUNDING_SCALED));
    let n = shifted.sub(x.constant(T::ROUNDING_SCALED));
    let p = exponential_of_rest::<T, V>(t, n);
    let scaled = shifted.power_of_two();
    let e = scaled.mul_add(p, scaled).mul(x.constant(T::UNSCALE));
    e.div(e.add(x.constant(T::ONE)))
}
