//! An average of the weights along the way.

use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Tensors};

/// The exponential moving average of a model's weights (Polyak and Juditsky, 1992): a calmer model than the last step's.
///
/// ```text
/// average = decay * average + (1 - decay) * w
/// ```
///
/// with the decay held to at most `(1 + n) / (10 + n)` at update `n`, so that the beginning is forgotten soon.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightAverage<P> {
    average: P,
    decay: f64,
    updates: u32,
}

impl<P: Clone> WeightAverage<P> {
    /// An average that begins at `parameters`.
    ///
    /// # Errors
    /// If `decay` is not in `[0, 1)`.
    pub fn new(parameters: &P, decay: f64) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless((0.0..1.0).contains(&decay), "decay", decay, "in [0, 1)")?;
        Ok(WeightAverage { average: parameters.clone(), decay, updates: 0 })
    }

    /// Takes in the weights after a step.
    ///
    /// # Panics
    /// If they differ in shape from those it began at.
    pub fn update<T: Scalar>(&mut self, parameters: &P)
    where
        P: Tensors<T>,
    {
        let n = f64::from(self.updates);
        self.updates = self.updates.saturating_add(1);
        let decay = self.decay.min((1.0 + n) / (10.0 + n));
        let part = real::<T>(1.0 - decay);
        self.average.visit_pair(parameters, &mut |average, w| {
            for (average, &w) in average.iter_mut().zip(w) {
                *average += part * (w - *average);
            }
        });
    }

    /// The average so far.
    pub fn average(&self) -> &P {
        &self.average
    }
}
