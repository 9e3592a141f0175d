//! Training by truncated backpropagation through time (Williams and Peng, 1990; Elman nets: Werbos, 1990).
//!
//! A batch of sequences is cut into windows of steps. Each window runs forward from the carry that the one before it
//! left, and backward with a zero gradient for the carry that it leaves: the gradient is that of the window's loss with
//! its incoming carry held constant. A window at least as long as the sequences is full backpropagation, bit for bit.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{HyperparameterError, Layer, Layout, Loss, Pass, Scalar, Sequences, ShapeError, Target, Tensors};

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

/// The buffers of training: one for a model, reused from batch to batch, so that training allocates nothing after its
/// first batch.
#[derive(Debug)]
pub struct Workspace<T: Scalar, M: Layer<T>, Y> {
    inputs: Sequences<T>,
    targets: Y,
    carry: M::Carry,
    d_carry: M::Carry,
    batch: usize,
    /// The last valid step of each sequence.
    last_valid_steps: Vec<Option<usize>>,
    /// Which columns of the window have a loss.
    has_loss: Vec<bool>,
    cache: M::Cache,
    gradients: M,
    d_output: M::Output,
}

impl<T: Scalar, M: Layer<T>, Y: Target> Workspace<T, M, Y> {
    /// Buffers for a model, which take their size at the first batch.
    pub fn new(model: &M) -> Self {
        Workspace {
            inputs: Sequences::default(),
            targets: Y::default(),
            carry: model.carry(0),
            d_carry: model.carry(0),
            batch: 0,
            last_valid_steps: Vec::new(),
            has_loss: Vec::new(),
            cache: M::Cache::default(),
            gradients: model.zeros(),
            d_output: M::Output::default(),
        }
    }

    /// The carry after the last window.
    pub fn carry(&self) -> &M::Carry {
        &self.carry
    }

    fn start(&mut self, model: &M, batch: usize) {
        if self.batch == batch {
            self.carry.set_zero();
        } else {
            (self.carry, self.d_carry, self.batch) = (model.carry(batch), model.carry(batch), batch);
        }
    }
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
    /// If the targets do not fit the inputs.
    ///
    /// # Panics
    /// If the model does not take these inputs, or `loss_at` is every step and the model gives one output a window.
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
        workspace.start(model, inputs.batch());
        self.continue_training(model, loss, inputs, targets, workspace, pass, update)
    }

    /// The same from the carry that the batch before this one left in the workspace, for streams that are longer than
    /// what is handed over at a time.
    ///
    /// # Errors
    /// If the targets do not fit the inputs, or the batch before this one had another number of sequences.
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
        mut update: impl FnMut(&mut M, &mut M),
    ) -> Result<T, ShapeError>
    where
        T: Scalar,
        M: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
        L: Loss<T>,
    {
        let layout = inputs.layout();
        if targets.batch() != layout.batch() || !(targets.steps() == 1 || targets.steps() == layout.steps()) {
            return Err(ShapeError::Targets {
                target_steps: targets.steps(),
                target_batch: targets.batch(),
                steps: layout.steps(),
                batch: layout.batch(),
            });
        }
        if workspace.batch == 0 {
            workspace.start(model, layout.batch());
        } else if workspace.batch != layout.batch() {
            return Err(ShapeError::Batch { given: layout.batch(), carried: workspace.batch });
        }
        workspace.gradients.set_zero();
        workspace.last_valid_steps.clear();
        workspace.last_valid_steps.extend((0..layout.batch()).map(|sequence| layout.last_valid_step(sequence)));
        let in_all = self.windows(layout).map(|window| self.mark_losses(layout, targets, window, workspace)).sum();
        let mut total = T::zero();
        for window in self.windows(layout) {
            let in_window = self.mark_losses(layout, targets, window.clone(), workspace);
            workspace.inputs.copy_steps(inputs, window.start, window.len());
            let output = model.forward(&workspace.inputs, &mut workspace.carry, &mut workspace.cache, pass);
            if in_window == 0 {
                // Nothing to learn here; the carry goes on.
                continue;
            }
            let one_a_window = output.steps() == 1 && window.len() > 1;
            assert!(
                !(one_a_window && self.loss_at == LossAt::EveryStep),
                "a loss at every step needs an output at every step, but {} gives one a window",
                model.name()
            );
            let has_loss = |step: &usize, sequence: usize| workspace.has_loss[step * layout.batch() + sequence];
            workspace.targets.gather(targets, output.steps(), |step, sequence| {
                let mut steps = if one_a_window { 0..window.len() } else { step..step + 1 };
                let step = steps.find(|step| has_loss(step, sequence))?;
                Some(target_column(layout, targets, window.start + step, sequence))
            });
            let span = match self.update_every {
                UpdateEvery::Window => in_window,
                UpdateEvery::Sequence => in_all,
            };
            let scale = loss.reduction().scale(span, output.features());
            total += loss.scaled_sum(output, &workspace.targets, scale, Some(&mut workspace.d_output));
            workspace.d_carry.set_zero();
            model.backward(
                &workspace.inputs,
                &mut workspace.cache,
                &workspace.d_output,
                &mut workspace.d_carry,
                &mut workspace.gradients,
                None,
            );
            if self.update_every == UpdateEvery::Window {
                update(model, &mut workspace.gradients);
                workspace.gradients.set_zero();
            }
        }
        if self.update_every == UpdateEvery::Sequence && in_all > 0 {
            update(model, &mut workspace.gradients);
        }
        Ok(total)
    }

    /// The truncation windows, from the first step to the last; the last window may be shorter.
    fn windows(&self, layout: &Layout) -> impl Iterator<Item = Range<usize>> + use<> {
        let (length, steps) = (self.window, layout.steps());
        (0..steps).step_by(length.min(steps.max(1))).map(move |start| start..steps.min(start.saturating_add(length)))
    }

    /// Marks the steps of a window that have a loss, one mark a column, and counts them.
    fn mark_losses<T: Scalar, M: Layer<T>, Y: Target>(
        &self,
        layout: &Layout,
        targets: &Y,
        window: Range<usize>,
        workspace: &mut Workspace<T, M, Y>,
    ) -> usize {
        let Workspace { has_loss, last_valid_steps, .. } = workspace;
        has_loss.clear();
        has_loss.resize(window.len() * layout.batch(), false);
        let mut count = 0;
        for (sequence, &last) in last_valid_steps.iter().enumerate() {
            let valid = |step: &usize| layout.is_valid(*step, sequence);
            let steps = match self.loss_at {
                LossAt::EveryStep => window.clone(),
                LossAt::WindowEnd => window.clone().rfind(valid).map_or(0..0, |step| step..step + 1),
                LossAt::LastValidStep => last.filter(|last| window.contains(last)).map_or(0..0, |step| step..step + 1),
            };
            for step in steps.filter(valid) {
                if targets.is_present(target_column(layout, targets, step, sequence)) {
                    has_loss[(step - window.start) * layout.batch() + sequence] = true;
                    count += 1;
                }
            }
        }
        count
    }
}

/// The column of the target for `step` of `sequence`: a single step of targets holds at every step.
fn target_column(layout: &Layout, targets: &impl Target, step: usize, sequence: usize) -> usize {
    let step = if targets.steps() == 1 { 0 } else { step };
    step * layout.batch() + sequence
}
