//! The trait of SIMD vectors. Each kernel is written once, for all vector types.

use super::precision::Precision;

/// A vector of `LANES` scalars.
///
/// A vector can only be created from a [`Token`](Self::Token), and a token only by detection of its instruction set. So
/// a value of either type proves that the processor has the instructions, and arithmetic on vectors is safe. Only
/// memory access through pointers is unsafe.
///
/// No vector has more than [`MOST_LANES`] lanes.
pub(crate) trait Vector<T: Precision>: Copy {
    /// Proves that the processor has the instruction set.
    type Token: Copy;

    /// Number of scalars.
    const LANES: usize;
    /// Number of vectors of rows in a tile of a product.
    const TILE_VECTORS: usize;
    /// Number of columns in a tile of a product. The sums of a tile fill the registers.
    const TILE_COLUMNS: usize;

    /// `value` in every lane.
    fn splat(token: Self::Token, value: T) -> Self;
    /// `value` in every lane of a vector of the same instruction set.
    fn constant(self, value: T) -> Self;

    /// # Safety
    /// `LANES` elements must be readable at `from`, with any alignment.
    unsafe fn load(token: Self::Token, from: *const T) -> Self;
    /// # Safety
    /// `LANES` elements must be writable at `to`, with any alignment.
    unsafe fn store(self, to: *mut T);
    /// Loads the first `count` lanes, fewer than `LANES`. The other lanes are zero.
    ///
    /// # Safety
    /// `count` elements must be readable at `from`. No other element is accessed.
    #[inline(always)]
    unsafe fn load_first(token: Self::Token, from: *const T, count: usize) -> Self {
        const { assert!(Self::LANES <= MOST_LANES) };
        let mut lanes = [T::default(); MOST_LANES];
        for lane in 0..count {
            // SAFETY: the caller guarantees `count` elements.
            lanes[lane] = unsafe { *from.add(lane) };
        }
        // SAFETY: no vector has more lanes.
        unsafe { Self::load(token, lanes.as_ptr()) }
    }
    /// Loads a whole vector if `count >= LANES`, or else the first `count` lanes.
    ///
    /// # Safety
    /// `count` elements must be readable at `from`.
    #[inline(always)]
    unsafe fn load_up_to(token: Self::Token, from: *const T, count: usize) -> Self {
        // SAFETY: at most the caller's `count` elements are read.
        unsafe { if count >= Self::LANES { Self::load(token, from) } else { Self::load_first(token, from, count) } }
    }
    /// Stores the first `count` lanes, fewer than `LANES`.
    ///
    /// # Safety
    /// `count` elements must be writable at `to`. No other element is accessed.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut T, count: usize) {
        let lanes = self.lanes();
        for lane in 0..count {
            // SAFETY: the caller guarantees `count` elements.
            unsafe { *to.add(lane) = lanes[lane] };
        }
    }
    /// The lanes, followed by zeros.
    #[inline(always)]
    fn lanes(self) -> [T; MOST_LANES] {
        const { assert!(Self::LANES <= MOST_LANES) };
        let mut lanes = [T::default(); MOST_LANES];
        // SAFETY: no vector has more lanes.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
    /// Loads four columns of a matrix with contiguous rows: element `from[row * stride + column]` goes to lane `row` of
    /// vector `column`. Lanes beyond the last row repeat the last row.
    ///
    /// # Safety
    /// `rows` must be between 1 and `LANES`, and the first four elements of each row must be readable.
    #[inline(always)]
    unsafe fn load_columns(token: Self::Token, from: *const T, stride: usize, rows: usize) -> [Self; 4] {
        const { assert!(Self::LANES <= MOST_LANES) };
        core::array::from_fn(|column| {
            let mut lanes = [T::default(); MOST_LANES];
            for row in 0..Self::LANES {
                // SAFETY: the caller guarantees four elements in each of `rows` rows.
                lanes[row] = unsafe { *from.add(row.min(rows - 1) * stride + column) };
            }
            // SAFETY: no vector has more lanes.
            unsafe { Self::load(token, lanes.as_ptr()) }
        })
    }
    /// Writes the sum of the lanes of vector `i`, plus `start[i]`, to `to[i]`, for the first `count` vectors.
    ///
    /// # Safety
    /// `count` elements must be readable at `start` and writable at `to`.
    #[inline(always)]
    unsafe fn put_sums(vectors: [Self; 4], start: Option<*const T>, to: *mut T, count: usize) {
        for vector in 0..count {
            let sum = sum_of_lanes(vectors[vector]);
            // SAFETY: the caller guarantees `count` elements at both pointers.
            unsafe { *to.add(vector) = start.map_or(sum, |start| *start.add(vector) + sum) };
        }
    }
    /// The largest lane; any value if a lane is NaN.
    #[inline(always)]
    fn largest_lane(self) -> T {
        let lanes = self.lanes();
        let mut largest = lanes[0];
        for lane in 1..Self::LANES {
            largest = if lanes[lane] > largest { lanes[lane] } else { largest };
        }
        largest
    }
    /// The sum of the lanes, in any order.
    #[inline(always)]
    fn sum_of_lanes(self) -> T {
        sum_of_lanes(self)
    }
    /// The sums of the lanes of the first `LANES` vectors. Lane `i` has the sum of vector `i`.
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
    /// `above` where `self` is above zero, and `otherwise` elsewhere.
    fn choose(self, above: Self, otherwise: Self) -> Self;
    /// `self` in the lanes that share a set bit with `bits`, and zero elsewhere.
    fn where_bits(self, bits: Self) -> Self;
    /// `self * factor + term`, rounded once if the instruction set has fused multiply-add.
    fn mul_add(self, factor: Self, term: Self) -> Self;
    fn abs(self) -> Self;
    /// `self`, which must not be negative, with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self;
    /// `2^n` for `self = n + ROUNDING`, whose last bits are the integer `n`.
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

/// Number of lanes of the widest vector.
pub(crate) const MOST_LANES: usize = 16;

/// `1.5 * 2^23`. Adding it to a small `f32` rounds that number to an integer, which is then in the last bits of the
/// sum.
pub(crate) const ROUNDING_F32: f32 = 12_582_912.0;
/// `1.5 * 2^52`, the corresponding constant for `f64`.
pub(crate) const ROUNDING_F64: f64 = 6_755_399_441_055_744.0;

/// Defines element-wise functions of a vector as functions of its field.
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

/// The token of the plain vectors, which need no special instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Plain;

/// A plain array, for processors without a supported instruction set. The compiler vectorises where it can.
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
                // SAFETY: the caller guarantees the elements.
                Lanes(unsafe { from.cast::<[$scalar; $lanes]>().read_unaligned() })
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $scalar) {
                // SAFETY: the caller guarantees the elements.
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
            fn choose(mut self, above: Self, otherwise: Self) -> Self {
                for lane in 0..$lanes {
                    self.0[lane] = if self.0[lane] > 0.0 { above.0[lane] } else { otherwise.0[lane] };
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
                // Not `f32::mul_add`, which is a slow function call without the instruction.
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
