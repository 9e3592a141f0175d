//! The vectors of x86-64 processors.

mod columns;
mod first;
mod sums;

use super::vector::{MOST_LANES, Vector};
use columns::{columns_256, columns_256d, columns_512, columns_512d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;
use first::{
    load_first_256, load_first_256d, load_first_512, load_first_512d, store_first_256, store_first_256d,
    store_first_512, store_first_512d,
};
use sums::{put_sums_256, put_sums_256d, put_sums_512, put_sums_512d, sums_256, sums_256d, sums_512, sums_512d};

macro_rules! x86_vector {
    (
        $vector:ty, $scalar:ty, $lanes:literal, $tile_vectors:literal x $tile_columns:literal,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident
        $sqrt:ident $mul_add:ident,
        $to_int:ident $from_int:ident $and:ident $andnot:ident $or:ident $int_add:ident
        $shift:ident $mantissa:literal,
        $load_first:ident $store_first:ident $where_positive:ident $load_columns:ident $put_sums:ident $sums:ident
    ) => {
        impl Vector<$scalar> for $vector {
            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = $tile_vectors;
            const TILE_COLUMNS: usize = $tile_columns;

            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                unsafe { $splat(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn load_first(from: *const $scalar, count: usize) -> Self {
                unsafe { $load_first(from, count) }
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                unsafe { $store_first(self, to, count) }
            }
            #[inline(always)]
            unsafe fn load_columns(from: *const $scalar, stride: usize, rows: usize) -> [Self; 4] {
                unsafe { $load_columns(from, stride, rows) }
            }
            #[inline(always)]
            unsafe fn put_sums(vectors: [Self; 4], start: Option<*const $scalar>, to: *mut $scalar, count: usize) {
                unsafe { $put_sums(vectors, start, to, count) }
            }
            #[inline(always)]
            unsafe fn sums(vectors: [Self; MOST_LANES]) -> Self {
                unsafe { $sums(vectors) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                unsafe { $add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                unsafe { $sub(self, other) }
            }
            #[inline(always)]
            unsafe fn mul(self, other: Self) -> Self {
                unsafe { $mul(self, other) }
            }
            #[inline(always)]
            unsafe fn div(self, other: Self) -> Self {
                unsafe { $div(self, other) }
            }
            #[inline(always)]
            unsafe fn min(self, other: Self) -> Self {
                unsafe { $min(self, other) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                unsafe { $max(self, other) }
            }
            #[inline(always)]
            unsafe fn sqrt(self) -> Self {
                unsafe { $sqrt(self) }
            }
            #[inline(always)]
            unsafe fn where_positive(self, values: Self) -> Self {
                unsafe { $where_positive(self, values) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, factor: Self, term: Self) -> Self {
                unsafe { $mul_add(self, factor, term) }
            }
            #[inline(always)]
            unsafe fn abs(self) -> Self {
                unsafe { $from_int($andnot($to_int($splat(-0.0)), $to_int(self))) }
            }
            #[inline(always)]
            unsafe fn with_sign_of(self, sign: Self) -> Self {
                unsafe { $from_int($or($to_int(self), $and($to_int($splat(-0.0)), $to_int(sign)))) }
            }
            #[inline(always)]
            unsafe fn power_of_two(self) -> Self {
                unsafe { $from_int($int_add($shift::<$mantissa>($to_int(self)), $to_int($splat(1.0)))) }
            }
        }
    };
}

x86_vector!(
    __m512, f32, 16, 4 x 6,
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps
    _mm512_min_ps _mm512_max_ps _mm512_sqrt_ps _mm512_fmadd_ps,
    _mm512_castps_si512 _mm512_castsi512_ps _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi32 _mm512_slli_epi32 23,
    load_first_512 store_first_512 positive_512 columns_512 put_sums_512 sums_512
);
x86_vector!(
    __m512d, f64, 8, 4 x 6,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_min_pd _mm512_max_pd _mm512_sqrt_pd _mm512_fmadd_pd,
    _mm512_castpd_si512 _mm512_castsi512_pd _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi64 _mm512_slli_epi64 52,
    load_first_512d store_first_512d positive_512d columns_512d put_sums_512d sums_512d
);
x86_vector!(
    __m256, f32, 8, 2 x 6,
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_min_ps _mm256_max_ps _mm256_sqrt_ps _mm256_fmadd_ps,
    _mm256_castps_si256 _mm256_castsi256_ps _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi32 _mm256_slli_epi32 23,
    load_first_256 store_first_256 positive_256 columns_256 put_sums_256 sums_256
);
x86_vector!(
    __m256d, f64, 4, 2 x 6,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_min_pd _mm256_max_pd _mm256_sqrt_pd _mm256_fmadd_pd,
    _mm256_castpd_si256 _mm256_castsi256_pd _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi64 _mm256_slli_epi64 52,
    load_first_256d store_first_256d positive_256d columns_256d put_sums_256d sums_256d
);

macro_rules! positive {
    ($($name:ident $vector:ty: $x:ident $values:ident $result:expr;)*) => {
        $(
            #[inline(always)]
            unsafe fn $name($x: $vector, $values: $vector) -> $vector {
                unsafe { $result }
            }
        )*
    };
}

positive! {
    positive_512 __m512: x values
        _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), values);
    positive_512d __m512d: x values
        _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(x, _mm512_setzero_pd()), values);
    positive_256 __m256: x values _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps()), values);
    positive_256d __m256d: x values _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(x, _mm256_setzero_pd()), values);
}
