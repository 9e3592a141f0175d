//! One truncation window, forward and backward.

use super::SequenceInput;
use super::shard::{Shard, target_column};
use crate::{Layer, Loss, Pass, Scalar, Sequences, Target, Tensors};
use core::ops::Range;

/// One window of a batch, the same for all shards.
pub(super) struct Window<'a, T: Scalar, M: Layer<T>, L: Loss<T>> {
    pub(super) model: &'a M,
    pub(super) loss: &'a L,
    pub(super) inputs: &'a M::Input,
    pub(super) targets: &'a L::Target,
    pub(super) steps: Range<usize>,
    /// Whether every step has a loss, for which the model must give an output at every step.
    pub(super) every_step: bool,
    /// Losses in the window.
    pub(super) losses: usize,
    /// Losses that a mean is taken over.
    pub(super) span: usize,
    /// Whether the shards hold the gradient of the carry that goes out; it is zero otherwise.
    pub(super) has_d_carry: bool,
}

impl<T, M, L> Window<'_, T, M, L>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
    L: Loss<T>,
{
    /// Runs forward from the carry of the window before, and backward from the shard's gradient of the carry. Adds to the
    /// shard's gradients, or replaces those that an update has used. Leaves the loss, the carry and its gradient in the
    /// shard.
    pub(super) fn pass(&self, shard: &mut Shard<T, M, L::Target>) {
        shard.loss = T::zero();
        if shard.sequences.is_empty() {
            return;
        }
        let (model, window, layout) = (self.model, &self.steps, self.inputs.layout());
        shard.inputs.copy_part(self.inputs, window.clone(), shard.sequences.clone());
        let pass = &mut Pass::Train(&mut *shard.generator);
        let output = model.forward(&shard.inputs, &mut shard.carry, &mut shard.cache, pass);
        if !self.has_d_carry {
            shard.d_carry.set_zero();
            if self.losses == 0 {
                // Nothing to learn here; the carry goes on.
                return;
            }
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
        let (cache, d_output, d_carry) = (&mut shard.cache, &shard.d_output, &mut shard.d_carry);
        let replaces = core::mem::take(&mut shard.replaces);
        let gradients = if replaces { shard.gradients.replace() } else { shard.gradients.add() };
        model.backward(&shard.inputs, cache, Some(d_output), d_carry, gradients, None);
    }
}
