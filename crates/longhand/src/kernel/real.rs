//! What equations are written in: a number of any kind, or a vector of them.

use super::exponential::{sigmoid_of, sigmoid_vector};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use core::marker::PhantomData;
use core::ops::{Add, Div, Mul, Sub};

/// A number, or a vector of them, that equations are written in.
pub(crate) trait Real<T>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The constant `value`.
    fn of(value: T) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
    /// `1 / (1 + exp(-self))`.
    fn sigmoid(self) -> Self;
    /// The smaller of the two; `other` if either is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` if either is NaN.
    fn max(self, other: Self) -> Self;
    /// `value` where `self` is above zero, and zero elsewhere.
    fn where_positive(self, value: Self) -> Self;
}

/// A scalar of any kind.
#[derive(Clone, Copy)]
pub(super) struct Single<T>(pub(super) T);

/// A vector of scalars `S`, which is what `T` is by another name.
///
/// # Safety
/// There are values of it only inside [`Kernel::run`], where the processor is known to have the instruction set of `V`.
pub(super) struct Lanes<T, S, V> {
    pub(super) vector: V,
    scalar: PhantomData<(T, S)>,
}

impl<T, S, V> Lanes<T, S, V> {
    #[inline(always)]
    pub(super) fn new(vector: V) -> Self {
        Lanes { vector, scalar: PhantomData }
    }
}

impl<T, S, V: Copy> Clone for Lanes<T, S, V> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, S, V: Copy> Copy for Lanes<T, S, V> {}

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

            impl<T: Scalar, S: Precision, V: Vector<S>> $operator for Lanes<T, S, V> {
                type Output = Self;
                #[inline(always)]
                fn $function(self, other: Self) -> Self {
                    // SAFETY: as the type says.
                    Lanes::new(unsafe { self.vector.$function(other.vector) })
                }
            }
        )*
    };
}
operators!(Add add Sub sub Mul mul Div div);

impl<T: Scalar> Real<T> for Single<T> {
    fn of(value: T) -> Self {
        Single(value)
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
    fn min(self, other: Self) -> Self {
        if self.0 < other.0 { self } else { other }
    }
    fn max(self, other: Self) -> Self {
        if self.0 > other.0 { self } else { other }
    }
    fn where_positive(self, value: Self) -> Self {
        if self.0 > T::zero() { value } else { Single(T::zero()) }
    }
}

impl<T: Scalar, S: Precision, V: Vector<S>> Real<T> for Lanes<T, S, V> {
    #[inline(always)]
    fn of(value: T) -> Self {
        // SAFETY: S is what T is by another name, and the rest as the type says.
        Lanes::new(unsafe { V::splat(core::mem::transmute_copy::<T, S>(&value)) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as the type says; so below.
        Lanes::new(unsafe { self.vector.sqrt() })
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Lanes::new(unsafe { S::tanh(self.vector) })
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        Lanes::new(unsafe { sigmoid_vector(self.vector) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Lanes::new(unsafe { self.vector.min(other.vector) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Lanes::new(unsafe { self.vector.max(other.vector) })
    }
    #[inline(always)]
    fn where_positive(self, value: Self) -> Self {
        Lanes::new(unsafe { self.vector.where_positive(value.vector) })
    }
}
