//! Whole vectors from and to memory.
//!
//! `_mm512_loadu_ps` and the like call `ptr::read_unaligned`. With debug assertions that function has checks, and it is not
//! inlined: the kernels would call a function per vector in every debug build, even where dependencies are optimised (training
//! took three times as long). A masked load of all lanes compiles to the same instruction, without the call.

#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

macro_rules! whole_vectors {
    ($($load:ident $store:ident $vector:ty, $scalar:ty: $load_masked:ident $store_masked:ident $lanes:expr;)*) => {
        $(
            #[inline(always)]
            pub(super) unsafe fn $load(from: *const $scalar) -> $vector {
                // SAFETY: the caller has the instruction set and promises the elements.
                unsafe { masked!(load $load_masked, $lanes, from) }
            }

            #[inline(always)]
            pub(super) unsafe fn $store(to: *mut $scalar, vector: $vector) {
                // SAFETY: the caller has the instruction set and promises the elements.
                unsafe { $store_masked(to, $lanes, vector) }
            }
        )*
    };
}

/// The arguments of masked loads: the mask comes first in AVX-512, and second in AVX.
macro_rules! masked {
    (load _mm512_maskz_loadu_ps, $lanes:expr, $from:ident) => {
        _mm512_maskz_loadu_ps($lanes, $from)
    };
    (load _mm512_maskz_loadu_pd, $lanes:expr, $from:ident) => {
        _mm512_maskz_loadu_pd($lanes, $from)
    };
    (load $load:ident, $lanes:expr, $from:ident) => {
        $load($from, $lanes)
    };
}

whole_vectors! {
    load_512 store_512 __m512, f32: _mm512_maskz_loadu_ps _mm512_mask_storeu_ps !0;
    load_512d store_512d __m512d, f64: _mm512_maskz_loadu_pd _mm512_mask_storeu_pd !0;
    load_256 store_256 __m256, f32: _mm256_maskload_ps _mm256_maskstore_ps _mm256_set1_epi32(-1);
    load_256d store_256d __m256d, f64: _mm256_maskload_pd _mm256_maskstore_pd _mm256_set1_epi64x(-1);
    load_128 store_128 __m128, f32: _mm_maskload_ps _mm_maskstore_ps _mm_set1_epi32(-1);
    load_128d store_128d __m128d, f64: _mm_maskload_pd _mm_maskstore_pd _mm_set1_epi64x(-1);
}
