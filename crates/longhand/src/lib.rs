//! Placeholder docs.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(missing_docs)]

extern crate alloc;

mod chain;
mod clipping;
mod error;
pub mod initialise;
mod kernel;
mod layer;
pub mod layers;
mod layout;
mod losses;
mod optimizers;
mod scalar;
pub mod schedule;
mod sequences;
mod tbptt;
mod tensors;

pub use chain::{Chain, ChainCache};
pub use clipping::{clip_by_global_norm, clip_by_value, global_norm};
pub use error::{HyperparameterError, ShapeError};
pub use layer::{Features, Layer, Pass};
pub use layers::activation::Activation;
pub use layers::elman::{Elman, Nonlinearity};
pub use layers::last_step::LastStep;
pub use layers::linear::Linear;
pub use layers::mean_over_time::MeanOverTime;
pub use layout::Layout;
pub use losses::{Labels, Loss, MeanSquaredError, Reduction, SigmoidCrossEntropy, SoftmaxCrossEntropy, Target};
pub use nalgebra;
pub use optimizers::{Adam, AdamW, Optimizer, Sgd, WeightAverage};
pub use scalar::Scalar;
pub use sequences::Sequences;
pub use tbptt::{LossAt, TruncatedBptt, UpdateEvery, Workspace};
pub use tensors::{Path, Shape, Tensors};
