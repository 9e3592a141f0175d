//! The distribution function of the standard normal distribution.
//!
//! Let `z = |x|` and `Q(z) = erfc(z / sqrt(2)) / 2`, the probability of a value above `z`. Then `Phi(x)` is `Q(z)` below zero and
//! `1 - Q(z)` above. Nothing cancels, because `Q` is at most 1/2.
//!
//! `Q(z) = exp(-z^2 / 2) R(z)`, where `R` decays slowly, like `1 / z`. With `t = (z - a) / (z + a)`, which maps all arguments to
//! `[-1, 1)`, the product `(z + a) R(z)` is a smooth function of `t`, and a polynomial fits it well (the form of Schonfelder,
//! "Chebyshev expansions for the error and related functions", Mathematics of Computation 32, 1978). One polynomial serves all
//! arguments, so there is no branch.
//!
//! The polynomials interpolate that function at the Chebyshev nodes of `z <= 10` (f32) and `z <= 27` (f64). `Q` is zero from
//! `z = 9.3454` (f32) and `z = 26.6157` (f64), where `exp(-z^2 / 2)` is flushed to zero. They were computed with 60 digits. Their relative errors are 1.4e-9 and 3.2e-18, so rounding dominates: `Phi` is within
//! 2e-7 at f32 and 4e-16 at f64. The relative error of `Q` grows with `z^2`, as that of the exponential of a rounded square does.

use super::exponential::exponential_of_bounded_vector;
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use crate::scalar::real;

/// The parameter `a` at f32.
pub(super) const SHIFT_F32: f32 = 4.25;
/// The coefficients at f32, from the highest power to the lowest.
pub(super) const TAIL_F32: [f32; 10] = [
    -2.375_332_5e-4,
    -3.722_785e-4,
    2.180_177_6e-3,
    -7.492_325e-4,
    -1.936_493_4e-2,
    8.527_224e-2,
    -0.220_515_47,
    0.418_227_5,
    -0.625_129_8,
    0.759_554_2,
];

/// The parameter `a` at f64.
pub(super) const SHIFT_F64: f64 = 5.0;
/// The coefficients at f64, from the highest power to the lowest.
pub(super) const TAIL_F64: [f64; 22] = [
    2.352_903_929_820_971e-9,
    8.089_503_550_095_78e-9,
    -1.033_622_919_272_439_8e-8,
    -6.746_859_679_160_233e-8,
    4.271_435_159_509_570_4e-8,
    4.348_331_422_982_634e-7,
    -3.363_686_539_174_498_3e-7,
    -2.770_233_781_421_179e-6,
    3.980_565_961_731_239_2e-6,
    1.668_153_386_914_103_4e-5,
    -4.976_266_085_043_827e-5,
    -5.937_579_100_001_74e-5,
    5.448_990_277_778_725e-4,
    -7.978_693_913_127_655e-4,
    -2.993_376_765_534_411e-3,
    2.079_506_679_945_388_6e-2,
    -6.911_863_870_666_405e-2,
    0.165_020_366_170_395_9,
    -0.313_533_156_671_293_2,
    0.495_305_615_969_976_3,
    -0.665_382_502_890_056_8,
    0.769_193_049_750_063,
];

/// `Phi` of a scalar of any type, with the polynomial of f64.
pub(super) fn normal_distribution_of<T: Scalar>(x: T) -> T {
    let limit = real::<T>(f64::NORMAL_TAIL_LIMIT);
    let magnitude = if x > T::zero() { x } else { -x };
    let z = if magnitude > limit { limit } else { magnitude };
    let inverse = T::one() / (z + real(SHIFT_F64));
    let t = (z - real(SHIFT_F64)) * inverse;
    let polynomial = TAIL_F64[1..].iter().fold(real::<T>(TAIL_F64[0]), |sum, &coefficient| sum * t + real(coefficient));
    let tail = (-magnitude * magnitude * real(0.5)).exp() * polynomial * inverse;
    if x > T::zero() { T::one() - tail } else { tail }
}

/// `Phi` of each lane, and `exp(-x^2 / 2)`, which is flushed to zero where `Q` is.
#[inline(always)]
pub(super) fn normal_distribution_vector<T: Precision, V: Vector<T>>(x: V) -> (V, V) {
    let (one, shift) = (x.constant(T::ONE), x.constant(T::NORMAL_TAIL_SHIFT));
    // `min` returns its second operand for NaN, so NaN stays NaN.
    let z = x.constant(T::NORMAL_TAIL_LIMIT).min(x.abs());
    let inverse = one.div(z.add(shift));
    let t = z.sub(shift).mul(inverse);
    let mut polynomial = x.constant(T::NORMAL_TAIL[0]);
    for &coefficient in &T::NORMAL_TAIL[1..] {
        polynomial = polynomial.mul_add(t, x.constant(coefficient));
    }
    let exponential = exponential_of_bounded_vector::<T, V>(z.mul(z).mul(x.constant(T::MINUS_HALF)));
    let tail = exponential.mul(polynomial.mul(inverse));
    (x.choose(one.sub(tail), tail), exponential)
}
