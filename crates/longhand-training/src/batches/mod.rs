//! Mini-batches of sequences of different lengths.
//!
//! | what | where |
//! |---|---|
//! | data, batch size, sorting by length | [`Batches`] |
//! | the order of one epoch and the position in it, for a checkpoint | [`Epoch`], `epoch.rs` |
//! | one batch, and the number of its losses | [`MiniBatch`], `mini_batch.rs` |
//! | what batches can be made of | [`SequenceSet`], `sequence_set.rs` |
//!
//! # Sorting by length
//! A batch has as many steps as its longest sequence, and all other sequences are padded to it. Padded steps cost as much time as
//! others. Batches of sequences of similar length waste less:
//!
//! 1. The sequences are shuffled.
//! 2. They are cut into pools of several batches. Each pool is sorted by length, and cut into batches.
//! 3. The batches are shuffled.
//!
//! The larger the pool, the less padding, and the less random the batches. If the batch size does not divide the number of sequences,
//! the sequences that are left over are taken out *before* they are sorted. They are chosen at random then. After sorting they would
//! be the longest ones, and dropping them would drop the longest sequences in every epoch.

mod epoch;
mod mini_batch;
mod sequence_set;

pub use epoch::{Epoch, EpochBatches};
pub use mini_batch::MiniBatch;
pub use sequence_set::SequenceSet;

use crate::number::unless;
use longhand::{HyperparameterError, ShapeError, Target};
use rand::{Rng, seq::SliceRandom};
use thiserror::Error;

/// Why data cannot be divided into batches.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum BatchesError {
    /// Inputs and targets do not match.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// A setting out of range.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// An order that was made for other data.
    #[error(
        "the order of an epoch has sequence {sequence} {times} times, but the data have {sequences} sequences, and an epoch has each \
         at most once; an order continues with the data that it was made for"
    )]
    Order {
        /// The sequence, counted from 0.
        sequence: usize,
        /// How often the order has it.
        times: usize,
        /// Number of sequences of the data.
        sequences: usize,
    },
}

/// Divides sequences and their targets into mini-batches.
///
/// The inputs are a [`SequenceSet`]: [`Sequences`](longhand::Sequences), [`Tokens`](longhand::Tokens), or a slice or `Vec` with one
/// matrix `features x steps` or one `Vec` of token ids per sequence. The targets are any [`Target`], for example
/// [`Labels`](longhand::Labels) per sequence or per step, or [`Sequences`](longhand::Sequences) of real targets. A batch has as many
/// steps as its longest sequence.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::Batches;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// // Sequences of 1 to 20 steps, and whether they rise.
/// let sequence = |i: usize| longhand::nalgebra::DMatrix::from_fn(1, 1 + i % 20, |_, step| (step * (i % 2)) as f32);
/// let x: Vec<_> = (0..100).map(sequence).collect();
/// let labels = Labels::per_sequence(&(0..100).map(|i| i % 2).collect::<Vec<_>>());
/// let mut model = Gru::new(1, 4, &mut generator).then(LastStep)?.then(Linear::new(4, 2, &mut generator))?;
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
/// let mut optimizer = Adam::new();
///
/// let batches = Batches::new(&x, &labels, 16)?.bucketed(3)?;
/// for batch in batches.epoch(&mut generator) {
///     let (_, gradients) = trainer.gradients(&model, batch.as_ref())?;
///     optimizer.step(&mut model, gradients, 0.01);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # In a checkpoint
/// [`epoch`](Self::epoch) allocates each batch. [`fill`](Self::fill) reuses the memory of one, and takes its sequences from an
/// [`Epoch`], which is a plain value that can be stored:
///
/// ```
/// # use longhand::{Labels, Sequences};
/// # use longhand_training::{Batches, Epoch, MiniBatch};
/// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// # let (x, labels) = (Sequences::<f32>::from_fn(1, 4, 10, |_, _, b| b as f32), Labels::per_sequence(&[0; 10]));
/// let batches = Batches::new(&x, &labels, 4)?;
/// let mut epoch = batches.shuffled(&mut ChaCha8Rng::seed_from_u64(1));
/// let mut batch = MiniBatch::default();
/// let mut stored = String::new();
/// while batches.fill(&mut batch, &mut epoch) {
///     // Train on `batch.as_ref()` here.
///     stored = serde_json::to_string(&epoch)?;
///     # break;
/// }
///
/// // A later process continues with the second batch.
/// let mut resumed: Epoch = serde_json::from_str(&stored)?;
/// batches.check(&resumed)?;
/// assert!(batches.fill(&mut batch, &mut resumed) && batches.fill(&mut batch, &mut resumed));
/// assert!(!batches.fill(&mut batch, &mut resumed), "10 sequences are 3 batches");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Batches<'a, X: ?Sized, Y> {
    inputs: &'a X,
    targets: &'a Y,
    /// Number of steps of each sequence, up to its last valid one.
    lengths: Vec<usize>,
    size: usize,
    /// Batches per pool that is sorted by length.
    pool: usize,
    drops_last: bool,
}

