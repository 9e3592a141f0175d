//! Connectionist temporal classification (Graves, Fernandez, Gomez and Schmidhuber, "Connectionist temporal
//! classification: labelling unsegmented sequence data with recurrent neural networks", 2006, section 4), fused with the
//! softmax.
//!
//! One of the classes is the *blank*. A path has one class for each of the `T` valid steps of a sequence. It spells a
//! sequence of labels: repetitions are merged, then blanks are dropped, so `a a - b b -` and `- a - - b b` spell `a b`,
//! and `a - a` spells `a a`. With logits `z_t` and `y_t = softmax(z_t)`, a path has the probability of the product of its
//! `y`, and the loss is `-log p`, where `p` is the probability of all paths that spell the labels `l_1 .. l_L` together.
//!
//! **States.** The labels with a blank before, between and after them are `S = 2 L + 1` states, from 0 to `S - 1`: `c(s)`
//! is the blank for an even `s`, and a label for an odd one. A path begins in state 0 or 1, ends in one of the last two,
//! and in each step stays, moves to the next state, or *skips* a blank: from `s - 2` to `s` if `c(s)` is a label and
//! differs from `c(s - 2)`.
//!
//! **Forward** (equations 5 to 8), with `alpha_t(s)` the probability of being in state `s` at step `t`, `y_t` included:
//!
//! ```text
//! alpha_t(s) = y_t[c(s)] (alpha_{t-1}(s) + alpha_{t-1}(s - 1) + alpha_{t-1}(s - 2) where s skips)
//! p = alpha_T(S - 1) + alpha_T(S - 2)
//! ```
//!
//! **Backward** (equations 9 to 11), with `beta_t(s)` the probability of finishing from state `s` after step `t`. Unlike
//! the paper's it does not include `y_t`, so that nothing is divided by `y_t`:
//!
//! ```text
//! beta_{t-1}(s) = y_t[c(s)] beta_t(s) + y_t[c(s + 1)] beta_t(s + 1) + y_t[c(s + 2)] beta_t(s + 2) where s + 2 skips
//! beta_T(S - 1) = beta_T(S - 2) = 1
//! ```
//!
//! **Gradient** (equation 16). At each step `alpha_t(s) beta_t(s) / p` is the probability `gamma_t(s)` of state `s` among
//! the paths that spell the labels. `p` has one factor `y_t[k]` for each path that has class `k` at step `t`, so
//!
//! ```text
//! dp/dy_t[k] = sum of alpha_t(s) beta_t(s) over c(s) = k / y_t[k]
//! d_z_t[k] = y_t[k] - sum of gamma_t(s) over c(s) = k
//! ```
//!
//! **Numbers.** `alpha` and `beta` are stored as logarithms, and the largest of each step is subtracted from those of the next,
//! which is a factor of all of them: the logarithms stay close to 0 for the states that matter, however many steps there
//! are. The factors of `alpha` are added to the loss in a compensated sum. `gamma_t` is divided by its own sum over `s`,
//! so the factors of `beta` are never needed. `y` enters as `z - z_m`, with the largest logit `z_m`, and the rest of its
//! logarithm, `log(1 + others)`, is added to the loss as in [`SoftmaxCrossEntropy`](crate::SoftmaxCrossEntropy). The
//! gradients of a step sum to 0, so that of the most probable class is minus the sum of the others: `y - gamma` would
//! cancel where both are close to 1.

mod alignments;
mod recursions;

use super::{LabelSequences, Loss, Reduction, Target, compiled_scaled_sum};
use crate::{Scalar, Sequences};
use alignments::scaled_sum;

