//! Neural layers whose backward passes are written out by hand: no automatic differentiation and no tape, just matrices
//! and derivations that a reader can follow.
//!
//! | to read | where |
//! |---|---|
//! | the contract of a layer, and what carry, cache and gradients are | [`Layer`] |
//! | one layer: its equations, its derivation, forward, backward | [`layers::elman`], then [`layers::lstm`], [`layers::gru`] |
//! | how a batch of sequences lies in a matrix; masks and resets | [`Sequences`], [`Layout`] |
//! | training by truncated backpropagation through time | [`Trainer`] |
//! | one step at a time, for sensors and control loops | [`Stream`] |
//! | losses from logits; classes, label sequences and probabilities | [`Loss`], [`Sequences::classes`], [`Sequences::best_path`], [`Sequences::softmax`] |
//! | optimizers, clipping, schedules, initialisers | [`Optimizer`], [`clip_by_global_norm`], [`schedule`], [`initialise`] |
//! | averages of the weights over training | [`averaged_weights`] |
//! | products and equations for a layer of your own | [`toolbox`] |
//! | parameters by name, in one fixed order | [`Tensors`] |
//! | layers whose type is known only at run time | [`BoxedLayer`] |
//!
//! An Elman RNN, trained on sequences of different lengths, in ten lines:
//!
//! ```
//! use longhand::{nalgebra::DMatrix, prelude::*};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! // Two sequences, `features x steps` each: one that rises, and a shorter one that falls.
//! let rises = DMatrix::from_fn(1, 12, |_, step| step as f32 / 12.0);
//! let falls = DMatrix::from_fn(1, 8, |_, step| 1.0 - step as f32 / 8.0);
//! let (x, labels) = (Sequences::ragged(&[rises, falls])?, Labels::per_sequence(&[0, 1]));
//!
//! let mut generator = ChaCha8Rng::seed_from_u64(1);
//! let mut model = Elman::new(1, 10, &mut generator).then(LastStep)?.then(Linear::new(10, 2, &mut generator))?;
//! let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
//! let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
//! let (mut optimizer, mut last) = (Adam::new(), 0.0);
//! for _ in 0..100 {
//!     let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
//!     gradients.clip_by_global_norm(1.0);
//!     optimizer.step(&mut model, gradients, 0.01);
//!     last = loss;
//! }
//! assert!(last < 0.1);
//! # Ok::<(), TrainingError>(())
//! ```
//!
//! Everything is generic over one [`Scalar`]. `f32` and `f64` run on vector instructions chosen at run time; any other
//! real field runs the same layer code on plain loops. Without the default feature `std` the crate is `no_std` and needs
//! `alloc` only; vector instructions are then not detected.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

extern crate alloc;

pub mod averaged_weights;
mod boxed;
mod chain;
mod clipping;
mod compensated_sum;
mod error;
mod gradients;
mod hyperparameters;
pub mod initialise;
mod kernel;
mod layer;
pub mod layers;
mod layout;
mod losses;
#[cfg(feature = "ndarray")]
mod ndarray;
mod norm;
mod optimizers;
mod predictions;
mod scalar;
pub mod schedule;
mod sequences;
mod sizes;
mod streaming;
mod tbptt;
mod tensors;
mod tokens;
pub mod toolbox;
pub mod vanishing;

/// Everything that programs use, for `use longhand::prelude::*`: all items of the crate's root except for
/// [`nalgebra`], a name that would be ambiguous in a crate that depends on it too.
pub mod prelude {
    pub use crate::averaged_weights::{ExponentialMovingAverage, StochasticWeightAverage};
    pub use crate::boxed::{BoxedCache, BoxedCarry, BoxedChain, BoxedChainCache, BoxedLayer};
    pub use crate::chain::{Chain, ChainCache};
    pub use crate::clipping::{clip_by_global_norm, clip_by_value, global_norm};
    pub use crate::error::{HyperparameterError, ShapeError};
    pub use crate::gradients::{Gradients, ParameterGradients};
    pub use crate::kernel::{Group, Real};
    pub use crate::layer::{Features, Layer, Pass};
    pub use crate::layers::activation::Activation;
    pub use crate::layers::attention_pooling::AttentionPooling;
    pub use crate::layers::bidirectional::Bidirectional;
    pub use crate::layers::causal_convolution::CausalConvolution;
    pub use crate::layers::causal_self_attention::CausalSelfAttention;
    pub use crate::layers::dropout::Dropout;
    pub use crate::layers::elman::{Elman, Nonlinearity};
    pub use crate::layers::embedding::Embedding;
    pub use crate::layers::frozen::Frozen;
    pub use crate::layers::gru::Gru;
    pub use crate::layers::highway::Highway;
    pub use crate::layers::ind_rnn::IndRnn;
    pub use crate::layers::last_step::LastStep;
    pub use crate::layers::layer_norm::LayerNorm;
    pub use crate::layers::linear::Linear;
    pub use crate::layers::lstm::{Lstm, LstmCarry};
    pub use crate::layers::max_over_time::MaxOverTime;
    pub use crate::layers::mean_over_time::MeanOverTime;
    pub use crate::layers::min_gru::MinGru;
    pub use crate::layers::minimal_gated_unit::MinimalGatedUnit;
    pub use crate::layers::projected_lstm::ProjectedLstm;
    pub use crate::layers::recurrent::{Apart, Carry, Cell, Connections, Recurrent};
    pub use crate::layers::residual::Residual;
    pub use crate::layers::rms_norm::RmsNorm;
    pub use crate::layers::stack::Stack;
    pub use crate::layers::variational_dropout::VariationalDropout;
    pub use crate::layout::Layout;
    pub use crate::losses::{
        ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, LabelSequences,
        Labels, Loss, MeanAbsoluteError, MeanSquaredError, QuantileLoss, Reduction, SigmoidCrossEntropy,
        SoftmaxCrossEntropy, Target,
    };
    pub use crate::optimizers::{
        Adagrad, Adam, AdamW, Lion, Lookahead, Optimizer, OptimizerState, ParameterGroup, RmsProp, Sgd,
    };
    pub use crate::scalar::Scalar;
    pub use crate::sequences::Sequences;
    pub use crate::streaming::{CannotStream, StepInput, Stream, Streaming};
    pub use crate::tbptt::{Batch, LossAt, SequenceInput, Trainer, TrainingError, TruncatedBptt};
    pub use crate::tensors::{ChangeScalar, Path, Shape, Stored, Tensors};
    pub use crate::tokens::Tokens;
    pub use crate::{initialise, schedule};
}

pub use nalgebra;
#[doc(inline)]
pub use prelude::*;
