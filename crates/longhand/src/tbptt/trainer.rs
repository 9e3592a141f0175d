//! The training call.

use super::batch::check_shapes;
use super::shard::{Generator, Losses, Shard};
use super::training_error::not_finite;
use super::window::Window;
use super::{Batch, SequenceInput, TrainingError, TruncatedBptt};
use crate::scalar::real;
use crate::{Gradients, Layer, Loss, Pass, Reduction, Scalar, Sequences};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;
use rand::{Rng, SeedableRng};

/// Trains a model of type `M` with a loss `L`: the loss, the truncation, and the buffers, which are allocated with the first
/// batch.
///
/// There are two ways to train, and both return the loss of the batch: the loss's reduction over *all* losses of the batch,
/// however it is cut into windows. A mean is the mean over all steps that have a loss.
///
/// - [`gradients`](Self::gradients): the gradients of a whole batch; clipping and the update are steps of your own loop.
/// - [`train_windows`](Self::train_windows): an update after each truncation window.
///
/// ```
/// use longhand::prelude::*;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// // Tell which of two sequences rises.
/// let x = Sequences::from_fn(1, 20, 2, |_, step, sequence| if sequence == 0 { step as f32 / 20.0 } else { 0.2 });
/// let labels = Labels::per_sequence(&[1, 0]);
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let mut model = Elman::new(1, 10, &mut generator).then(LastStep)?.then(Linear::new(10, 2, &mut generator))?;
///
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let mut trainer = Trainer::new(&model, loss.clone(), TruncatedBptt::full(LossAt::LastValidStep));
/// let mut optimizer = Adam::new();
/// let mut losses = Vec::new();
/// for _ in 0..50 {
///     let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
///     gradients.clip_by_global_norm(1.0);
///     optimizer.step(&mut model, gradients, 0.01);
///     losses.push(loss);
/// }
/// assert!(losses[49] < 0.5 * losses[0]);
///
/// // An update after each window of 10 steps.
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::new(10, LossAt::WindowEnd)?);
/// trainer.train_windows(&mut model, Batch { inputs: &x, targets: &labels }, |model, gradients| {
///     optimizer.step(model, gradients, 0.01);
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Trainer<T: Scalar, M: Layer<T>, L: Loss<T>> {
    pub(super) loss: L,
    pub(super) truncation: TruncatedBptt,
    pub(super) shards: Vec<Shard<T, M, L::Target>>,
    /// The buffers of evaluation.
    evaluation: Shard<T, M, L::Target>,
    /// Runs a window on all shards.
    pub(super) run: Run<T, M, L>,
    /// Makes the generators of the shards, if the trainer was given one.
    seeds: Option<Box<dyn FnMut() -> Box<dyn Generator> + Send>>,
    pub(super) continues: bool,
    pub(super) skips: bool,
    pub(super) skipped: usize,
    /// Losses of the last batch.
    pub(super) losses: Losses,
}

