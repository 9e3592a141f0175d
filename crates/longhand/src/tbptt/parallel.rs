//! The sequences of a batch on several threads.

use super::Trainer;
use crate::{Layer, Loss, Scalar, SequenceInput, Sequences};
use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};

impl<T, M, L> Trainer<T, M, L>
where
    T: Scalar,
    M: Layer<T, Input: SequenceInput + Sync, Output = Sequences<T>> + Sync,
    L: Loss<T, Target: Send + Sync> + Sync,
{
    /// Divides each batch into `shards` shards of consecutive sequences, whose numbers of sequences differ by at most one, and
    /// trains on them on the threads of rayon's current pool. Use one shard per thread.
    ///
    /// Losses and gradients are summed in the order of the shards. So the results depend on the number of shards, by
    /// rounding, but not on the number of threads. Each shard draws from a generator of its own (dropout).
    ///
    /// It is best to run the whole training loop inside of `rayon::ThreadPool::install`, so that the threads wait for work
    /// rather than sleep.
    ///
    /// ```
    /// use longhand::prelude::*;
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let mut generator = ChaCha8Rng::seed_from_u64(1);
    /// let mut model = Gru::new(3, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 4, &mut generator))?;
    /// let x = Sequences::from_fn(3, 20, 8, |feature, step, sequence| ((feature + step * sequence) as f32).sin());
    /// let labels = Labels::per_sequence(&[0, 1, 2, 3, 0, 1, 2, 3]);
    ///
    /// let (loss, bptt) = (SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), TruncatedBptt::full(LossAt::WindowEnd));
    /// let (mut optimizer, mut trainer) = (Adam::new(), Trainer::new(&model, loss, bptt).in_parallel(&model, 2));
    /// let (loss, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
    /// optimizer.step(&mut model, gradients, 1e-3);
    /// # Ok::<(), TrainingError>(())
    /// ```
    ///
    /// # Panics
    /// If `shards` is 0.
    #[must_use]
    #[track_caller]
    pub fn in_parallel(self, model: &M, shards: usize) -> Self {
        assert!(shards > 0, "a batch must be divided into at least 1 shard, not 0");
        self.with_shards(model, shards, |shards, window| shards.par_iter_mut().for_each(|shard| window.pass(shard)))
    }
}
