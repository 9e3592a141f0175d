//! Errors of training.

use crate::{Path, Scalar, ShapeError, Tensors, kernel};
use alloc::{format, string::String, string::ToString};
use core::ops::Range;
use thiserror::Error;

/// Why a batch could not be trained on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// Shapes that do not match.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The loss needs whole sequences ([`Loss::needs_whole_sequences`](crate::Loss::needs_whole_sequences)), but the
    /// truncation windows would cut them.
    #[error(
        "the loss needs whole sequences, but windows of {window} steps would cut the {steps} steps of the batch; use \
         `TruncatedBptt::full`"
    )]
    CutSequences {
        /// Steps of a truncation window.
        window: usize,
        /// Steps of the batch.
        steps: usize,
    },
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

/// The error for a loss or a gradient that is NaN or infinite.
pub(super) fn not_finite<T: Scalar, M: Tensors<T>>(
    loss: T,
    gradients: &M,
    steps: &Range<usize>,
) -> Option<TrainingError> {
    if !loss.is_finite() {
        return Some(TrainingError::Loss { loss: format!("{loss}"), steps: steps.clone() });
    }
    let mut first = None;
    gradients.visit(&Path::ROOT, &mut |path, _, values| {
        if first.is_none() && !kernel::all_finite(values) {
            first = Some(path.to_string());
        }
    });
    first.map(|tensor| TrainingError::Gradient { tensor, steps: steps.clone() })
}
