//! Loads of four columns of a matrix with contiguous rows, for packing a transpose.

use super::memory::{load_128, load_256d, load_512d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

/// Loads row `4 l + k` into lane group `l` of vector `k`. Then transposes each 4 x 4 group in place.
#[inline(always)]
pub(super) unsafe fn columns_512(from: *const f32, stride: usize, rows: usize) -> [__m512; 4] {
    // SAFETY: the caller has the instruction set and promises four elements in each of `rows` rows.
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
            let low = _mm512_insertf32x4::<1>(_mm512_castps128_ps512(load_128(a)), load_128(b));
            groups[k] = _mm512_insertf32x4::<3>(_mm512_insertf32x4::<2>(low, load_128(c)), load_128(d));
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

/// Like `columns_512`, but with two groups per vector.
#[inline(always)]
pub(super) unsafe fn columns_256(from: *const f32, stride: usize, rows: usize) -> [__m256; 4] {
    // SAFETY: the caller has the instruction set and promises four elements in each of `rows` rows.
    unsafe {
        let mut groups = [_mm256_setzero_ps(); 4];
        for k in 0..4 {
            let (a, b) = (from.add(k.min(rows - 1) * stride), from.add((4 + k).min(rows - 1) * stride));
            groups[k] = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(load_128(a)), load_128(b));
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
pub(super) unsafe fn columns_512d(from: *const f64, stride: usize, rows: usize) -> [__m512d; 4] {
    let mut columns = [[0.0; 8]; 4];
    for row in 0..8 {
        for column in 0..4 {
            // SAFETY: the caller guarantees four elements in each of `rows` rows.
            columns[column][row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
        }
    }
    let [a, b, c, d] = &columns;
    // SAFETY: the caller has the instruction set and promises four elements in each of `rows` rows.
    unsafe { [load_512d(a.as_ptr()), load_512d(b.as_ptr()), load_512d(c.as_ptr()), load_512d(d.as_ptr())] }
}

#[inline(always)]
pub(super) unsafe fn columns_256d(from: *const f64, stride: usize, rows: usize) -> [__m256d; 4] {
    let mut columns = [[0.0; 4]; 4];
    for row in 0..4 {
        for column in 0..4 {
            // SAFETY: the caller guarantees four elements in each of `rows` rows.
            columns[column][row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
        }
    }
    let [a, b, c, d] = &columns;
    // SAFETY: the caller has the instruction set and promises four elements in each of `rows` rows.
    unsafe { [load_256d(a.as_ptr()), load_256d(b.as_ptr()), load_256d(c.as_ptr()), load_256d(d.as_ptr())] }
}
