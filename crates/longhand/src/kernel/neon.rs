//! The vectors of 64-bit ARM processors. This module is compiled only for targets that include NEON, so no detection
//! is needed.

use super::vector::{MOST_LANES, Vector, elementwise};
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::aarch64::*;

/// Proves that the processor has NEON, which the target guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neon(());

impl Neon {
    #[inline(always)]
    pub(super) fn new() -> Neon {
        Neon(())
    }
}

macro_rules! neon_vector {
    (
        $name:ident($vector:ty), $about:literal, $scalar:ty, $lanes:literal,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $sqrt:ident $fma:ident $abs:ident,
        $less:ident $greater:ident $select:ident $shared:ident $bits:ident $from_bits:ident $and:ident $int_add:ident
        $shift:ident $mantissa:literal,
        |$vectors:ident| $sums:expr
    ) => {
        #[doc = $about]
        #[derive(Clone, Copy)]
        pub(crate) struct $name($vector);

        impl Vector<$scalar> for $name {
            type Token = Neon;

            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = 4;
            const TILE_COLUMNS: usize = 6;

            #[inline(always)]
            fn splat(_: Neon, value: $scalar) -> Self {
                // SAFETY: the target has NEON.
                $name(unsafe { $splat(value) })
            }
            #[inline(always)]
            fn constant(self, value: $scalar) -> Self {
                // SAFETY: the target has NEON.
                $name(unsafe { $splat(value) })
            }
            #[inline(always)]
            unsafe fn load(_: Neon, from: *const $scalar) -> Self {
                // SAFETY: the caller guarantees the elements.
                $name(unsafe { $load(from) })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller guarantees the elements.
                unsafe { $store(to, self.0) }
            }
            #[inline(always)]
            fn sums($vectors: [Self; MOST_LANES]) -> Self {
                // SAFETY: the target has NEON.
                $name(unsafe { $sums })
            }
            // `min` and `max` use comparisons: the instructions of that name return NaN if either operand is NaN.
            elementwise!($name:
                add(x other) $add(x, other);
                sub(x other) $sub(x, other);
                mul(x other) $mul(x, other);
                div(x other) $div(x, other);
                min(x other) $select($less(x, other), x, other);
                max(x other) $select($greater(x, other), x, other);
                sqrt(x) $sqrt(x);
                where_positive(x values) $from_bits($and($greater(x, $splat(0.0)), $bits(values)));
                choose(x above otherwise) $select($greater(x, $splat(0.0)), above, otherwise);
                where_bits(x bits) $from_bits($and($shared($bits(x), $bits(bits)), $bits(x)));
                mul_add(x factor term) $fma(term, x, factor);
                abs(x) $abs(x);
                with_sign_of(x sign) $select($bits($splat(-0.0)), sign, x);
                power_of_two(x) $from_bits($int_add($shift::<$mantissa>($bits(x)), $bits($splat(1.0))));
            );
        }
    };
}

neon_vector!(
    F32x4(float32x4_t), "4 lanes of `f32`.", f32, 4,
    vdupq_n_f32 vld1q_f32 vst1q_f32 vaddq_f32 vsubq_f32 vmulq_f32 vdivq_f32 vsqrtq_f32 vfmaq_f32 vabsq_f32,
    vcltq_f32 vcgtq_f32 vbslq_f32 vtstq_u32 vreinterpretq_u32_f32 vreinterpretq_f32_u32 vandq_u32 vaddq_u32
    vshlq_n_u32 23,
    |v| vpaddq_f32(vpaddq_f32(v[0].0, v[1].0), vpaddq_f32(v[2].0, v[3].0))
);
neon_vector!(
    F64x2(float64x2_t), "2 lanes of `f64`.", f64, 2,
    vdupq_n_f64 vld1q_f64 vst1q_f64 vaddq_f64 vsubq_f64 vmulq_f64 vdivq_f64 vsqrtq_f64 vfmaq_f64 vabsq_f64,
    vcltq_f64 vcgtq_f64 vbslq_f64 vtstq_u64 vreinterpretq_u64_f64 vreinterpretq_f64_u64 vandq_u64 vaddq_u64
    vshlq_n_u64 52,
    |v| vpaddq_f64(v[0].0, v[1].0)
);
