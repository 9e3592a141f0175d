//! Functions of a whole slice that are made of an exponential: the hyperbolic tangent and the logistic function.
//!
//! Write `t = n ln 2 + r` with `|r| <= ln 2 / 2`. Then `exp(t) = 2^n (1 + p)`, where `p = exp(r) - 1` comes from its
//! Taylor series, whose first left-out term is below half a unit in the last place. There is no branch, so a vector of
//! any width does it.
//!
//! - `tanh |x| = e / (e + 2)` for `e = exp(2|x|) - 1 = 2^n p + (2^n - 1)`, which loses nothing near zero; the sign
//!   comes back at the end. Within 3 units in the last place everywhere.
//! - `sigmoid(x) = e / (e + 1)` for `e = exp(x)`, which loses nothing where it is tiny. Within 3 units in the last
//!   place everywhere, subnormal results too.

use super::instruction_set::InstructionSet;
use super::vector::{Lanes, ROUNDING_F32, ROUNDING_F64, Vector};
use crate::Scalar;
use core::any::TypeId;

/// `x = tanh(x)` for each element.
pub(crate) fn tanh<T: Scalar>(values: &mut [T]) {
    each_for::<Tanh, T>(InstructionSet::best(), values);
}

/// `x = 1 / (1 + exp(-x))` for each element.
pub(crate) fn sigmoid<T: Scalar>(values: &mut [T]) {
    each_for::<Sigmoid, T>(InstructionSet::best(), values);
}

/// The logistic function of one number, from an exponential that cannot overflow.
pub(crate) fn sigmoid_of<T: Scalar>(x: T) -> T {
    if x >= T::zero() {
        T::one() / (T::one() + (-x).exp())
    } else {
        let e = x.exp();
        e / (T::one() + e)
    }
}

/// A function of one number, for any scalar and for a vector of `f32` or `f64`.
pub(super) trait Function {
    fn scalar<T: Scalar>(x: T) -> T;
    unsafe fn vector<T: Precision, V: Vector<T>>(x: V) -> V;
}

pub(super) struct Tanh;
pub(super) struct Sigmoid;

/// `x = F(x)` for each element, on one instruction set, which this processor must have.
pub(super) fn each_for<F: Function, T: Scalar>(instruction_set: InstructionSet, values: &mut [T]) {
    let (pointer, length) = (values.as_mut_ptr(), values.len());
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        // SAFETY: T is f32, so these are the same elements.
        let values = unsafe { core::slice::from_raw_parts_mut(pointer.cast::<f32>(), length) };
        match instruction_set {
            // SAFETY: the instruction set was found on this processor.
            InstructionSet::Plain => unsafe { each::<F, f32, Lanes<f32, 4>>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f32::<F>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f32::<F>(values) },
        }
    } else if TypeId::of::<T>() == TypeId::of::<f64>() {
        // SAFETY: T is f64, so these are the same elements.
        let values = unsafe { core::slice::from_raw_parts_mut(pointer.cast::<f64>(), length) };
        match instruction_set {
            // SAFETY: the instruction set was found on this processor.
            InstructionSet::Plain => unsafe { each::<F, f64, Lanes<f64, 2>>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f64::<F>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f64::<F>(values) },
        }
    } else {
        for value in values {
            *value = F::scalar(*value);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Function, each};
    use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f32<F: Function>(values: &mut [f32]) {
        unsafe { each::<F, f32, __m512>(values) }
    }
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f64<F: Function>(values: &mut [f64]) {
        unsafe { each::<F, f64, __m512d>(values) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f32<F: Function>(values: &mut [f32]) {
        unsafe { each::<F, f32, __m256>(values) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f64<F: Function>(values: &mut [f64]) {
        unsafe { each::<F, f64, __m256d>(values) }
    }
}

/// The numbers that the formulas need at one precision.
pub(super) trait Precision: Copy + Default + 'static {
    /// Beyond this, tanh is 1.
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
}

impl Precision for f32 {
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
    const SERIES: &'static [f32] =
        &[1.0 / 40_320.0, 1.0 / 5_040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];
}

impl Precision for f64 {
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
}

/// `exp(r) - 1` for `t = n ln 2 + r`.
#[inline(always)]
unsafe fn exponential_of_rest<T: Precision, V: Vector<T>>(t: V, n: V) -> V {
    unsafe {
        let r = n.mul_add(V::splat(T::MINUS_LN2_LOW), n.mul_add(V::splat(T::MINUS_LN2_HIGH), t));
        let mut series = V::splat(T::SERIES[0]);
        for &coefficient in &T::SERIES[1..] {
            series = series.mul_add(r, V::splat(coefficient));
        }
        series.mul_add(r.mul(r), r)
    }
}

impl Function for Tanh {
    fn scalar<T: Scalar>(x: T) -> T {
        x.tanh()
    }

    #[inline(always)]
    unsafe fn vector<T: Precision, V: Vector<T>>(x: V) -> V {
        unsafe {
            // `min` gives its second operand for NaN, so that NaN stays NaN.
            let magnitude = V::splat(T::TANH_LIMIT).min(x.abs());
            let t = magnitude.add(magnitude);
            let shifted = t.mul_add(V::splat(T::LOG2_E), V::splat(T::ROUNDING));
            let n = shifted.sub(V::splat(T::ROUNDING));
            let p = exponential_of_rest::<T, V>(t, n);
            let two_to_n = shifted.power_of_two();
            let e = two_to_n.mul_add(p, two_to_n.sub(V::splat(T::ONE)));
            e.div(e.add(V::splat(T::TWO))).with_sign_of(x)
        }
    }
}

impl Function for Sigmoid {
    fn scalar<T: Scalar>(x: T) -> T {
        sigmoid_of(x)
    }

    #[inline(always)]
    unsafe fn vector<T: Precision, V: Vector<T>>(x: V) -> V {
        unsafe {
            // Both give their second operand for NaN, so that NaN stays NaN.
            let t = V::splat(T::SIGMOID_LOWEST).max(V::splat(T::SIGMOID_LIMIT).min(x));
            let shifted = t.mul_add(V::splat(T::LOG2_E), V::splat(T::ROUNDING_SCALED));
            let n = shifted.sub(V::splat(T::ROUNDING_SCALED));
            let p = exponential_of_rest::<T, V>(t, n);
            let scaled = shifted.power_of_two();
            let e = scaled.mul_add(p, scaled).mul(V::splat(T::UNSCALE));
            e.div(e.add(V::splat(T::ONE)))
        }
    }
}

#[inline(always)]
unsafe fn each<F: Function, T: Precision, V: Vector<T>>(values: &mut [T]) {
    unsafe {
        let mut chunks = values.chunks_exact_mut(V::LANES);
        for chunk in &mut chunks {
            let x = V::load(chunk.as_ptr());
            F::vector::<T, V>(x).store(chunk.as_mut_ptr());
        }
        // The rest goes through a whole vector too, so that an element's result does not depend on where it stands.
        let rest = chunks.into_remainder();
        if !rest.is_empty() {
            let mut lanes = [T::default(); 16];
            lanes[..rest.len()].copy_from_slice(rest);
            let x = V::load(lanes.as_ptr());
            F::vector::<T, V>(x).store(lanes.as_mut_ptr());
            rest.copy_from_slice(&lanes[..rest.len()]);
        }
    }
}
