//! Where training starts: initial parameters, drawn from one explicit generator.
//!
//! "Fan in" is the number of columns of a weight (what comes in), "fan out" its number of rows.
//!
//! ```
//! use longhand::{Elman, initialise};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! let mut generator = ChaCha8Rng::seed_from_u64(7);
//! let mut layer = Elman::<f32>::zeros(3, 50);
//! initialise::xavier_uniform(&mut layer.weight_ih_l0, 1.0, &mut generator);
//! initialise::orthogonal(&mut layer.weight_hh_l0, 1.0, &mut generator);
//! ```

use crate::scalar::{real, square_root};
use crate::{HyperparameterError, Path, Scalar, Tensors};
use nalgebra::DMatrix;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};

/// Every parameter of a layer or model uniform between `low` and `high`.
///
/// # Errors
/// If the bounds are not finite or `low >= high`.
pub fn uniform<T: Scalar, P: Tensors<T>, R: Rng + ?Sized>(
    parameters: &mut P,
    low: f64,
    high: f64,
    generator: &mut R,
) -> Result<(), HyperparameterError> {
    let distribution = Uniform::new(low, high).map_err(|_| HyperparameterError {
        name: "high",
        value: high,
        expected: "finite and above `low`, which is finite too",
    })?;
    fill(parameters, &mut || distribution.sample(generator));
    Ok(())
}

/// Uniform in `[-1/sqrt(fan), 1/sqrt(fan))`, PyTorch's beginning for its linear and recurrent layers.
pub(crate) fn uniform_fan<T: Scalar, P: Tensors<T>, R: Rng + ?Sized>(
    parameters: &mut P,
    fan: usize,
    generator: &mut R,
) {
    let bound = 1.0 / square_root(fan.max(1) as f64);
    let _always_ordered = uniform(parameters, -bound, bound, generator);
}

/// Glorot and Bengio (2010), equation 16: uniform with variance `gain^2 * 2 / (fan in + fan out)`.
pub fn xavier_uniform<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, gain: f64, generator: &mut R) {
    let bound = gain * square_root(6.0 / (weight.nrows() + weight.ncols()).max(1) as f64);
    fill_uniform(weight, bound, generator);
}

/// Glorot and Bengio (2010), normal with variance `gain^2 * 2 / (fan in + fan out)`.
pub fn xavier_normal<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, gain: f64, generator: &mut R) {
    let deviation = gain * square_root(2.0 / (weight.nrows() + weight.ncols()).max(1) as f64);
    fill_normal(weight, deviation, generator);
}

/// He et al. (2015), equation 10, uniform with variance `gain^2 / fan in`; `gain = sqrt(2)` suits relu.
pub fn kaiming_uniform<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, gain: f64, generator: &mut R) {
    let bound = gain * square_root(3.0 / weight.ncols().max(1) as f64);
    fill_uniform(weight, bound, generator);
}

/// He et al. (2015), equation 10, normal with variance `gain^2 / fan in`; `gain = sqrt(2)` suits relu.
pub fn kaiming_normal<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, gain: f64, generator: &mut R) {
    let deviation = gain * square_root(1.0 / weight.ncols().max(1) as f64);
    fill_normal(weight, deviation, generator);
}

/// Saxe et al. (2014): `gain` times a random matrix with orthonormal columns (or rows, if it has fewer of them).
///
/// It is the `Q` of the QR factorisation of a Gaussian matrix whose `R` has a positive diagonal (as nalgebra's has),
/// which makes it uniform among all such.
pub fn orthogonal<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, gain: f64, generator: &mut R) {
    let (rows, columns) = weight.shape();
    let mut gaussian = DMatrix::<f64>::zeros(rows.max(columns), rows.min(columns));
    fill_normal(&mut gaussian, 1.0, generator);
    let q = gaussian.qr().q();
    let q = if rows < columns { q.transpose() } else { q };
    weight.zip_apply(&q, |weight, q| *weight = real(gain * q));
}

fn fill<T: Scalar, P: Tensors<T>>(parameters: &mut P, draw: &mut dyn FnMut() -> f64) {
    parameters.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for value in values {
            *value = real(draw());
        }
    });
}

fn fill_uniform<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, bound: f64, generator: &mut R) {
    if bound > 0.0 {
        let _always_ordered = uniform(weight, -bound, bound, generator);
    } else {
        weight.fill(T::zero());
    }
}

fn fill_normal<T: Scalar, R: Rng + ?Sized>(weight: &mut DMatrix<T>, deviation: f64, generator: &mut R) {
    fill(weight, &mut || {
        let normal: f64 = StandardNormal.sample(generator);
        deviation * normal
    });
}
