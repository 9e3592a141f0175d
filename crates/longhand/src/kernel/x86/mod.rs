//! The vectors of x86-64 processors, and the tokens that prove their instruction sets.
//!
//! A vector's field is private, so vectors can only be created by the functions below, which need a token or a vector.

mod columns;
mod first;
mod lanes;
mod memory;
mod sums;

use super::vector::{MOST_LANES, Vector, elementwise};
use columns::{columns_256, columns_256d, columns_512, columns_512d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;
use core::mem::transmute;
use first::{
    load_first_256, load_first_256d, load_first_512, load_first_512d, store_first_256, store_first_256d,
    store_first_512, store_first_512d,
};
use lanes::{
    largest_lane_256, largest_lane_256d, largest_lane_512, largest_lane_512d, sum_of_lanes_256, sum_of_lanes_256d,
    sum_of_lanes_512, sum_of_lanes_512d,
};
use memory::{load_256, load_256d, load_512, load_512d, store_256, store_256d, store_512, store_512d};
use sums::{put_sums_256, put_sums_256d, put_sums_512, put_sums_512d, sums_256, sums_256d, sums_512, sums_512d};

/// Proves that the processor has AVX2 and fused multiply-add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Returns the token if the processor has the instructions. Without the standard library, which detects them,
    /// returns `None`.
    #[inline]
    pub(super) fn detect() -> Option<Avx2> {
        #[cfg(feature = "std")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            return Some(Avx2(()));
        }
        None
    }
}

/// Proves that the processor has AVX-512 with `VL` and `DQ`.
///
/// `VL` makes all 32 registers available to 128-bit and 256-bit instructions. Without it, the compiler must keep values
/// that may be stored partially in the first 16 registers, which are too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

impl Avx512 {
    /// Returns the token if the processor has the instructions. Without the standard library, which detects them,
    /// returns `None`.
    #[inline]
    pub(super) fn detect() -> Option<Avx512> {
        #[cfg(feature = "std")]
        if Avx2::detect().is_some()
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512dq")
        {
            return Some(Avx512(()));
        }
        None
    }
}

macro_rules! x86_vector {
    (
        $name:ident($vector:ty), $token:ty, $about:literal,
        $scalar:ty, $lanes:literal, $tile_vectors:literal x $tile_columns:literal,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident
        $sqrt:ident $mul_add:ident,
        $to_int:ident $from_int:ident $and:ident $andnot:ident $or:ident $int_add:ident
        $shift:ident $mantissa:literal,
        $load_first:ident $store_first:ident $where_positive:ident $choose:ident $where_bits:ident $load_columns:ident $put_sums:ident
        $sums:ident $largest_lane:ident $sum_of_lanes:ident
    ) => {
        #[doc = $about]
        #[derive(Clone, Copy)]
        #[repr(transparent)]
        pub(crate) struct $name($vector);

        impl Vector<$scalar> for $name {
            type Token = $token;

            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = $tile_vectors;
            const TILE_COLUMNS: usize = $tile_columns;

            #[inline(always)]
            fn splat(_: $token, value: $scalar) -> Self {
                // SAFETY: the token proves the instruction set.
                $name(unsafe { $splat(value) })
            }
            #[inline(always)]
            fn constant(self, value: $scalar) -> Self {
                // SAFETY: a vector proves its instruction set.
                $name(unsafe { $splat(value) })
            }
            #[inline(always)]
            unsafe fn load(_: $token, from: *const $scalar) -> Self {
                // SAFETY: the token proves the instruction set, and the caller guarantees the elements.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: a vector proves its instruction set, and the caller guarantees the elements.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            unsafe fn load_first(_: $token, from: *const $scalar, count: usize) -> Self {
                // SAFETY: the token proves the instruction set, and the caller guarantees the elements.
                $name(unsafe { $load_first(from, count) })
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                // SAFETY: a vector proves its instruction set, and the caller guarantees the elements.
                unsafe { $store_first(self.0, to, count) }
            }
            #[inline(always)]
            unsafe fn load_columns(_: $token, from: *const $scalar, stride: usize, rows: usize) -> [Self; 4] {
                // SAFETY: the token proves the instruction set, and the caller guarantees the elements.
                // Both types have the same layout. Not `map`, whose loop is compiled without the instruction set.
                unsafe { transmute::<[$vector; 4], [Self; 4]>($load_columns(from, stride, rows)) }
            }
            #[inline(always)]
            unsafe fn put_sums(vectors: [Self; 4], start: Option<*const $scalar>, to: *mut $scalar, count: usize) {
                // SAFETY: vectors prove their instruction set, and the caller guarantees the elements. Both types have
                // the same layout.
                unsafe { $put_sums(transmute::<[Self; 4], [$vector; 4]>(vectors), start, to, count) }
            }
            #[inline(always)]
            fn sums(vectors: [Self; MOST_LANES]) -> Self {
                // SAFETY: vectors prove their instruction set. Both types have the same layout.
                $name(unsafe { $sums(transmute::<[Self; MOST_LANES], [$vector; MOST_LANES]>(vectors)) })
            }
            #[inline(always)]
            fn largest_lane(self) -> $scalar {
                // SAFETY: a vector proves its instruction set.
                unsafe { $largest_lane(self.0) }
            }
            #[inline(always)]
            fn sum_of_lanes(self) -> $scalar {
                // SAFETY: a vector proves its instruction set.
                unsafe { $sum_of_lanes(self.0) }
            }
            elementwise!($name:
                add(x other) $add(x, other);
                sub(x other) $sub(x, other);
                mul(x other) $mul(x, other);
                div(x other) $div(x, other);
                min(x other) $min(x, other);
                max(x other) $max(x, other);
                sqrt(x) $sqrt(x);
                where_positive(x values) $where_positive(x, values);
                choose(x above otherwise) $choose(x, above, otherwise);
                where_bits(x bits) $where_bits(x, bits);
                mul_add(x factor term) $mul_add(x, factor, term);
                abs(x) $from_int($andnot($to_int($splat(-0.0)), $to_int(x)));
                with_sign_of(x sign) $from_int($or($to_int(x), $and($to_int($splat(-0.0)), $to_int(sign))));
                power_of_two(x) $from_int($int_add($shift::<$mantissa>($to_int(x)), $to_int($splat(1.0))));
            );
        }
    };
}

