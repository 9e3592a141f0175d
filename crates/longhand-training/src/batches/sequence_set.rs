//! Data that batches are made of.

use longhand::{Layout, Scalar, SequenceInput, Sequences, ShapeError, Tokens, nalgebra::DMatrix};

/// A set of sequences that can be put together in batches.
///
/// Implement it for data of your own, such as recordings in a file. [`Batches`](super::Batches) reads each length once.
pub trait SequenceSet {
    /// The type of the batches.
    type Batch: SequenceInput;

    /// Number of sequences.
    fn sequences(&self) -> usize;

    /// Number of steps of the longest sequence, or the common number of steps with padding. Targets per step have as many steps.
    fn steps(&self) -> usize;

    /// Number of steps of a sequence, up to and including its last valid one.
    ///
    /// # Panics
    /// If there is no such sequence.
    fn length(&self, sequence: usize) -> usize;

    /// Checks that all sequences can be in one batch.
    ///
    /// # Errors
    /// If they cannot, for example because they differ in the number of features.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }

    /// Writes the first `steps` steps of these sequences to `batch`, in this order; shorter sequences are padded at the end with invalid
    /// steps. Reuses the memory of `batch` where that is possible.
    ///
    /// # Panics
    /// If there is no such sequence.
    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Self::Batch);
}

/// A batch of all sequences, which may be padded. Marks of resets are kept.
impl<T: Scalar> SequenceSet for Sequences<T> {
    type Batch = Sequences<T>;

    fn sequences(&self) -> usize {
        self.batch()
    }

    fn steps(&self) -> usize {
        Sequences::steps(self)
    }

    fn length(&self, sequence: usize) -> usize {
        length(self.layout(), sequence)
    }

    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Sequences<T>) {
        let layout = self.layout();
        batch.reshape_marked(
            self.features(),
            steps,
            sequences.len(),
            |step, place| layout.is_valid(step, sequences[place]),
            |step, place| layout.resets(step, sequences[place]),
        );
        for step in 0..steps {
            for (place, &sequence) in sequences.iter().enumerate() {
                batch.at_mut(step, place).copy_from_slice(self.at(step, sequence));
            }
        }
        batch.clear_padding();
    }
}

/// A batch of all sequences, which may be padded. Marks of resets are kept. Each batch is allocated.
impl SequenceSet for Tokens {
    type Batch = Tokens;

    fn sequences(&self) -> usize {
        self.batch()
    }

    fn steps(&self) -> usize {
        Tokens::steps(self)
    }

    fn length(&self, sequence: usize) -> usize {
        length(self.layout(), sequence)
    }

    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Tokens) {
        let all = self.layout();
        let at = |column: usize| (column / sequences.len(), sequences[column % sequences.len()]);
        let columns = || (0..steps * sequences.len()).map(at);
        let ids = columns().map(|(step, sequence)| self.at(step, sequence)).collect();
        let valid = columns().map(|(step, sequence)| all.is_valid(step, sequence)).collect();
        let mut layout = Layout::new(steps, sequences.len()).with_valid(valid).expect("one mark for each column");
        if all.has_resets() {
            for step in 0..steps {
                for (place, _) in sequences.iter().enumerate().filter(|&(_, &sequence)| all.resets(step, sequence)) {
                    layout = layout.with_reset(step, place);
                }
            }
        }
        *batch = Tokens::new(ids, layout).expect("one id for each column");
    }
}

/// One matrix `features x steps` per sequence: no memory is spent on padding.
impl<T: Scalar> SequenceSet for [DMatrix<T>] {
    type Batch = Sequences<T>;

    fn sequences(&self) -> usize {
        self.len()
    }

    fn steps(&self) -> usize {
        self.iter().map(DMatrix::ncols).max().unwrap_or(0)
    }

    fn length(&self, sequence: usize) -> usize {
        self[sequence].ncols()
    }

    fn check(&self) -> Result<(), ShapeError> {
        let expected = self.first().map_or(0, DMatrix::nrows);
        let other = self.iter().map(DMatrix::nrows).enumerate().find(|&(_, features)| features != expected);
        other.map_or(Ok(()), |(sequence, given)| Err(ShapeError::Ragged { sequence, given, expected }))
    }

    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Sequences<T>) {
        let features = sequences.first().map_or(0, |&sequence| self[sequence].nrows());
        let is_valid = |step: usize, place: usize| step < self[sequences[place]].ncols();
        batch.reshape_marked(features, steps, sequences.len(), is_valid, |_, _| false);
        for step in 0..steps {
            for (place, &sequence) in sequences.iter().enumerate() {
                if is_valid(step, place) {
                    batch.at_mut(step, place).copy_from_slice(self[sequence].column(step).as_slice());
                }
            }
        }
        batch.clear_padding();
    }
}

/// One `Vec` of token ids per sequence: no memory is spent on padding. Each batch is allocated.
impl SequenceSet for [Vec<usize>] {
    type Batch = Tokens;

    fn sequences(&self) -> usize {
        self.len()
    }

    fn steps(&self) -> usize {
        self.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn length(&self, sequence: usize) -> usize {
        self[sequence].len()
    }

    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Tokens) {
        let lengths: Vec<usize> = sequences.iter().map(|&sequence| self[sequence].len()).collect();
        let layout =
            Layout::new(steps, sequences.len()).with_lengths(&lengths).expect("no sequence is longer than the batch");
        let mut ids = Vec::with_capacity(layout.columns());
        for step in 0..steps {
            ids.extend(sequences.iter().map(|&sequence| self[sequence].get(step).copied().unwrap_or(0)));
        }
        *batch = Tokens::new(ids, layout).expect("one id for each column");
    }
}

/// Like a slice.
impl<E> SequenceSet for Vec<E>
where
    [E]: SequenceSet,
{
    type Batch = <[E] as SequenceSet>::Batch;

    fn sequences(&self) -> usize {
        self.as_slice().sequences()
    }

    fn steps(&self) -> usize {
        self.as_slice().steps()
    }

    fn length(&self, sequence: usize) -> usize {
        self.as_slice().length(sequence)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.as_slice().check()
    }

    fn gather(&self, sequences: &[usize], steps: usize, batch: &mut Self::Batch) {
        self.as_slice().gather(sequences, steps, batch);
    }
}

/// The number of steps up to and including the last valid one.
fn length(layout: &Layout, sequence: usize) -> usize {
    layout.last_valid_step(sequence).map_or(0, |last| last + 1)
}
