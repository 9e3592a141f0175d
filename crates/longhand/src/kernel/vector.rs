//! Vectors of a processor behind one trait, so that each kernel is written once.

use super::precision::Precision;

/// A vector of `LANES` scalars.
///
/// A vector is made from a [`Token`](Self::Token) only, and a token only by detection of its instruction set. So a value
/// of either proves that the processor has the instructions, and arithmetic on vectors is safe. What remains unsafe is
/// access to memory through pointers.
///
/// No vector has more than [`MOST_LANES`] lanes.
pub(crate) trait Vector<T: Precision>: Copy {
    /// Proves that the processor has the instruction set.
    type Token: Copy;

    /// Scalars in it.
    const LANES: usize;
    /// Vectors of rows in one tile of a product.
    const TILE_VECTORS: usize;
    /// Columns in one tile of a product; with the rows they fill the registers.
    const TILE_COLUMNS: usize;

    fn splat(token: Self::Token, value: T) -> Self;
    /// `value` in every lane of a vector of the same instruction set.
    fn constant(self, value: T) -> Self;

    /// # Safety
    /// `LANES` elements can be read behind `from`, at any alignment.
    unsafe fn load(token: Self::Token, from: *const T) -> Self;
    /// # Safety
    /// `LANES` elements can be written behind `to`, at any alignment.
    unsafe fn store(self, to: *mut T);
    /// The first `count` elements, fewer than `LANES`, and zero in the other lanes.
    ///
    /// # Safety
    /// `count` elements can be read behind `from`; those beyond are not touched.
    #[inline(always)]
    unsafe fn load_first(token: Self::Token, from: *const T, count: usize) -> Self {
        const { assert!(Self::LANES <= MOST_LANES) };
        let mut lanes = [T::default(); MOST_LANES];
        for lane in 0..count {
            // SAFETY: the caller promises `count` elements.
            lanes[lane] = unsafe { *from.add(lane) };
        }
        // SAFETY: no vector has more lanes.
        unsafe { Self::load(token, lanes.as_ptr()) }
    }
    /// A whole vector if there are `count >= LANES` elements, or as many as there are.
    ///
    /// # Safety
    /// `count` elements can be read behind `from`.
    #[inline(always)]
    unsafe fn load_up_to(token: Self::Token, from: *const T, count: usize) -> Self {
        // SAFETY: the caller's `count` elements are at least those that are read.
        unsafe { if count >= Self::LANES { Self::load(token, from) } else { Self::load_first(token, from, count) } }
    }
    /// Stores the first `count` lanes, fewer than `LANES`.
    ///
    /// # Safety
    /// `count` elements can be written behind `to`; those beyond are not touched.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        let lanes = self.lanes();
        for lane in 0..count {
            // SAFETY: the caller promises `count` elements.
            unsafe { *to.add(lane) = lanes[lane] };
        }
    }
    /// The lanes, and zeros behind them.
    #[inline(always)]
    fn lanes(self) -> [T; MOST_LANES] {
        const { assert!(Self::LANES <= MOST_LANES) };
        let mut lanes = [T::default(); MOST_LANES];
        // SAFETY: no vector has more lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
    /// Four columns of `rows` rows that lie contiguously: element `from[row * stride + column]` in lane `row` of vector
    /// `column`. The lanes beyond the last row repeat it.
    ///
    /// # Safety
    /// Four elements can be read behind each of the `rows` rows (at least one, at most `LANES`).
    #[inline(always)]
    unsafe fn load_columns(token: Self::Token, from: *const T, stride: usize, rows: usize) -> [Self; 4] {
        const { assert!(Self::LANES <= MOST_LANES) };
        core::array::from_fn(|column| {
            let mut lanes = [T::default(); MOST_LANES];
            for row in 0..Self::LANES {
                // SAFETY: the caller promises four elements in each of `rows` rows.
                lanes[row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
            }
            // SAFETY: no vector has more lanes.
            unsafe { Self::load(token, lanes.as_ptr()) }
        })
    }
    /// Writes the sum of the lanes of each vector to one element behind `to`, added to the same one behind `start`; of the
    /// first `count` vectors only.
    ///
    /// # Safety
    /// `count` elements can be read behind `start` and written behind `to`.
    #[inline(always)]
    unsafe fn put_sums(vectors: [Self; 4], start: Option<*const T>, to: *mut T, count: usize) {
        for vector in 0..count {
            let sum = sum_of_lanes(vectors[vector]);
            // SAFETY: the caller promises `count` elements behind both.
            unsafe { *to.add(vector) = start.map_or(sum, |start| *start.add(vector) + sum) };
        }
    }
    /// The sums of the lanes of the first `LANES` vectors, the first in the first lane.
    fn sums(vectors: [Self; MOST_LANES]) -> Self;

    fn add(self, other: Self) -> Self;
    fn sub(self, other: Self) -> Self;
    fn mul(self, other: Self) -> Self;
    fn div(self, other: Self) -> Self;
    /// The smaller of the two; `other` if either is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` if either is NaN.
    fn max(self, other: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `values` where `self` is above zero, and zero elsewhere.
    fn where_positive(self, values: Self) -> Self;
    /// `self` in the lanes whose bits have any bit of `bits` set, and zero elsewhere.
    fn where_bits(self, bits: Self) -> Self;
    /// `self * factor + term`, rounded once where the instruction set can.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    fn abs(self) -> Self;
    /// The magnitude of `self` (which is not negative) with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self;
    /// `2^n`, where `self = n + ROUNDING` for the constant that makes a float's last bits count whole numbers.
    fn power_of_two(self) -> Self;
}

/// The sum of the lanes of a vector, from the first to the last.
#[inline(always)]
fn sum_of_lanes<T: Precision, V: Vector<T>>(vector: V) -> T {
    let lanes = vector.lanes();
    let mut sum = lanes[0];
    for &lane in &lanes[1..V::LANES] {
        sum = sum + lane;
    }
    sum
}

/// Lanes of the widest vector.
pub(crate) const MOST_LANES: usize = 16;

/// `1.5 * 2^23`: added to a small `f32`, it rounds it to a whole number, which stands in the last bits.
pub(crate) const ROUNDING_F32: f32 = 12_582_912.0;
/// `1.5 * 2^52`, the same for `f64`.
pub(crate) const ROUNDING_F64: f64 = 6_755_399_441_055_744.0;

/// Element-wise functions of a vector, from its field to its field.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! elementwise {
    ($name:ident: $($function:ident($x:ident $($operand:ident)*) $result:expr;)*) => {
        $(
            #[inline(always)]
            fn $function(self, $($operand: Self),*) -> Self {
                let ($x, $($operand,)*) = (self.0, $($operand.0,)*);
                // SAFETY: a vector proves its instruction set.
                $name(unsafe { $result })
            }
        )*
    };
}
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) use elementwise;

