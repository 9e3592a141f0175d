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
use super::{Loss, Reduction, check_label, compiled_scaled_sum, element_wise};
use crate::kernel::{Precision, Real, Terms};
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
            check_label(label, classes, sequence, labels.len());
            target.at_mut(0, sequence)[label] = T::one();
        }
        target
    }
}

/// The equations without weights, and with a positive weight for each feature.
#[derive(Clone, Copy)]
struct SigmoidTerms;

/// The parts of the terms of the loss: `max(z, 0)`, `max(-z, 0)` and `e = exp(-|z|)`.
#[inline(always)]
fn parts<V: Real>(z: V) -> [V; 3] {
    let zero = z.number(0.0);
    // The derivatives of both parts at zero must differ by 1, as those of the loss's terms do.
    let (positive, negative) = (zero.max(z), (zero - z).where_positive(zero - z));
    [positive, negative, (zero - (positive + negative)).exp_of_negative()]
}

impl Terms<1, 0> for SigmoidTerms {
    #[inline(always)]
    fn term<V: Real>(self, [z]: [V; 1], d: V, []: [V; 0]) -> (V, [V; 1]) {
        let (one, [positive, negative, e]) = (z.number(1.0), parts(z));
        let loss = (one - d) * positive + d * negative + e.ln_1p_of_fraction();
        let part = e / (one + e);
        (loss, [z.choose((one - d) - part, part - d)])
    }
}

impl Terms<1, 1> for SigmoidTerms {
    #[inline(always)]
    fn term<V: Real>(self, [z]: [V; 1], d: V, [weight]: [V; 1]) -> (V, [V; 1]) {
        let (one, [positive, negative, e]) = (z.number(1.0), parts(z));
        let weighted_d = weight * d;
        let both = weighted_d + (one - d);
        let loss = (one - d) * positive + weighted_d * negative + both * e.ln_1p_of_fraction();
        let part = both * (e / (one + e));
        (loss, [z.choose((one - d) - part, part - weighted_d)])
    }
}

fn sum<S: Scalar + Precision>(
    loss: &SigmoidCrossEntropy,
    output: &Sequences<S>,
    target: &Sequences<S>,
    scale: S,
    d_output: Option<&mut Sequences<S>>,
) -> S {
    let both = [output, target];
    let check = || loss.positive_weights.check_number(output.features());
    match loss.positive_weights.values() {
        Some(weights) => element_wise::scaled_sum(SigmoidTerms, check, both, [weights], scale, d_output),
        None => element_wise::scaled_sum(SigmoidTerms, check, both, [], scale, d_output),
    }
}

impl<T: Scalar> Loss<T> for SigmoidCrossEntropy {
    type Target = Sequences<T>;

    compiled_scaled_sum!(SigmoidCrossEntropy, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features, or there are weights for another number of features.
    fn column(&self, logits: &[T], target: &Sequences<T>, index: usize, d_logits: Option<&mut [T]>) -> T {
        let (target, weights) = (target.column(index), &self.positive_weights);
        weights.check_number(logits.len());
        if weights.are_given() {
            element_wise::column(SigmoidTerms, logits, target, |feature| [weights.of(feature)], d_logits)
        } else {
            element_wise::column(SigmoidTerms, logits, target, |_| [], d_logits)
        }
    }
}
