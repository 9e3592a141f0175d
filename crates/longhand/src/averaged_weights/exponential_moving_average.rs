//! The exponential moving average of the weights.

use super::RunningAverage;
use crate::hyperparameters::check_fraction;
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Tensors};
use num_traits::Float;

/// The exponential moving average of a model's weights, in PyTorch's convention (`get_ema_multi_avg_fn`):
///
/// ```text
/// average_1 = w_1
/// average_t = decay * average_(t-1) + (1 - decay) * w_t
/// ```
///
/// So the first weights have the part `decay^(t-1)` of the average, and the newest `1 - decay`: with `decay = 0.999`, the first count more
/// than the newest for 6900 updates. With [bias correction](Self::with_bias_correction) the parts are `decay^(t-i)` for each update `i`,
/// divided by their sum `(1 - decay^t) / (1 - decay)`, as in Adam (Kingma and Ba, 2015, section 3).
///
/// See the [module](crate::averaged_weights) for the loop of training and for checkpoints.
///
/// ```
/// use longhand::ExponentialMovingAverage;
/// use longhand::nalgebra::DVector;
/// let weights = |value: f64| DVector::from_element(1, value);
/// let mut average = ExponentialMovingAverage::new(&weights(0.0), 0.75)?;
/// average.update(&weights(2.0));
/// assert_eq!(average.model()[0], 2.0);
/// average.update(&weights(4.0));
/// assert_eq!(average.model()[0], 0.75 * 2.0 + 0.25 * 4.0);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ExponentialMovingAverage<M> {
    average: RunningAverage<M>,
    decay: f64,
    corrects_bias: bool,
}

impl<M> ExponentialMovingAverage<M> {
    /// An average without updates. Its model is a copy of `model` until the first update replaces it.
    ///
    /// # Errors
    /// If `decay` is not in `[0, 1)`, before or after rounding to `T`.
    pub fn new<T: Scalar>(model: &M, decay: f64) -> Result<Self, HyperparameterError>
    where
        M: Tensors<T>,
    {
        check_fraction::<T>("decay", decay)?;
        Ok(ExponentialMovingAverage { average: RunningAverage::new(model.clone()), decay, corrects_bias: false })
    }

    /// With the share `(1 - decay) / (1 - decay^t)` of the newest weights. The share starts at 1, is about `1 / t` (the equal average) as
    /// long as `t` is small compared with `1 / (1 - decay)`, and ends at `1 - decay`. So a warm-up of the decay is not needed.
    #[must_use]
    pub fn with_bias_correction(mut self) -> Self {
        self.corrects_bias = true;
        self
    }

    /// Adds the weights of the model, after a step of the optimizer.
    ///
    /// # Panics
    /// If the model has another shape.
    #[track_caller]
    pub fn update<T: Scalar>(&mut self, model: &M)
    where
        M: Tensors<T>,
    {
        let (decay, corrects_bias) = (self.decay, self.corrects_bias);
        self.average.update(model, |t| {
            // 1 - decay^t, without its cancellation where decay^t is near 1.
            let sum = if corrects_bias { -Float::exp_m1(f64::from(t) * Float::ln(decay)) } else { 1.0 };
            real((1.0 - decay) / sum)
        });
    }

    /// The average, to be evaluated or saved.
    pub fn model(&self) -> &M {
        &self.average.model
    }

    /// Number of updates.
    pub fn updates(&self) -> u32 {
        self.average.updates
    }

    /// Continues from the [`model`](Self::model) and the [`updates`](Self::updates) of an average with the same settings: later averages
    /// have the same bits.
    ///
    /// # Panics
    /// If the average has another shape.
    #[track_caller]
    pub fn restore<T: Scalar>(&mut self, average: &M, updates: u32)
    where
        M: Tensors<T>,
    {
        self.average.restore(average, updates);
    }
}
