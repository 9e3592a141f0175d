//! The vectors of x86-64 processors.

use super::vector::Vector;
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

macro_rules! x86_vector {
    (
        $vector:ty, $scalar:ty, $lanes:literal, $tile_vectors:literal x $tile_columns:literal,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident
        $sqrt:ident $mul_add:ident,
        $to_int:ident $from_int:ident $and:ident $andnot:ident $or:ident $int_add:ident
        $shift:ident $mantissa:literal,
        $load_first:ident $store_first:ident $where_positive:ident $load_columns:ident $add_sums:ident
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
            unsafe fn add_sums(vectors: [Self; 4], to: *mut $scalar, count: usize) {
                unsafe { $add_sums(vectors, to, count) }
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
    load_first_512 store_first_512 positive_512 columns_512 add_sums_512
);
x86_vector!(
    __m512d, f64, 8, 4 x 6,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_min_pd _mm512_max_pd _mm512_sqrt_pd _mm512_fmadd_pd,
    _mm512_castpd_si512 _mm512_castsi512_pd _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi64 _mm512_slli_epi64 52,
    load_first_512d store_first_512d positive_512d columns_512d add_sums_512d
);
x86_vector!(
    __m256, f32, 8, 2 x 6,
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_min_ps _mm256_max_ps _mm256_sqrt_ps _mm256_fmadd_ps,
    _mm256_castps_si256 _mm256_castsi256_ps _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi32 _mm256_slli_epi32 23,
    load_first_256 store_first_256 positive_256 columns_256 add_sums_256
);
x86_vector!(
    __m256d, f64, 4, 2 x 6,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_min_pd _mm256_max_pd _mm256_sqrt_pd _mm256_fmadd_pd,
    _mm256_castpd_si256 _mm256_castsi256_pd _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi64 _mm256_slli_epi64 52,
    load_first_256d store_first_256d positive_256d columns_256d add_sums_256d
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

/// Row `4 l + k` goes to lane group `l` of vector `k`; then each group of 4 x 4 is transposed in place.
#[inline(always)]
unsafe fn columns_512(from: *const f32, stride: usize, rows: usize) -> [__m512; 4] {
    unsafe {
        let mut groups = [_mm512_setzero_ps(); 4];
        for k in 0..4 {
            let row = [from; 4];
            let [a, b, c, d] = [
                row[0].add(k.min(rows - 1) * stride),
                row[1].add((4 + k).min(rows - 1) * stride),
                row[2].add((8 + k).min(rows - 1) * stride),
                row[3].add((12 + k).min(rows - 1) * stride),
            ];
            let low = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(_mm_loadu_ps(a)), _mm_loadu_ps(b));
            groups[k] = _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(low, _mm_loadu_ps(c)), _mm_loadu_ps(d));
        }
        let [a, b, c, d] = groups;
        let (ab, cd) = (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpacklo_ps(c, d)));
        let (high_ab, high_cd) =
            (_mm512_castps_pd(_mm512_unpackhi_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d)));
        [
            _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)),
            _mm512_castpd_ps(_mm512_unpacklo_pd(high_ab, high_cd)),
            _mm512_castpd_ps(_mm512_unpackhi_pd(high_ab, high_cd)),
        ]
    }
}

/// The same with two groups a vector.
#[inline(always)]
unsafe fn columns_256(from: *const f32, stride: usize, rows: usize) -> [__m256; 4] {
    unsafe {
        let mut groups = [_mm256_setzero_ps(); 4];
        for k in 0..4 {
            let (a, b) = (from.add(k.min(rows - 1) * stride), from.add((4 + k).min(rows - 1) * stride));
            groups[k] = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(a)), _mm_loadu_ps(b));
        }
        let [a, b, c, d] = groups;
        let (ab, cd) = (_mm256_castps_pd(_mm256_unpacklo_ps(a, b)), _mm256_castps_pd(_mm256_unpacklo_ps(c, d)));
        let (high_ab, high_cd) =
            (_mm256_castps_pd(_mm256_unpackhi_ps(a, b)), _mm256_castps_pd(_mm256_unpackhi_ps(c, d)));
        [
            _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)),
            _mm256_castpd_ps(_mm256_unpacklo_pd(high_ab, high_cd)),
            _mm256_castpd_ps(_mm256_unpackhi_pd(high_ab, high_cd)),
        ]
    }
}

