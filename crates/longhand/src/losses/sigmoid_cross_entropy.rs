//! Sigmoid and binary cross-entropy, fused.
//!
//! For each logit `z` with target `d` in `[0, 1]`, with `y = sigmoid(z)`,
//!
//! ```text
//! loss = -d log y - (1 - d) log(1 - y) = log(1 + exp z) - d z          d_z = y - d
//! ```
//!
//! summed over the features. `log(1 + exp z)` is taken as `z + log(1 + exp(-z))` for `z >= 0`, so nothing overflows.

use super::{Loss, Reduction};
use crate::{Scalar, Sequences};

/// Binary cross-entropy of `sigmoid(logits)` against real targets in `[0, 1]`, element by element; see the equations
/// above. For class labels the target is one-hot: [`SigmoidCrossEntropy::one_hot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigmoidCrossEntropy {
    reduction: Reduction,
}

impl SigmoidCrossEntropy {
    /// With this reduction.
    pub fn new(reduction: Reduction) -> Self {
        SigmoidCrossEntropy { reduction }
    }

    /// One target column a sequence, `classes x sequences`: 1 at its class and 0 elsewhere.
    ///
    /// # Panics
    /// If a label is not below `classes`.
    pub fn one_hot<T: Scalar>(classes: usize, labels: &[usize]) -> Sequences<T> {
        let mut target = Sequences::from_fn(classes, 1, labels.len(), |_, _, _| T::zero());
        for (sequence, &label) in labels.iter().enumerate() {
            target.at_mut(0, sequence)[label] = T::one();
        }
        target
    }
}

impl<T: Scalar> Loss<T> for SigmoidCrossEntropy {
    type Target = Sequences<T>;

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, logits: &[T], target: &Sequences<T>, index: usize, d_logits: Option<&mut [T]>) -> T {
        let target = target.column(index);
        assert_eq!(target.len(), logits.len(), "the target has as many features as the logits");
        let (mut loss, mut d_logits) = (T::zero(), d_logits);
        for (i, (&z, &d)) in logits.iter().zip(target).enumerate() {
            // exp(-|z|), which never overflows, serves the loss and its gradient.
            let (positive, e) = if z >= T::zero() { (z, (-z).exp()) } else { (T::zero(), z.exp()) };
            loss += positive + e.ln_1p() - d * z;
            if let Some(d_logits) = &mut d_logits {
                let y = if z >= T::zero() { T::one() } else { e } / (T::one() + e);
                d_logits[i] = y - d;
            }
        }
        loss
    }
}
