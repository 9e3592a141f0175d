//! A range test of the learning rate (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3).
//!
//! A copy of the model trains for some updates with a learning rate that rises exponentially from a very small one:
//!
//! ```text
//! rate[i] = lowest (highest / lowest)^(i / (updates - 1))
//! ```
//!
//! At first nothing happens, then the loss falls, and in the end it rises. The loss of a single batch is noisy, so the end is found
//! on an exponential mean with a correction for its start, as in Adam:
//!
//! ```text
//! mean[i] = 0.9 mean[i-1] + 0.1 loss[i]          smoothed[i] = mean[i] / (1 - 0.9^(i+1))
//! ```
//!
//! # The suggestion
//! It is the rate at which the loss falls most steeply. The exponential mean lags behind by 9 updates, which can be a factor of 6 in the
//! rate, so slopes are those of least-squares lines through the losses of a window of updates around each rate. A window has an eighth of
//! the updates. Windows after the one with the lowest mean loss do not count: where the loss diverges it also falls, at random.

use crate::number::{as_f64, real, unless};
use crate::{Batches, MiniBatch, SequenceSet};
use longhand::{HyperparameterError, Layer, Loss, Optimizer, Scalar, Sequences, Target, Trainer, TrainingError};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// The decay of the exponential mean.
const SMOOTHING: f64 = 0.9;
/// The test ends where the smoothed loss exceeds its minimum by this factor.
const DIVERGED: f64 = 4.0;

/// A range test of the learning rate: trains a copy of a model with rising learning rates.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::{Batches, health::RangeTest};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Gru::<f32>::new(1, 8, &mut generator).then(LastStep)?.then(Linear::new(8, 2, &mut generator))?;
/// let x = Sequences::from_fn(1, 20, 64, |_, step, b| ([0.2, 0.3][b % 2] * step as f32 + b as f32).sin());
/// let labels = Labels::per_sequence(&(0..64).map(|b| b % 2).collect::<Vec<_>>());
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
///
/// let batches = Batches::new(&x, &labels, 16)?;
/// let result = RangeTest::new(1e-5, 10.0, 100)?.run(&model, &mut trainer, Adam::new(), &batches, &mut generator)?;
/// let rate = result.suggestion().expect("the loss falls");
/// assert!(rate > 1e-4 && rate < 1.0, "{rate}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeTest {
    lowest: f64,
    highest: f64,
    updates: usize,
}

/// One update of a range test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RangePoint {
    /// The learning rate of the update.
    pub rate: f64,
    /// The loss of the batch before the update.
    pub loss: f64,
    /// The smoothed loss, for a picture. It lags behind by 9 updates.
    pub smoothed: f64,
}

/// The losses of a range test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeResult {
    points: Vec<RangePoint>,
    diverged: bool,
}

impl RangeTest {
    /// A test from `lowest` to `highest` with this number of updates. From 1e-6 to 1 or 10 with 100 updates is usual.
    ///
    /// # Errors
    /// If the rates are not positive and finite, if `highest` is not above `lowest`, or if there are fewer than 2 updates.
    pub fn new(lowest: f64, highest: f64, updates: usize) -> Result<Self, HyperparameterError> {
        unless(lowest > 0.0 && lowest.is_finite(), "lowest", lowest, "finite and above 0")?;
        let expected = format!("finite and above the lowest rate, {lowest}");
        unless(highest > lowest && highest.is_finite(), "highest", highest, &expected)?;
        unless(updates >= 2, "updates", updates as f64, "at least 2")?;
        Ok(RangeTest { lowest, highest, updates })
    }