impl<X: ?Sized, Y> Clone for Batches<'_, X, Y> {
    fn clone(&self) -> Self {
        Batches { lengths: self.lengths.clone(), ..*self }
    }
}

impl<'a, X: SequenceSet + ?Sized, Y: Target> Batches<'a, X, Y> {
    /// Batches of `size` sequences; the last batch of an epoch may be smaller.
    ///
    /// # Errors
    /// If there are no sequences, if `size` is 0, or if the targets do not fit the inputs: there must be one target per sequence (1 step)
    /// or one per step.
    pub fn new(inputs: &'a X, targets: &'a Y, size: usize) -> Result<Self, BatchesError> {
        unless(size > 0, "size", 0.0, "at least 1 sequence per batch")?;
        inputs.check()?;
        let (steps, batch) = (inputs.steps(), inputs.sequences());
        if batch == 0 || steps == 0 {
            return Err(ShapeError::EmptyBatch { steps, batch }.into());
        }
        let (target_steps, target_batch) = (targets.steps(), targets.batch());
        if target_batch != batch || !(target_steps == 1 || target_steps == steps) {
            return Err(ShapeError::Targets { target_steps, target_batch, steps, batch }.into());
        }
        let lengths = (0..batch).map(|sequence| inputs.length(sequence)).collect();
        Ok(Batches { inputs, targets, lengths, size, pool: 1, drops_last: false })
    }

    /// Sorts the shuffled sequences by length within pools of `pool` batches, so that a batch has sequences of similar length. 10 to
    /// 100 batches per pool save most of the padding.
    ///
    /// # Errors
    /// If `pool` is 0.
    pub fn bucketed(self, pool: usize) -> Result<Self, BatchesError> {
        unless(pool > 0, "pool", 0.0, "at least 1 batch per pool")?;
        Ok(Batches { pool, ..self })
    }

    /// A shuffled epoch leaves out its last batch if that batch would be smaller. The sequences that are left out are others in each
    /// epoch.
    ///
    /// # Errors
    /// If there are fewer sequences than one batch has, because an epoch would have no batch then.
    pub fn dropping_last(self) -> Result<Self, BatchesError> {
        let expected = format!("at most the number of sequences, {}, if the last batch is dropped", self.lengths.len());
        unless(self.size <= self.lengths.len(), "size", self.size as f64, &expected)?;
        Ok(Batches { drops_last: true, ..self })
    }

    /// The number of sequences of the data.
    pub fn sequences(&self) -> usize {
        self.lengths.len()
    }

    /// The number of batches of a shuffled epoch.
    pub fn batches_per_epoch(&self) -> usize {
        let sequences = self.lengths.len();
        if self.drops_last { sequences / self.size } else { sequences.div_ceil(self.size) }
    }

    /// Draws the order of a new epoch. It depends on the generator, on the lengths and on the settings only.
    pub fn shuffled(&self, generator: &mut (impl Rng + ?Sized)) -> Epoch {
        let mut order: Vec<usize> = (0..self.lengths.len()).collect();
        order.shuffle(generator);
        let full = order.len() - order.len() % self.size;
        let left_over = order.split_off(full);
        if self.pool > 1 {
            for pool in order.chunks_mut(self.size.saturating_mul(self.pool)) {
                pool.sort_by_key(|&sequence| self.lengths[sequence]);
            }
            let mut batches: Vec<&[usize]> = order.chunks(self.size).collect();
            batches.shuffle(generator);
            order = batches.concat();
        }
        if !self.drops_last {
            order.extend(left_over);
        }
        Epoch::new(order, self.size)
    }

