//! Losses, each with one code path for the loss and its gradient. Those of classes read logits.

mod connectionist_temporal_classification;
mod element_wise;
mod focal_loss;
mod gaussian_negative_log_likelihood;
mod huber_loss;
mod label_sequences;
mod mean_absolute_error;
mod mean_squared_error;
mod quantile_loss;
mod sigmoid_cross_entropy;
mod softmax;
mod softmax_cross_entropy;
mod target;
mod weights;

pub use connectionist_temporal_classification::ConnectionistTemporalClassification;
pub use focal_loss::FocalLoss;
pub use gaussian_negative_log_likelihood::GaussianNegativeLogLikelihood;
pub use huber_loss::HuberLoss;
pub use label_sequences::LabelSequences;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_squared_error::MeanSquaredError;
pub use quantile_loss::QuantileLoss;
pub use sigmoid_cross_entropy::SigmoidCrossEntropy;
pub use softmax_cross_entropy::SoftmaxCrossEntropy;
pub use target::{Labels, Target};

use crate::compensated_sum::CompensatedSum;
use crate::scalar::{flush_to_zero, real};
use crate::{Scalar, Sequences};

/// How the losses of many steps become one number.
///
/// A step *counts* if the output is valid there and it has a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// The sum over all steps that count.
    Sum,
    /// That sum divided by the number of steps that count: PyTorch's `mean` for cross-entropy from class labels. If the
    /// loss has class weights, divided by the sum of the steps' weights ([`Loss::weight`]).
    MeanOverSteps,
    /// That sum divided by the number of elements (steps that count times features): PyTorch's `mean` for losses that
    /// compare element by element.
    MeanOverElements,
}

impl Reduction {
    /// The factor of the sum when the weights of the steps that count have the sum `weight`, which is their number for
    /// most losses, and each has `elements` elements; 0 when the divisor is 0.
    pub fn scale<T: Scalar>(self, weight: f64, elements: usize) -> T {
        let divisor = match self {
            Reduction::Sum => 1.0,
            Reduction::MeanOverSteps => weight,
            Reduction::MeanOverElements => weight * elements as f64,
        };
        if divisor == 0.0 { T::zero() } else { T::one() / real(divisor) }
    }
}

/// A loss of outputs against targets.
///
/// To write one, give [`column`](Loss::column): the loss of one step of one sequence and its gradient together.
///
/// ```
/// use longhand::{Labels, Loss, Reduction, Sequences, SoftmaxCrossEntropy};
///
/// let logits = Sequences::from_fn(3, 1, 2, |class, _, sequence| if class == sequence { 2.0 } else { 0.0 });
/// let mut d_logits = Sequences::default();
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let value: f64 = loss.evaluate(&logits, &Labels::per_sequence(&[0, 1]), Some(&mut d_logits));
/// assert!((value - (1.0 + 2.0 * (-2.0_f64).exp()).ln()).abs() < 1e-12);
/// ```
pub trait Loss<T: Scalar> {
    /// The target type.
    type Target: Target;

    /// How the losses of many steps become one number.
    fn reduction(&self) -> Reduction;

    /// The loss of one output column (`features` scalars) against target column `index`, and its gradient written to
    /// `d_output`, if that is given.
    fn column(&self, output: &[T], target: &Self::Target, index: usize, d_output: Option<&mut [T]>) -> T;

    /// The weight of a step that counts: a mean is the sum of the losses divided by the sum of the weights. 1 by default.
    ///
    /// [`column`](Loss::column) must return a loss that is multiplied by the weight already. `index` is the column of
    /// the target. A [`Trainer`](crate::Trainer) sums the weights of the whole batch, however it is cut into windows.
    fn weight(&self, _target: &Self::Target, _index: usize) -> f64 {
        1.0
    }

    /// The number of elements of a step that has this many output features, for [`Reduction::MeanOverElements`]. By
    /// default each feature is one element.
    fn elements(&self, features: usize) -> usize {
        features
    }

    /// Whether a loss belongs to a whole sequence and not to a step, as in
    /// [`ConnectionistTemporalClassification`]; `false` by default.
    ///
    /// Such a loss overrides [`scaled_sum`](Loss::scaled_sum) and [`evaluate`](Loss::evaluate), and counts once per
    /// sequence that has a target and a valid step. A [`Trainer`](crate::Trainer) refuses to cut its sequences into
    /// windows.
    fn needs_whole_sequences(&self) -> bool {
        false
    }

    /// The sum over the steps that count times `scale`, and its gradient with respect to `output`, zero at the other
    /// steps, written to `d_output` if that is given.
    ///
    /// The sum is compensated, so that many steps do not cost digits. In `f32` and `f64`, elements of the gradient whose
    /// products could be subnormal numbers, which slow down a backward pass, are exactly zero: those below 2^-63 in `f32`
    /// and 2^-511 in `f64`.
    ///
    /// # Panics
    /// If the target has another number of steps or sequences than the output.
    #[track_caller]
    fn scaled_sum(
        &self,
        output: &Sequences<T>,
        target: &Self::Target,
        scale: T,
        d_output: Option<&mut Sequences<T>>,
    ) -> T {
        check_targets(output, target);
        scaled_sum(self, output, target, scale, d_output)
    }

