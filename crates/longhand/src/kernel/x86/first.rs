//! Loads and stores of the first lanes of a vector.
//!
//! A part of a vector is loaded and stored as whole vectors of 8, 4, 2 and 1 lanes. A masked instruction would need
//! only one access, but a load that follows a masked store stalls (no store forwarding). A masked access that reaches
//! into the next cache line also waits for that line.

use super::memory::{load_128, load_128d, load_256, load_256d, store_128, store_128d, store_256, store_256d};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

macro_rules! first_lanes {
    ($(
        $load:ident $store:ident $vector:ty, $scalar:ty, $lanes:literal,
        zero: $zero:expr, join $low:ident $high:ident: $join:expr, low of $whole:ident: $low_of:expr, high: $high_of:expr,
        half $from:ident: $load_half:expr, $to:ident $half:ident: $store_half:expr,
        $load_rest:ident $store_rest:ident;
    )*) => {
        $(
            #[inline(always)]
            pub(super) unsafe fn $load($from: *const $scalar, count: usize) -> $vector {
                // SAFETY: the caller has the instruction set and promises `count` elements.
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
            pub(super) unsafe fn $store($whole: $vector, $to: *mut $scalar, count: usize) {
                // SAFETY: the caller has the instruction set and promises `count` elements.
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
    half from: load_256(from), to half: store_256(to, half), load_first_256 store_first_256;

    load_first_256 store_first_256 __m256, f32, 4, zero: _mm_setzero_ps(),
    join low high: _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high),
    low of whole: _mm256_castps256_ps128(whole), high: _mm256_extractf128_ps::<1>(whole),
    half from: load_128(from), to half: store_128(to, half), load_first_128 store_first_128;

    load_first_128 store_first_128 __m128, f32, 2, zero: _mm_setzero_ps(),
    join low high: _mm_movelh_ps(low, high), low of whole: whole, high: _mm_movehl_ps(whole, whole),
    half from: _mm_castpd_ps(_mm_set_sd(from.cast::<f64>().read_unaligned())),
    to half: to.cast::<f64>().write_unaligned(_mm_cvtsd_f64(_mm_castps_pd(half))),
    load_first_of_2 store_first_of_2;

    load_first_512d store_first_512d __m512d, f64, 4, zero: _mm256_setzero_pd(),
    join low high: _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high),
    low of whole: _mm512_castpd512_pd256(whole), high: _mm512_extractf64x4_pd::<1>(whole),
    half from: load_256d(from), to half: store_256d(to, half), load_first_256d store_first_256d;

    load_first_256d store_first_256d __m256d, f64, 2, zero: _mm_setzero_pd(),
    join low high: _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(low), high),
    low of whole: _mm256_castpd256_pd128(whole), high: _mm256_extractf128_pd::<1>(whole),
    half from: load_128d(from), to half: store_128d(to, half), load_first_of_2d store_first_of_2d;
}

#[inline(always)]
unsafe fn load_first_of_2(from: *const f32, count: usize) -> __m128 {
    // SAFETY: the caller has the instruction set and promises `count` elements.
    unsafe { if count > 0 { _mm_load_ss(from) } else { _mm_setzero_ps() } }
}

#[inline(always)]
unsafe fn store_first_of_2(vector: __m128, to: *mut f32, count: usize) {
    if count > 0 {
        // SAFETY: the caller has the instruction set and promises `count` elements.
        unsafe { _mm_store_ss(to, vector) };
    }
}

#[inline(always)]
unsafe fn load_first_of_2d(from: *const f64, count: usize) -> __m128d {
    // SAFETY: the caller has the instruction set and promises `count` elements.
    unsafe { if count > 0 { _mm_load_sd(from) } else { _mm_setzero_pd() } }
}

#[inline(always)]
unsafe fn store_first_of_2d(vector: __m128d, to: *mut f64, count: usize) {
    if count > 0 {
        // SAFETY: the caller has the instruction set and promises `count` elements.
        unsafe { _mm_store_sd(to, vector) };
    }
}
