//! Where training starts: initial parameters, drawn from one explicit generator.
//!
//! "Fan in" is the number of columns of a weight (its inputs), "fan out" its number of rows (its outputs).
//!
//! ```
//! use longhand::{Elman, initialise};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let mut generator = ChaCha8Rng::seed_from_u64(7);
//! let mut layer = Elman::<f32>::zeros(3, 50);
//! initialise::xavier_uniform(&mut layer.weight_ih_l0, 1.0, &mut generator)?;
//! initialise::orthogonal(&mut layer.weight_hh_l0, 1.0, &mut generator)?;
//! # Ok::<(), longhand::HyperparameterError>(())
//! ```

use crate::hyperparameters::{check_finite, check_not_negative};
use crate::scalar::real;
use crate::{HyperparameterError, Lstm, Path, Scalar, Tensors};
use alloc::format;
use core::any::type_name;
use nalgebra::DMatrix;
use num_traits::Float;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

/// Draws every parameter of a layer or model uniformly between `low` and `high`.
///
/// # Errors
/// If the bounds are not finite or `low >= high`, before or after rounding to `T`.
pub fn uniform<T: Scalar, P: Tensors<T>, R: Rng + ?Sized>(
    parameters: &mut P,
    low: f64,
    high: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    check_finite::<T>("low", low)?;
    check_finite::<T>("high", high)?;
    let expected = || format!("above `low`, which is {low}, also after rounding to {}", type_name::<T>());
    let error = || HyperparameterError { name: "high", value: high, expected: expected() };
    if real::<T>(low) >= real::<T>(high) {
        return Err(error());
    }
    let distribution = Uniform::new(low, high).map_err(|_| error())?;
    fill(parameters, &mut || distribution.sample(generator));
    Ok(())
}

/// Draws every parameter of a layer or model from the normal distribution of mean 0 and this deviation.
///
/// # Errors
/// If `deviation` is negative or not finite, or `T` cannot represent it as a normal number.
pub fn normal<T: Scalar, P: Tensors<T>, R: Rng + ?Sized>(
    parameters: &mut P,
    deviation: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    check_not_negative::<T>("deviation", deviation)?;
    fill(parameters, &mut || {
        let normal: f64 = StandardNormal.sample(generator);
        deviation * normal
    });
    Ok(())
}

/// Uniform in `[-1/sqrt(fan), 1/sqrt(fan))`, PyTorch's default for its linear and recurrent layers.
pub(crate) fn uniform_fan<T: Scalar, P: Tensors<T>, R: Rng + ?Sized>(
    parameters: &mut P,
    fan: usize,
    generator: &mut R,
) {
    let bound = 1.0 / Float::sqrt(fan.max(1) as f64);
    let _always_ordered = uniform(parameters, -bound, bound, generator);
}

/// Glorot and Bengio (2010), equation 16: uniform with variance `gain^2 * 2 / (fan in + fan out)`.
///
/// # Errors
/// If `gain` is NaN, infinite or negative, or `T` cannot represent such weights.
pub fn xavier_uniform<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    fill_uniform(weight, gain, Float::sqrt(6.0 / both_fans(weight)), generator)
}

/// Glorot and Bengio (2010), normal with variance `gain^2 * 2 / (fan in + fan out)`.
///
/// # Errors
/// If `gain` is NaN, infinite or negative, or `T` cannot represent such weights.
pub fn xavier_normal<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    fill_normal(weight, gain, Float::sqrt(2.0 / both_fans(weight)), generator)
}

/// He et al. (2015), equation 10, uniform with variance `gain^2 / fan in`; `gain = sqrt(2)` suits relu.
///
/// # Errors
/// If `gain` is NaN, infinite or negative, or `T` cannot represent such weights.
pub fn kaiming_uniform<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    fill_uniform(weight, gain, Float::sqrt(3.0 / weight.ncols().max(1) as f64), generator)
}

