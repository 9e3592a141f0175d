//! Conversions between the scalar type of a model and `f64`, in which metrics and histories are kept.

use longhand::{HyperparameterError, Scalar, nalgebra};

/// A scalar as `f64`: exact for `f32` and `f64`.
pub fn as_f64<T: Scalar>(value: T) -> f64 {
    nalgebra::convert_unchecked(value)
}

/// The scalar nearest to a real number.
pub fn real<T: Scalar>(value: f64) -> T {
    nalgebra::convert(value)
}

/// `Ok` when `right`, and otherwise the error of a hyperparameter.
pub fn unless(right: bool, name: &'static str, value: f64, expected: &str) -> Result<(), HyperparameterError> {
    if right { Ok(()) } else { Err(HyperparameterError { name, value, expected: expected.to_owned() }) }
}
