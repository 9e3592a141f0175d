//! `f32` and `f64`: the scalar types with vectors, and the constants of their exponential.

use super::hyperbolic_tangent::{by_exponential, by_fraction};
#[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
use super::neon::Neon;
use super::normal_distribution;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::simd128::Simd128;
use super::vector::MOST_LANES;
use super::vector::{Lanes, Plain, ROUNDING_F32, ROUNDING_F64, Vector};
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512, F32x8, F32x16, F64x4, F64x8};
use core::ops::Add;

/// The vectors and constants of a scalar type.
pub(crate) trait Precision: Copy + Default + PartialOrd + Add<Output = Self> + 'static {
    /// The vector for processors without a supported instruction set.
    type Plain: Vector<Self, Token = Plain>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self, Token = Avx2>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self, Token = Avx512>;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    type Neon: Vector<Self, Token = Neon>;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    type Simd128: Vector<Self, Token = Simd128>;
    /// From this argument on, the tanh computed from an exponential is 1.
    const TANH_LIMIT: Self;
    /// From this argument on, the logistic function is 1.
    const SIGMOID_LIMIT: Self;
    /// Up to this argument, and up to half a power of two above, the logistic function is flushed to 0. It is `ln` of
    /// the threshold of [`flush_to_zero`](super::Real::flush_to_zero).
    const SIGMOID_LOWEST: Self;
    /// `ROUNDING - 64` (or `- 512`). It makes the computed power of two too small by a factor of `2^64` (or `2^512`),
    /// so that its exponent field, and with it the power, becomes zero where the logistic function is flushed.
    const ROUNDING_SCALED: Self;
    /// `2^64` (or `2^512`), the factor that `ROUNDING_SCALED` divides by.
    const UNSCALE: Self;
    /// A number with only the two highest exponent bits set. Numbers of at least the square root of the smallest normal
    /// number (`2^-63` or `2^-511`) share a bit with it, smaller ones do not.
    const KEPT: Self;
    /// The reciprocal of the smallest magnitude that is not flushed. Its square is finite.
    const LARGEST: Self;
    /// Infinity, whose exponent bits are all set. Only zero and subnormal numbers share no bit with it.
    const NORMAL: Self;
    const ROUNDING: Self;
    const LOG2_E: Self;
    /// `-ln 2` with so few digits that `n` times it is exact; `MINUS_LN2_LOW` is the remainder of `-ln 2`.
    const MINUS_LN2_HIGH: Self;
    const MINUS_LN2_LOW: Self;
    const ONE: Self;
    const TWO: Self;
    /// The coefficients `1/k!`, from the highest `k` down to `1/2!`.
    const SERIES: &'static [Self];
    /// `ln` of the power of two whose exponent field is zero.
    const EXPONENTIAL_LOWEST: Self;
    /// From this argument on, the exponential is infinite.
    const EXPONENTIAL_LIMIT: Self;
    /// `ROUNDING - 1`. It makes the computed power of two too small by a factor of 2.
    const ROUNDING_HALVED: Self;
    /// From this argument on, `exp(x) - 1` of negative numbers is -1.
    const MINUS_ONE_LIMIT: Self;
    const HALF: Self;
    const MINUS_INFINITY: Self;
    const MINUS_HALF: Self;
    /// The number of each lane.
    const LANE_NUMBERS: [Self; MOST_LANES];
    /// The coefficients `1/(2k + 1)` of `atanh`, from the highest `k` down to 1.
    const ATANH_SERIES: &'static [Self];
    /// The polynomial of the tail of the normal distribution, its parameter `a`, and the largest argument `z`, for which `-z^2 / 2`
    /// is `SIGMOID_LOWEST`.
    const NORMAL_TAIL: &'static [Self];
    const NORMAL_TAIL_SHIFT: Self;
    const NORMAL_TAIL_LIMIT: Self;

    /// The exponent `k` of a normal number in `[2^k, 2^(k + 1))`, and `2^-k`.
    fn exponent(self) -> (Self, Self);
    /// The hyperbolic tangent of each lane, by the faster method for this scalar type.
    fn tanh<V: Vector<Self>>(x: V) -> V;
}

impl Precision for f32 {
    type Plain = Lanes<f32, 4>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = F32x8;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = F32x16;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    type Neon = super::neon::F32x4;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    type Simd128 = super::simd128::F32x4;

