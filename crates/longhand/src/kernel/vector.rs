//! Vectors of a processor behind one trait, so that each kernel is written once.

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
    /// The first `count` elements, fewer than `LANES`, and zero in the other lanes; nothing beyond them is touched.
    unsafe fn load_first(from: *const T, count: usize) -> Self;
    /// A whole vector if there are `count >= LANES` elements, or as many as there are.
    #[inline(always)]
    unsafe fn load_up_to(from: *const T, count: usize) -> Self {
        unsafe { if count >= Self::LANES { Self::load(from) } else { Self::load_first(from, count) } }
    }
    /// Stores the first `count` lanes, fewer than `LANES`; nothing beyond them is touched.
    unsafe fn store_first(self, to: *mut T, count: usize);
    /// Four columns of `rows` rows that lie contiguously: element `from[row * stride + column]` in lane `row` of vector
    /// `column`. The lanes beyond the last row repeat it.
    unsafe fn load_columns(from: *const T, stride: usize, rows: usize) -> [Self; 4];
    /// Writes the sum of the lanes of each vector to one element behind `to`, added to the same one behind `start`; of the
    /// first `count` vectors only.
    unsafe fn put_sums(vectors: [Self; 4], start: Option<*const T>, to: *mut T, count: usize);
    /// The sums of the lanes of the first `LANES` vectors, the first in the first lane.
    unsafe fn sums(vectors: [Self; MOST_LANES]) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    /// The smaller of the two; `other` if either is NaN.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` if either is NaN.
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    /// `values` where `self` is above zero, and zero elsewhere.
    unsafe fn where_positive(self, values: Self) -> Self;
    /// `self * factor + term`, rounded once where the instruction set can.
    unsafe fn mul_add(self, factor: Self, term: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// The magnitude of `self` (which is not negative) with the sign of `sign`.
    unsafe fn with_sign_of(self, sign: Self) -> Self;
    /// `2^n`, where `self = n + ROUNDING` for the constant that makes a float's last bits count whole numbers.
    unsafe fn power_of_two(self) -> Self;
}

/// Lanes of the widest vector.
pub(crate) const MOST_LANES: usize = 16;

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
            unsafe fn load_first(from: *const $scalar, count: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                for lane in 0..count {
                    lanes[lane] = unsafe { *from.add(lane) };
                }
                Lanes(lanes)
            }
            #[inline(always)]
            unsafe fn store_first(self, to: *mut $scalar, count: usize) {
                for lane in 0..count {
                    unsafe { *to.add(lane) = self.0[lane] };
                }
            }
            #[inline(always)]
            unsafe fn load_columns(from: *const $scalar, stride: usize, rows: usize) -> [Self; 4] {
                core::array::from_fn(|column| {
                    Lanes(core::array::from_fn(|row| unsafe { *from.add(row.min(rows - 1) * stride + column) }))
                })
            }
            #[inline(always)]
            unsafe fn put_sums(vectors: [Self; 4], start: Option<*const $scalar>, to: *mut $scalar, count: usize) {
                for vector in 0..count {
                    let start = start.map_or(0.0, |start| unsafe { *start.add(vector) });
                    unsafe { *to.add(vector) = start + vectors[vector].0.iter().sum::<$scalar>() };
                }
            }
            #[inline(always)]
            unsafe fn sums(vectors: [Self; MOST_LANES]) -> Self {
                Lanes(core::array::from_fn(|vector| vectors[vector].0.iter().sum()))
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
            unsafe fn sqrt(mut self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = nalgebra::ComplexField::sqrt(self.0[lane]);
                }
                self
            }
            #[inline(always)]
            unsafe fn where_positive(mut self, values: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] > 0.0 { values.0[lane] } else { 0.0 };
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
