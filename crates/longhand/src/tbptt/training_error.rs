//! What can go wrong in training.

use crate::ShapeError;
use alloc::string::String;
use core::ops::Range;
use thiserror::Error;

/// Why a batch could not be trained on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Shapes that do not match.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The loss is NaN or infinite.
    #[error(
        "the loss of steps {} to {} is {loss}; lower the learning rate, clip the gradients, or look for NaN in the inputs",
        steps.start, steps.end.saturating_sub(1)
    )]
    Loss {
        /// The loss, as a text.
        loss: String,
        /// The steps of the truncation window.
        steps: Range<usize>,
    },
    /// A gradient is NaN or infinite although the loss is finite.
    #[error(
        "the gradient of `{tensor}` at steps {} to {} is not finite; lower the learning rate, or use f64",
        steps.start, steps.end.saturating_sub(1)
    )]
    Gradient {
        /// The first tensor with such a gradient.
        tensor: String,
        /// The steps of the truncation window, or of all windows if their gradients are summed.
        steps: Range<usize>,
    },
}
