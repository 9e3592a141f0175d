//! All windows of a batch, on all shards.

use super::batch::check_shapes;
use super::shard::{Losses, Shard};
use super::training_error::not_finite;
use super::window::Window;
use super::{Batch, SequenceInput, Trainer, TrainingError};
use crate::{Layer, Layout, Loss, LossAt, Scalar, Sequences, ShapeError, Tensors};
use core::ops::Range;

impl<T, M, L> Trainer<T, M, L>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
    L: Loss<T>,
{
    /// Checks the shapes of a batch and divides it among the shards.
    pub(super) fn begin<'b>(
        &mut self,
        model: &M,
        batch: Batch<'b, M::Input, L::Target>,
    ) -> Result<&'b Layout, TrainingError> {
        let layout = check_shapes(batch)?;
        let (window, steps) = (self.truncation.window, layout.steps());
        if self.loss.needs_whole_sequences() && window < steps {
            return Err(TrainingError::CutSequences { window, steps });
        }
        Shard::divide(&mut self.shards, model, layout)?;
        self.shards.iter_mut().for_each(|shard| shard.continues = self.continues);
        Ok(layout)
    }

    /// Runs all windows of a batch, sums their gradients in the first shard and returns the loss. The last window starts from
    /// `d_carry`, which goes out as the gradient of the carry that came in.
    pub(super) fn all_windows(
        &mut self,
        model: &M,
        batch: Batch<'_, M::Input, L::Target>,
        layout: &Layout,
        mut d_carry: Option<&mut M::Carry>,
    ) -> Result<T, TrainingError> {
        let windows = self.truncation.windows(layout);
        let losses: Losses = windows.map(|steps| self.mark_losses(layout, batch.targets, &steps)).sum();
        let mut loss = T::zero();
        let mut d_first = None;
        for steps in self.truncation.windows(layout) {
            let (is_first, is_last) = (steps.start == 0, steps.end == layout.steps());
            let given = d_carry.as_deref().filter(|_| is_last);
            if let Some(d_carry) = given {
                self.shards[0].d_carry.copy_from(d_carry);
            }
            let in_window = self.mark_losses(layout, batch.targets, &steps);
            loss += self.run_window(model, batch, steps, [in_window, losses], given.is_some())?;
            if let Some(d_carry) = d_carry.as_deref_mut().filter(|_| is_first) {
                if is_last {
                    d_carry.copy_from(&self.shards[0].d_carry);
                } else {
                    d_first = Some(self.shards[0].d_carry.clone());
                }
            }
        }
        if let (Some(d_carry), Some(d_first)) = (d_carry.as_deref_mut(), &d_first) {
            d_carry.copy_from(d_first);
        }
        self.losses = losses;
        let is_trained = losses.count > 0 || d_carry.is_some();
        let gradients = Shard::sum_gradients(&mut self.shards);
        if !is_trained {
            gradients.set_zero();
        }
        match not_finite(loss, gradients.values(), &(0..layout.steps())) {
            Some(error) if !self.skips => return Err(error),
            Some(_) => {
                self.skipped += 1;
                self.losses = Losses::default();
                gradients.set_zero();
            }
            None => {}
        }
        Ok(loss)
    }

    /// Where a sequence has its loss. A loss of the whole sequence counts once, as if it were at the last valid step.
    pub(super) fn loss_at(&self) -> LossAt {
        if self.loss.needs_whole_sequences() { LossAt::LastValidStep } else { self.truncation.loss_at }
    }

    /// Whether the model must give an output at every step.
    pub(super) fn every_step(&self) -> bool {
        self.truncation.loss_at == LossAt::EveryStep || self.loss.needs_whole_sequences()
    }

    /// Marks the steps of a window that have a loss, and counts them.
    pub(super) fn mark_losses(&mut self, layout: &Layout, targets: &L::Target, steps: &Range<usize>) -> Losses {
        let at = self.loss_at();
        let weight = |column| self.loss.weight(targets, column);
        self.shards.iter_mut().map(|shard| shard.mark_losses(at, layout, targets, steps, weight)).sum()
    }

    /// Runs a window on all shards; returns its loss. A mean is taken over the losses `span`.
    pub(super) fn run_window(
        &mut self,
        model: &M,
        batch: Batch<'_, M::Input, L::Target>,
        steps: Range<usize>,
        [losses, span]: [Losses; 2],
        has_d_carry: bool,
    ) -> Result<T, ShapeError> {
        let (loss, inputs, targets) = (&self.loss, batch.inputs, batch.targets);
        let every_step = self.every_step();
        let window = Window { model, loss, inputs, targets, steps, every_step, losses, span, has_d_carry };
        (self.run)(&mut self.shards, &window);
        if let Some(error) = self.shards.iter_mut().find_map(|shard| shard.error.take()) {
            return Err(error);
        }
        Ok(self.shards.iter().fold(T::zero(), |sum, shard| sum + shard.loss))
    }
}
