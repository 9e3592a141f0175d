//! The better recipe with the study's cell, an Elman RNN.
//!
//! - *Cell*: 50 units like the study's smaller models, with relu instead of tanh. The recurrent weights are initialised
//!   to the identity (Le, Jaitly and Hinton, 2015), which keeps information from early steps.
//! - *Gradient*: clipped to a small norm, so that large gradients at the start of training do not destabilise it.

use super::{Hyperparameters, Model, head};
use crate::Failure;
use longhand::{Elman, Layer, MeanOverTime, Nonlinearity, initialise};
use rand_chacha::ChaCha8Rng;

/// Number of hidden units.
pub const UNITS: usize = 50;
/// The hyperparameters for this layer.
pub const HYPERPARAMETERS: Hyperparameters =
    Hyperparameters { peak_learning_rate: 3e-3, max_norm: 0.25, label_smoothing: 0.0 };

/// Creates the untrained model.
pub fn model(features: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Elman<f32>>, Failure> {
    let mut recurrent = Elman::zeros(features, UNITS).with_nonlinearity(Nonlinearity::Relu);
    initialise::xavier_uniform(&mut recurrent.weight_ih_l0, 1.0, generator)?;
    recurrent.weight_hh_l0.fill_with_identity();
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}