    const TANH_LIMIT: f32 = 10.0;
    const SIGMOID_LIMIT: f32 = 20.0;
    const SIGMOID_LOWEST: f32 = -63.0 * core::f32::consts::LN_2;
    const ROUNDING_SCALED: f32 = ROUNDING_F32 - 64.0;
    const UNSCALE: f32 = 18_446_744_073_709_551_616.0;
    const KEPT: f32 = f32::from_bits(0x6000_0000);
    const LARGEST: f32 = f32::from_bits((127 + 63) << 23);
    const NORMAL: f32 = f32::INFINITY;
    const ROUNDING: f32 = ROUNDING_F32;
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const MINUS_LN2_HIGH: f32 = -0.693_359_4;
    const MINUS_LN2_LOW: f32 = 2.121_944_4e-4;
    const ONE: f32 = 1.0;
    const TWO: f32 = 2.0;
    const SERIES: &'static [f32] = &[1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
    const EXPONENTIAL_LOWEST: f32 = -127.0 * core::f32::consts::LN_2;
    const EXPONENTIAL_LIMIT: f32 = 89.0;
    const ROUNDING_HALVED: f32 = ROUNDING_F32 - 1.0;
    const MINUS_ONE_LIMIT: f32 = -20.0;
    const HALF: f32 = 0.5;
    const MINUS_INFINITY: f32 = f32::NEG_INFINITY;
    const MINUS_HALF: f32 = -0.5;
    const LANE_NUMBERS: [f32; MOST_LANES] =
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
    const ATANH_SERIES: &'static [f32] =
        &[1.0 / 15.0, 1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0];
    const NORMAL_TAIL: &'static [f32] = &normal_distribution::TAIL_F32;
    const NORMAL_TAIL_SHIFT: f32 = normal_distribution::SHIFT_F32;
    const NORMAL_TAIL_LIMIT: f32 = 9.345_4;

    #[inline(always)]
    fn exponent(self) -> (f32, f32) {
        let field = self.to_bits() >> 23;
        (field as f32 - 127.0, f32::from_bits((254_u32.wrapping_sub(field)) << 23))
    }
    #[inline(always)]
    fn tanh<V: Vector<f32>>(x: V) -> V {
        by_fraction(x)
    }
}

impl Precision for f64 {
    type Plain = Lanes<f64, 2>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = F64x4;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = F64x8;
    #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
    type Neon = super::neon::F64x2;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    type Simd128 = super::simd128::F64x2;

    const TANH_LIMIT: f64 = 20.0;
    const SIGMOID_LIMIT: f64 = 40.0;
    const SIGMOID_LOWEST: f64 = -511.0 * core::f64::consts::LN_2;
    const ROUNDING_SCALED: f64 = ROUNDING_F64 - 512.0;
    const UNSCALE: f64 = f64::from_bits((1023 + 512) << 52);
    const KEPT: f64 = f64::from_bits(0x6000_0000_0000_0000);
    const LARGEST: f64 = f64::from_bits((1023 + 511) << 52);
    const NORMAL: f64 = f64::INFINITY;
    const ROUNDING: f64 = ROUNDING_F64;
    const LOG2_E: f64 = core::f64::consts::LOG2_E;
    const MINUS_LN2_HIGH: f64 = -0.693_147_180_369_123_8;
    const MINUS_LN2_LOW: f64 = -1.908_214_929_270_587_7e-10;
    const ONE: f64 = 1.0;
    const TWO: f64 = 2.0;
    const SERIES: &'static [f64] = &[
        1.0 / 87_178_291_200.0,
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ];
    const EXPONENTIAL_LOWEST: f64 = -1023.0 * core::f64::consts::LN_2;
    const EXPONENTIAL_LIMIT: f64 = 710.0;
    const ROUNDING_HALVED: f64 = ROUNDING_F64 - 1.0;
    const MINUS_ONE_LIMIT: f64 = -40.0;
    const HALF: f64 = 0.5;
    const MINUS_INFINITY: f64 = f64::NEG_INFINITY;
    const MINUS_HALF: f64 = -0.5;
    const LANE_NUMBERS: [f64; MOST_LANES] =
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
    const ATANH_SERIES: &'static [f64] = &[
        1.0 / 31.0,
        1.0 / 29.0,
        1.0 / 27.0,
        1.0 / 25.0,
        1.0 / 23.0,
        1.0 / 21.0,
        1.0 / 19.0,
        1.0 / 17.0,
        1.0 / 15.0,
        1.0 / 13.0,
        1.0 / 11.0,
        1.0 / 9.0,
        1.0 / 7.0,
        1.0 / 5.0,
        1.0 / 3.0,
    ];
    const NORMAL_TAIL: &'static [f64] = &normal_distribution::TAIL_F64;
    const NORMAL_TAIL_SHIFT: f64 = normal_distribution::SHIFT_F64;
    const NORMAL_TAIL_LIMIT: f64 = 26.615_7;

    #[inline(always)]
    fn exponent(self) -> (f64, f64) {
        let field = self.to_bits() >> 52;
        (field as f64 - 1023.0, f64::from_bits((2046_u64.wrapping_sub(field)) << 52))
    }
    #[inline(always)]
    fn tanh<V: Vector<f64>>(x: V) -> V {
        by_exponential(x)
    }
}
