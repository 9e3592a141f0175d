//! Shares of right predictions.

use super::{MetricError, labelled, predicted, share};
use crate::number::unless;
use longhand::{HyperparameterError, Labels, Scalar, Sequences};
use serde::{Deserialize, Serialize};

/// The share of steps whose predicted class is the label.
///
/// ```
/// use longhand::{Labels, Sequences};
/// use longhand_training::metrics::Accuracy;
/// // Two outputs of three classes.
/// let logits = Sequences::from_time_first(&[0.1, 2.0, -1.0, 3.0, 0.0, 0.0], [1, 2, 3])?;
/// let mut accuracy = Accuracy::new();
/// accuracy.update(&logits, &Labels::per_sequence(&[1, 2]))?;
/// assert_eq!(accuracy.value(), Some(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Accuracy {
    right: u64,
    total: u64,
}

impl Accuracy {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the steps of a batch.
    ///
    /// # Errors
    /// If the labels do not fit the logits, or a label is not one of the classes.
    pub fn update<T: Scalar>(&mut self, logits: &Sequences<T>, labels: &Labels) -> Result<(), MetricError> {
        for (logits, label) in labelled(logits, labels)? {
            self.add(predicted(logits) == Some(label));
        }
        Ok(())
    }

    /// Counts one prediction.
    pub fn add(&mut self, is_right: bool) {
        self.right += u64::from(is_right);
        self.total += 1;
    }

    /// Adds the counts of another part of the data.
    pub fn merge(&mut self, other: &Accuracy) {
        self.right += other.right;
        self.total += other.total;
    }

    /// The share, from 0 to 1; `None` if nothing was counted.
    pub fn value(&self) -> Option<f64> {
        share(self.right, self.total)
    }

    /// Number of right predictions.
    pub fn right(&self) -> u64 {
        self.right
    }

    /// Number of predictions.
    pub fn total(&self) -> u64 {
        self.total
    }
}

/// The share of steps whose label is among the `k` classes with the largest logits.
///
/// Of equal logits, that of the first class counts as larger, so that the share for `k = 1` is the [`Accuracy`]. If a logit is NaN the
/// step counts as wrong.
///
/// ```
/// use longhand::{Labels, Sequences};
/// use longhand_training::metrics::TopK;
/// let logits = Sequences::from_time_first(&[0.1, 2.0, -1.0, 3.0, 0.5, 0.0], [1, 2, 3])?;
/// let mut top = TopK::new(2)?;
/// top.update(&logits, &Labels::per_sequence(&[2, 1]))?;
/// assert_eq!(top.value(), Some(0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopK {
    k: usize,
    counts: Accuracy,
}

impl TopK {
    /// Nothing counted yet.
    ///
    /// # Errors
    /// If `k` is 0.
    pub fn new(k: usize) -> Result<Self, HyperparameterError> {
        unless(k > 0, "k", 0.0, "at least 1 class")?;
        Ok(TopK { k, counts: Accuracy::new() })
    }

    /// Counts the steps of a batch.
    ///
    /// # Errors
    /// If the labels do not fit the logits, or a label is not one of the classes.
    pub fn update<T: Scalar>(&mut self, logits: &Sequences<T>, labels: &Labels) -> Result<(), MetricError> {
        for (logits, label) in labelled(logits, labels)? {
            let own = logits[label];
            let is_before = |class: usize| logits[class] > own || (logits[class] == own && class < label);
            let is_ordered = predicted(logits).is_some();
            self.counts.add(is_ordered && (0..logits.len()).filter(|&class| is_before(class)).count() < self.k);
        }
        Ok(())
    }

    /// Adds the counts of another part of the data.
    ///
    /// # Errors
    /// If the other one has another `k`.
    pub fn merge(&mut self, other: &TopK) -> Result<(), MetricError> {
        MetricError::unless_equal("k", self.k, other.k)?;
        self.counts.merge(&other.counts);
        Ok(())
    }

    /// The share, from 0 to 1; `None` if nothing was counted.
    pub fn value(&self) -> Option<f64> {
        self.counts.value()
    }

    /// Number of predictions.
    pub fn total(&self) -> u64 {
        self.counts.total()
    }
}
