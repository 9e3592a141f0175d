//! The equal average of the weights.

use super::RunningAverage;
use crate::scalar::real;
use crate::{Scalar, Tensors};

/// The equal average of a model's weights (Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging Weights Leads to Wider Optima
/// and Better Generalization", 2018, algorithm 1):
///
/// ```text
/// average_t = (w_1 + ... + w_t) / t = average_(t-1) + (w_t - average_(t-1)) / t
/// ```
///
/// The weights of early training would spoil it. Start to update it when training has converged at the usual learning rate, then train
/// on with a constant or cyclic one, and update the average once per epoch, or at the end of each cycle (see
/// [`cosine_with_warm_restarts`](crate::schedule::cosine_with_warm_restarts)).
///
/// See the [module](crate::averaged_weights) for the loop of training and for checkpoints.
///
/// ```
/// use longhand::StochasticWeightAverage;
/// use longhand::nalgebra::DVector;
/// let weights = |value: f64| DVector::from_element(1, value);
/// let mut average = StochasticWeightAverage::new(&weights(0.0));
/// [1.0, 2.0, 6.0].map(|value| average.update(&weights(value)));
/// assert_eq!(average.model()[0], 3.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct StochasticWeightAverage<M> {
    average: RunningAverage<M>,
}

impl<M> StochasticWeightAverage<M> {
    /// An average without updates. Its model is a copy of `model` until the first update replaces it.
    pub fn new<T: Scalar>(model: &M) -> Self
    where
        M: Tensors<T>,
    {
        StochasticWeightAverage { average: RunningAverage::new(model.clone()) }
    }

    /// Adds the weights of the model.
    ///
    /// # Panics
    /// If the model has another shape.
    #[track_caller]
    pub fn update<T: Scalar>(&mut self, model: &M)
    where
        M: Tensors<T>,
    {
        self.average.update(model, |t| real(1.0 / f64::from(t)));
    }

    /// The average, to be evaluated or saved.
    pub fn model(&self) -> &M {
        &self.average.model
    }

    /// Number of updates.
    pub fn updates(&self) -> u32 {
        self.average.updates
    }

    /// Continues from the [`model`](Self::model) and the [`updates`](Self::updates) of an average: later averages have the same bits.
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
