//! The health of a training run, seen early: before hours are spent on a network that cannot learn.
//!
//! | question | where |
//! |---|---|
//! | Which tensor has a gradient that is far too large, or none at all? | [`tensor_norms`] |
//! | Which units are saturated or dead? | [`Saturation`] |
//! | Over how many steps does the gradient flow, and how long must a truncation window be? | [`gradient_decay`] |
//! | Which learning rate? | [`RangeTest`] |
//!
//! # Losses and gradients that are not finite
//! A [`Trainer`](longhand::Trainer) checks the loss and every gradient of every update. NaN or infinity ends the training with a
//! [`TrainingError`](longhand::TrainingError), which has the steps and, for a gradient, the name of the first such tensor.
//! [`skipping_not_finite`](longhand::Trainer::skipping_not_finite) skips such updates, and
//! [`skipped`](longhand::Trainer::skipped) counts them: a number that grows is a bad sign too.

mod gradient_decay;
mod range_test;
mod saturation;
mod tensor_norms;

pub use gradient_decay::{GradientDecay, gradient_decay};
pub use range_test::{RangePoint, RangeResult, RangeTest};
pub use saturation::{Range, Saturation};
pub use tensor_norms::{TensorNorm, tensor_norms};
