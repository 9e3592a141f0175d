//! The type that equations are written for: a scalar of any type, or a SIMD vector of scalars.

use super::exponential::{
    exponential_minus_one_vector, exponential_of_negative_vector, exponential_vector, ln_1p_of_fraction_vector,
    sigmoid_of, sigmoid_vector, softplus_of, softplus_vector,
};
use super::normal_distribution::{normal_distribution_of, normal_distribution_vector};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use crate::scalar::real;
use core::marker::PhantomData;
use core::ops::{Add, Div, Mul, Sub};

/// A number, or a SIMD vector of numbers: the type in which equations are written. Implemented by the library only.
#[expect(clippy::return_self_not_must_use, reason = "arithmetic whose result is not used has no effect to forget")]
pub trait Real: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    /// The type of the numbers.
    type Scalar: Scalar;

    /// The constant `value`, in every lane of a vector.
    fn constant(self, value: Self::Scalar) -> Self;
    /// The constant nearest to a real number.
    #[inline(always)]
    fn number(self, value: f64) -> Self {
        self.constant(real(value))
    }
    /// The absolute value.
    fn abs(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// `1 / (1 + exp(-self))`.
    fn sigmoid(self) -> Self;
    /// The exponential. At f32 and f64, results below the threshold of [`flush_to_zero`](Self::flush_to_zero) are zero.
    fn exp(self) -> Self;
    /// The exponential of a number that is not positive. At f32 and f64, results below the smallest normal number are zero.
    fn exp_of_negative(self) -> Self;
    /// `exp(self) - 1`, without loss of digits near zero.
    fn exp_m1(self) -> Self;
    /// `ln(1 + self)` for `self` between 0 and 1, without loss of digits near zero.
    fn ln_1p_of_fraction(self) -> Self;
    /// `ln(1 + exp(self))`, without overflow.
    fn softplus(self) -> Self;
    /// The distribution function of the standard normal distribution, `(1 + erf(self / sqrt(2))) / 2`. It keeps its relative
    /// precision far below zero, where this formula loses all digits.
    fn normal_distribution(self) -> Self;
    /// The distribution function of the standard normal distribution, and `exp(-self^2 / 2)`, which has a part of its work in common.
    fn normal_distribution_and_exponential(self) -> (Self, Self);
    /// The smaller of the two; `other` if either is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` if either is NaN.
    fn max(self, other: Self) -> Self;
    /// `value` where `self` is above zero, and zero elsewhere.
    fn where_positive(self, value: Self) -> Self;
    /// `above` where `self` is above zero, and `otherwise` elsewhere.
    fn choose(self, above: Self, otherwise: Self) -> Self;
    /// Replaces magnitudes below the square root of the smallest normal number (`2^-63` at f32, `2^-511` at f64) by
    /// zero, so that the product of two results is never subnormal. NaN stays NaN. Other scalar types are unchanged.
    fn flush_to_zero(self) -> Self;
    /// Replaces subnormal numbers by zero. Use it for sums of squares, which are meaningful below the threshold of
    /// [`flush_to_zero`](Self::flush_to_zero).
    fn flush_subnormal(self) -> Self;
    /// Clamps the magnitude to `2^63` at f32 and `2^511` at f64, so that the square is finite. NaN and infinity become
    /// NaN, so that the clamp does not hide them. Other scalar types are unchanged.
    fn with_finite_square(self) -> Self;
}

/// A scalar of any type.
#[derive(Clone, Copy)]
pub(super) struct Single<T>(pub(super) T);

/// A SIMD vector of `T`.
pub(super) struct Lanes<T, V> {
    pub(super) vector: V,
    scalar: PhantomData<T>,
}

impl<T, V> Lanes<T, V> {
    #[inline(always)]
    pub(super) fn new(vector: V) -> Self {
        Lanes { vector, scalar: PhantomData }
    }
}

impl<T, V: Copy> Clone for Lanes<T, V> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, V: Copy> Copy for Lanes<T, V> {}

macro_rules! operators {
    ($($operator:ident $function:ident)*) => {
        $(
            impl<T: Scalar> $operator for Single<T> {
                type Output = Self;
                #[inline(always)]
                fn $function(self, other: Self) -> Self {
                    Single($operator::$function(self.0, other.0))
                }
            }

            impl<T: Scalar + Precision, V: Vector<T>> $operator for Lanes<T, V> {
                type Output = Self;
                #[inline(always)]
                fn $function(self, other: Self) -> Self {
                    Lanes::new(self.vector.$function(other.vector))
                }
            }
        )*
    };
}
operators!(Add add Sub sub Mul mul Div div);