    /// All sequences in the order of the data, for validation.
    pub fn in_order(&self) -> Epoch {
        Epoch::new((0..self.lengths.len()).collect(), self.size)
    }

    /// The batches of a new, shuffled epoch, each in memory of its own.
    pub fn epoch(&self, generator: &mut (impl Rng + ?Sized)) -> EpochBatches<'_, 'a, X, Y> {
        self.rest(self.shuffled(generator))
    }

    /// The batches that an epoch still has, each in memory of its own.
    pub fn rest(&self, epoch: Epoch) -> EpochBatches<'_, 'a, X, Y> {
        EpochBatches { batches: self, epoch }
    }

    /// Writes the next batch of an epoch to `batch`, reusing its memory. Returns whether there was one.
    ///
    /// # Panics
    /// If the epoch belongs to other data: see [`check`](Self::check).
    #[track_caller]
    pub fn fill(&self, batch: &mut MiniBatch<X::Batch, Y>, epoch: &mut Epoch) -> bool {
        let Some(chosen) = epoch.next_sequences() else { return false };
        let sequences = self.lengths.len();
        if let Some(other) = chosen.iter().find(|&&sequence| sequence >= sequences) {
            panic!("the epoch has sequence {other}, but there are {sequences}: it must have been made for these data");
        }
        // A sequence without any valid step is padded to one, because no batch can have 0 steps.
        let steps = chosen.iter().map(|&sequence| self.lengths[sequence]).max().unwrap_or(0).max(1);
        self.inputs.gather(chosen, steps, &mut batch.inputs);
        let (target_steps, stored) = (if self.targets.steps() == 1 { 1 } else { steps }, self.targets.batch());
        let column = |step: usize, place: usize| Some(step * stored + chosen[place]);
        batch.targets.gather(self.targets, target_steps, chosen.len(), column);
        batch.set_sequences(chosen);
        true
    }

    /// Checks an epoch from a checkpoint.
    ///
    /// # Errors
    /// If it has sequences that these data do not have, or one of them twice.
    pub fn check(&self, epoch: &Epoch) -> Result<(), BatchesError> {
        let sequences = self.lengths.len();
        let mut times = vec![0; sequences];
        for &sequence in epoch.order() {
            let times = times.get_mut(sequence).ok_or(BatchesError::Order { sequence, times: 1, sequences })?;
            *times += 1;
            if *times > 1 {
                return Err(BatchesError::Order { sequence, times: *times, sequences });
            }
        }
        Ok(())
    }

    /// The share of the steps of an epoch's batches that are padding: from 0 to 1.
    ///
    /// ```
    /// use longhand::{Labels, Tokens};
    /// use longhand_training::Batches;
    /// // Two batches of one long and one short sequence each.
    /// let (x, labels) = (Tokens::ragged(&[vec![1; 10], vec![1], vec![1; 10], vec![1]]), Labels::per_sequence(&[0; 4]));
    /// let batches = Batches::new(&x, &labels, 2)?;
    /// assert_eq!(batches.share_of_padding(&batches.in_order()), 0.45);
    /// # Ok::<(), longhand_training::BatchesError>(())
    /// ```
    ///
    /// # Panics
    /// If the epoch belongs to other data.
    #[track_caller]
    pub fn share_of_padding(&self, epoch: &Epoch) -> f64 {
        let (mut padded, mut all) = (0, 0);
        for batch in epoch.order().chunks(self.size) {
            let lengths = || batch.iter().map(|&sequence| self.lengths[sequence]);
            let steps = lengths().max().unwrap_or(0) * batch.len();
            padded += steps - lengths().sum::<usize>();
            all += steps;
        }
        padded as f64 / all.max(1) as f64
    }
}
