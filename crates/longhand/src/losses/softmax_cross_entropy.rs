//! Softmax and cross-entropy, fused.
//!
//! For logits `z` and class `k`, with `p = softmax(z)`,
//!
//! ```text
//! loss = -log p_k = log(sum exp z_j) - z_k          d_z = p - onehot(k)
//! ```
//!
//! With label smoothing `s` over `C` classes (Szegedy et al. 2016, section 7) the target is `q = (1 - s) onehot(k) +
//! s / C`, and `loss = log(sum exp z_j) - sum q_j z_j`, `d_z = p - q`.
//!
//! With `z_m` the largest logit and `others = sum exp(z_j - z_m)` over all `j` but `m`, they are worked out as
//!
//! ```text
//! loss = log(1 + others) + sum q_j (z_m - z_j)
//! d_z_j = exp(z_j - z_m) / (1 + others) - q_j,     but for j = m = k,     d_z_k = (1 - q_k) - others / (1 + others)
//! ```
//!
//! so that no exponential overflows and no large numbers cancel: neither large logits nor a probability close to 1 cost
//! the loss its digits.
//!
//! With a weight `w_j` of each class, the term of each class is multiplied by the class's weight: the target is `w_j q_j`
//! in place of `q_j`, whose sum over the classes is `Q`, and `R` without class `k`.
//!
//! ```text
//! loss = Q log(1 + others) + sum w_j q_j (z_m - z_j)
//! d_z_j = Q exp(z_j - z_m) / (1 + others) - w_j q_j,     but for j = m = k,     d_z_k = R - Q others / (1 + others)
//! ```
//!
//! Without label smoothing, `Q = w_k` and `R = 0`. Without weights, `Q = 1` and `R = 1 - q_k`.
//!
//! A mean divides by the sum of the weights of the labels, `w_k` for each step that counts, as in PyTorch. With label
//! smoothing the divisor is the same, so a smoothed term of another class has the weight of that class in the loss, and
//! none in the divisor. That is PyTorch's convention too.

use super::softmax::{self, SoftmaxLoss};
use super::weights::Weights;
use super::{Labels, Loss, Reduction, Target, check_label, compiled_scaled_sum};
use crate::compensated_sum::compensated_sum;
use crate::kernel::{Exponentials, Precision, SoftmaxGradient};
use crate::scalar::{count, real};
use crate::{HyperparameterError, Scalar, Sequences};

/// `-log softmax(logits)[label]`, from logits and class [`Labels`]; see the equations above.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxCrossEntropy {
    reduction: Reduction,
    smoothing: f64,
    weights: Weights,
}

impl SoftmaxCrossEntropy {
    /// Without label smoothing.
    pub fn new(reduction: Reduction) -> Self {
        SoftmaxCrossEntropy { reduction, smoothing: 0.0, weights: Weights::default() }
    }

    /// With the part `smoothing` of each target spread evenly over all classes.
    ///
    /// # Errors
    /// If `smoothing` is not in `[0, 1)`.
    pub fn with_label_smoothing(self, smoothing: f64) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless((0.0..1.0).contains(&smoothing), "label smoothing", smoothing, "in [0, 1)")?;
        Ok(SoftmaxCrossEntropy { smoothing, ..self })
    }

    /// Multiplies the loss of each class by a weight: the `weight` of PyTorch, for classes that are not equally frequent.
    ///
    /// A mean divides by the sum of the weights of the labels, so a batch with labels of a single class has the same mean
    /// as without weights. [`Trainer::gradients`](crate::Trainer::gradients) divides the losses of all windows by the
    /// weights of the whole batch. [`Trainer::train_windows`](crate::Trainer::train_windows) updates after each window, and
    /// divides by the weights of the window. Where all labels have weight 0, the mean and its gradient are 0, with label
    /// smoothing too; PyTorch's are NaN. See the equations above for label smoothing.
    ///
    /// ```
    /// use longhand::{Labels, Loss, Reduction, Sequences, SoftmaxCrossEntropy};
    /// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_class_weights(&[1.0, 3.0])?;
    /// // Probabilities of 1/2 and 1/4 for the labels.
    /// let logits = Sequences::from_fn(2, 1, 2, |class, _, b| if class == 0 && b == 1 { 3.0_f64.ln() } else { 0.0 });
    /// let value = loss.evaluate(&logits, &Labels::per_sequence(&[0, 1]), None);
    /// assert!((value - (2.0_f64.ln() + 3.0 * 4.0_f64.ln()) / 4.0).abs() < 1e-15);
    /// # Ok::<(), longhand::HyperparameterError>(())
    /// ```
    ///
    /// # Errors
    /// If there is no weight, or a weight is negative, infinite or NaN, or neither 0 nor a normal number of `f32`.
    pub fn with_class_weights(self, weights: &[f64]) -> Result<Self, HyperparameterError> {
        let weights = Weights::new(["class weight", "number of class weights"], weights)?;
        Ok(SoftmaxCrossEntropy { weights, ..self })
    }
}