type Run<T, M, L> = fn(&mut [Shard<T, M, <L as Loss<T>>::Target>], &Window<'_, T, M, L>);

impl<T, M, L> Trainer<T, M, L>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
    L: Loss<T>,
{
    /// A trainer for models of the shape of `model`.
    pub fn new(model: &M, loss: L, truncation: TruncatedBptt) -> Self {
        Trainer {
            loss,
            truncation,
            shards: Vec::from([Shard::new(model)]),
            evaluation: Shard::new(model),
            run: |shards, window| shards.iter_mut().for_each(|shard| window.pass(shard)),
            seeds: None,
            continues: false,
            skips: false,
            skipped: 0,
            losses: Losses::default(),
        }
    }

    /// The loss that it was made with.
    pub fn loss(&self) -> &L {
        &self.loss
    }

    /// The truncation that it was made with.
    pub fn truncation(&self) -> TruncatedBptt {
        self.truncation
    }

    /// Layers that draw at random in training (dropout) draw from generators that are seeded from this one. Without a
    /// generator, such a layer panics.
    #[must_use]
    pub fn with_generator<R: Rng + SeedableRng + Send + 'static>(mut self, mut generator: R) -> Self {
        self.seeds = Some(Box::new(move || Box::new(R::from_rng(&mut generator))));
        self.seed_shards();
        self
    }

    /// Each batch starts from the carry that the batch before it left, for streams that are longer than a batch (stateful
    /// training). [`forget_carry`](Self::forget_carry) starts from zero again.
    #[must_use]
    pub fn continuing(mut self) -> Self {
        self.continues = true;
        self
    }

    /// Windows whose loss or gradients are NaN or infinite change nothing, in place of an error:
    /// [`train_windows`](Self::train_windows) skips their updates, and the gradients that [`gradients`](Self::gradients)
    /// returns are zero then. [`skipped`](Self::skipped) counts them.
    #[must_use]
    pub fn skipping_not_finite(mut self) -> Self {
        self.skips = true;
        self
    }

    /// How many updates were skipped because a loss or a gradient was NaN or infinite.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The number of losses of the last batch that was trained on or evaluated, or the sum of their weights if the loss has class
    /// weights: what a mean over steps ([`Reduction::MeanOverSteps`]) divides by. Losses are at the steps that are valid, have a target,
    /// and are selected by [`LossAt`](crate::LossAt). 0 if [`gradients`](Self::gradients) skipped the batch. It weights the losses and the gradients of
    /// several batches: see [`Gradients::add_scaled`].
    pub fn losses(&self) -> f64 {
        self.losses.weight
    }

    /// Uses `count` shards, which `run` runs a window on.
    #[cfg_attr(not(feature = "rayon"), expect(dead_code, reason = "only threads use several shards"))]
    pub(super) fn with_shards(mut self, model: &M, count: usize, run: Run<T, M, L>) -> Self {
        self.shards = (0..count).map(|_| Shard::new(model)).collect();
        self.run = run;
        self.seed_shards();
        self
    }

    fn seed_shards(&mut self) {
        if let Some(next) = &mut self.seeds {
            self.shards.iter_mut().for_each(|shard| shard.generator = next());
        }
    }

    /// The next batch starts from a carry of zero.
    pub fn forget_carry(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.continues = false);
    }

    /// The carry after the last window of the last batch. With several shards it is that of the first shard's sequences.
    pub fn carry(&self) -> &M::Carry {
        &self.shards[0].carry
    }

    /// The carry of each shard after the last window of the last batch, for a checkpoint.
    pub fn carries(&self) -> impl Iterator<Item = &M::Carry> {
        self.shards.iter().map(|shard| &shard.carry)
    }

    /// The carries from which the next batch of `batch` sequences starts, one per shard, to be filled from a checkpoint. They are
    /// zero until then, unless the last batch had as many sequences.
    pub fn carries_mut(&mut self, model: &M, batch: usize) -> impl Iterator<Item = &mut M::Carry> {
        Shard::share_sequences(&mut self.shards, model, batch);
        self.shards.iter_mut().map(|shard| {
            shard.continues = true;
            &mut shard.carry
        })
    }

    /// The generators that layers draw from, one per shard, for a checkpoint. `None` if the trainer was given none of this type.
    pub fn generators<R: 'static>(&self) -> Option<Vec<&R>> {
        let generators = self.shards.iter().map(|shard| -> &dyn Any { &*shard.generator });
        generators.map(<dyn Any>::downcast_ref).collect()
    }

    /// Layers draw from these generators, one per shard: those of [`generators`](Self::generators), so that a training run
    /// continues with the same bits.
    ///
    /// # Panics
    /// If their number is not that of the shards.
    #[track_caller]
    pub fn restore_generators<R: Rng + Send + 'static>(&mut self, generators: impl IntoIterator<Item = R>) {
        let generators: Vec<R> = generators.into_iter().collect();
        assert_eq!(generators.len(), self.shards.len(), "there must be one generator for each shard of the trainer");
        for (shard, generator) in self.shards.iter_mut().zip(generators) {
            shard.generator = Box::new(generator);
        }
    }

    /// The loss of a batch and the gradients of the parameters, summed over all windows.
    ///
    /// # Errors
    /// If the targets do not fit the inputs, if there is no step or no sequence, if the outputs of the model are neither one per
    /// step nor (unless every step has a loss) one per window, or if the loss or a gradient is NaN or infinite. If the loss needs
    /// whole sequences ([`Loss::needs_whole_sequences`]), and the truncation windows are shorter. With
    /// [`continuing`](Self::continuing), if the batch before had another number of sequences.
    ///
    /// # Panics
    /// If the model does not take these inputs.
    pub fn gradients(
        &mut self,
        model: &M,
        batch: Batch<'_, M::Input, L::Target>,
    ) -> Result<(T, &mut Gradients<M>), TrainingError> {
        let layout = self.begin(model, batch)?;
        let loss = self.all_windows(model, batch, layout, None)?;
        Ok((loss, &mut self.shards[0].gradients))
    }

    /// [`gradients`](Self::gradients) from a given carry, with the gradient of the carry: for a model that continues what
    /// another one began, such as a decoder.
    ///
    /// `carry` comes in before the first step and goes out after the last one. `d_carry` comes in as the gradient of the carry
    /// that goes out (zero if nothing follows), and goes out as the gradient of the carry that came in. Between truncation
    /// windows the gradient of the carry is zero, so give the last window the whole sequence
    /// ([`TruncatedBptt::full`]) to train both models through each other.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients).
    ///
    /// # Panics
    /// As [`gradients`](Self::gradients), if the carry is that of another number of sequences, or if the trainer runs in
    /// parallel.
    #[track_caller]
    pub fn gradients_with_carry(
        &mut self,
        model: &M,
        batch: Batch<'_, M::Input, L::Target>,
        carry: &mut M::Carry,
        d_carry: &mut M::Carry,
    ) -> Result<(T, &mut Gradients<M>), TrainingError> {
        assert!(
            self.shards.len() == 1,
            "a carry can be given to a trainer with one shard, not with {}",
            self.shards.len()
        );
        let layout = self.begin(model, batch)?;
        core::mem::swap(&mut self.shards[0].carry, carry);
        let result = self.all_windows(model, batch, layout, Some(d_carry));
        core::mem::swap(&mut self.shards[0].carry, carry);
        let loss = result?;
        Ok((loss, &mut self.shards[0].gradients))
    }

    /// Trains on one batch with an update after each window that has a loss. `update` is given the model and the gradients of
    /// the window: clip them and let an optimizer step there. Returns the loss of the batch.
    ///
    /// # Errors
    /// As [`gradients`](Self::gradients). The updates of the windows before stay.
    ///
    /// # Panics
    /// As [`gradients`](Self::gradients).
    pub fn train_windows(
        &mut self,
        model: &mut M,
        batch: Batch<'_, M::Input, L::Target>,
        mut update: impl FnMut(&mut M, &mut Gradients<M>),
    ) -> Result<T, TrainingError> {
        let layout = self.begin(model, batch)?;
        // The weighted sum of the windows' losses, and the number of losses and their weight.
        let (mut total, mut losses) = (T::zero(), Losses::default());
        let mut only = None;
        for steps in self.truncation.windows(layout) {
            let in_window = self.mark_losses(layout, batch.targets, &steps);
            let loss = self.run_window(model, batch, steps.clone(), [in_window; 2], false)?;
            if in_window.count == 0 {
                continue;
            }
            only = if losses.count == 0 { Some(loss) } else { None };
            losses += in_window;
            let is_mean = self.loss.reduction() != Reduction::Sum;
            total += if is_mean { loss * real(in_window.weight) } else { loss };
            let gradients = Shard::sum_gradients(&mut self.shards);
            match not_finite(loss, gradients.values(), &steps) {
                Some(error) if !self.skips => return Err(error),
                Some(_) => self.skipped += 1,
                None => update(model, gradients),
            }
            self.shards.iter_mut().for_each(|shard| shard.replaces = true);
        }
        self.losses = losses;
        let is_mean = self.loss.reduction() != Reduction::Sum && losses.weight > 0.0;
        // The loss of a single window is exact; the quotient could be rounded.
        Ok(only.unwrap_or(if is_mean { total / real(losses.weight) } else { total }))
    }

    /// The loss of a batch in inference, over whole sequences and from a carry of zero: for validation. Nothing is trained, and
    /// nothing random is drawn.
    ///
    /// # Errors
    /// If the targets do not fit the inputs, or there is no step or no sequence.
    ///
    /// # Panics
    /// As [`gradients`](Self::gradients).
    pub fn evaluate(&mut self, model: &M, batch: Batch<'_, M::Input, L::Target>) -> Result<T, TrainingError> {
        let layout = check_shapes(batch)?;
        let (at, every_step) = (self.loss_at(), self.every_step());
        let shard = &mut self.evaluation;
        Shard::divide(core::slice::from_mut(shard), model, layout)?;
        let steps = 0..layout.steps();
        let weight = |column| self.loss.weight(batch.targets, column);
        let losses = shard.mark_losses(at, layout, batch.targets, &steps, weight);
        self.losses = losses;
        shard.inputs.copy_part(batch.inputs, steps.clone(), 0..layout.batch());
        let (loss, inputs, targets) = (&self.loss, batch.inputs, batch.targets);
        let window =
            Window { model, loss, inputs, targets, steps, every_step, losses, span: losses, has_d_carry: false };
        window.forward(shard, &mut Pass::Infer);
        shard.error.take().map_or(Ok(shard.loss), |error| Err(error.into()))
    }
}
