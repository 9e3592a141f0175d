//! Metrics: values that are updated batch by batch, can be merged, and can be stored in a checkpoint.
//!
//! | metric | of | value |
//! |---|---|---|
//! | share of right classes | classes | [`Accuracy`] |
//! | share of labels among the k largest logits | classes | [`TopK`] |
//! | confusion matrix: precision, recall, F1 | classes | [`ConfusionMatrix`] |
//! | expected calibration error, reliability diagram | probabilities | [`Calibration`] |
//! | perplexity | probabilities | [`Perplexity`] |
//! | edit distance, label and word error rate | sequences of symbols | [`ErrorRate`], [`edit_distance`] |
//! | mean absolute and squared error, R² | real numbers | [`RegressionErrors`] |
//!
//! # What counts
//! A step of a sequence counts if the output is valid there and there is a target: padding and missing labels do not count. One target
//! per sequence (1 step) holds at every step of the outputs, as in training. An update that fails changes nothing.
//!
//! # Ties and NaN
//! The predicted class is the one with the largest logit, and the first of them if several are equal, as for
//! [`Sequences::classes`]. If a logit is NaN there is no prediction, and the step counts as wrong.
//!
//! # Nothing to measure
//! A value that nothing was counted for is `None`, never 0 or NaN.

mod accuracy;
mod calibration;
mod confusion;
mod edit_distance;
mod perplexity;
mod regression;

pub use accuracy::{Accuracy, TopK};
pub use calibration::{Bin, Calibration};
pub use confusion::ConfusionMatrix;
pub use edit_distance::{ErrorRate, edit_distance};
pub use perplexity::Perplexity;
pub use regression::RegressionErrors;

use crate::number::as_f64;
use longhand::{Labels, Scalar, Sequences, Target};
use thiserror::Error;

/// Why a metric could not be updated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Outputs and targets have different shapes.
    #[error(
        "the targets are for {} steps of {} sequences, but the output has {} steps of {} sequences; there must be one target per \
         sequence (1 step) or one per step",
        targets[0], targets[1], outputs[0], outputs[1]
    )]
    Shape {
        /// Steps and sequences of the targets.
        targets: [usize; 2],
        /// Steps and sequences of the outputs.
        outputs: [usize; 2],
    },
    /// Another number of features than before, or than that of the targets.
    #[error("expected {expected} features, got {given}")]
    Features {
        /// The number of features given.
        given: usize,
        /// The number of features expected.
        expected: usize,
    },
    /// A class that does not exist.
    #[error("class {class} is not one of {classes} classes; expected 0 to {}", classes.saturating_sub(1))]
    Class {
        /// The class.
        class: usize,
        /// The number of classes.
        classes: usize,
    },
    /// Metrics with different settings cannot be merged.
    #[error("a metric with {setting} {other} cannot be merged into one with {setting} {own}; the two must be equal")]
    Merge {
        /// The name of the setting.
        setting: &'static str,
        /// The setting of the metric to be merged.
        other: String,
        /// The setting of this metric.
        own: String,
    },
}

impl MetricError {
    /// `Ok` if the settings of two metrics that are merged are equal.
    pub(crate) fn unless_equal<S: PartialEq + ToString + Copy>(
        setting: &'static str,
        own: S,
        other: S,
    ) -> Result<(), Self> {
        let error = || MetricError::Merge { setting, other: other.to_string(), own: own.to_string() };
        if own == other { Ok(()) } else { Err(error()) }
    }
}

/// Checks that targets fit outputs.
fn check_shapes<T: Scalar>(outputs: &Sequences<T>, targets: &impl Target) -> Result<(), MetricError> {
    let (given, expected) = ([targets.steps(), targets.batch()], [outputs.steps(), outputs.batch()]);
    let fits = given[1] == expected[1] && (given[0] == 1 || given[0] == expected[0]);
    if fits { Ok(()) } else { Err(MetricError::Shape { targets: given, outputs: expected }) }
}

/// The step and sequence of each output that counts, and the column of its target.
fn counted<'a, T: Scalar>(
    outputs: &'a Sequences<T>,
    targets: &'a impl Target,
) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
    let (layout, batch) = (outputs.layout(), outputs.batch());
    let columns = (0..layout.columns()).map(move |column| (column / batch, column % batch));
    columns.filter_map(move |(step, sequence)| {
        let target = if targets.steps() == 1 { sequence } else { step * batch + sequence };
        (layout.is_valid(step, sequence) && targets.is_present(target)).then_some((step, sequence, target))
    })
}

/// The logits and the label of each step that counts, after a check of all shapes and labels.
fn labelled<'a, T: Scalar>(
    logits: &'a Sequences<T>,
    labels: &'a Labels,
) -> Result<impl Iterator<Item = (&'a [T], usize)>, MetricError> {
    check_shapes(logits, labels)?;
    let classes = logits.features();
    let pairs = move || {
        counted(logits, labels).filter_map(move |(step, sequence, target)| {
            labels.class(target).map(|label| (logits.at(step, sequence), label))
        })
    };
    match pairs().find(|&(_, label)| label >= classes) {
        Some((_, class)) => Err(MetricError::Class { class, classes }),
        None => Ok(pairs()),
    }
}

/// The class with the largest logit, and the first of them if several are equal; `None` if a logit is NaN.
fn predicted<T: Scalar>(logits: &[T]) -> Option<usize> {
    // NaN is not equal to itself.
    let is_ordered = logits.iter().all(|z| z.partial_cmp(z).is_some());
    let best = |best: usize, class: usize| if logits[class] > logits[best] { class } else { best };
    (is_ordered && !logits.is_empty()).then(|| (0..logits.len()).fold(0, best))
}

/// `ln(sum of exp(z))`, without overflow, and the largest logit. NaN if a logit is.
fn log_sum_exp<T: Scalar>(logits: &[T]) -> (f64, f64) {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |largest, &z| largest.max(as_f64(z)));
    let sum: f64 = logits.iter().map(|&z| (as_f64(z) - largest).exp()).sum();
    (largest + sum.ln(), largest)
}

/// A quotient of counts; `None` of nothing.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
