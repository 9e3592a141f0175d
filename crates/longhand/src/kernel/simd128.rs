//! The vectors of WebAssembly. This module is compiled only for targets that include `simd128`, so no detection is
//! needed.

use super::vector::{MOST_LANES, Vector};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::wasm32::*;

/// Proves that the module was compiled with `simd128`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Simd128(());

impl Simd128 {
    #[inline(always)]
    pub(super) fn new() -> Simd128 {
        Simd128(())
    }
}

macro_rules! simd128_vector {
    (
        $name:ident, $about:literal, $scalar:ty, $lanes:literal,
        $splat:ident $add:ident $sub:ident $mul:ident $div:ident $sqrt:ident $abs:ident,
        $smaller:ident $larger:ident $greater:ident $equal_bits:ident $int_add:ident $shift:ident $mantissa:literal,
        |$vectors:ident| $sums:expr
    ) => {
        #[doc = $about]
        #[derive(Clone, Copy)]
        pub(crate) struct $name(v128);

        impl Vector<$scalar> for $name {
            type Token = Simd128;

            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = 2;
            const TILE_COLUMNS: usize = 4;

            #[inline(always)]
            fn splat(_: Simd128, value: $scalar) -> Self {
                $name($splat(value))
            }
            #[inline(always)]
            fn constant(self, value: $scalar) -> Self {
                $name($splat(value))
            }
            #[inline(always)]
            unsafe fn load(_: Simd128, from: *const $scalar) -> Self {
                // SAFETY: the caller guarantees the elements.
                $name(unsafe { v128_load(from.cast()) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller guarantees the elements.
                unsafe { v128_store(to.cast(), self.0) }
            }
            #[inline(always)]
            fn sums($vectors: [Self; MOST_LANES]) -> Self {
                $name($sums)
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                $name($add(self.0, other.0))
            }
            #[inline(always)]
            fn sub(self, other: Self) -> Self {
                $name($sub(self.0, other.0))
            }
            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                $name($mul(self.0, other.0))
            }
            #[inline(always)]
            fn div(self, other: Self) -> Self {
                $name($div(self.0, other.0))
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // The instruction returns its first operand for NaN.
                $name($smaller(other.0, self.0))
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                $name($larger(other.0, self.0))
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $name($sqrt(self.0))
            }
            #[inline(always)]
            fn where_positive(self, values: Self) -> Self {
                $name(v128_and($greater(self.0, $splat(0.0)), values.0))
            }
            #[inline(always)]
            fn choose(self, above: Self, otherwise: Self) -> Self {
                $name(v128_bitselect(above.0, otherwise.0, $greater(self.0, $splat(0.0))))
            }
            #[inline(always)]
            fn where_bits(self, bits: Self) -> Self {
                $name(v128_andnot(self.0, $equal_bits(v128_and(self.0, bits.0), $splat(0.0))))
            }
            #[inline(always)]
            fn mul_add(self, factor: Self, term: Self) -> Self {
                $name($add($mul(self.0, factor.0), term.0))
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $name($abs(self.0))
            }
            #[inline(always)]
            fn with_sign_of(self, sign: Self) -> Self {
                $name(v128_bitselect(sign.0, self.0, $splat(-0.0)))
            }
            #[inline(always)]
            fn power_of_two(self) -> Self {
                $name($int_add($shift(self.0, $mantissa), $splat(1.0)))
            }
        }
    };
}

simd128_vector!(
    F32x4, "4 lanes of `f32`.", f32, 4,
    f32x4_splat f32x4_add f32x4_sub f32x4_mul f32x4_div f32x4_sqrt f32x4_abs,
    f32x4_pmin f32x4_pmax f32x4_gt i32x4_eq i32x4_add i32x4_shl 23,
    |v| {
        let [a, b, c, d] = [v[0].0, v[1].0, v[2].0, v[3].0];
        let ab = f32x4_add(i32x4_shuffle::<0, 4, 2, 6>(a, b), i32x4_shuffle::<1, 5, 3, 7>(a, b));
        let cd = f32x4_add(i32x4_shuffle::<0, 4, 2, 6>(c, d), i32x4_shuffle::<1, 5, 3, 7>(c, d));
        f32x4_add(i64x2_shuffle::<0, 2>(ab, cd), i64x2_shuffle::<1, 3>(ab, cd))
    }
);
simd128_vector!(
    F64x2, "2 lanes of `f64`.", f64, 2,
    f64x2_splat f64x2_add f64x2_sub f64x2_mul f64x2_div f64x2_sqrt f64x2_abs,
    f64x2_pmin f64x2_pmax f64x2_gt i64x2_eq i64x2_add i64x2_shl 52,
    |v| f64x2_add(i64x2_shuffle::<0, 2>(v[0].0, v[1].0), i64x2_shuffle::<1, 3>(v[0].0, v[1].0))
);