/// The token of the plain path, which needs no instructions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Plain;

/// One scalar at a time: the path for processors without one of their own. The compiler vectorises what it can.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T, const N: usize>([T; N]);

macro_rules! plain_vector {
    ($scalar:ty, $lanes:literal, $mantissa:literal) => {
        impl Vector<$scalar> for Lanes<$scalar, $lanes> {
            type Token = Plain;

            const LANES: usize = $lanes;
            const TILE_VECTORS: usize = 2;
            const TILE_COLUMNS: usize = 4;

            #[inline(always)]
            fn splat(_: Plain, value: $scalar) -> Self {
                Lanes([value; $lanes])
            }
            #[inline(always)]
            fn constant(self, value: $scalar) -> Self {
                Lanes([value; $lanes])
            }
            #[inline(always)]
            unsafe fn load(_: Plain, from: *const $scalar) -> Self {
                // SAFETY: the caller promises that many elements.
                Lanes(unsafe { from.cast::<[$scalar; $lanes]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller promises that many elements.
                unsafe { to.cast::<[$scalar; $lanes]>().write_unaligned(self.0) }
            }
            #[inline(always)]
            fn sums(vectors: [Self; MOST_LANES]) -> Self {
                Lanes(core::array::from_fn(|vector| sum_of_lanes(vectors[vector])))
            }
            #[inline(always)]
            fn add(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] += other.0[lane];
                }
                self
            }
            #[inline(always)]
            fn sub(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] -= other.0[lane];
                }
                self
            }
            #[inline(always)]
            fn mul(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] *= other.0[lane];
                }
                self
            }
            #[inline(always)]
            fn div(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] /= other.0[lane];
                }
                self
            }
            #[inline(always)]
            fn min(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] < other.0[lane] { self.0[lane] } else { other.0[lane] };
                }
                self
            }
            #[inline(always)]
            fn max(mut self, other: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] > other.0[lane] { self.0[lane] } else { other.0[lane] };
                }
                self
            }
            #[inline(always)]
            fn sqrt(mut self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = nalgebra::ComplexField::sqrt(self.0[lane]);
                }
                self
            }
            #[inline(always)]
            fn where_positive(mut self, values: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] > 0.0 { values.0[lane] } else { 0.0 };
                }
                self
            }
            #[inline(always)]
            fn where_bits(mut self, bits: Self) -> Self {
                for lane in 0..$lanes {
                    let shared = self.0[lane].to_bits() & bits.0[lane].to_bits();
                    self.0[lane] = if shared == 0 { 0.0 } else { self.0[lane] };
                }
                self
            }
            #[inline(always)]
            fn mul_add(mut self, factor: Self, term: Self) -> Self {
                // Not `mul_add`: without the instruction that is a slow call.
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane] * factor.0[lane] + term.0[lane];
                }
                self
            }
            #[inline(always)]
            fn abs(mut self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane].abs();
                }
                self
            }
            #[inline(always)]
            fn with_sign_of(mut self, sign: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = self.0[lane].copysign(sign.0[lane]);
                }
                self
            }
            #[inline(always)]
            fn power_of_two(mut self) -> Self {
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