/// The negative logarithm of the probability that a sequence of outputs spells a sequence of labels, from logits and
/// [`LabelSequences`]; see the equations above. No alignment of labels and steps is needed.
///
/// There is one loss per sequence. A sequence counts if it has a target and at least one valid step.
///
/// | reduction | loss of a batch |
/// |---|---|
/// | [`Reduction::Sum`] | the sum over the sequences that count |
/// | [`Reduction::MeanOverSteps`] | that sum divided by the number of sequences that count |
/// | [`Reduction::MeanOverElements`] | as before, with the loss of each sequence divided by its number of labels, or by 1 if there is none: PyTorch's `mean` |
///
/// ```
/// use longhand::{ConnectionistTemporalClassification, LabelSequences, Loss, Reduction, Sequences};
/// // Two steps of two classes, all with probability 1/2. Class 0 is the blank, so three of the four paths spell `1`:
/// // `0 1`, `1 0` and `1 1`.
/// let logits = Sequences::from_fn(2, 2, 1, |_, _, _| 0.0);
/// let loss = ConnectionistTemporalClassification::new(Reduction::Sum);
/// let value: f64 = loss.evaluate(&logits, &LabelSequences::new(&[[1]]), None);
/// assert!((value + 0.75_f64.ln()).abs() < 1e-15);
/// ```
///
/// # Training
/// A [`Trainer`](crate::Trainer) must have the whole sequence in one window
/// ([`TruncatedBptt::full`](crate::TruncatedBptt::full)); with shorter windows it returns
/// [`TrainingError::CutSequences`](crate::TrainingError::CutSequences). The model must have an output at every step, and
/// where the trainer's [`LossAt`](crate::LossAt) puts the loss makes no difference.
///
/// [`Sequences::best_path`] reads the most probable labels off a model's outputs.
///
/// # Impossible labels
/// A sequence needs one step for each label, and one more between equal neighbours: [`steps_needed`](Self::steps_needed).
/// With fewer valid steps no path spells the labels. Then the loss is infinite and its gradient is zero, and a trainer
/// returns an error. The same happens if logits of minus infinity exclude a label at every step. To train on the other
/// sequences of such a batch, see [`ignoring_impossible`](Self::ignoring_impossible).
///
/// # Memory
/// Unlike other losses this one allocates once in each evaluation: `(T + 4) (2 L + 3)` scalars for the longest sequence if there is
/// a gradient, and `6 (2 L + 3)` otherwise. The forward probabilities of all steps are needed in the backward pass, they have
/// no place in the output or its gradient, and a loss has no memory of its own, because threads share it. Compared with the `5 T
/// (2 L + 1)` exponentials of both passes, the time of an allocation does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionistTemporalClassification {
    reduction: Reduction,
    blank: usize,
    ignores_impossible: bool,
}

impl ConnectionistTemporalClassification {
    /// The loss with class 0 as the blank.
    pub fn new(reduction: Reduction) -> Self {
        ConnectionistTemporalClassification { reduction, blank: 0, ignores_impossible: false }
    }

    /// Makes another class the blank.
    #[must_use]
    pub fn with_blank(self, blank: usize) -> Self {
        ConnectionistTemporalClassification { blank, ..self }
    }

    /// Sequences whose labels are impossible have a loss of 0 in place of infinity: PyTorch's `zero_infinity`. They still
    /// count in the divisor of a mean.
    #[must_use]
    pub fn ignoring_impossible(self) -> Self {
        ConnectionistTemporalClassification { ignores_impossible: true, ..self }
    }

    /// The class that is the blank.
    pub fn blank(&self) -> usize {
        self.blank
    }

    /// The number of steps that a sequence needs at least for these labels.
    ///
    /// ```
    /// use longhand::ConnectionistTemporalClassification;
    /// assert_eq!(ConnectionistTemporalClassification::steps_needed(&[2, 5, 5]), 4);
    /// ```
    pub fn steps_needed(labels: &[usize]) -> usize {
        labels.len() + labels.windows(2).filter(|pair| pair[0] == pair[1]).count()
    }
}

impl<T: Scalar> Loss<T> for ConnectionistTemporalClassification {
    type Target = LabelSequences;

    compiled_scaled_sum!(ConnectionistTemporalClassification, check_targets, scaled_sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// Always: the loss belongs to a whole sequence. Call [`evaluate`](Loss::evaluate) or
    /// [`scaled_sum`](Loss::scaled_sum).
    fn column(&self, _: &[T], _: &LabelSequences, _: usize, _: Option<&mut [T]>) -> T {
        panic!("connectionist temporal classification has no loss per step; call `evaluate` or `scaled_sum`")
    }

    /// 1: a mean over the labels of a sequence is part of the sum.
    fn elements(&self, _features: usize) -> usize {
        1
    }

    fn needs_whole_sequences(&self) -> bool {
        true
    }

    /// # Panics
    /// If the targets are for another number of sequences, the blank is not one of the classes, or a label is the blank
    /// or not one of the classes.
    #[track_caller]
    fn evaluate(&self, output: &Sequences<T>, target: &LabelSequences, d_output: Option<&mut Sequences<T>>) -> T {
        check_targets(output, target);
        let counts = |&sequence: &usize| {
            target.labels(sequence).is_some() && output.layout().last_valid_step(sequence).is_some()
        };
        let weight = (0..output.batch()).filter(counts).count() as f64;
        self.scaled_sum(output, target, self.reduction.scale(weight, 1), d_output)
    }
}

/// Panics unless there is a target, present or not, for each sequence of the output.
#[track_caller]
fn check_targets<T: Scalar>(output: &Sequences<T>, target: &LabelSequences) {
    let (given, expected) = (target.batch(), output.batch());
    assert!(
        given == expected,
        "the targets are for {given} sequences, but the output has {expected} sequences; they must be equal"
    );
}
