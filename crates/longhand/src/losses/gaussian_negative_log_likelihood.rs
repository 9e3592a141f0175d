//! The negative logarithm of the density of a normal distribution whose mean and variance are outputs (Nix and Weigend,
//! "Estimating the mean and variance of the target probability distribution", 1994).
//!
//! Each target `d` has two outputs: the mean `y`, and `s`, the logarithm of a variance. To the variance a smallest one,
//! `v`, is added:
//!
//! ```text
//! variance = exp(s) + v          L = log variance          r = (y - d) / sqrt(variance)
//!
//! loss = (L + r^2) / 2,     and log(2 pi) / 2 more with the constant
//! ```
//!
//! `dL/ds = exp(s) / variance`, and `r^2` has the derivatives `2 r / sqrt(variance)` with respect to `y` and `-r^2` with
//! respect to `L`, so
//!
//! ```text
//! d_y = r exp(-L / 2)          d_s = (1 - r^2) share / 2,     share = exp(s) / variance
//! ```
//!
//! They are worked out in logarithms. With `u = s - log v` and `e = exp(-|u|)`, which never overflows,
//!
//! ```text
//! u >= 0:   L = s + log(1 + e)            share = 1 / (1 + e)
//! u < 0:    L = log v + log(1 + e)        share = e / (1 + e)
//! ```
//!
//! so neither a large nor a small `s` overflows, and `r` is at most `|y - d| / sqrt(v)`. Without a smallest variance the
//! loss has no lower bound: where an output reproduces a target exactly, `s` falls without end.

use super::{Loss, Reduction, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::hyperparameters::check_not_negative;
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Sequences};

/// `log(2 pi) / 2`.
const CONSTANT: f64 = 0.918_938_533_204_672_7;

/// Estimates a mean and a variance of each real target: see the equations above.
///
/// The model has two outputs for each target: the means of all targets come first, then the logarithms of their
/// variances, in the same order. [`variance`](Self::variance) converts such an output. A mean over elements divides by
/// the number of targets, as in PyTorch.
///
/// ```
/// use longhand::{GaussianNegativeLogLikelihood, Loss, Reduction, Sequences};
/// let loss = GaussianNegativeLogLikelihood::new(Reduction::Sum).with_constant();
/// // The mean 1 and the variance 1 for the target 3, two standard deviations away.
/// let output = Sequences::from_fn(2, 1, 1, |feature, _, _| [1.0, 0.0][feature]);
/// let target = Sequences::from_fn(1, 1, 1, |_, _, _| 3.0);
/// let density = (-2.0_f64).exp() / (2.0 * core::f64::consts::PI).sqrt();
/// assert!((loss.evaluate(&output, &target, None) + density.ln()).abs() < 3e-6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianNegativeLogLikelihood {
    reduction: Reduction,
    smallest_variance: f64,
    constant: f64,
}

impl GaussianNegativeLogLikelihood {
    /// The loss without its constant, and with a smallest variance of 1e-6, which is PyTorch's default too.
    pub fn new(reduction: Reduction) -> Self {
        GaussianNegativeLogLikelihood { reduction, smallest_variance: 1e-6, constant: 0.0 }
    }

    /// Adds this to each variance. PyTorch's `eps` is a lower bound of its variances instead. Choose a variance well
    /// below that of the noise in the targets.
    ///
    /// # Errors
    /// If the variance is negative, infinite or NaN, or neither 0 nor a normal number of `f32`.
    pub fn with_smallest_variance(self, variance: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<f32>("smallest variance", variance)?;
        Ok(GaussianNegativeLogLikelihood { smallest_variance: variance, ..self })
    }

    /// Adds `log(2 pi) / 2` for each target, which makes the loss a likelihood: PyTorch's `full=True`. Gradients do not
    /// change.
    #[must_use]
    pub fn with_constant(self) -> Self {
        GaussianNegativeLogLikelihood { constant: CONSTANT, ..self }
    }

    /// The variance of an output `s`: `exp(s)` plus the smallest variance.
    pub fn variance<T: Scalar>(&self, log_variance: T) -> T {
        log_variance.exp() + real(self.smallest_variance)
    }

    /// The logarithm of the variance, and its derivative, for an output `s`.
    fn log_variance<T: Scalar>(&self, s: T) -> (T, T) {
        // Without a smallest variance its logarithm is minus infinity, and `e` is 0.
        let least = real::<T>(num_traits::Float::ln(self.smallest_variance));
        let (one, above) = (T::one(), s - least);
        let is_above = above >= T::zero();
        let e = if is_above { -above } else { above }.exp();
        if is_above { (s + e.ln_1p(), one / (one + e)) } else { (least + e.ln_1p(), e / (one + e)) }
    }
}

impl<T: Scalar> Loss<T> for GaussianNegativeLogLikelihood {
    type Target = Sequences<T>;

    compiled_scaled_sum!(GaussianNegativeLogLikelihood);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// The number of targets: half of the features.
    fn elements(&self, features: usize) -> usize {
        features / 2
    }

    /// # Panics
    /// If there are not two outputs for each target.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        let target = target.column(index);
        assert!(
            output.len() == 2 * target.len(),
            "the output has {} features; the means and log variances of {} targets need {}",
            output.len(),
            target.len(),
            2 * target.len()
        );
        let (means, log_variances) = output.split_at(target.len());
        let mut gradients = d_output.map(|d_output| d_output.split_at_mut(target.len()));
        let (half, one, constant) = (real::<T>(0.5), T::one(), real::<T>(self.constant));
        let mut loss = CompensatedSum::zero();
        for (i, ((&y, &s), &d)) in means.iter().zip(log_variances).zip(target).enumerate() {
            let (log_variance, share) = self.log_variance(s);
            // 1 / sqrt(variance). The product with the difference is squared, which overflows later than its square.
            let precision = (-half * log_variance).exp();
            let r = (y - d) * precision;
            loss.add(half * log_variance);
            loss.add(half * r * r);
            loss.add(constant);
            if let Some((d_means, d_log_variances)) = &mut gradients {
                d_means[i] = r * precision;
                d_log_variances[i] = half * (one - r * r) * share;
            }
        }
        loss.value()
    }
}