impl<T: Scalar> Real for Single<T> {
    type Scalar = T;

    fn constant(self, value: T) -> Self {
        Single(value)
    }
    fn abs(self) -> Self {
        Single(self.0.abs())
    }
    fn sqrt(self) -> Self {
        Single(self.0.sqrt())
    }
    fn tanh(self) -> Self {
        Single(self.0.tanh())
    }
    fn sigmoid(self) -> Self {
        Single(sigmoid_of(self.0))
    }
    fn exp(self) -> Self {
        Single(self.0.exp())
    }
    fn exp_of_negative(self) -> Self {
        Single(self.0.exp())
    }
    fn exp_m1(self) -> Self {
        Single(self.0.exp_m1())
    }
    fn ln_1p_of_fraction(self) -> Self {
        Single(self.0.ln_1p())
    }
    fn softplus(self) -> Self {
        Single(softplus_of(self.0))
    }
    fn normal_distribution(self) -> Self {
        Single(normal_distribution_of(self.0))
    }
    fn normal_distribution_and_exponential(self) -> (Self, Self) {
        (self.normal_distribution(), Single((-self.0 * self.0 * real(0.5)).exp()))
    }
    fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }
    fn max(self, other: Self) -> Self {
        if self.0 > other.0 { self } else { other }
    }
    fn where_positive(self, value: Self) -> Self {
        if self.0 > T::zero() { value } else { Single(T::zero()) }
    }
    fn choose(self, above: Self, otherwise: Self) -> Self {
        if self.0 > T::zero() { above } else { otherwise }
    }
    fn flush_to_zero(self) -> Self {
        self
    }
    fn flush_subnormal(self) -> Self {
        self
    }
    fn with_finite_square(self) -> Self {
        self
    }
}

impl<T: Scalar + Precision, V: Vector<T>> Real for Lanes<T, V> {
    type Scalar = T;

    #[inline(always)]
    fn constant(self, value: T) -> Self {
        Lanes::new(self.vector.constant(value))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Lanes::new(self.vector.abs())
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes::new(self.vector.sqrt())
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Lanes::new(<T as Precision>::tanh(self.vector))
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Lanes::new(sigmoid_vector(self.vector))
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Lanes::new(exponential_vector(self.vector))
    }
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        Lanes::new(exponential_of_negative_vector(self.vector))
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        Lanes::new(exponential_minus_one_vector(self.vector))
    }
    #[inline(always)]
    fn ln_1p_of_fraction(self) -> Self {
        Lanes::new(ln_1p_of_fraction_vector(self.vector))
    }
    #[inline(always)]
    fn softplus(self) -> Self {
        Lanes::new(softplus_vector(self.vector))
    }
    #[inline(always)]
    fn normal_distribution(self) -> Self {
        Lanes::new(normal_distribution_vector(self.vector).0)
    }
    #[inline(always)]
    fn normal_distribution_and_exponential(self) -> (Self, Self) {
        let (distribution, exponential) = normal_distribution_vector(self.vector);
        (Lanes::new(distribution), Lanes::new(exponential))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes::new(self.vector.min(other.vector))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes::new(self.vector.max(other.vector))
    }
    #[inline(always)]
    fn where_positive(self, value: Self) -> Self {
        Lanes::new(self.vector.where_positive(value.vector))
    }
    #[inline(always)]
    fn choose(self, above: Self, otherwise: Self) -> Self {
        Lanes::new(self.vector.choose(above.vector, otherwise.vector))
    }
    #[inline(always)]
    fn flush_to_zero(self) -> Self {
        Lanes::new(self.vector.where_bits(self.vector.constant(T::KEPT)))
    }
    #[inline(always)]
    fn flush_subnormal(self) -> Self {
        Lanes::new(self.vector.where_bits(self.vector.constant(T::NORMAL)))
    }
    #[inline(always)]
    fn with_finite_square(self) -> Self {
        let (largest, zero) = (self.vector.constant(T::LARGEST), self.vector.constant(T::default()));
        let clamped = zero.sub(largest).max(largest.min(self.vector));
        // The difference is zero, or NaN for infinity and NaN.
        Lanes::new(clamped.add(self.vector.sub(self.vector)))
    }
}