#[inline(always)]
unsafe fn columns_512d(from: *const f64, stride: usize, rows: usize) -> [__m512d; 4] {
    let mut columns = [[0.0; 8]; 4];
    for row in 0..8 {
        for column in 0..4 {
            columns[column][row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
        }
    }
    let [a, b, c, d] = &columns;
    unsafe {
        [
            _mm512_loadu_pd(a.as_ptr()),
            _mm512_loadu_pd(b.as_ptr()),
            _mm512_loadu_pd(c.as_ptr()),
            _mm512_loadu_pd(d.as_ptr()),
        ]
    }
}

#[inline(always)]
unsafe fn columns_256d(from: *const f64, stride: usize, rows: usize) -> [__m256d; 4] {
    let mut columns = [[0.0; 4]; 4];
    for row in 0..4 {
        for column in 0..4 {
            columns[column][row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
        }
    }
    let [a, b, c, d] = &columns;
    unsafe {
        [
            _mm256_loadu_pd(a.as_ptr()),
            _mm256_loadu_pd(b.as_ptr()),
            _mm256_loadu_pd(c.as_ptr()),
            _mm256_loadu_pd(d.as_ptr()),
        ]
    }
}

/// Of each pair the even and the odd lanes, added; then the pairs' pairs; then the groups of four lanes.
#[inline(always)]
unsafe fn add_sums_512(vectors: [__m512; 4], to: *mut f32, count: usize) {
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        let groups = _mm512_add_ps(low, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(groups)));
        add_groups(_mm256_add_ps(_mm512_castps512_ps256(groups), high), to, count);
    }
}

#[inline(always)]
unsafe fn add_sums_256(vectors: [__m256; 4], to: *mut f32, count: usize) {
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
        let cd = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)));
        let low = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
        add_groups(_mm256_add_ps(low, _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd))), to, count);
    }
}

#[inline(always)]
unsafe fn add_groups(groups: __m256, to: *mut f32, count: usize) {
    unsafe {
        let sums = _mm_add_ps(_mm256_castps256_ps128(groups), _mm256_extractf128_ps::<1>(groups));
        if count == 4 {
            _mm_storeu_ps(to, _mm_add_ps(_mm_loadu_ps(to), sums));
        } else {
            store_first_128(_mm_add_ps(load_first_128(to, count), sums), to, count);
        }
    }
}

#[inline(always)]
unsafe fn add_sums_512d(vectors: [__m512d; 4], to: *mut f64, count: usize) {
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        let cd = _mm512_add_pd(_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
        let ab = _mm256_add_pd(_mm512_castpd512_pd256(ab), _mm512_extractf64x4_pd::<1>(ab));
        let cd = _mm256_add_pd(_mm512_castpd512_pd256(cd), _mm512_extractf64x4_pd::<1>(cd));
        add_groups_d(ab, cd, to, count);
    }
}

#[inline(always)]
unsafe fn add_sums_256d(vectors: [__m256d; 4], to: *mut f64, count: usize) {
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let cd = _mm256_add_pd(_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        add_groups_d(ab, cd, to, count);
    }
}

#[inline(always)]
unsafe fn add_groups_d(ab: __m256d, cd: __m256d, to: *mut f64, count: usize) {
    unsafe {
        let ab = _mm_add_pd(_mm256_castpd256_pd128(ab), _mm256_extractf128_pd::<1>(ab));
        let cd = _mm_add_pd(_mm256_castpd256_pd128(cd), _mm256_extractf128_pd::<1>(cd));
        let sums = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(ab), cd);
        if count == 4 {
            _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), sums));
        } else {
            store_first_256d(_mm256_add_pd(load_first_256d(to, count), sums), to, count);
        }
    }
}