    /// The loss with its reduction; its gradient with respect to `output` is written to `d_output`, if that is given.
    ///
    /// # Panics
    /// If the target has another number of steps or sequences than the output.
    #[track_caller]
    fn evaluate(&self, output: &Sequences<T>, target: &Self::Target, d_output: Option<&mut Sequences<T>>) -> T {
        check_targets(output, target);
        let counting = (0..output.layout().columns()).filter(|&index| counts(output, target, index));
        let weight = counting.map(|index| self.weight(target, index)).sum();
        let scale = self.reduction().scale(weight, self.elements(output.features()));
        self.scaled_sum(output, target, scale, d_output)
    }
}

/// [`Loss::scaled_sum`].
fn scaled_sum<T: Scalar, L: Loss<T> + ?Sized>(
    loss: &L,
    output: &Sequences<T>,
    target: &L::Target,
    scale: T,
    mut d_output: Option<&mut Sequences<T>>,
) -> T {
    let columns = output.layout().columns();
    if let Some(d_output) = &mut d_output {
        d_output.reshape(output.features(), output.layout());
    }
    let mut sum = CompensatedSum::zero();
    for index in 0..columns {
        let d_column = d_output.as_mut().map(|d_output| d_output.column_mut(index));
        if !counts(output, target, index) {
            if let Some(d_column) = d_column {
                d_column.fill(T::zero());
            }
            continue;
        }
        match d_column {
            Some(d_column) => {
                sum.add(loss.column(output.column(index), target, index, Some(d_column)));
                for d in d_column {
                    *d = flush_to_zero(*d * scale);
                }
            }
            None => sum.add(loss.column(output.column(index), target, index, None)),
        }
    }
    sum.value() * scale
}

/// Compiles [`Loss::scaled_sum`] for `f32` and `f64` in this crate, and not again in every crate that uses the loss:
/// `compiled_scaled_sum!(QuantileLoss);` inside of `impl Loss`.
///
/// An element-wise loss names the function that computes its sum for `f32` and `f64`: `compiled_scaled_sum!(HuberLoss, sum)`. A
/// loss that is no sum over columns names the function that checks its targets and the function that computes its sum for
/// all scalar types.
macro_rules! compiled_scaled_sum {
    ($loss:ty) => {
        $crate::losses::compiled_scaled_sum!($loss, $crate::losses::scaled_sum);
    };
    ($loss:ty, $sum:path) => {
        $crate::losses::compiled_scaled_sum!(
            $loss, $crate::losses::check_targets, $sum, $crate::losses::scaled_sum
        );
    };
    ($loss:ty, $check:path, $sum:path) => {
        $crate::losses::compiled_scaled_sum!($loss, $check, $sum, $sum);
    };
    ($loss:ty, $check:path, $sum:path, $generic:path) => {
        #[track_caller]
        fn scaled_sum(
            &self,
            output: &$crate::Sequences<T>,
            target: &Self::Target,
            scale: T,
            d_output: Option<&mut $crate::Sequences<T>>,
        ) -> T {
            type Sum<T> =
                fn(&$loss, &$crate::Sequences<T>, &<$loss as Loss<T>>::Target, T, Option<&mut $crate::Sequences<T>>) -> T;
            $crate::losses::compiled_scaled_sum!(@ single, $loss, f32, $sum);
            $crate::losses::compiled_scaled_sum!(@ double, $loss, f64, $sum);
            $check(output, target);
            let functions: [&dyn core::any::Any; 2] = [&(single as Sum<f32>), &(double as Sum<f64>)];
            let generic: Sum<T> = $generic;
            let sum: Sum<T> = $crate::scalar::compiled(functions, generic);
            sum(self, output, target, scale, d_output)
        }
    };
    (@ $name:ident, $loss:ty, $scalar:ty, $sum:path) => {
        fn $name(
            loss: &$loss,
            output: &$crate::Sequences<$scalar>,
            target: &<$loss as Loss<$scalar>>::Target,
            scale: $scalar,
            d_output: Option<&mut $crate::Sequences<$scalar>>,
        ) -> $scalar {
            $sum(loss, output, target, scale, d_output)
        }
    };
}
use compiled_scaled_sum;

fn counts<T: Scalar>(output: &Sequences<T>, target: &impl Target, index: usize) -> bool {
    output.layout().is_valid_column(index) && target.is_present(index)
}

/// Panics unless there is a target, present or not, for each step of each sequence of the output.
#[track_caller]
fn check_targets<T: Scalar>(output: &Sequences<T>, target: &impl Target) {
    let (given, expected) = ((target.steps(), target.batch()), (output.steps(), output.batch()));
    assert!(
        given == expected,
        "the targets are for {} steps of {} sequences, but the output has {} steps of {} sequences; they must be equal",
        given.0,
        given.1,
        expected.0,
        expected.1
    );
}

/// Panics unless a target column has as many features as the output column it is compared with.
#[track_caller]
fn check_features(target: usize, output: usize) {
    assert!(target == output, "the target has {target} features, the output {output}; they must be equal");
}

/// Panics unless the label of a column is one of the classes.
#[track_caller]
#[inline(always)]
fn check_label(label: usize, classes: usize, column: usize, batch: usize) {
    assert!(
        label < classes,
        "label {label} of sequence {} at step {} is not one of {classes} classes; expected 0 to {}",
        column % batch,
        column / batch,
        classes.saturating_sub(1)
    );
}
