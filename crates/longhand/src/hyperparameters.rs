//! Checks of hyperparameters, which are given in `f64` and used in the model's scalar type: what counts is the value after
//! the conversion. `1 - 1e-9` is 1 in `f32`, `1e-50` is 0 and `1e300` is infinite.

use crate::scalar::{as_f64, is, real};
use crate::{HyperparameterError, Scalar};
use alloc::format;
use core::any::type_name;
use num_traits::Float;

/// The normal numbers of `T`, as `f64`: those of `f64` itself for scalars other than `f32` and `f64`.
fn normal_numbers<T: Scalar>() -> (f64, f64) {
    if is::<T, f32>() {
        (f32::min_positive_value().into(), f32::max_value().into())
    } else {
        (f64::min_positive_value(), f64::max_value())
    }
}

/// The largest finite number of `T`, as `f64`.
pub(crate) fn largest<T: Scalar>() -> f64 {
    normal_numbers::<T>().1
}

/// A size that must not be 0.
pub(crate) fn at_least_one(name: &'static str, value: usize) -> Result<(), HyperparameterError> {
    HyperparameterError::unless(value > 0, name, value as f64, "at least 1")
}

/// A hyperparameter in `[0, 1)`, before and after the conversion.
pub(crate) fn check_fraction<T: Scalar>(name: &'static str, value: f64) -> Result<(), HyperparameterError> {
    let below_one = (0.0..1.0).contains(&value);
    HyperparameterError::unless(below_one, name, value, "in [0, 1)")?;
    let kept = real::<T>(value) < T::one() && is_kept::<T>(value);
    let (smallest, _) = normal_numbers::<T>();
    let expected = format!("0, or at least {smallest:e} and below 1 after rounding to {}", type_name::<T>());
    HyperparameterError::unless(kept, name, value, &expected)
}

/// A hyperparameter that is 0 or positive, before and after the conversion.
pub(crate) fn check_not_negative<T: Scalar>(name: &'static str, value: f64) -> Result<(), HyperparameterError> {
    HyperparameterError::unless(value >= 0.0 && value.is_finite(), name, value, "finite and not negative")?;
    let (smallest, largest) = normal_numbers::<T>();
    let expected = format!("0, or from {smallest:e} to {largest:e}: the normal numbers of {}", type_name::<T>());
    HyperparameterError::unless(is_kept::<T>(value), name, value, &expected)
}

/// A hyperparameter that is positive, before and after the conversion.
pub(crate) fn check_positive<T: Scalar>(name: &'static str, value: f64) -> Result<(), HyperparameterError> {
    HyperparameterError::unless(value > 0.0, name, value, "above 0")?;
    check_not_negative::<T>(name, value)
}

/// A number of any sign that must stay finite in the conversion.
pub(crate) fn check_finite<T: Scalar>(name: &'static str, value: f64) -> Result<(), HyperparameterError> {
    let expected = format!("finite and within {:e} of 0, as {} requires", largest::<T>(), type_name::<T>());
    HyperparameterError::unless(as_f64(real::<T>(value)).is_finite(), name, value, &expected)
}

/// Whether the conversion keeps the value finite, and as a normal number if it is not 0: arithmetic with subnormal
/// numbers is slow and loses digits.
fn is_kept<T: Scalar>(value: f64) -> bool {
    let (smallest, _) = normal_numbers::<T>();
    let converted = as_f64(real::<T>(value)).abs();
    converted.is_finite() && (value == 0.0 || converted >= smallest)
}
