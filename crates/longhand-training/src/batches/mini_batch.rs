//! One mini-batch.

use longhand::{Batch, LossAt, SequenceInput, Target, TruncatedBptt};

/// A mini-batch: inputs and their targets, in memory of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MiniBatch<X, Y> {
    /// The input of the model.
    pub inputs: X,
    /// What the loss compares the outputs with.
    pub targets: Y,
    sequences: Vec<usize>,
}

impl<X, Y> MiniBatch<X, Y> {
    pub(super) fn set_sequences(&mut self, sequences: &[usize]) {
        self.sequences.clear();
        self.sequences.extend_from_slice(sequences);
    }

    /// The argument of a [`Trainer`](longhand::Trainer).
    pub fn as_ref(&self) -> Batch<'_, X, Y> {
        Batch { inputs: &self.inputs, targets: &self.targets }
    }

    /// Its sequences, as indices into the data.
    pub fn sequences(&self) -> &[usize] {
        &self.sequences
    }
}

impl<X: SequenceInput, Y: Target> MiniBatch<X, Y> {
    /// The number of losses that a trainer with this truncation takes the mean over: the weight of the batch in a mean over
    /// several batches.
    ///
    /// ```
    /// use longhand::prelude::*;
    /// use longhand_training::Batches;
    ///
    /// let x = Tokens::ragged(&[vec![1, 2, 3], vec![4], vec![5, 6]]);
    /// let labels = Labels::per_sequence(&[0, 1, 0]);
    /// let batches = Batches::new(&x, &labels, 2)?;
    /// let losses = |loss_at| -> Vec<usize> {
    ///     batches.rest(batches.in_order()).map(|batch| batch.losses(TruncatedBptt::full(loss_at))).collect()
    /// };
    /// assert_eq!(losses(LossAt::EveryStep), [4, 2]);
    /// assert_eq!(losses(LossAt::LastValidStep), [2, 1]);
    /// # Ok::<(), longhand_training::BatchesError>(())
    /// ```
    ///
    /// # Panics
    /// If the targets do not fit the inputs.
    #[track_caller]
    pub fn losses(&self, truncation: TruncatedBptt) -> usize {
        let (layout, targets) = (self.inputs.layout(), &self.targets);
        let (steps, batch) = (layout.steps(), layout.batch());
        let has_target = |step: usize, sequence: usize| {
            // One target per sequence holds at every step.
            let step = if targets.steps() == 1 { 0 } else { step };
            targets.is_present(step * batch + sequence)
        };
        let window = match truncation.loss_at() {
            LossAt::EveryStep => 1,
            LossAt::WindowEnd => truncation.window().min(steps.max(1)),
            LossAt::LastValidStep => steps.max(1),
        };
        let mut losses = 0;
        for start in (0..steps).step_by(window) {
            for sequence in 0..batch {
                let last = (start..steps.min(start + window)).rfind(|&step| layout.is_valid(step, sequence));
                losses += usize::from(last.is_some_and(|step| has_target(step, sequence)));
            }
        }
        losses
    }
}
