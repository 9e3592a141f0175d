//! The sums of the lanes of four vectors at a time.

use super::first::{load_first_128, load_first_256d, store_first_128, store_first_256d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

/// Of each pair the even and the odd lanes, added; then the pairs' pairs; then the groups of four lanes.
#[inline(always)]
pub(super) unsafe fn add_sums_512(vectors: [__m512; 4], to: *mut f32, count: usize) {
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
pub(super) unsafe fn add_sums_256(vectors: [__m256; 4], to: *mut f32, count: usize) {
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
pub(super) unsafe fn add_sums_512d(vectors: [__m512d; 4], to: *mut f64, count: usize) {
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
pub(super) unsafe fn add_sums_256d(vectors: [__m256d; 4], to: *mut f64, count: usize) {
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