/// He et al. (2015), equation 10, normal with variance `gain^2 / fan in`; `gain = sqrt(2)` suits relu.
///
/// # Errors
/// If `gain` is NaN, infinite or negative, or `T` cannot represent such weights.
pub fn kaiming_normal<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    fill_normal(weight, gain, Float::sqrt(1.0 / weight.ncols().max(1) as f64), generator)
}

/// Saxe et al. (2014): `gain` times a random matrix with orthonormal columns (or rows, if it has fewer of them).
///
/// It is the `Q` of the QR factorisation of a Gaussian matrix whose `R` has a positive diagonal (as nalgebra's has),
/// which makes it uniform among all such.
///
/// # Errors
/// If `gain` is NaN, infinite or negative, or `T` cannot represent such weights.
pub fn orthogonal<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    check_gain::<T>(gain, 1.0)?;
    let (rows, columns) = weight.shape();
    if weight.is_empty() {
        return Ok(());
    }
    let mut gaussian = DMatrix::<f64>::zeros(rows.max(columns), rows.min(columns));
    fill_normal(&mut gaussian, 1.0, 1.0, generator)?;
    let q = gaussian.qr().q();
    let q = if rows < columns { q.transpose() } else { q };
    weight.zip_apply(&q, |weight, q| *weight = real(gain * q));
    Ok(())
}

/// Fan in and fan out together, at least 1.
fn both_fans<T: Scalar>(weight: &DMatrix<T>) -> f64 {
    (weight.nrows() as f64 + weight.ncols() as f64).max(1.0)
}

/// Checks a gain, and the largest weight that it leads to: `largest_at_one` at gain 1.
fn check_gain<T: Scalar>(gain: f64, largest_at_one: f64) -> Result<(), HyperparameterError> {
    check_not_negative::<T>("gain", gain)?;
    let expected = || format!("0 or such that the weights are normal numbers of {}", type_name::<T>());
    check_not_negative::<T>("gain", gain * largest_at_one).map_err(|_| HyperparameterError {
        name: "gain",
        value: gain,
        expected: expected(),
    })
}

fn fill<T: Scalar, P: Tensors<T>>(parameters: &mut P, draw: &mut dyn FnMut() -> f64) {
    parameters.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for value in values {
            *value = real(draw());
        }
    });
}

fn fill_uniform<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    bound_at_one: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    check_gain::<T>(gain, bound_at_one)?;
    let bound = gain * bound_at_one;
    if bound > 0.0 {
        return uniform(weight, -bound, bound, generator);
    }
    weight.fill(T::zero());
    Ok(())
}

fn fill_normal<T: Scalar, R: Rng + ?Sized>(
    weight: &mut DMatrix<T>,
    gain: f64,
    deviation_at_one: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    // No draw in `f64` is as many deviations away from 0.
    const FARTHEST: f64 = 16.0;
    check_gain::<T>(gain, FARTHEST * deviation_at_one)?;
    let deviation = gain * deviation_at_one;
    fill(weight, &mut || {
        let normal: f64 = StandardNormal.sample(generator);
        deviation * normal
    });
    Ok(())
}

impl<T: Scalar> Lstm<T> {
    /// Sets the bias of the forget gate: `bias` in `b_ih` and zero in `b_hh`, since only their sum counts. A
    /// bias of 1 lets the cell remember from the first epoch (Jozefowicz, Zaremba and Sutskever, 2015).
    ///
    /// # Errors
    /// If `bias` is not finite, or `T` cannot represent it.
    ///
    /// # Panics
    /// If the parameters do not agree with one another in shape.
    pub fn with_forget_bias(mut self, bias: f64) -> Result<Self, HyperparameterError> {
        check_finite::<T>("forget bias", bias)?;
        self.check_parameters();
        let units = self.units();
        self.bias_ih_l0.rows_mut(units, units).fill(real(bias));
        self.bias_hh_l0.rows_mut(units, units).fill(T::zero());
        Ok(self)
    }
}