    /// Runs the test on a copy of `model`, with an optimizer that has not made a step, and without clipping. The batches are drawn from
    /// `generator`, from as many epochs as needed.
    ///
    /// The test ends early where the smoothed loss is 4 times its minimum, or where a loss or a gradient is not finite. The model is not
    /// changed. Generators and a carry that the trainer holds move on.
    ///
    /// # Errors
    /// If the trainer cannot train on the first batch, or if the shape of a batch does not fit.
    ///
    /// # Panics
    /// If the model does not take these inputs, or if the optimizer has served another model before.
    pub fn run<T, M, L, O, X, Y>(
        &self,
        model: &M,
        trainer: &mut Trainer<T, M, L>,
        mut optimizer: O,
        batches: &Batches<'_, X, Y>,
        generator: &mut (impl Rng + ?Sized),
    ) -> Result<RangeResult, TrainingError>
    where
        T: Scalar,
        M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
        L: Loss<T, Target = Y>,
        O: Optimizer<T>,
        X: SequenceSet + ?Sized,
        Y: Target,
    {
        let mut model = model.clone();
        let (mut batch, mut epoch) = (MiniBatch::default(), batches.shuffled(generator));
        let mut result = RangeResult { points: Vec::with_capacity(self.updates), diverged: false };
        let (mut mean, mut weight, mut lowest) = (0.0, 0.0, f64::INFINITY);
        for update in 0..self.updates {
            if !batches.fill(&mut batch, &mut epoch) {
                epoch = batches.shuffled(generator);
                batches.fill(&mut batch, &mut epoch);
            }
            let (loss, gradients) = match trainer.gradients(&model, batch.as_ref()) {
                Ok((loss, gradients)) => (as_f64(loss), gradients),
                Err(TrainingError::Loss { .. } | TrainingError::Gradient { .. }) if update > 0 => {
                    result.diverged = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
            weight = SMOOTHING * weight + (1.0 - SMOOTHING);
            let (rate, smoothed) = (self.rate(update), mean / weight);
            // A trainer that skips updates that are not finite returns such losses.
            if !smoothed.is_finite() {
                result.diverged = true;
                break;
            }
            result.points.push(RangePoint { rate, loss, smoothed });
            lowest = smoothed.min(lowest);
            if lowest > 0.0 && smoothed > DIVERGED * lowest {
                result.diverged = true;
                break;
            }
            optimizer.step(&mut model, gradients, real(rate));
        }
        Ok(result)
    }

    /// The learning rate of an update, counted from 0.
    fn rate(&self, update: usize) -> f64 {
        let share = update as f64 / (self.updates - 1) as f64;
        self.lowest * (self.highest / self.lowest).powf(share)
    }
}

impl RangeResult {
    /// The learning rates and the losses, in the order of the updates.
    pub fn points(&self) -> &[RangePoint] {
        &self.points
    }

    /// Whether the test ended early because the loss rose or was not finite. If not, the highest rate may be too low.
    pub fn diverged(&self) -> bool {
        self.diverged
    }

    /// The learning rate at which the loss falls most steeply; `None` if the loss never falls, or after fewer than 3 updates.
    ///
    /// Read it as the middle of the useful range, and look at the curve: the test has seen a few updates of an untrained model only.
    pub fn suggestion(&self) -> Option<f64> {
        let half = (self.points.len() / 16).max(1);
        let windows = || self.points.windows(2 * half + 1);
        let mean = |window: &[RangePoint]| window.iter().map(|point| point.loss).sum::<f64>() / window.len() as f64;
        let means: Vec<f64> = windows().map(mean).collect();
        let lowest = (0..means.len()).min_by(|&a, &b| means[a].total_cmp(&means[b]))?;
        // The numerator of the slope; the denominator is the same for all windows. The rates are equally far apart on a logarithmic axis.
        let fall = |window: &[RangePoint]| -> f64 {
            window.iter().enumerate().map(|(place, point)| (half as f64 - place as f64) * point.loss).sum()
        };
        let falls = windows().take(lowest + 1).map(|window| (window[half].rate, fall(window)));
        let steepest = falls.reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        (steepest.1 > 0.0).then_some(steepest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{RangePoint, RangeResult};

    fn suggestion(losses: &[f64]) -> Option<f64> {
        let point = |(update, &loss): (usize, &f64)| RangePoint { rate: update as f64, loss, smoothed: loss };
        RangeResult { points: losses.iter().enumerate().map(point).collect(), diverged: false }.suggestion()
    }

    /// The loss falls slowly, then fast, and where it diverges it also falls, by more than before.
    #[test]
    fn falls_of_a_loss_that_diverges_do_not_count() {
        let mut losses = vec![1.0; 20];
        losses.extend((1..=5).map(|i| 1.0 - 0.01 * f64::from(i)));
        losses.extend((1..=7).map(|i| 0.95 - 0.1 * f64::from(i)));
        losses.extend([0.25; 8]);
        losses.extend([3.0, 9.0, 8.0, 2.0, 1.0, 0.9, 0.8, 9.0]);
        let rate = suggestion(&losses).expect("the loss falls");
        assert!((24.0..=33.0).contains(&rate), "{rate}");
    }

    #[test]
    fn losses_that_never_fall_suggest_nothing() {
        assert_eq!(suggestion(&[1.0, 1.0, 2.0, 3.0, 4.0]), None);
        assert_eq!(suggestion(&[1.0, 0.5]), None, "too few updates");
        assert_eq!(suggestion(&[]), None);
    }
}
