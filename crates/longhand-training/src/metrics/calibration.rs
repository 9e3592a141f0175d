//! Calibration: whether a model is right as often as its probabilities say.
//!
//! The confidence of a prediction is the largest probability of the softmax. The interval from 0 to 1 is divided into `M` bins of equal
//! width; bin `m` has the confidences in `(m / M, (m + 1) / M]`. With `n[m]` the number of predictions in a bin, `accuracy(m)` the share
//! of them that is right, and `confidence(m)` their mean confidence,
//!
//! ```text
//! ECE = sum over m of n[m] / n * |accuracy(m) - confidence(m)|
//! ```
//!
//! is the expected calibration error (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", 2017, equation 3).

use super::{MetricError, labelled, log_sum_exp, predicted, share};
use crate::number::unless;
use crate::sum::Sum;
use longhand::{HyperparameterError, Labels, Scalar, Sequences};
use serde::{Deserialize, Serialize};

/// The expected calibration error, and the bins of a reliability diagram.
///
/// ```
/// use longhand::{Labels, Sequences};
/// use longhand_training::metrics::Calibration;
/// // Four predictions with a confidence of 3/4, of which two are right.
/// let logits = Sequences::from_fn(2, 1, 4, |class, _, _| if class == 0 { 3.0_f64.ln() } else { 0.0 });
/// let mut calibration = Calibration::new(10)?;
/// calibration.update(&logits, &Labels::per_sequence(&[0, 1, 0, 1]))?;
/// assert!((calibration.expected_error().unwrap() - 0.25).abs() < 1e-12);
///
/// let bin = calibration.bins().nth(7).unwrap();
/// assert_eq!((bin.lower, bin.upper, bin.count, bin.accuracy()), (0.7, 0.8, 4, Some(0.5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Calibration {
    bins: Vec<Counts>,
    without_prediction: u64,
}

/// The fields of a [`Calibration`] in a file. They are checked when it is read, because the file may have been changed.
#[derive(Deserialize)]
#[serde(rename = "Calibration")]
struct Stored {
    bins: Vec<Counts>,
    without_prediction: u64,
}

impl TryFrom<Stored> for Calibration {
    type Error = HyperparameterError;

    fn try_from(Stored { bins, without_prediction }: Stored) -> Result<Self, HyperparameterError> {
        check_bins(bins.len())?;
        Ok(Calibration { bins, without_prediction })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Counts {
    count: u64,
    right: u64,
    confidence: Sum,
}

/// One bin of a reliability diagram: the predictions whose confidence is above `lower` and at most `upper`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// The lower end of the confidences.
    pub lower: f64,
    /// The upper end of the confidences.
    pub upper: f64,
    /// Number of predictions.
    pub count: u64,
    /// Number of right predictions.
    pub right: u64,
    confidence: Sum,
}

fn check_bins(bins: usize) -> Result<(), HyperparameterError> {
    unless(bins > 0, "bins", 0.0, "at least 1 bin")
}

impl Bin {
    /// The share of right predictions; `None` if the bin is empty.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.right, self.count)
    }

    /// The mean confidence; `None` if the bin is empty.
    pub fn confidence(&self) -> Option<f64> {
        (self.count > 0).then(|| self.confidence.value() / self.count as f64)
    }

    fn gap(&self) -> Option<f64> {
        Some((self.accuracy()? - self.confidence()?).abs())
    }
}

impl Calibration {
    /// Nothing counted yet. 10 to 20 bins are usual.
    ///
    /// # Errors
    /// If `bins` is 0.
    pub fn new(bins: usize) -> Result<Self, HyperparameterError> {
        check_bins(bins)?;
        Ok(Calibration { bins: vec![Counts::default(); bins], without_prediction: 0 })
    }

    /// Counts the steps of a batch: the confidence is the largest probability of the softmax of the logits.
    ///
    /// # Errors
    /// If the labels do not fit the logits, or a label is not one of the classes.
    pub fn update<T: Scalar>(&mut self, logits: &Sequences<T>, labels: &Labels) -> Result<(), MetricError> {
        for (logits, label) in labelled(logits, labels)? {
            let (log_sum, largest) = log_sum_exp(logits);
            let class = predicted(logits);
            self.add(class.map_or(f64::NAN, |_| (largest - log_sum).exp()), class == Some(label));
        }
        Ok(())
    }

    /// Counts one prediction with this confidence. If the confidence is NaN or outside of `[0, 1]` there is no prediction: it is counted
    /// in [`without_prediction`](Self::without_prediction) only.
    pub fn add(&mut self, confidence: f64, is_right: bool) {
        if !(0.0..=1.0).contains(&confidence) {
            self.without_prediction += 1;
            return;
        }
        let bins = self.bins.len();
        let bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
        let Counts { count, right, confidence: sum } = &mut self.bins[bin];
        *count += 1;
        *right += u64::from(is_right);
        sum.add(confidence);
    }

    /// Adds the counts of another part of the data.
    ///
    /// # Errors
    /// If the other one has another number of bins.
    pub fn merge(&mut self, other: &Calibration) -> Result<(), MetricError> {
        MetricError::unless_equal("bins", self.bins.len(), other.bins.len())?;
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.count += other.count;
            bin.right += other.right;
            bin.confidence.merge(&other.confidence);
        }
        self.without_prediction += other.without_prediction;
        Ok(())
    }

    /// The bins, from the lowest confidence to the highest: the columns of a reliability diagram.
    pub fn bins(&self) -> impl ExactSizeIterator<Item = Bin> + '_ {
        let end = |bin: usize| bin as f64 / self.bins.len() as f64;
        self.bins.iter().enumerate().map(move |(bin, &Counts { count, right, confidence })| Bin {
            lower: end(bin),
            upper: end(bin + 1),
            count,
            right,
            confidence,
        })
    }

    /// The expected calibration error, from 0 to 1; `None` if nothing was counted.
    pub fn expected_error(&self) -> Option<f64> {
        let sum: f64 = self.bins().filter_map(|bin| Some(bin.gap()? * bin.count as f64)).sum();
        (self.total() > 0).then(|| sum / self.total() as f64)
    }

    /// The largest difference between accuracy and confidence of any bin, from 0 to 1; `None` if nothing was counted.
    pub fn largest_error(&self) -> Option<f64> {
        self.bins().filter_map(|bin| bin.gap()).reduce(f64::max)
    }

    /// Number of predictions in all bins.
    pub fn total(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).sum()
    }

    /// Number of steps that are in no bin, because a logit is NaN or infinite, or a confidence is no probability.
    pub fn without_prediction(&self) -> u64 {
        self.without_prediction
    }
}
