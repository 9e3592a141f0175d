//! The study's own cell.
//!
//! - *Cell*: the study's 50 units, with relu instead of tanh and recurrent weights initialised to the identity (Le, Jaitly and
//!   Hinton, 2015), so that what was seen early is not forgotten.
//! - *Gradient*: clipped low enough that an unstable start does no harm.

use super::{Hyperparameters, Model, head};
use crate::Failure;
use longhand::{Elman, Layer, MeanOverTime, Nonlinearity, initialise};
use rand_chacha::ChaCha8Rng;

/// Hidden units: as many as the study's smaller models have.
pub const UNITS: usize = 50;
/// The recipe's hyperparameters.
pub const HYPERPARAMETERS: Hyperparameters =
    Hyperparameters { peak_learning_rate: 3e-3, max_norm: 0.25, label_smoothing: 0.0 };

/// The model before training.
pub fn model(inputs: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Elman<f32>>, Failure> {
    let mut recurrent = Elman::zeros(inputs, UNITS).with_nonlinearity(Nonlinearity::Relu);
    initialise::xavier_uniform(&mut recurrent.weight_ih_l0, 1.0, generator)?;
    recurrent.weight_hh_l0.fill_with_identity();
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}
