//! One truncation window, forward and backward.

use super::workspace::{Workspace, target_column};
use crate::{Layer, Loss, Pass, Scalar, Sequences, Target, Tensors};
use core::ops::Range;

/// One window of a batch, the same for all shards.
pub(super) struct Window<'a, T: Scalar, M, L: Loss<T>> {
    pub(super) model: &'a M,
    pub(super) loss: &'a L,
    pub(super) inputs: &'a Sequences<T>,
    pub(super) targets: &'a L::Target,
    pub(super) steps: Range<usize>,
    /// Whether every step has a loss, for which the model must give an output at every step.
    pub(super) every_step: bool,
    /// Losses in the window.
    pub(super) losses: usize,
    /// Losses that a mean is taken over.
    pub(super) span: usize,
}

impl<T, M, L> Window<'_, T, M, L>
where
    T: Scalar,
    M: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    L: Loss<T>,
{
    /// Forward from the carry that the window before left, and backward with a zero gradient for the carry that goes
    /// out: adds to the shard's gradients, or replaces those that an update has had, and leaves it the loss and the
    /// carry.
    pub(super) fn pass(&self, shard: &mut Workspace<T, M, L::Target>, pass: &mut Pass<'_>) {
        shard.loss = T::zero();
        if shard.sequences.is_empty() {
            return;
        }
        let (model, window, layout) = (self.model, &self.steps, self.inputs.layout());
        shard.inputs.copy_part(self.inputs, window.clone(), shard.sequences.clone());
        let output = model.forward(&shard.inputs, &mut shard.carry, &mut shard.cache, pass);
        if self.losses == 0 {
            // Nothing to learn here; the carry goes on.
            return;
        }
        let (steps, batch) = (output.steps(), output.batch());
        assert!(
            (steps == window.len() || steps == 1) && batch == shard.sequences.len(),
            "{} gives {steps} steps of {batch} sequences for a window of {} steps of {} sequences; training needs an \
             output at every step, or one for the window",
            model.name(),
            window.len(),
            shard.sequences.len()
        );
        let one_a_window = output.steps() == 1 && window.len() > 1;
        assert!(
            !(one_a_window && self.every_step),
            "a loss at every step needs an output at every step, but {} gives one a window",
            model.name()
        );
        let has_loss = |step: &usize, sequence: usize| shard.has_loss[step * batch + sequence];
        shard.targets.gather(self.targets, output.steps(), batch, |step, sequence| {
            let mut steps = if one_a_window { 0..window.len() } else { step..step + 1 };
            let step = steps.find(|step| has_loss(step, sequence))?;
            Some(target_column(layout, self.targets, window.start + step, shard.sequences.start + sequence))
        });
        let scale = self.loss.reduction().scale(self.span, output.features());
        shard.loss = self.loss.scaled_sum(output, &shard.targets, scale, Some(&mut shard.d_output));
        shard.d_carry.set_zero();
        let (cache, d_carry, gradients) = (&mut shard.cache, &mut shard.d_carry, &mut shard.gradients);
        if core::mem::take(&mut shard.replaces) {
            model.backward_replacing(&shard.inputs, cache, &shard.d_output, d_carry, gradients, None);
        } else {
            model.backward(&shard.inputs, cache, &shard.d_output, d_carry, gradients, None);
        }
    }
}
