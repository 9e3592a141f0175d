//! Vectors of a processor behind one trait, so that each kernel is written once.

#[cfg(target_arch = "x86_64")]
#[allow(clippy::wildcard_imports, reason = "every name is an intrinsic")]
use core::arch::x86_64::*;

/// A vector of `LANES` scalars.
///
/// # Safety
/// Every function needs the instruction set that the vector belongs to; `load` and `store` need `LANES` elements
/// behind the pointer, at any alignment. They are inlined into functions with `#[target_feature]`.
pub(crate) trait Vector<T>: Copy {
    /// Scalars in it.
    const LANES: usize;
    /// Vectors of rows in one tile of a product.
    const TILE_VECTORS: usize;
    /// Columns in one tile of a product; with the rows they fill the registers.
    const TILE_COLUMNS: usize;

    unsafe fn splat(value: T) -> Self;
    unsafe fn load(from: *const T) -> Self;
    unsafe fn store(self, to: *mut T);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The smaller of the two; `other` if either is NaN.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` if either is NaN.
    unsafe fn max(self, other: Self) -> Self;
    /// `self * factor + term`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// The magnitude of `self` (which is not negative) with the sign of `sign`.
    unsafe fn with_sign_of(self, sign: Self) -> Self;
    /// `2^n`, where `self = n + ROUNDING` for the constant that makes a float's last bits count whole numbers.
    unsafe fn power_of_two(self) -> Self;
}

/// `1.5 * 2^23`: added to a small `f32`, it rounds it to a whole number, which stands in the last bits.
pub(crate) const ROUNDING_F32: f32 = 12_582_912.0;
/// `1.5 * 2^52`, the same for `f64`.
pub(crate) const ROUNDING_F64: f64 = 6_755_399_441_055_744.0;

/// One scalar at a time: the path for processors without one of their own. The compiler vectorises what it can.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T, const N: usize>([T; N]);

macro_rules! plain_vector {
    ($scalar:ty, $lanes:literal, $mantissa:literal) => {
        impl Vector<$scalar> for Lanes<$scalar, $lanes> {
            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = 2;
            const TILE_COLUMNS: usize = 4;

            #[inline(always)]
            unsafe fn splat(value: $scalar) -> Self {
                Lanes([value; $lanes])
            }
            #[inline(always)]
            unsafe fn load(from: *const $scalar) -> Self {
                Lanes(unsafe { from.cast::<[$scalar; $lanes]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                unsafe { to.cast::<[$scalar; $lanes]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            unsafe fn add(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] += other.0[lane];
                }
                self
            }
            #[inline(always)]
            unsafe fn sub(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] -= other.0[lane];
                }
                self
            }
            #[inline(always)]
            unsafe fn mul(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] *= other.0[lane];
                }
                self
            }
            #[inline(always)]
            unsafe fn div(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] /= other.0[lane];
                }
                self
            }
            #[inline(always)]
            unsafe fn min(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] < other.0[lane] { self.0[lane] } else { other.0[lane] };
                }
                self
            }
            #[inline(always)]
            unsafe fn max(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] > other.0[lane] { self.0[lane] } else { other.0[lane] };
                }
                self
            }
            #[inline(always)]
            unsafe fn mul_add(mut self, factor: Self, term: Self) -> Self {
                // Not `mul_add`: without the instruction that is a slow call.
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane] * factor.0[lane] + term.0[lane];
                }
                self
            }
            #[inline(always)]
            unsafe fn abs(mut self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane].abs();
                }
                self
            }
            #[inline(always)]
            unsafe fn with_sign_of(mut self, sign: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane].copysign(sign.0[lane]);
                }
                self
            }
            #[inline(always)]
            unsafe fn power_of_two(mut self) -> Self {
                let one: $scalar = 1.0;
                for lane in 0..$lanes {
                    let exponent = self.0[lane].to_bits() << $mantissa;
                    self.0[lane] = <$scalar>::from_bits(exponent.wrapping_add(one.to_bits()));
                }
                self
            }
        }
    };
}

plain_vector!(f32, 4, 23);
plain_vector!(f64, 2, 52);

#[cfg(target_arch = "x86_64")]
macro_rules! x86_vector {
    (
        $vector:ty, $scalar:ty, $lanes:literal, $tile_vectors:literal x $tile_columns:literal,
        $splat:ident $load:ident $store:ident $add:ident $sub:ident $mul:ident $div:ident $min:ident $max:ident
        $mul_add:ident,
        $to_int:ident $from_int:ident $and:ident $andnot:ident $or:ident $int_add:ident
        $shift:ident $mantissa:literal
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

#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m512, f32, 16, 4 x 6,
    _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps _mm512_sub_ps _mm512_mul_ps _mm512_div_ps
    _mm512_min_ps _mm512_max_ps _mm512_fmadd_ps,
    _mm512_castps_si512 _mm512_castsi512_ps _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi32 _mm512_slli_epi32 23
);
#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m512d, f64, 8, 4 x 6,
    _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_add_pd _mm512_sub_pd _mm512_mul_pd _mm512_div_pd
    _mm512_min_pd _mm512_max_pd _mm512_fmadd_pd,
    _mm512_castpd_si512 _mm512_castsi512_pd _mm512_and_si512 _mm512_andnot_si512 _mm512_or_si512
    _mm512_add_epi64 _mm512_slli_epi64 52
);
#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m256, f32, 8, 2 x 6,
    _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps _mm256_sub_ps _mm256_mul_ps _mm256_div_ps
    _mm256_min_ps _mm256_max_ps _mm256_fmadd_ps,
    _mm256_castps_si256 _mm256_castsi256_ps _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi32 _mm256_slli_epi32 23
);
#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m256d, f64, 4, 2 x 6,
    _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_add_pd _mm256_sub_pd _mm256_mul_pd _mm256_div_pd
    _mm256_min_pd _mm256_max_pd _mm256_fmadd_pd,
    _mm256_castpd_si256 _mm256_castsi256_pd _mm256_and_si256 _mm256_andnot_si256 _mm256_or_si256
    _mm256_add_epi64 _mm256_slli_epi64 52
);