impl SoftmaxLoss for SoftmaxCrossEntropy {
    #[inline(always)]
    fn label<T: Scalar>(&self, logits: &[T], labels: &Labels, index: usize) -> Option<usize> {
        let class = labels.class(index)?;
        check_label(class, logits.len(), index, labels.batch());
        self.weights.check_number(logits.len());
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
        let (smoothing, one) = (real::<T>(self.smoothing), T::one());
        // The target of each class but the label's, before the weights.
        let spread = smoothing / count(logits.len());
        let weight = |j: usize| self.weights.of::<T>(j);
        let of_label = weight(class) * (one - smoothing + spread);
        // Q and R of the equations.
        let (all, rest) = if self.weights.are_given() {
            // In double precision, because the sum may overflow in `f32`.
            let rest = self.weights.of_others(class, self.smoothing / logits.len() as f64);
            (rest + of_label, rest)
        } else {
            (one, smoothing - spread)
        };
        let Exponentials { largest, is_of_label, others, sum } = exponentials;
        let mut loss = all * log_sum + weight(class) * (one - smoothing) * (largest - logits[class]);
        if self.smoothing > 0.0 {
            loss += spread
                * match self.weights.values::<T>() {
                    Some(weights) => compensated_sum(logits.len(), |j| weights[j] * (largest - logits[j])),
                    None => compensated_sum(logits.len(), |j| weight(j) * (largest - logits[j])),
                };
        }
        let label = if is_of_label { all * (others / sum) - rest } else { of_label };
        (loss, SoftmaxGradient { factor: all / sum, spread, keeps_label: !is_of_label, of_label: label })
    }

    fn weights(&self) -> &Weights {
        &self.weights
    }
}

fn sum<S: Scalar + Precision>(
    loss: &SoftmaxCrossEntropy,
    logits: &Sequences<S>,
    labels: &Labels,
    scale: S,
    d_logits: Option<&mut Sequences<S>>,
) -> S {
    softmax::scaled_sum(loss, logits, labels, scale, d_logits)
}

impl<T: Scalar> Loss<T> for SoftmaxCrossEntropy {
    type Target = Labels;

    compiled_scaled_sum!(SoftmaxCrossEntropy, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn weight(&self, labels: &Labels, index: usize) -> f64 {
        self.weights.of_label(labels.class(index))
    }

    /// # Panics
    /// If the label is not one of the classes, or there are weights for another number of classes.
    fn column(&self, logits: &[T], labels: &Labels, index: usize, d_logits: Option<&mut [T]>) -> T {
        softmax::column(self, logits, labels, index, d_logits)
    }
}

#[cfg(test)]
mod tests {
    use super::SoftmaxCrossEntropy;
    use crate::{Labels, Loss, Reduction, Sequences};
    use alloc::{vec, vec::Vec};

    fn evaluate(logits: &[f64], label: usize) -> (f64, Vec<f64>) {
        let logits = Sequences::from_fn(logits.len(), 1, 1, |class, _, _| logits[class]);
        let mut d_logits = Sequences::default();
        let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
        let value = loss.evaluate(&logits, &Labels::per_sequence(&[label]), Some(&mut d_logits));
        (value, d_logits.column(0).to_vec())
    }

    #[test]
    fn a_logit_of_minus_infinity_leaves_its_class_out() {
        let (value, gradient) = evaluate(&[0.5, -1.0], 1);
        let (with_masked, gradient_with_masked) = evaluate(&[0.5, -1.0, f64::NEG_INFINITY], 1);
        assert_eq!(with_masked.to_bits(), value.to_bits());
        assert_eq!(gradient_with_masked, [gradient[0], gradient[1], 0.0]);
    }

    /// The label counts as the largest logit where several are: `1 / classes - 1` would be rounded twice.
    #[test]
    fn gradient_of_the_label_is_rounded_once_where_logits_are_equal() {
        for classes in 2..50_u8 {
            let (_, gradient) = evaluate(&vec![0.5; usize::from(classes)], 0);
            assert_eq!(
                gradient[0].to_bits(),
                (-(f64::from(classes) - 1.0) / f64::from(classes)).to_bits(),
                "{classes}"
            );
        }
    }
}
