//! An LSTM or a GRU of 48 units, initialised like PyTorch's.
//!
//! A tenth of each target is spread over the classes, because some recordings seem to have the wrong label. The Elman
//! RNN did not gain from that.

use super::{Hyperparameters, Model, head};
use crate::Failure;
use longhand::{Gru, Layer, Lstm, MeanOverTime};
use rand_chacha::ChaCha8Rng;

/// Hidden units.
pub const UNITS: usize = 48;
/// The recipe's hyperparameters.
pub const HYPERPARAMETERS: Hyperparameters =
    Hyperparameters { peak_learning_rate: 3e-3, max_norm: 1.0, label_smoothing: 0.1 };

/// The LSTM before training.
pub fn lstm(inputs: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Lstm<f32>>, Failure> {
    let recurrent = Lstm::new(inputs, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}

/// The GRU before training.
pub fn gru(inputs: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Gru<f32>>, Failure> {
    let recurrent = Gru::new(inputs, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}
