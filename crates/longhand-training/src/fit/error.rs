//! Errors of [`Fit`](super::Fit).

use crate::History;
use longhand::{HyperparameterError, TrainingError};
use thiserror::Error;

/// Why [`Fit`](super::Fit) ended with an error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FitError {
    /// A setting out of range.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// A batch could not be trained on: the error has the steps, and the tensor of a gradient that is not finite.
    #[error("batch {batch} of epoch {epoch}, counted from 1: {source}")]
    Training {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch of the epoch, counted from 1.
        batch: usize,
        /// The error of the trainer.
        source: TrainingError,
        /// The epochs before.
        history: Box<History>,
    },
    /// The loss of the validation data could not be computed.
    #[error("validation after epoch {epoch}, counted from 1: {source}")]
    Validation {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The error of the trainer.
        source: TrainingError,
        /// The epochs before.
        history: Box<History>,
    },
    /// Early stopping was told to watch a series that has no number.
    #[error(
        "early stopping watches `{name}`, but epoch {epoch}, counted from 1, has no such number; record it in `on_epoch`"
    )]
    Monitored {
        /// The name of the series.
        name: String,
        /// The epoch, counted from 1.
        epoch: usize,
    },
}
