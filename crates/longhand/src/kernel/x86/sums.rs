//! The sums of the lanes of four vectors, or of `LANES` vectors.

use super::MOST_LANES;
use super::first::{load_first_128, load_first_256d, store_first_128, store_first_256d};
use super::memory::{load_128, load_256d, store_128, store_256d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

/// Adds the lanes of each vector pairwise: first single lanes, then pairs of lanes, then groups of four lanes.
#[inline(always)]
pub(super) unsafe fn put_sums_512(vectors: [__m512; 4], start: Option<*const f32>, to: *mut f32, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        let cd = _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d)));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        let groups = _mm512_add_ps(low, _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd)));
        let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(groups)));
        put_groups(_mm256_add_ps(_mm512_castps512_ps256(groups), high), start, to, count);
    }
}

#[inline(always)]
pub(super) unsafe fn put_sums_256(vectors: [__m256; 4], start: Option<*const f32>, to: *mut f32, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
        let cd = _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d)));
        let low = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
        put_groups(_mm256_add_ps(low, _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd))), start, to, count);
    }
}

#[inline(always)]
unsafe fn put_groups(groups: __m256, start: Option<*const f32>, to: *mut f32, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let mut sums = _mm_add_ps(_mm256_castps256_ps128(groups), _mm256_extractf128_ps::<1>(groups));
        if let Some(start) = start {
            sums = _mm_add_ps(if count == 4 { load_128(start) } else { load_first_128(start, count) }, sums);
        }
        if count == 4 {
            store_128(to, sums);
        } else {
            store_first_128(sums, to, count);
        }
    }
}

#[inline(always)]
pub(super) unsafe fn put_sums_512d(vectors: [__m512d; 4], start: Option<*const f64>, to: *mut f64, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        let cd = _mm512_add_pd(_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
        let ab = _mm256_add_pd(_mm512_castpd512_pd256(ab), _mm512_extractf64x4_pd::<1>(ab));
        let cd = _mm256_add_pd(_mm512_castpd512_pd256(cd), _mm512_extractf64x4_pd::<1>(cd));
        put_groups_d(ab, cd, start, to, count);
    }
}

#[inline(always)]
pub(super) unsafe fn put_sums_256d(vectors: [__m256d; 4], start: Option<*const f64>, to: *mut f64, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let [a, b, c, d] = vectors;
        let ab = _mm256_add_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        let cd = _mm256_add_pd(_mm256_unpacklo_pd(c, d), _mm256_unpackhi_pd(c, d));
        put_groups_d(ab, cd, start, to, count);
    }
}

#[inline(always)]
unsafe fn put_groups_d(ab: __m256d, cd: __m256d, start: Option<*const f64>, to: *mut f64, count: usize) {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let ab = _mm_add_pd(_mm256_castpd256_pd128(ab), _mm256_extractf128_pd::<1>(ab));
        let cd = _mm_add_pd(_mm256_castpd256_pd128(cd), _mm256_extractf128_pd::<1>(cd));
        let mut sums = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(ab), cd);
        if let Some(start) = start {
            sums = _mm256_add_pd(if count == 4 { load_256d(start) } else { load_first_256d(start, count) }, sums);
        }
        if count == 4 {
            store_256d(to, sums);
        } else {
            store_first_256d(sums, to, count);
        }
    }
}

/// Halves the number of vectors: applies `$together` to each pair of vectors.
macro_rules! pairs {
    ($vectors:ident, $together:ident: $($first:literal $second:literal)*) => {
        [$($together($vectors[$first], $vectors[$second])),*]
    };
}

/// In each group of four lanes, the sums of lanes 0 and 2, and of lanes 1 and 3, of both vectors, in the order `a b a
/// b`.
#[inline(always)]
unsafe fn lanes_of(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe { _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
}

/// Like `lanes_of`, but with pairs of lanes as elements.
#[inline(always)]
unsafe fn pairs_of(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
        let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
        _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
    }
}

/// The sums of adjacent groups of four lanes: two of `a`, then two of `b`.
#[inline(always)]
unsafe fn groups_of(a: __m512, b: __m512) -> __m512 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe { _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b)) }
}

#[inline(always)]
pub(super) unsafe fn sums_512(v: [__m512; MOST_LANES]) -> __m512 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let v = pairs!(v, lanes_of: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        let v = pairs!(v, pairs_of: 0 1 2 3 4 5 6 7);
        let v = pairs!(v, groups_of: 0 1 2 3);
        groups_of(v[0], v[1])
    }
}

#[inline(always)]
unsafe fn lanes_of_256(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe { _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)) }
}

#[inline(always)]
unsafe fn pairs_of_256(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
        let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
        _mm256_add_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high))
    }
}

#[inline(always)]
pub(super) unsafe fn sums_256(v: [__m256; MOST_LANES]) -> __m256 {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let v = pairs!(v, lanes_of_256: 0 1 2 3 4 5 6 7);
        let v = pairs!(v, pairs_of_256: 0 1 2 3);
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(v[0], v[1]), _mm256_permute2f128_ps::<0x31>(v[0], v[1]))
    }
}

#[inline(always)]
unsafe fn lanes_of_512d(a: __m512d, b: __m512d) -> __m512d {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe { _mm512_add_pd(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)) }
}

#[inline(always)]
unsafe fn groups_of_512d(a: __m512d, b: __m512d) -> __m512d {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe { _mm512_add_pd(_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0xdd>(a, b)) }
}

#[inline(always)]
pub(super) unsafe fn sums_512d(v: [__m512d; MOST_LANES]) -> __m512d {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let v = pairs!(v, lanes_of_512d: 0 1 2 3 4 5 6 7);
        let v = pairs!(v, groups_of_512d: 0 1 2 3);
        groups_of_512d(v[0], v[1])
    }
}

#[inline(always)]
pub(super) unsafe fn sums_256d(v: [__m256d; MOST_LANES]) -> __m256d {
    // SAFETY: the caller has the instruction set and, where memory is written, promises `count` elements.
    unsafe {
        let low = _mm256_add_pd(_mm256_unpacklo_pd(v[0], v[1]), _mm256_unpackhi_pd(v[0], v[1]));
        let high = _mm256_add_pd(_mm256_unpacklo_pd(v[2], v[3]), _mm256_unpackhi_pd(v[2], v[3]));
        _mm256_add_pd(_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high))
    }
}
