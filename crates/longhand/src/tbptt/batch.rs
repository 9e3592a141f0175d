//! Training data of one call.

use super::SequenceInput;
use crate::{Layout, ShapeError, Target};

/// Inputs and their targets: the training data of one call of a [`Trainer`](crate::Trainer).
///
/// `targets` has one target per sequence (1 step), which holds at every step of it, or one per step.
#[derive(Debug)]
pub struct Batch<'a, X, Y> {
    /// The input of the model, for example [`Sequences`](crate::Sequences).
    pub inputs: &'a X,
    /// What the loss compares the outputs with, for example [`Labels`](crate::Labels).
    pub targets: &'a Y,
}

impl<X, Y> Clone for Batch<'_, X, Y> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<X, Y> Copy for Batch<'_, X, Y> {}

/// The layout of a batch whose targets fit its inputs and that is not empty.
pub(super) fn check_shapes<X: SequenceInput, Y: Target>(batch: Batch<'_, X, Y>) -> Result<&Layout, ShapeError> {
    let (layout, targets) = (batch.inputs.layout(), batch.targets);
    if layout.columns() == 0 {
        return Err(ShapeError::EmptyBatch { steps: layout.steps(), batch: layout.batch() });
    }
    if targets.batch() != layout.batch() || !(targets.steps() == 1 || targets.steps() == layout.steps()) {
        return Err(ShapeError::Targets {
            target_steps: targets.steps(),
            target_batch: targets.batch(),
            steps: layout.steps(),
            batch: layout.batch(),
        });
    }
    Ok(layout)
}
