//! The buffers of training, for all sequences of a batch or for some of them.

use super::{LossAt, SequenceInput};
use crate::{Gradients, Layer, Layout, Path, Scalar, ShapeError, Target, Tensors, kernel};
use alloc::{boxed::Box, vec::Vec};
use core::any::Any;
use core::convert::Infallible;
use core::iter::Sum;
use core::ops::{AddAssign, Range};
use rand::{Rng, TryRng};

/// The generator of a trainer that was given none.
pub(super) struct NoGenerator;

const NO_GENERATOR: &str = "a layer of this model draws at random in training: give the trainer a generator with \
                            `Trainer::with_generator`";

impl TryRng for NoGenerator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("{NO_GENERATOR}")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("{NO_GENERATOR}")
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
        panic!("{NO_GENERATOR}")
    }
}

/// A generator whose type is known only at run time, and can be asked for.
pub(super) trait Generator: Rng + Send + Any {}

impl<R: Rng + Send + Any> Generator for R {}

/// The losses of a window or a batch: how many there are, and the sum of their weights, by which a mean is divided.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Losses {
    pub(super) count: usize,
    pub(super) weight: f64,
}

impl AddAssign for Losses {
    fn add_assign(&mut self, other: Losses) {
        self.count += other.count;
        self.weight += other.weight;
    }
}

impl Sum for Losses {
    fn sum<I: Iterator<Item = Losses>>(all: I) -> Losses {
        all.fold(Losses::default(), |mut sum, losses| {
            sum += losses;
            sum
        })
    }
}

/// The sequences of a batch that one thread trains on, and its buffers, which are reused from batch to batch.
pub(super) struct Shard<T: Scalar, M: Layer<T>, Y> {
    /// The sequences of the batch that are this one's.
    pub(super) sequences: Range<usize>,
    pub(super) inputs: M::Input,
    pub(super) targets: Y,
    pub(super) carry: M::Carry,
    pub(super) d_carry: M::Carry,
    /// Whether the next batch continues from this carry.
    pub(super) continues: bool,
    /// The last valid step of each sequence.
    last_valid_steps: Vec<Option<usize>>,
    /// Which columns of the window have a loss.
    pub(super) has_loss: Vec<bool>,
    pub(super) cache: M::Cache,
    pub(super) gradients: Gradients<M>,
    /// Whether the next backward pass replaces the gradients, because an update has used them.
    pub(super) replaces: bool,
    /// Layers that draw at random in training draw from this.
    pub(super) generator: Box<dyn Generator>,
    pub(super) d_output: M::Output,
    /// The loss of the last window.
    pub(super) loss: T,
    /// Why the last window could not be trained on.
    pub(super) error: Option<ShapeError>,
}

