//! The hyperbolic tangent of vectors. There is no branch, so the same code runs on vectors of any width.

use super::exponential::exponential_of_rest;
use super::precision::Precision;
use super::vector::Vector;

/// At `f32`: `tanh x = x P(x^2) / Q(x^2)`.
///
/// `P` and `Q` have degree 4 and are 1 at zero, so no precision is lost near zero. Their other coefficients minimise
/// the largest relative error on `[0, 9]`, and were computed with the exchange algorithm of Remez (1934). This error is
/// 2.1e-8, a third of a unit in the last place. It is attained with alternating sign at nine points, which proves by
/// Chebyshev's theorem that the fit is the best one. With rounding, most of it at large `x`, the error is at most 5.6
/// units in the last place with fused multiply-add, and 6.3 without.
#[inline(always)]
pub(super) fn by_fraction<V: Vector<f32>>(x: V) -> V {
    const P: [f32; 5] = [1.341_983_6e-8, 2.066_127_2e-5, 3.498_996_7e-3, 0.133_839_81, 1.0];
    const Q: [f32; 5] = [7.804_735e-7, 3.291_039_4e-4, 0.025_890_209, 0.467_173, 1.0];
    // From 9.011 on, 1 is the `f32` nearest to tanh. The fraction exceeds 1 slightly above 9.
    const LIMIT: f32 = 9.2;
    // `min` and `max` return their second operand for NaN, so NaN stays NaN.
    let x = x.constant(LIMIT).min(x.constant(-LIMIT).max(x));
    let x_squared = x.mul(x);
    let (mut p, mut q) = (x.constant(P[0]), x.constant(Q[0]));
    for power in 1..P.len() {
        p = p.mul_add(x_squared, x.constant(P[power]));
        q = q.mul_add(x_squared, x.constant(Q[power]));
    }
    // Clamp: the fraction or its rounding may exceed 1.
    x.constant(1.0).min(x.constant(-1.0).max(x.mul(p).div(q)))
}

/// At `f64`: `tanh |x| = e / (e + 2)` with `e = exp(2|x|) - 1 = 2^n p + (2^n - 1)`, and `n` and `p` as in
/// [`exponential`](super::exponential). This form loses no precision near zero. The sign is restored at the end. The
/// error is at most 3 units in the last place.
#[inline(always)]
pub(super) fn by_exponential<T: Precision, V: Vector<T>>(x: V) -> V {
    // `min` returns its second operand for NaN, so NaN stays NaN.
    let magnitude = x.constant(T::TANH_LIMIT).min(x.abs());
    let t = magnitude.add(magnitude);
    let shifted = t.mul_add(x.constant(T::LOG2_E), x.constant(T::ROUNDING));
    let n = shifted.sub(x.constant(T::ROUNDING));
    let p = exponential_of_rest::<T, V>(t, n);
    let two_to_n = shifted.power_of_two();
    let e = two_to_n.mul_add(p, two_to_n.sub(x.constant(T::ONE)));
    e.div(e.add(x.constant(T::TWO))).with_sign_of(x)
}
