//! `f32` and `f64`: the scalars that have vectors, and the constants of their exponential.

use super::hyperbolic_tangent::{by_exponential, by_fraction};
use super::vector::{Lanes, ROUNDING_F32, ROUNDING_F64, Vector};
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};

/// The numbers that the formulas need at one precision.
pub(super) trait Precision: Copy + Default + 'static {
    /// Its vector without any instruction set of its own.
    type Plain: Vector<Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx2: Vector<Self>;
    #[cfg(target_arch = "x86_64")]
    type Avx512: Vector<Self>;
    /// Beyond this, the tanh that is worked out by exponentials is 1.
    const TANH_LIMIT: Self;
    /// Beyond this, the logistic function is 1.
    const SIGMOID_LIMIT: Self;
    /// Below this, the logistic function is 0: half the smallest number above 0.
    const SIGMOID_LOWEST: Self;
    /// `ROUNDING + 64`: the power of two is worked out 64 too high, since it may be below the smallest normal number.
    const ROUNDING_SCALED: Self;
    /// `2^-64`, which takes that back.
    const UNSCALE: Self;
    const ROUNDING: Self;
    const LOG2_E: Self;
    /// `ln 2` to fewer digits, so that `n` times it is exact, and what is left of it, both negated.
    const MINUS_LN2_HIGH: Self;
    const MINUS_LN2_LOW: Self;
    const ONE: Self;
    const TWO: Self;
    /// `1/k!` from the last one used down to `1/2!`.
    const SERIES: &'static [Self];

    /// The hyperbolic tangent of each lane, the faster way at this precision.
    unsafe fn tanh<V: Vector<Self>>(x: V) -> V;
}

impl Precision for f32 {
    type Plain = Lanes<f32, 4>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = __m256;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = __m512;

    const TANH_LIMIT: f32 = 10.0;
    const SIGMOID_LIMIT: f32 = 20.0;
    const SIGMOID_LOWEST: f32 = -105.0;
    const ROUNDING_SCALED: f32 = ROUNDING_F32 + 64.0;
    const UNSCALE: f32 = 1.0 / 18_446_744_073_709_551_616.0;
    const ROUNDING: f32 = ROUNDING_F32;
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const MINUS_LN2_HIGH: f32 = -0.693_359_4;
    const MINUS_LN2_LOW: f32 = 2.121_944_4e-4;
    const ONE: f32 = 1.0;
    const TWO: f32 = 2.0;
    const SERIES: &'static [f32] = &[1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];

    #[inline(always)]
    unsafe fn tanh<V: Vector<f32>>(x: V) -> V {
        unsafe { by_fraction(x) }
    }
}

impl Precision for f64 {
    type Plain = Lanes<f64, 2>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = __m256d;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = __m512d;

    const TANH_LIMIT: f64 = 20.0;
    const SIGMOID_LIMIT: f64 = 40.0;
    const SIGMOID_LOWEST: f64 = -747.0;
    const ROUNDING_SCALED: f64 = ROUNDING_F64 + 64.0;
    const UNSCALE: f64 = 1.0 / 18_446_744_073_709_551_616.0;
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

    #[inline(always)]
    unsafe fn tanh<V: Vector<f64>>(x: V) -> V {
        unsafe { by_exponential(x) }
    }
}