// Part of a vector goes to and from memory as whole vectors of 8, 4, 2 and 1. Masked instructions would do it at once,
// but what they stored cannot be forwarded to the loads that follow soon after, and those that touch the cache line
// beyond wait for it too.
macro_rules! first_lanes {
    ($(
        $load:ident $store:ident $vector:ty, $scalar:ty, $lanes:literal,
        zero: $zero:expr, join $low:ident $high:ident: $join:expr, low of $whole:ident: $low_of:expr, high: $high_of:expr,
        half $from:ident: $load_half:expr, $to:ident $half:ident: $store_half:expr,
        $load_rest:ident $store_rest:ident;
    )*) => {
        $(
            #[inline(always)]
            unsafe fn $load($from: *const $scalar, count: usize) -> $vector {
                unsafe {
                    if count & $lanes > 0 {
                        let ($low, $high) = ($load_half, $load_rest($from.add($lanes), count - $lanes));
                        $join
                    } else {
                        let ($low, $high) = ($load_rest($from, count), $zero);
                        $join
                    }
                }
            }

            #[inline(always)]
            unsafe fn $store($whole: $vector, $to: *mut $scalar, count: usize) {
                unsafe {
                    if count & $lanes > 0 {
                        let $half = $low_of;
                        $store_half;
                        $store_rest($high_of, $to.add($lanes), count - $lanes);
                    } else {
                        $store_rest($low_of, $to, count);
                    }
                }
            }
        )*
    };
}

first_lanes! {
    load_first_512 store_first_512 __m512, f32, 8, zero: _mm256_setzero_ps(),
    join low high: _mm512_castpd_ps(_mm512_insertf64x4::<1>(
        _mm512_castps_pd(_mm512_castps256_ps512(low)),
        _mm256_castps_pd(high),
    )),
    low of whole: _mm512_castps512_ps256(whole),
    high: _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(whole))),
    half from: _mm256_loadu_ps(from), to half: _mm256_storeu_ps(to, half), load_first_256 store_first_256;

    load_first_256 store_first_256 __m256, f32, 4, zero: _mm_setzero_ps(),
    join low high: _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high),
    low of whole: _mm256_castps256_ps128(whole), high: _mm256_extractf128_ps::<1>(whole),
    half from: _mm_loadu_ps(from), to half: _mm_storeu_ps(to, half), load_first_128 store_first_128;

    load_first_128 store_first_128 __m128, f32, 2, zero: _mm_setzero_ps(),
    join low high: _mm_movelh_ps(low, high), low of whole: whole, high: _mm_movehl_ps(whole, whole),
    half from: _mm_castpd_ps(_mm_load_sd(from.cast())), to half: _mm_store_sd(to.cast(), _mm_castps_pd(half)),
    load_first_of_2 store_first_of_2;

    load_first_512d store_first_512d __m512d, f64, 4, zero: _mm256_setzero_pd(),
    join low high: _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high),
    low of whole: _mm512_castpd512_pd256(whole), high: _mm512_extractf64x4_pd::<1>(whole),
    half from: _mm256_loadu_pd(from), to half: _mm256_storeu_pd(to, half), load_first_256d store_first_256d;

    load_first_256d store_first_256d __m256d, f64, 2, zero: _mm_setzero_pd(),
    join low high: _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(low), high),
    low of whole: _mm256_castpd256_pd128(whole), high: _mm256_extractf128_pd::<1>(whole),
    half from: _mm_loadu_pd(from), to half: _mm_storeu_pd(to, half), load_first_of_2d store_first_of_2d;
}

#[inline(always)]
unsafe fn load_first_of_2(from: *const f32, count: usize) -> __m128 {
    unsafe { if count > 0 { _mm_load_ss(from) } else { _mm_setzero_ps() } }
}

#[inline(always)]
unsafe fn store_first_of_2(vector: __m128, to: *mut f32, count: usize) {
    if count > 0 {
        unsafe { _mm_store_ss(to, vector) };
    }
}

#[inline(always)]
unsafe fn load_first_of_2d(from: *const f64, count: usize) -> __m128d {
    unsafe { if count > 0 { _mm_load_sd(from) } else { _mm_setzero_pd() } }
}

#[inline(always)]
unsafe fn store_first_of_2d(vector: __m128d, to: *mut f64, count: usize) {
    if count > 0 {
        unsafe { _mm_store_sd(to, vector) };
    }
}
