//! The order of the data in one epoch.

use super::{Batches, MiniBatch, SequenceSet};
use longhand::Target;
use serde::{Deserialize, Serialize};

/// The order of the sequences in one epoch, and the position in it: a plain value that a checkpoint can store.
///
/// It is made by [`Batches::shuffled`] or [`Batches::in_order`]. It can also drive a loop that makes its batches in another way, for
/// example with random changes to the data:
///
/// ```
/// use longhand::{Labels, Sequences};
/// use longhand_training::Batches;
/// let (x, labels) = (Sequences::<f32>::from_fn(1, 4, 5, |_, _, b| b as f32), Labels::per_sequence(&[0; 5]));
/// let mut epoch = Batches::new(&x, &labels, 2)?.in_order();
/// assert_eq!(epoch.next_sequences(), Some([0, 1].as_slice()));
/// assert_eq!((epoch.finished_batches(), epoch.batches()), (1, 3));
/// # Ok::<(), longhand_training::BatchesError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Epoch {
    order: Vec<usize>,
    size: usize,
    /// Number of batches so far.
    finished: usize,
}

/// The fields of an [`Epoch`] in a file. They are checked when it is read, because the file may have been changed.
#[derive(Deserialize)]
#[serde(rename = "Epoch")]
struct Stored {
    order: Vec<usize>,
    size: usize,
    finished: usize,
}

impl TryFrom<Stored> for Epoch {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Epoch, String> {
        let Stored { order, size, finished } = stored;
        if size == 0 {
            return Err("the batches of an epoch have 0 sequences, but they must have at least 1".to_owned());
        }
        let epoch = Epoch { order, size, finished };
        let batches = epoch.batches();
        if finished > batches {
            return Err(format!("an epoch of {batches} batches cannot have {finished} finished ones"));
        }
        Ok(epoch)
    }
}

impl Epoch {
    pub(super) fn new(order: Vec<usize>, size: usize) -> Self {
        Epoch { order, size, finished: 0 }
    }

    /// The sequences of the next batch, as indices into the data. `None` at the end of the epoch.
    pub fn next_sequences(&mut self) -> Option<&[usize]> {
        let start = self.finished * self.size;
        let rest = self.order.get(start..).filter(|rest| !rest.is_empty())?;
        self.finished += 1;
        Some(&rest[..rest.len().min(self.size)])
    }

    /// All sequences of the epoch, as indices into the data: one batch after another.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The number of batches, finished or not.
    pub fn batches(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }

    /// The number of batches so far.
    pub fn finished_batches(&self) -> usize {
        self.finished
    }

    /// Whether there is no further batch.
    pub fn is_finished(&self) -> bool {
        self.finished == self.batches()
    }
}

/// The batches of an epoch: the iterator of [`Batches::epoch`].
#[derive(Debug)]
pub struct EpochBatches<'b, 'a, X: ?Sized, Y> {
    pub(super) batches: &'b Batches<'a, X, Y>,
    pub(super) epoch: Epoch,
}

impl<X: SequenceSet + ?Sized, Y: Target> Iterator for EpochBatches<'_, '_, X, Y> {
    type Item = MiniBatch<X::Batch, Y>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut batch = MiniBatch::default();
        self.batches.fill(&mut batch, &mut self.epoch).then_some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let rest = self.epoch.batches() - self.epoch.finished_batches();
        (rest, Some(rest))
    }
}

impl<X: SequenceSet + ?Sized, Y: Target> ExactSizeIterator for EpochBatches<'_, '_, X, Y> {}
