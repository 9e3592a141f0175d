//! The better recipe with an LSTM or a GRU of 48 units, initialised like PyTorch's.
//!
//! Label smoothing spreads a tenth of each target over the classes, because some recordings seem to have a wrong label.
//! It did not improve the Elman RNN.

use super::{Hyperparameters, Model, head};
use crate::Failure;
use longhand::{Gru, Layer, Lstm, MeanOverTime};
use rand_chacha::ChaCha8Rng;

/// Number of hidden units.
pub const UNITS: usize = 48;
/// The hyperparameters for both layers.
pub const HYPERPARAMETERS: Hyperparameters =
    Hyperparameters { peak_learning_rate: 3e-3, max_norm: 1.0, label_smoothing: 0.1 };

/// Creates the untrained model with an LSTM.
pub fn lstm(features: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Lstm<f32>>, Failure> {
    let recurrent = Lstm::new(features, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}

/// Creates the untrained model with a GRU.
pub fn gru(features: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Gru<f32>>, Failure> {
    let recurrent = Gru::new(features, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}