impl<T: Scalar, M: Layer<T>, Y: Target> Shard<T, M, Y>
where
    M::Input: SequenceInput,
{
    /// Buffers for a model, which take their size at the first batch.
    pub(super) fn new(model: &M) -> Self {
        Shard {
            sequences: 0..0,
            inputs: M::Input::default(),
            targets: Y::default(),
            carry: model.carry(0),
            d_carry: model.carry(0),
            continues: false,
            last_valid_steps: Vec::new(),
            has_loss: Vec::new(),
            cache: M::Cache::default(),
            gradients: Gradients::zeros(model),
            replaces: true,
            generator: Box::new(NoGenerator),
            d_output: M::Output::default(),
            loss: T::zero(),
            error: None,
        }
    }

    /// Divides the sequences of a batch among shards, and makes each ready for its part.
    pub(super) fn divide(shards: &mut [Self], model: &M, layout: &Layout) -> Result<(), ShapeError> {
        let batch = layout.batch();
        let carried = shards.iter().map(|shard| shard.sequences.len()).sum();
        if shards.iter().any(|shard| shard.continues) && carried != batch {
            return Err(ShapeError::Batch { given: batch, carried });
        }
        Shard::share_sequences(shards, model, batch);
        for shard in shards {
            if !shard.continues {
                shard.carry.set_zero();
            }
            let last_valid_steps = shard.sequences.clone().map(|sequence| layout.last_valid_step(sequence));
            shard.last_valid_steps.clear();
            shard.last_valid_steps.extend(last_valid_steps);
            shard.replaces = true;
        }
        Ok(())
    }

    /// Gives each shard its sequences, and a carry for as many. The carry stays if it has the right size already.
    pub(super) fn share_sequences(shards: &mut [Self], model: &M, batch: usize) {
        // The first shards have one sequence more where the batch is not a multiple of their number.
        let (each, rest) = (batch / shards.len(), batch % shards.len());
        let start = |shard: usize| shard * each + shard.min(rest);
        for (i, shard) in shards.iter_mut().enumerate() {
            let sequences = start(i)..start(i + 1);
            if shard.sequences.len() != sequences.len() {
                (shard.carry, shard.d_carry) = (model.carry(sequences.len()), model.carry(sequences.len()));
            }
            shard.sequences = sequences;
        }
    }

    /// Marks the steps of a window that have a loss, one mark a column, and counts them. `weight` is that of a target
    /// column in a mean.
    pub(super) fn mark_losses(
        &mut self,
        at: LossAt,
        layout: &Layout,
        targets: &Y,
        window: &Range<usize>,
        weight: impl Fn(usize) -> f64,
    ) -> Losses {
        let batch = self.sequences.len();
        self.has_loss.clear();
        self.has_loss.resize(window.len() * batch, false);
        let mut losses = Losses::default();
        for (place, (sequence, &last)) in self.sequences.clone().zip(&self.last_valid_steps).enumerate() {
            let valid = |step: &usize| layout.is_valid(*step, sequence);
            let steps = match at {
                LossAt::EveryStep => window.clone(),
                LossAt::WindowEnd => window.clone().rfind(valid).map_or(0..0, |step| step..step + 1),
                LossAt::LastValidStep => last.filter(|last| window.contains(last)).map_or(0..0, |step| step..step + 1),
            };
            for step in steps.filter(valid) {
                let column = target_column(layout, targets, step, sequence);
                if targets.is_present(column) {
                    self.has_loss[(step - window.start) * batch + place] = true;
                    losses += Losses { count: 1, weight: weight(column) };
                }
            }
        }
        losses
    }

    /// The gradients of all shards, added to those of the first in the shards' order.
    pub(super) fn sum_gradients(shards: &mut [Self]) -> &mut Gradients<M> {
        let (first, others) = shards.split_first_mut().expect("there is at least one shard");
        for other in others.iter().filter(|other| !other.sequences.is_empty()) {
            let sum = first.gradients.values_mut();
            sum.visit_pair(&Path::ROOT, other.gradients.values(), &mut |_, sum, gradient| kernel::add(sum, gradient));
        }
        &mut first.gradients
    }
}

/// The column of the target for `step` of `sequence`: a single step of targets holds at every step.
pub(super) fn target_column(layout: &Layout, targets: &impl Target, step: usize, sequence: usize) -> usize {
    let step = if targets.steps() == 1 { 0 } else { step };
    step * layout.batch() + sequence
}

#[cfg(test)]
mod tests {
    use super::{NoGenerator, Shard};
    use crate::{Labels, LastStep, Layout};
    use alloc::vec::Vec;
    use rand::TryRng;

    fn sizes(batch: usize, shards: usize) -> Vec<usize> {
        let mut all: Vec<_> = (0..shards).map(|_| Shard::<f64, LastStep, Labels>::new(&LastStep)).collect();
        Shard::divide(&mut all, &LastStep, &Layout::new(1, batch)).expect("nothing was carried");
        let mut next = 0;
        for shard in &all {
            assert_eq!(shard.sequences.start, next, "the shards are consecutive");
            next = shard.sequences.end;
        }
        assert_eq!(next, batch);
        all.iter().map(|shard| shard.sequences.len()).collect()
    }

    #[test]
    fn shards_differ_by_one_sequence_at_most() {
        assert_eq!(sizes(9, 8), [2, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(sizes(8, 4), [2; 4]);
        assert_eq!(sizes(11, 4), [3, 3, 3, 2]);
        assert_eq!(sizes(2, 4), [1, 1, 0, 0]);
        assert_eq!(sizes(5, 1), [5]);
    }

    #[test]
    #[should_panic(expected = "give the trainer a generator")]
    fn thirty_two_bits_of_no_generator_panic() {
        let _ = NoGenerator.try_next_u32();
    }

    #[test]
    #[should_panic(expected = "give the trainer a generator")]
    fn sixty_four_bits_of_no_generator_panic() {
        let _ = NoGenerator.try_next_u64();
    }

    #[test]
    #[should_panic(expected = "give the trainer a generator")]
    fn bytes_of_no_generator_panic() {
        let _ = NoGenerator.try_fill_bytes(&mut [0]);
    }
}
