//! The better recipe with a GRU after a convolution, initialised like PyTorch's.
//!
//! The convolution has 24 outputs with relu, each of three steps (nine samples). So the GRU reads short movements instead
//! of samples. Units and hyperparameters are those of the GRU without a convolution (`gated.rs`).
//! `docs/better-recipe.md` compares the two.

use super::gated::UNITS;
use super::{Model, head};
use crate::Failure;
use longhand::{Activation, CausalConvolution, Chain, Gru, Layer, MeanOverTime};
use rand_chacha::ChaCha8Rng;

/// Number of outputs of the convolution.
const FILTERS: usize = 24;
/// Number of steps that an output of the convolution depends on.
const KERNEL_SIZE: usize = 3;

/// A GRU after a convolution with relu.
type ConvolvedGru = Chain<Chain<CausalConvolution<f32>, Activation>, Gru<f32>>;

/// Creates the untrained model.
pub fn gru(features: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<ConvolvedGru>, Failure> {
    let convolution = CausalConvolution::new(features, FILTERS, KERNEL_SIZE, generator)?;
    let recurrent = convolution.then(Activation::Relu)?.then(Gru::new(FILTERS, UNITS, generator))?;
    Ok(recurrent.then(MeanOverTime)?.then(head(UNITS, classes, generator)?)?)
}
