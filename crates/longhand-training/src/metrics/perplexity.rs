//! Perplexity.
//!
//! ```text
//! loss       = mean over the steps of -ln p[label]        with p the softmax of the logits
//! perplexity = exp(loss)
//! ```

use super::{MetricError, labelled, log_sum_exp};
use crate::number::as_f64;
use crate::sum::Sum;
use longhand::{Labels, Scalar, Sequences};
use serde::{Deserialize, Serialize};

/// The perplexity of a model that predicts one symbol per step: the number of equally probable symbols that are as hard to guess.
///
/// If a logit is NaN, so is the perplexity.
///
/// ```
/// use longhand::{Labels, Sequences};
/// use longhand_training::metrics::Perplexity;
/// // Equal logits for five symbols.
/// let logits = Sequences::<f32>::from_fn(5, 3, 2, |_, _, _| 0.7);
/// let mut perplexity = Perplexity::new();
/// perplexity.update(&logits, &Labels::ragged(&[vec![4, 1, 0], vec![2]]))?;
/// assert!((perplexity.value().unwrap() - 5.0).abs() < 1e-12);
/// assert!((perplexity.bits_per_step().unwrap() - 5.0_f64.log2()).abs() < 1e-12);
/// # Ok::<(), longhand_training::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Perplexity {
    /// The sum of the losses, in nats.
    loss: Sum,
    steps: u64,
}

impl Perplexity {
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
            let (log_sum, _) = log_sum_exp(logits);
            self.add(log_sum - as_f64(logits[label]), 1);
        }
        Ok(())
    }

    /// Counts a mean cross-entropy in nats over a number of steps: the loss of a batch and the number of its
    /// [losses](crate::MiniBatch::losses).
    pub fn add(&mut self, mean_loss: f64, steps: u64) {
        if steps > 0 {
            self.loss.add(mean_loss * steps as f64);
            self.steps += steps;
        }
    }

    /// Adds the losses of another part of the data.
    pub fn merge(&mut self, other: &Perplexity) {
        self.loss.merge(&other.loss);
        self.steps += other.steps;
    }

    /// The mean loss in nats per step; `None` if nothing was counted.
    pub fn mean_loss(&self) -> Option<f64> {
        (self.steps > 0).then(|| self.loss.value() / self.steps as f64)
    }

    /// The perplexity; `None` if nothing was counted.
    pub fn value(&self) -> Option<f64> {
        self.mean_loss().map(f64::exp)
    }

    /// The mean loss in bits per step, as character models report it; `None` if nothing was counted.
    pub fn bits_per_step(&self) -> Option<f64> {
        self.mean_loss().map(|loss| loss / std::f64::consts::LN_2)
    }
}
