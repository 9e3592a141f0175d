//! What a model is trained on at once.

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
