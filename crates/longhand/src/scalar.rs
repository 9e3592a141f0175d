//! The one scalar parameter of the library.

use nalgebra::RealField;

/// Any real field: `f32` and `f64` run on the fast kernels, every other (dual numbers, say) on plain loops through
/// the same layer code.
///
/// It is implemented for every type that can be it; there is nothing to implement by hand.
pub trait Scalar: RealField + Copy {}

impl<T: RealField + Copy> Scalar for T {}

/// The scalar nearest to a real number written in the code.
pub(crate) fn real<T: Scalar>(value: f64) -> T {
    nalgebra::convert(value)
}

/// The square root, with or without the standard library.
pub(crate) fn square_root(value: f64) -> f64 {
    nalgebra::ComplexField::sqrt(value)
}
