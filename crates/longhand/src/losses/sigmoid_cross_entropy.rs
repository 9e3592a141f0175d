//! Sigmoid and binary cross-entropy, fused.
//!
//! For each logit `z` with target `d` in `[0, 1]`, with `y = sigmoid(z)`,
//!
//! ```text
//! loss = -d log y - (1 - d) log(1 - y) = log(1 + exp z) - d z          d_z = y - d
//! ```
//!
//! summed over the features. With `e = exp(-|z|)`, which never overflows, and `y = 1 / (1 + e)` or `e / (1 + e)`,
//!
//! ```text
//! z >= 0:   loss = (1 - d) z + log(1 + e)          d_z = (1 - d) - e / (1 + e)
//! z < 0:    loss =    - d  z + log(1 + e)          d_z = e / (1 + e) - d
//! ```
//!
//! The sum of `log(1 + e)` over the features is one logarithm, that of the product of all `1 + e`. The product is kept less 1, as
//! `q = q + e + q e`, which is accurate where all `e` are small.
//!
//! No two terms of a loss have opposite signs, so none cancels: a logit of 16 with target 1 has a loss of 1.1e-7, as one
//! of -16 with target 0 has, in `f32` too.
//!
//! With a positive weight `w` of each feature, the term of the positive class is multiplied by it. With `both = w d +
//! (1 - d)`, the sum of the weights of both terms,
//!
//! ```text
//! loss = -w d log y - (1 - d) log(1 - y)          d_z = (1 - d) y - w d (1 - y)
//!
//! z >= 0:   loss = (1 - d) z + both log(1 + e)          d_z = (1 - d) - both e / (1 + e)
//! z < 0:    loss =   - w d z + both log(1 + e)          d_z = both e / (1 + e) - w d
//! ```

use super::weights::Weights;
use super::{Loss, Reduction, check_features, check_label, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Sequences};

/// Binary cross-entropy of `sigmoid(logits)` against real targets in `[0, 1]`, element by element; see the equations
/// above. For class labels the target is one-hot: [`SigmoidCrossEntropy::one_hot`].
#[derive(Debug, Clone, PartialEq)]
pub struct SigmoidCrossEntropy {
    reduction: Reduction,
    positive_weights: Weights,
}

impl SigmoidCrossEntropy {
    /// With this reduction.
    pub fn new(reduction: Reduction) -> Self {
        SigmoidCrossEntropy { reduction, positive_weights: Weights::default() }
    }

    /// Multiplies the loss of the positive class of each feature by a weight: the `pos_weight` of PyTorch. A weight above
    /// 1 increases the recall, a weight below 1 the precision. The weights do not change the divisor of a mean.
    ///
    /// ```
    /// use longhand::{Loss, Reduction, Sequences, SigmoidCrossEntropy};
    /// let loss = SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(&[3.0])?;
    /// let logit = Sequences::from_fn(1, 1, 1, |_, _, _| 0.0);
    /// let value: f64 = loss.evaluate(&logit, &SigmoidCrossEntropy::one_hot(1, &[0]), None);
    /// assert!((value - 3.0 * 2.0_f64.ln()).abs() < 1e-15);
    /// # Ok::<(), longhand::HyperparameterError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no weight, or a weight is negative, infinite or NaN, or neither 0 nor a normal number of `f32`.
    pub fn with_positive_weights(self, weights: &[f64]) -> Result<Self, HyperparameterError> {
        let positive_weights = Weights::new(["positive weight", "number of positive weights"], weights)?;
        Ok(SigmoidCrossEntropy { positive_weights, ..self })
    }

    /// One target column a sequence, `classes x sequences`: 1 at its class and 0 elsewhere.
    ///
    /// # Panics
    /// If a label is not below `classes`, or the elements do not fit in the address space.
    #[track_caller]
    pub fn one_hot<T: Scalar>(classes: usize, labels: &[usize]) -> Sequences<T> {
        let mut target = Sequences::from_fn(classes, 1, labels.len(), |_, _, _| T::zero());
        for (sequence, &label) in labels.iter().enumerate() {
            check_label(label, classes, 0, sequence);
            target.at_mut(0, sequence)[label] = T::one();
        }
        target
    }
}

/// A product of factors `1 + e`, less 1, is replaced by its logarithm when it exceeds this, long before it overflows.
const MOST_GROWN: f64 = 1e6;

impl<T: Scalar> Loss<T> for SigmoidCrossEntropy {
    type Target = Sequences<T>;

    compiled_scaled_sum!(SigmoidCrossEntropy);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features, or there are weights for another number of features.
    fn column(&self, logits: &[T], target: &Sequences<T>, index: usize, d_logits: Option<&mut [T]>) -> T {
        let target = target.column(index);
        check_features(target.len(), logits.len());
        self.positive_weights.check_number(logits.len());
        let weighted = self.positive_weights.are_given();
        let (mut loss, mut d_logits, one) = (CompensatedSum::zero(), d_logits, T::one());
        // The sum of all `ln(1 + e)` is the logarithm of their product, which is `1 + grown` here.
        let (mut grown, most) = (T::zero(), real(MOST_GROWN));
        for (i, (&z, &d)) in logits.iter().zip(target).enumerate() {
            let positive = z >= T::zero();
            let e = if positive { -z } else { z }.exp();
            let weighted_d = self.positive_weights.of::<T>(i) * d;
            // Without weights the sum is 1; adding would round it.
            let both = if weighted { weighted_d + (one - d) } else { one };
            loss.add(if positive { (one - d) * z } else { -weighted_d * z });
            if weighted {
                loss.add(both * e.ln_1p());
            } else {
                grown += e + grown * e;
                if grown > most {
                    loss.add(grown.ln_1p());
                    grown = T::zero();
                }
            }
            if let Some(d_logits) = &mut d_logits {
                let part = both * (e / (one + e));
                d_logits[i] = if positive { (one - d) - part } else { part - weighted_d };
            }
        }
        loss.add(grown.ln_1p());
        loss.value()
    }
}
