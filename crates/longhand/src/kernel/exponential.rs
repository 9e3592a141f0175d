//! The exponential, the logistic function and softplus of vectors.
//!
//! Let `t = n ln 2 + r` with `|r| <= ln 2 / 2`. Then `exp(t) = 2^n (1 + p)`, where `p = exp(r) - 1` is computed by its
//! Taylor series. The first omitted term is below half a unit in the last place. There is no branch, so the same code
//! runs on vectors of any width.
//!
//! `sigmoid(x) = e / (e + 1)` with `e = exp(x)`, which loses no precision where the result is tiny. The error is at
//! most 3 units in the last place if the result is at least `2^-62.5` (`2^-510.5` at f64). Smaller results are flushed
//! to zero. The exponential is computed like its `e`, with an error of at most 2 units in the last place.
//!
//! `exp(x) - 1 = 2^n p + (2^n - 1)` loses no precision near zero.
//!
//! `ln(1 + e)` for `e` between 0 and 1 needs no reduction of its argument, because `ln(1 + e) = 2 atanh(s)` with `s = e / (e + 2)`,
//! which is at most 1/3. The Taylor series of `atanh` in `s^2`, at most 1/9, needs 8 terms at f32 and 16 at f64.
//!
//! `softplus(x) = ln(1 + exp(x)) = max(x, 0) + ln(1 + e)` with `e = exp(-|x|)`, which cannot overflow.

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

/// The exponential of each lane. Results below the threshold of `flush_to_zero` are zero.
#[inline(always)]
pub(super) fn exponential_vector<T: Precision, V: Vector<T>>(x: V) -> V {
    exponential_of_bounded_vector(x.constant(T::SIGMOID_LOWEST).max(x.constant(T::EXPONENTIAL_LIMIT).min(x)))
}

/// Like [`exponential_vector`], for arguments whose exponential is neither infinite nor a subnormal number.
#[inline(always)]
pub(super) fn exponential_of_bounded_vector<T: Precision, V: Vector<T>>(t: V) -> V {
    let shifted = t.mul_add(t.constant(T::LOG2_E), t.constant(T::ROUNDING_SCALED));
    let n = shifted.sub(t.constant(T::ROUNDING_SCALED));
    let p = exponential_of_rest::<T, V>(t, n);
    let scaled = shifted.power_of_two();
    scaled.mul_add(p, scaled).mul(t.constant(T::UNSCALE))
}

/// The exponential of each lane, for `x <= 0`. Results below the smallest normal number are zero, because the computed power of two
/// is zero there; close to it they may be subnormal.
#[inline(always)]
pub(super) fn exponential_of_negative_vector<T: Precision, V: Vector<T>>(x: V) -> V {
    let t = x.constant(T::EXPONENTIAL_LOWEST).max(x);
    let shifted = t.mul_add(x.constant(T::LOG2_E), x.constant(T::ROUNDING));
    let n = shifted.sub(x.constant(T::ROUNDING));
    let p = exponential_of_rest::<T, V>(t, n);
    let power = shifted.power_of_two();
    power.mul_add(p, power)
}

/// `exp(x) - 1` of each lane.
#[inline(always)]
pub(super) fn exponential_minus_one_vector<T: Precision, V: Vector<T>>(x: V) -> V {
    let t = x.constant(T::MINUS_ONE_LIMIT).max(x.constant(T::EXPONENTIAL_LIMIT).min(x));
    let shifted = t.mul_add(x.constant(T::LOG2_E), x.constant(T::ROUNDING_HALVED));
    let n = shifted.sub(x.constant(T::ROUNDING_HALVED));
    let p = exponential_of_rest::<T, V>(t, n);
    // Half of the power, because the power itself overflows just below the limit.
    let half = shifted.power_of_two();
    let e = half.mul_add(p, half.sub(x.constant(T::HALF)));
    e.add(e)
}

/// `ln(1 + exp(x))` of a scalar.
pub(super) fn softplus_of<T: Scalar>(x: T) -> T {
    if x > T::zero() { x + (-x).exp().ln_1p() } else { x.exp().ln_1p() }
}

/// `ln(1 + e)` of each lane, for `e` between 0 and 1.
#[inline(always)]
pub(super) fn ln_1p_of_fraction_vector<T: Precision, V: Vector<T>>(e: V) -> V {
    let s = e.div(e.add(e.constant(T::TWO)));
    let s_squared = s.mul(s);
    let mut series = e.constant(T::ATANH_SERIES[0]);
    for &coefficient in &T::ATANH_SERIES[1..] {
        series = series.mul_add(s_squared, e.constant(coefficient));
    }
    let atanh = series.mul_add(s_squared.mul(s), s);
    atanh.add(atanh)
}

/// `ln(1 + exp(x))` of each lane.
#[inline(always)]
pub(super) fn softplus_vector<T: Precision, V: Vector<T>>(x: V) -> V {
    let zero = x.constant(T::default());
    let e = exponential_vector::<T, V>(zero.sub(x.abs()));
    zero.max(x).add(ln_1p_of_fraction_vector(e))
}
