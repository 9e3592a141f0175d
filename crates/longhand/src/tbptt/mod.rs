//! Training by truncated backpropagation through time (Williams and Peng, 1990; Elman nets: Werbos, 1990).
//!
//! A batch of sequences is cut into windows of steps. Each window runs forward from the carry that the one before it
//! left, and backward with a zero gradient for the carry that it leaves: the gradient is that of the window's loss with
//! its incoming carry held constant. A window at least as long as the sequences is full backpropagation, bit for bit.

#[cfg(feature = "rayon")]
mod parallel;
mod window;
mod workspace;

#[cfg(feature = "rayon")]
pub use parallel::ParallelWorkspace;
pub use workspace::Workspace;

use crate::{HyperparameterError, Layer, Layout, Loss, Pass, Scalar, Sequences, ShapeError, Target};
use core::ops::Range;
use window::Window;

/// Where a sequence has its loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossAt {
    /// At every valid step; the model gives an output at every step.
    EveryStep,
    /// At the last valid step of each window. The model gives an output at every step, or one for the window (after
    /// [`LastStep`](crate::LastStep) or [`MeanOverTime`](crate::MeanOverTime)).
    WindowEnd,
    /// In the window that holds the sequence's last valid step only, at that step or with that window's one output.
    LastValidStep,
}

/// How often the parameters are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateEvery {
    /// After each window that has a loss, as the study of this repository does.
    Window,
    /// Once, after the last window, with the sum of the windows' gradients. A mean reduction is taken over all windows
    /// together.
    Sequence,
}

/// The choices of truncated backpropagation through time.
///
/// ```
/// use longhand::{
///     Adam, Elman, Labels, LastStep, Layer, Linear, LossAt, Optimizer, Pass, Reduction, Sequences, SoftmaxCrossEntropy,
///     TruncatedBptt, UpdateEvery, Workspace, clip_by_global_norm,
/// };
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// // Tell which of two sequences rises. Two features would do better; one and ten units will do.
/// let x = Sequences::from_fn(1, 20, 2, |_, step, sequence| if sequence == 0 { step as f32 / 20.0 } else { 0.2 });
/// let labels = Labels::per_sequence(&[1, 0]);
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let mut model = Elman::new(1, 10, &mut generator).then(LastStep)?.then(Linear::new(10, 2, &mut generator))?;
///
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let bptt = TruncatedBptt::new(10, LossAt::WindowEnd, UpdateEvery::Window)?;
/// let (mut optimizer, mut workspace) = (Adam::new(), Workspace::new(&model));
/// let mut values = Vec::new();
/// for _ in 0..50 {
///     values.push(bptt.train(&mut model, &loss, &x, &labels, &mut workspace, &mut Pass::Infer, |model, gradients| {
///         clip_by_global_norm(gradients, 1.0);
///         optimizer.step(model, gradients, 0.01);
///     })?);
/// }
/// assert!(values[49] < 0.5 * values[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruncatedBptt {
    window: usize,
    loss_at: LossAt,
    update_every: UpdateEvery,
}

