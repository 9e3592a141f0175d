//! The hyperbolic tangent of a whole slice.
//!
//! With `t = 2|x|`, `tanh |x| = e / (e + 2)` for `e = exp(t) - 1`, which loses nothing near zero. Write
//! `t = n ln 2 + r` with `|r| <= ln 2 / 2`; then `e = 2^n p + (2^n - 1)` with `p = exp(r) - 1` from its Taylor series,
//! whose first left-out term is below half a unit in the last place. There is no branch, so a vector of any width does
//! it; the sign comes back at the end. Within 3 units in the last place everywhere.

use super::instruction_set::InstructionSet;
use super::vector::{Lanes, ROUNDING_F32, ROUNDING_F64, Vector};
use crate::Scalar;
use core::any::TypeId;

/// `x = tanh(x)` for each element.
pub(crate) fn tanh<T: Scalar>(values: &mut [T]) {
    tanh_for(InstructionSet::best(), values);
}

/// The same on one instruction set, which this processor must have.
pub(crate) fn tanh_for<T: Scalar>(instruction_set: InstructionSet, values: &mut [T]) {
    let (pointer, length) = (values.as_mut_ptr(), values.len());
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        // SAFETY: T is f32, so these are the same elements.
        let values = unsafe { core::slice::from_raw_parts_mut(pointer.cast::<f32>(), length) };
        match instruction_set {
            // SAFETY: the instruction set was found on this processor.
            InstructionSet::Plain => unsafe { each::<f32, Lanes<f32, 4>>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f32(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f32(values) },
        }
    } else if TypeId::of::<T>() == TypeId::of::<f64>() {
        // SAFETY: T is f64, so these are the same elements.
        let values = unsafe { core::slice::from_raw_parts_mut(pointer.cast::<f64>(), length) };
        match instruction_set {
            // SAFETY: the instruction set was found on this processor.
            InstructionSet::Plain => unsafe { each::<f64, Lanes<f64, 2>>(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f64(values) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f64(values) },
        }
    } else {
        for value in values {
            *value = value.tanh();
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::each;
    use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f32(values: &mut [f32]) {
        unsafe { each::<f32, __m512>(values) }
    }
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f64(values: &mut [f64]) {
        unsafe { each::<f64, __m512d>(values) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f32(values: &mut [f32]) {
        unsafe { each::<f32, __m256>(values) }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f64(values: &mut [f64]) {
        unsafe { each::<f64, __m256d>(values) }
    }
}

/// The numbers that the formula needs at one precision.
trait Precision: Copy + Default + 'static {
    /// Beyond this, tanh is 1.
    const LIMIT: Self;
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
    const LIMIT: f32 = 10.0;
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
    const LIMIT: f64 = 20.0;
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

#[inline(always)]
unsafe fn one<T: Precision, V: Vector<T>>(x: V) -> V {
    unsafe {
        // `min` gives its second operand for NaN, so that NaN stays NaN.
        let magnitude = V::splat(T::LIMIT).min(x.abs());
        let t = magnitude.add(magnitude);
        let shifted = t.mul_add(V::splat(T::LOG2_E), V::splat(T::ROUNDING));
        let n = shifted.sub(V::splat(T::ROUNDING));
        let r = n.mul_add(V::splat(T::MINUS_LN2_LOW), n.mul_add(V::splat(T::MINUS_LN2_HIGH), t));
        let mut series = V::splat(T::SERIES[0]);
        for &coefficient in &T::SERIES[1..] {
            series = series.mul_add(r, V::splat(coefficient));
        }
        let p = series.mul_add(r.mul(r), r);
        let two_to_n = shifted.power_of_two();
        let e = two_to_n.mul_add(p, two_to_n.sub(V::splat(T::ONE)));
        e.div(e.add(V::splat(T::TWO))).with_sign_of(x)
    }
}

#[inline(always)]
unsafe fn each<T: Precision, V: Vector<T>>(values: &mut [T]) {
    unsafe {
        let mut chunks = values.chunks_exact_mut(V::LANES);
        for chunk in &mut chunks {
            let x = V::load(chunk.as_ptr());
            one::<T, V>(x).store(chunk.as_mut_ptr());
        }
        // The rest goes through a whole vector too, so that an element's result does not depend on where it stands.
        let rest = chunks.into_remainder();
        if !rest.is_empty() {
            let mut lanes = [T::default(); 16];
            lanes[..rest.len()].copy_from_slice(rest);
            let x = V::load(lanes.as_ptr());
            one::<T, V>(x).store(lanes.as_mut_ptr());
            rest.copy_from_slice(&lanes[..rest.len()]);
        }
    }
}
