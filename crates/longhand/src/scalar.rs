//! The scalar type that the whole library is generic over, and its conversions.

use core::any::{Any, TypeId};
use nalgebra::RealField;

/// Any real field: `f32` and `f64` run on the fast kernels, every other (dual numbers, for example) on plain loops
/// through the same layer code.
///
/// Blanket-implemented for every `RealField + Copy`; there is nothing to implement.
pub trait Scalar: RealField + Copy {}

impl<T: RealField + Copy> Scalar for T {}

/// The scalar nearest to a real constant.
#[inline(always)]
pub(crate) fn real<T: Scalar>(value: f64) -> T {
    nalgebra::convert(value)
}

/// The scalar nearest to a count.
#[inline(always)]
pub(crate) fn count<T: Scalar>(value: usize) -> T {
    T::from_usize(value).expect("every real field represents counts")
}

/// A scalar as `f64`: exact for `f32` and `f64`, the value without its derivatives for a dual number.
pub(crate) fn as_f64<T: Scalar>(value: T) -> f64 {
    nalgebra::convert_unchecked(value)
}

/// Whether `T` is `S`: chooses code for one type inside of generic code, at compile time.
#[inline(always)]
pub(crate) fn is<T: 'static, S: 'static>() -> bool {
    TypeId::of::<T>() == TypeId::of::<S>()
}

/// Chooses the function for `T` among one for `f32`, one for `f64` and a generic one. A generic function is compiled in the crate
/// that uses it, which may be a debug build; the other two are compiled in this crate.
pub(crate) fn compiled<F: Copy + 'static>(single_and_double: [&dyn Any; 2], generic: F) -> F {
    single_and_double.into_iter().find_map(|function| function.downcast_ref().copied()).unwrap_or(generic)
}

/// Replaces a value by exactly zero where its magnitude is below the square root of the smallest normal number: 2^-63
/// for `f32`, 2^-511 for `f64`. Other scalars are unchanged, and NaN stays NaN.
///
/// The product of two remaining values is never subnormal. Arithmetic on subnormal numbers takes up to 100 times longer
/// on some processors, and rounding to nearest keeps them alive.
#[inline(always)]
pub fn flush_to_zero<T: Scalar>(value: T) -> T {
    let threshold = if is::<T, f32>() {
        // 2^-63
        1.084_202_172_485_504_4e-19
    } else if is::<T, f64>() {
        // 2^-511
        1.491_668_146_240_041_3e-154
    } else {
        return value;
    };
    if value.abs() < real(threshold) { T::zero() } else { value }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "what is compared exactly is meant to be exact")]
mod tests {
    use super::{as_f64, count, flush_to_zero};

    #[test]
    fn products_of_values_that_are_not_flushed_are_normal() {
        let (narrow, wide) = (2.0_f32.powi(-63), 2.0_f64.powi(-511));
        for sign in [1.0, -1.0] {
            assert_eq!(flush_to_zero(sign as f32 * narrow), sign as f32 * narrow);
            assert_eq!(flush_to_zero(sign * wide), sign * wide);
            assert_eq!(flush_to_zero(sign as f32 * narrow.next_down()).to_bits(), 0);
            assert_eq!(flush_to_zero(sign * wide.next_down()).to_bits(), 0);
        }
        assert!((narrow * narrow).is_normal() && (wide * wide).is_normal());
        assert!(flush_to_zero(f32::NAN).is_nan() && flush_to_zero(f64::NAN).is_nan());
        assert_eq!(flush_to_zero(f32::NEG_INFINITY), f32::NEG_INFINITY);
    }

    #[test]
    fn counts_and_conversions_are_exact() {
        assert_eq!((count::<f32>(1 << 24), count::<f64>((1 << 31) + 1)), (16_777_216.0, 2_147_483_649.0));
        // 2^53 - 1, the largest odd number of f64, where addresses have 64 bits.
        let largest = usize::MAX >> 11;
        assert_eq!(count::<f64>(largest) as usize, largest);
        assert_eq!(as_f64(0.1_f32).to_bits(), f64::from(0.1_f32).to_bits());
    }
}
