//! Inputs that can be cut into windows of steps and into parts of a batch.

use crate::{Layout, Scalar, Sequences, StepInput};
use core::ops::Range;

/// An input that has steps and sequences, so that training can cut it into windows: [`Sequences`] of numbers, or
/// [`Tokens`](crate::Tokens).
pub trait SequenceInput: Default {
    /// The input of one step of one sequence: `[T]`, one scalar per feature, or `usize` for a token id.
    type Step: StepInput + ?Sized;

    /// Steps, sequences and the marks on them.
    fn layout(&self) -> &Layout;

    /// Copies the steps `steps` of the sequences `sequences` of `whole` into `self`, reusing the memory.
    fn copy_part(&mut self, whole: &Self, steps: Range<usize>, sequences: Range<usize>);
}

impl<T: Scalar> SequenceInput for Sequences<T> {
    type Step = [T];

    fn layout(&self) -> &Layout {
        Sequences::layout(self)
    }

    fn copy_part(&mut self, whole: &Self, steps: Range<usize>, sequences: Range<usize>) {
        Sequences::copy_part(self, whole, steps, sequences);
    }
}
