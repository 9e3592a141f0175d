//! The sum and the largest lane of one vector: halves are combined until one lane remains.

#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

/// Defines the combination of all lanes of the four vector types, given the instruction for each width.
macro_rules! combined_lanes {
    ($f32_512:ident $f32_256:ident $f64_512:ident $f64_256:ident:
     $ps_256:ident $ps_128:ident $ss:ident $pd_256:ident $pd_128:ident $sd:ident) => {
        #[inline(always)]
        pub(super) unsafe fn $f32_512(x: __m512) -> f32 {
            // SAFETY: the caller's vector proves the instruction set.
            unsafe {
                let high = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
                $f32_256($ps_256(_mm512_castps512_ps256(x), high))
            }
        }

        #[inline(always)]
        pub(super) unsafe fn $f32_256(x: __m256) -> f32 {
            // SAFETY: the caller's vector proves the instruction set.
            unsafe {
                let four = $ps_128(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
                let two = $ps_128(four, _mm_movehl_ps(four, four));
                _mm_cvtss_f32($ss(two, _mm_shuffle_ps::<1>(two, two)))
            }
        }

        #[inline(always)]
        pub(super) unsafe fn $f64_512(x: __m512d) -> f64 {
            // SAFETY: the caller's vector proves the instruction set.
            unsafe { $f64_256($pd_256(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd::<1>(x))) }
        }

        #[inline(always)]
        pub(super) unsafe fn $f64_256(x: __m256d) -> f64 {
            // SAFETY: the caller's vector proves the instruction set.
            unsafe {
                let two = $pd_128(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x));
                _mm_cvtsd_f64($sd(two, _mm_unpackhi_pd(two, two)))
            }
        }
    };
}

combined_lanes!(
    sum_of_lanes_512 sum_of_lanes_256 sum_of_lanes_512d sum_of_lanes_256d:
    _mm256_add_ps _mm_add_ps _mm_add_ss _mm256_add_pd _mm_add_pd _mm_add_sd
);
combined_lanes!(
    largest_lane_512 largest_lane_256 largest_lane_512d largest_lane_256d:
    _mm256_max_ps _mm_max_ps _mm_max_ss _mm256_max_pd _mm_max_pd _mm_max_sd
);
