//! The sequences of a batch on several threads.

use super::{TruncatedBptt, Workspace};
use crate::{Layer, Loss, Pass, Scalar, Sequences, ShapeError, Target};
use alloc::vec::Vec;
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

/// The buffers of training on several threads: one [`Workspace`] for each shard of the batch.
pub struct ParallelWorkspace<T: Scalar, M: Layer<T>, Y> {
    shards: Vec<Workspace<T, M, Y>>,
}

impl<T: Scalar, M: Layer<T>, Y: Target> ParallelWorkspace<T, M, Y> {
    /// Buffers for batches that are divided into `shards` shards of consecutive sequences, whose numbers of sequences
    /// differ by at most one. Use one shard per thread. The results depend on the number of shards, by rounding, but not
    /// on the number of threads.
    ///
    /// # Panics
    /// If `shards` is 0.
    #[track_caller]
    pub fn new(model: &M, shards: usize) -> Self {
        assert!(shards > 0, "a batch must be divided into at least 1 shard, not 0");
        ParallelWorkspace { shards: (0..shards).map(|_| Workspace::new(model)).collect() }
    }
}

impl TruncatedBptt {
    /// [`train`](Self::train) with the sequences of the batch divided among the threads of rayon's current pool: each
    /// shard goes through a window by itself, and the gradients are summed in the shards' order before `update` gets
    /// them, so the bits do not depend on the number of threads. Nothing random is drawn, as with [`Pass::Infer`].
    ///
    /// The whole training loop is best put inside of `rayon::ThreadPool::install`, so that the threads wait for work
    /// rather than sleep.
    ///
    /// ```
    /// use longhand::*;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut generator = ChaCha8Rng::seed_from_u64(1);
    /// let mut model = Gru::new(3, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 4, &mut generator))?;
    /// let x = Sequences::from_fn(3, 20, 8, |feature, step, sequence| ((feature + step * sequence) as f32).sin());
    /// let labels = Labels::per_sequence(&[0, 1, 2, 3, 0, 1, 2, 3]);
    ///
    /// let (bptt, loss) = (TruncatedBptt::full(LossAt::WindowEnd), SoftmaxCrossEntropy::new(Reduction::MeanOverSteps));
    /// let (mut optimizer, mut workspace) = (Adam::new(), ParallelWorkspace::new(&model, 2));
    /// bptt.train_parallel(&mut model, &loss, &x, &labels, &mut workspace, |model, gradients| {
    ///     optimizer.step(model, gradients, 1e-3);
    /// })?;
    /// # Ok::<(), ShapeError>(())
    /// ```
    ///
    /// # Errors
    /// If the targets do not fit the inputs, or there is no step or no sequence.
    ///
    /// # Panics
    /// As [`train`](Self::train).
    pub fn train_parallel<T, M, L>(
        &self,
        model: &mut M,
        loss: &L,
        inputs: &Sequences<T>,
        targets: &L::Target,
        workspace: &mut ParallelWorkspace<T, M, L::Target>,
        update: impl FnMut(&mut M, &mut M),
    ) -> Result<T, ShapeError>
    where
        T: Scalar,
        M: Layer<T, Input = Sequences<T>, Output = Sequences<T>> + Sync,
        L: Loss<T> + Sync,
        L::Target: Sync,
        Workspace<T, M, L::Target>: Send,
    {
        workspace.shards.iter_mut().for_each(Workspace::forget_carry);
        self.train_shards(model, loss, inputs, targets, &mut workspace.shards, update, |shards, window| {
            shards.par_iter_mut().for_each(|shard| window.pass(shard, &mut Pass::Infer));
        })
    }
}