x86_vector!(
    F32x16(__m512), Avx512, "16 lanes of `f32`.",
    f32, 16, 4 x 6,
    _mm512_set1_ps load_512 store_512 _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps
    _mm512_min_ps _mm512_max_ps _mm512_sqrt_ps _mm512_fmadd_ps,
    _mm512_castps_si512 _mm512_castsi512_ps _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi32 _mm512_slli_epi32 23,
    load_first_512 store_first_512 positive_512 choose_512 bits_512 columns_512 put_sums_512 sums_512
    largest_lane_512 sum_of_lanes_512
);
x86_vector!(
    F64x8(__m512d), Avx512, "8 lanes of `f64`.",
    f64, 8, 4 x 6,
    _mm512_set1_pd load_512d store_512d _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_min_pd _mm512_max_pd _mm512_sqrt_pd _mm512_fmadd_pd,
    _mm512_castpd_si512 _mm512_castsi512_pd _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi64 _mm512_slli_epi64 52,
    load_first_512d store_first_512d positive_512d choose_512d bits_512d columns_512d put_sums_512d sums_512d
    largest_lane_512d sum_of_lanes_512d
);
x86_vector!(
    F32x8(__m256), Avx2, "8 lanes of `f32`.",
    f32, 8, 2 x 6,
    _mm256_set1_ps load_256 store_256 _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_min_ps _mm256_max_ps _mm256_sqrt_ps _mm256_fmadd_ps,
    _mm256_castps_si256 _mm256_castsi256_ps _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi32 _mm256_slli_epi32 23,
    load_first_256 store_first_256 positive_256 choose_256 bits_256 columns_256 put_sums_256 sums_256
    largest_lane_256 sum_of_lanes_256
);
x86_vector!(
    F64x4(__m256d), Avx2, "4 lanes of `f64`.",
    f64, 4, 2 x 6,
    _mm256_set1_pd load_256d store_256d _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_min_pd _mm256_max_pd _mm256_sqrt_pd _mm256_fmadd_pd,
    _mm256_castpd_si256 _mm256_castsi256_pd _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi64 _mm256_slli_epi64 52,
    load_first_256d store_first_256d positive_256d choose_256d bits_256d columns_256d put_sums_256d sums_256d
    largest_lane_256d sum_of_lanes_256d
);

macro_rules! selections {
    ($($name:ident $vector:ty: $x:ident $($other:ident)* = $result:expr;)*) => {
        $(
            #[inline(always)]
            unsafe fn $name($x: $vector, $($other: $vector),*) -> $vector {
                // SAFETY: the caller's vectors prove the instruction set.
                unsafe { $result }
            }
        )*
    };
}

selections! {
    positive_512 __m512: x values =
        _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), values);
    positive_512d __m512d: x values =
        _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd()), values);
    positive_256 __m256: x values = _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()), values);
    positive_256d __m256d: x values = _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(x, _mm256_setzero_pd()), values);
    choose_512 __m512: x above otherwise =
        _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), above);
    choose_512d __m512d: x above otherwise =
        _mm512_mask_mov_pd(otherwise, _mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd()), above);
    choose_256 __m256: x above otherwise =
        _mm256_blendv_ps(otherwise, above, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()));
    choose_256d __m256d: x above otherwise =
        _mm256_blendv_pd(otherwise, above, _mm256_cmp_pd::<_CMP_GT_OQ>(x, _mm256_setzero_pd()));
    bits_512 __m512: x bits =
        _mm512_maskz_mov_ps(_mm512_test_epi32_mask(_mm512_castps_si512(x), _mm512_castps_si512(bits)), x);
    bits_512d __m512d: x bits =
        _mm512_maskz_mov_pd(_mm512_test_epi64_mask(_mm512_castpd_si512(x), _mm512_castpd_si512(bits)), x);
    bits_256 __m256: x bits = {
        let none = _mm256_cmpeq_epi32(_mm256_castps_si256(_mm256_and_ps(x, bits)), _mm256_setzero_si256());
        _mm256_andnot_ps(_mm256_castsi256_ps(none), x)
    };
    bits_256d __m256d: x bits = {
        let none = _mm256_cmpeq_epi64(_mm256_castpd_si256(_mm256_and_pd(x, bits)), _mm256_setzero_si256());
        _mm256_andnot_pd(_mm256_castsi256_pd(none), x)
    };
}
