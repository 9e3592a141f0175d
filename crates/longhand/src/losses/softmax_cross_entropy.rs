//! Softmax and cross-entropy, fused.
//!
//! For logits `z` and class `k`, with `p = softmax(z)`,
//!
//! ```text
//! loss = -log p_k = log(sum exp z_j) - z_k          d_z = p - onehot(k)
//! ```
//!
//! With label smoothing `s` over `C` classes (Szegedy et al. 2016, section 7) the target is `q = (1 - s) onehot(k) +
//! s / C`, and `loss = log(sum exp z_j) - sum q_j z_j`, `d_z = p - q`. The largest logit is taken out of the
//! exponentials first, so none overflows.

use super::{Labels, Loss, Reduction};
use crate::scalar::real;
use crate::{HyperparameterError, Scalar};

/// `-log softmax(logits)[label]`, from logits and class [`Labels`]; see the equations above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftmaxCrossEntropy {
    reduction: Reduction,
    smoothing: f64,
}

impl SoftmaxCrossEntropy {
    /// Without label smoothing.
    pub fn new(reduction: Reduction) -> Self {
        SoftmaxCrossEntropy { reduction, smoothing: 0.0 }
    }

    /// With the part `smoothing` of each target spread evenly over all classes.
    ///
    /// # Errors
    /// If `smoothing` is not in `[0, 1)`.
    pub fn with_label_smoothing(self, smoothing: f64) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless((0.0..1.0).contains(&smoothing), "label smoothing", smoothing, "in [0, 1)")?;
        Ok(SoftmaxCrossEntropy { smoothing, ..self })
    }
}

impl<T: Scalar> Loss<T> for SoftmaxCrossEntropy {
    type Target = Labels;

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the label is not one of the classes.
    fn column(&self, logits: &[T], labels: &Labels, index: usize, d_logits: Option<&mut [T]>) -> T {
        let Some(class) = labels.class(index) else { return T::zero() };
        assert!(class < logits.len(), "label {class} is not one of {} classes", logits.len());
        let (smoothing, classes) = (real::<T>(self.smoothing), real::<T>(logits.len() as f64));
        let target = |j: usize| {
            let spread = smoothing / classes;
            if j == class { T::one() - smoothing + spread } else { spread }
        };
        let largest = logits.iter().copied().fold(logits[class], |a, b| if b > a { b } else { a });
        let sum = logits.iter().fold(T::zero(), |sum, &z| sum + (z - largest).exp());
        let log_sum = largest + sum.ln();
        if let Some(d_logits) = d_logits {
            for (j, (d_z, &z)) in d_logits.iter_mut().zip(logits).enumerate() {
                *d_z = (z - largest).exp() / sum - target(j);
            }
        }
        if self.smoothing > 0.0 {
            logits.iter().enumerate().fold(log_sum, |loss, (j, &z)| loss - target(j) * z)
        } else {
            log_sum - logits[class]
        }
    }
}
