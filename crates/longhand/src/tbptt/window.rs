//! One truncation window, forward and backward.

use super::SequenceInput;
use super::shard::{Losses, NoGenerator, Shard, target_column};
use crate::{Layer, Loss, Pass, Scalar, Sequences, ShapeError, Target, Tensors};
use alloc::boxed::Box;
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
    pub(super) losses: Losses,
    /// Losses that a mean is taken over.
    pub(super) span: Losses,
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
        if !self.has_d_carry {
            shard.d_carry.set_zero();
        }
        if shard.sequences.is_empty() {
            shard.loss = T::zero();
            return;
        }
        shard.inputs.copy_part(self.inputs, self.steps.clone(), shard.sequences.clone());
        let mut generator = core::mem::replace(&mut shard.generator, Box::new(NoGenerator));
        self.forward(shard, &mut Pass::Train(&mut *generator));
        shard.generator = generator;
        if shard.error.is_some() || (self.losses.count == 0 && !self.has_d_carry) {
            // Nothing to learn here; the carry goes on.
            return;
        }
        let (cache, d_output, d_carry) = (&mut shard.cache, &shard.d_output, &mut shard.d_carry);
        let replaces = core::mem::take(&mut shard.replaces);
        let gradients = if replaces { shard.gradients.replace() } else { shard.gradients.add() };
        self.model.backward(&shard.inputs, cache, Some(d_output), d_carry, gradients, None);
    }

    /// The loss and its gradient, from the carry of the window before.
    pub(super) fn forward(&self, shard: &mut Shard<T, M, L::Target>, pass: &mut Pass<'_>) {
        shard.loss = T::zero();
        let (model, window, layout) = (self.model, &self.steps, self.inputs.layout());
        let output = model.forward(&shard.inputs, &mut shard.carry, &mut shard.cache, pass);
        if self.losses.count == 0 && !self.has_d_carry {
            return;
        }
        let (steps, batch) = (output.steps(), output.batch());
        // In a window of one step, one output per step is one for the window too.
        let is_one_per_window = steps == 1;
        let fits = steps == window.len() || (is_one_per_window && !self.every_step);
        if !fits || batch != shard.sequences.len() {
            let expected = [window.len(), shard.sequences.len()];
            shard.error = Some(ShapeError::Outputs { model: model.name(), given: [steps, batch], expected });
            return;
        }
        let has_loss = |step: &usize, sequence: usize| shard.has_loss[step * batch + sequence];
        shard.targets.gather(self.targets, output.steps(), batch, |step, sequence| {
            let mut steps = if is_one_per_window { 0..window.len() } else { step..step + 1 };
            let step = steps.find(|step| has_loss(step, sequence))?;
            Some(target_column(layout, self.targets, window.start + step, shard.sequences.start + sequence))
        });
        let scale = self.loss.reduction().scale(self.span.weight, self.loss.elements(output.features()));
        shard.loss = self.loss.scaled_sum(output, &shard.targets, scale, Some(&mut shard.d_output));
    }
}
