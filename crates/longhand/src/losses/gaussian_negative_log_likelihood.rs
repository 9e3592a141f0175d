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

use super::{Loss, Reduction, compiled_scaled_sum, element_wise};
use crate::hyperparameters::check_not_negative;
use crate::kernel::{Precision, Real, Terms};
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

    fn terms(&self) -> Gaussian {
        // Without a smallest variance its logarithm is minus infinity, and `e` is 0.
        Gaussian { least: num_traits::Float::ln(self.smallest_variance), constant: self.constant }
    }
}

/// The equations. `least` is `log v`.
#[derive(Clone, Copy)]
struct Gaussian {
    least: f64,
    constant: f64,
}

impl Terms<2, 0> for Gaussian {
    #[inline(always)]
    fn term<V: Real>(self, [y, s]: [V; 2], d: V, []: [V; 0]) -> (V, [V; 2]) {
        let (zero, half, one, least) = (y.number(0.0), y.number(0.5), y.number(1.0), y.number(self.least));
        let u = s - least;
        // The magnitude of `u`, whose derivative at zero is 1.
        let magnitude = zero.max(u) + (zero - u).where_positive(zero - u);
        let e = (zero - magnitude).exp_of_negative();
        let log_variance = least.max(s) + e.ln_1p_of_fraction();
        let share = u.choose(one, e) / (one + e);
        // The square root of 1 / sqrt(variance), which neither overflows nor underflows where that does. The product with the difference
        // is squared, which overflows later than its square.
        let root = (y.number(-0.25) * log_variance).exp();
        let r = (y - d) * root * root;
        let loss = half * log_variance + half * r * r + y.number(self.constant);
        (loss, [r * root * root, half * (one - r * r) * share])
    }
}

/// Panics unless there are two outputs for each target.
#[track_caller]
fn check_outputs(outputs: usize, targets: usize) {
    assert!(
        outputs == 2 * targets,
        "the output has {outputs} features; the means and log variances of {targets} targets need {}",
        2 * targets
    );
}

fn sum<S: Scalar + Precision>(
    loss: &GaussianNegativeLogLikelihood,
    output: &Sequences<S>,
    target: &Sequences<S>,
    scale: S,
    d_output: Option<&mut Sequences<S>>,
) -> S {
    let check = || check_outputs(output.features(), target.features());
    element_wise::scaled_sum(loss.terms(), check, [output, target], [], scale, d_output)
}

impl<T: Scalar> Loss<T> for GaussianNegativeLogLikelihood {
    type Target = Sequences<T>;

    compiled_scaled_sum!(GaussianNegativeLogLikelihood, sum);

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
        check_outputs(output.len(), target.features());
        element_wise::column(self.terms(), output, target.column(index), |_| [], d_output)
    }
}
