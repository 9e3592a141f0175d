//! The focal loss (Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", 2017, equations 4 and
//! 5), for classes.
//!
//! For logits `z` and class `k`, with `p = softmax(z)`, the cross-entropy `l = -log p_k` and `q = 1 - p_k`,
//!
//! ```text
//! loss = alpha_k q^gamma l
//! ```
//!
//! The factor `q^gamma` decreases the loss of steps that are right already. With `dp_k/dz_j = p_k (onehot(k) - p)_j`,
//!
//! ```text
//! dl/dz_j = (p - onehot(k))_j          dq/dz_j = p_k (p - onehot(k))_j
//!
//! d_z_j = alpha_k (q^gamma + gamma q^(gamma - 1) p_k l) (p - onehot(k))_j
//!       = alpha_k q^gamma (1 + gamma p_k l / q) (p - onehot(k))_j
//! ```
//!
//! In the last line no power is infinite for `p_k -> 1`, where `l / q -> 1`; and `p_k l -> 0` for `p_k -> 0`. With `z_m`
//! the largest logit and `others = sum exp(z_j - z_m)` over all `j` but `m`,
//!
//! ```text
//! l = log(1 + others) + (z_m - z_k)
//! q = others / (1 + others) for k = m,     and q = 1 - p_k otherwise, where p_k is at most 1/2
//! (p - onehot(k))_k = -q
//! ```
//!
//! so no digits cancel. With `gamma = 0` loss and gradient are those of the cross-entropy.

use super::softmax::{self, SoftmaxLoss};
use super::weights::Weights;
use super::{Labels, Loss, Reduction, Target, check_label, compiled_scaled_sum};
use crate::hyperparameters::check_not_negative;
use crate::kernel::{Exponentials, Precision, SoftmaxGradient};
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Sequences};

/// `-(1 - p)^gamma log p` for the probability `p = softmax(logits)[label]`, from logits and class [`Labels`]; see the
/// equations above. For classes of very different frequency, where many easy steps would dominate the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct FocalLoss {
    reduction: Reduction,
    gamma: f64,
    alpha: Weights,
}

impl FocalLoss {
    /// The loss with the focusing parameter `gamma`, 2 in the paper's experiments. With 0 it is the cross-entropy.
    ///
    /// # Errors
    /// If `gamma` is negative, infinite or NaN, or neither 0 nor a normal number of `f32`.
    pub fn new(reduction: Reduction, gamma: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<f32>("gamma", gamma)?;
        Ok(FocalLoss { reduction, gamma, alpha: Weights::default() })
    }

    /// Multiplies the loss of each step by the factor of its label's class.
    ///
    /// The factors do not change the divisor of a mean, as in the paper. That is different from
    /// [`SoftmaxCrossEntropy::with_class_weights`](crate::SoftmaxCrossEntropy::with_class_weights).
    ///
    /// # Errors
    /// If there is no factor, or a factor is negative, infinite or NaN, or neither 0 nor a normal number of `f32`.
    pub fn with_alpha(self, alpha: &[f64]) -> Result<Self, HyperparameterError> {
        let alpha = Weights::new(["alpha", "number of factors alpha"], alpha)?;
        Ok(FocalLoss { alpha, ..self })
    }
}

impl SoftmaxLoss for FocalLoss {
    #[inline(always)]
    fn label<T: Scalar>(&self, logits: &[T], labels: &Labels, index: usize) -> Option<usize> {
        let class = labels.class(index)?;
        check_label(class, logits.len(), index, labels.batch());
        self.alpha.check_number(logits.len());
        Some(class)
    }

    #[inline(always)]
    fn of_exponentials<T: Scalar>(
        &self,
        logits: &[T],
        class: usize,
        exponentials: Exponentials<T>,
        log_sum: T,
    ) -> (T, SoftmaxGradient<T>) {
        let (alpha, gamma) = (self.alpha.of::<T>(class), real::<T>(self.gamma));
        let (zero, one) = (T::zero(), T::one());
        let Exponentials { largest, is_of_label, others, sum } = exponentials;
        let p = (logits[class] - largest).exp() / sum;
        let q = if is_of_label { others / sum } else { one - p };
        let cross_entropy = log_sum + (largest - logits[class]);
        // A power of 0 has no derivative on dual numbers if `gamma` is below 1.
        let focus = if self.gamma == 0.0 {
            one
        } else if q <= zero {
            zero
        } else {
            q.powf(gamma)
        };
        let ratio = if q > zero { cross_entropy / q } else { one };
        // Where `p` underflows, the product is 0 even if the cross-entropy is infinite.
        let slope = if p > zero { gamma * (p * ratio) } else { zero };
        let factor = alpha * focus * (one + slope);
        let gradient = SoftmaxGradient { factor: factor / sum, spread: zero, keeps_label: false, of_label: factor * q };
        (alpha * focus * cross_entropy, gradient)
    }

    fn weights(&self) -> &Weights {
        &self.alpha
    }
}

fn sum<S: Scalar + Precision>(
    loss: &FocalLoss,
    logits: &Sequences<S>,
    labels: &Labels,
    scale: S,
    d_logits: Option<&mut Sequences<S>>,
) -> S {
    softmax::scaled_sum(loss, logits, labels, scale, d_logits)
}

impl<T: Scalar> Loss<T> for FocalLoss {
    type Target = Labels;

    compiled_scaled_sum!(FocalLoss, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the label is not one of the classes, or there are factors `alpha` for another number of classes.
    fn column(&self, logits: &[T], labels: &Labels, index: usize, d_logits: Option<&mut [T]>) -> T {
        softmax::column(self, logits, labels, index, d_logits)
    }
}