impl TruncatedBptt {
    /// Windows of `window` steps; the last one of a sequence may be shorter.
    ///
    /// # Errors
    /// If `window` is 0.
    pub fn new(window: usize, loss_at: LossAt, update_every: UpdateEvery) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(window > 0, "window", 0.0, "at least 1 step")?;
        Ok(TruncatedBptt { window, loss_at, update_every })
    }

    /// Backpropagation through the whole sequence, with one update.
    pub fn full(loss_at: LossAt) -> Self {
        TruncatedBptt { window: usize::MAX, loss_at, update_every: UpdateEvery::Sequence }
    }

    /// Trains on one batch of sequences, from a zero carry. `update` is given the model and the gradients whenever an
    /// update is due: clip them and let an optimizer step there. Returns the sum of the windows' losses, each under
    /// the loss's reduction.
    ///
    /// `targets` has one target a sequence (1 step), which holds at every step of it, or one a step.
    ///
    /// # Errors
    /// If the targets do not fit the inputs, or there is no step or no sequence.
    ///
    /// # Panics
    /// If the model does not take these inputs, if its outputs are neither one a step nor one a window, or if `loss_at` is
    /// every step and they are one a window.
    #[expect(clippy::too_many_arguments, reason = "each is a value of its own, and hiding some would hide state")]
    pub fn train<T, M, L>(
        &self,
        model: &mut M,
        loss: &L,
        inputs: &Sequences<T>,
        targets: &L::Target,
        workspace: &mut Workspace<T, M, L::Target>,
        pass: &mut Pass<'_>,
        update: impl FnMut(&mut M, &mut M),
    ) -> Result<T, ShapeError>
    where
        T: Scalar,
        M: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
        L: Loss<T>,
    {
        workspace.forget_carry();
        self.continue_training(model, loss, inputs, targets, workspace, pass, update)
    }

    /// The same from the carry that the batch before this one left in the workspace, for streams that are longer than
    /// what is handed over at a time.
    ///
    /// # Errors
    /// If the targets do not fit the inputs, if there is no step or no sequence, or if the batch before this one had another
    /// number of sequences.
    ///
    /// # Panics
    /// As [`train`](Self::train).
    #[expect(clippy::too_many_arguments, reason = "each is a value of its own, and hiding some would hide state")]
    pub fn continue_training<T, M, L>(
        &self,
        model: &mut M,
        loss: &L,
        inputs: &Sequences<T>,
        targets: &L::Target,
        workspace: &mut Workspace<T, M, L::Target>,
        pass: &mut Pass<'_>,
        update: impl FnMut(&mut M, &mut M),
    ) -> Result<T, ShapeError>
    where
        T: Scalar,
        M: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
        L: Loss<T>,
    {
        let shard = core::slice::from_mut(workspace);
        self.train_shards(model, loss, inputs, targets, shard, update, |shards, window| {
            for shard in shards {
                window.pass(shard, pass);
            }
        })
    }

    /// The windows of a batch whose sequences are divided among `shards`: `pass` has each of them go forward and
    /// backward through a window. Losses and gradients are summed in the shards' order.
    #[expect(clippy::too_many_arguments, reason = "each is a value of its own, and hiding some would hide state")]
    fn train_shards<T, M, L>(
        &self,
        model: &mut M,
        loss: &L,
        inputs: &Sequences<T>,
        targets: &L::Target,
        shards: &mut [Workspace<T, M, L::Target>],
        mut update: impl FnMut(&mut M, &mut M),
        mut pass: impl FnMut(&mut [Workspace<T, M, L::Target>], &Window<'_, T, M, L>),
    ) -> Result<T, ShapeError>
    where
        T: Scalar,
        M: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
        L: Loss<T>,
    {
        let layout = inputs.layout();
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
        Workspace::divide(shards, model, layout)?;
        let count_losses = |shards: &mut [Workspace<T, M, L::Target>], steps: &Range<usize>| -> usize {
            shards.iter_mut().map(|shard| shard.mark_losses(self.loss_at, layout, targets, steps)).sum()
        };
        let in_all = match self.update_every {
            UpdateEvery::Window => None,
            UpdateEvery::Sequence => Some(self.windows(layout).map(|steps| count_losses(shards, &steps)).sum()),
        };
        let mut total = T::zero();
        for steps in self.windows(layout) {
            let in_window = count_losses(shards, &steps);
            let span = in_all.unwrap_or(in_window);
            let every_step = self.loss_at == LossAt::EveryStep;
            let window = Window { model: &*model, loss, inputs, targets, steps, every_step, losses: in_window, span };
            pass(shards, &window);
            total += shards.iter().fold(T::zero(), |sum, shard| sum + shard.loss);
            if in_all.is_none() && in_window > 0 {
                update(model, Workspace::sum_gradients(shards));
                for shard in shards.iter_mut() {
                    shard.replaces = true;
                }
            }
        }
        if in_all.is_some_and(|losses| losses > 0) {
            update(model, Workspace::sum_gradients(shards));
        }
        Ok(total)
    }

    /// The truncation windows, from the first step to the last; the last window may be shorter.
    fn windows(&self, layout: &Layout) -> impl Iterator<Item = Range<usize>> + use<> {
        let (length, steps) = (self.window, layout.steps());
        (0..steps).step_by(length.min(steps.max(1))).map(move |start| start..steps.min(start.saturating_add(length)))
    }
}
