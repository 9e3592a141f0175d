//! Sequences from numbers, matrices and functions.

use super::Sequences;
use crate::{Layout, Scalar, ShapeError, sizes};
use alloc::vec::Vec;
use nalgebra::DMatrix;

impl<T: Scalar> Sequences<T> {
    /// Sequences from a time-major matrix `features x (steps * batch)`.
    ///
    /// # Errors
    /// If the matrix does not have a column for each step of each sequence.
    pub fn new(values: DMatrix<T>, layout: Layout) -> Result<Self, ShapeError> {
        if values.ncols() == layout.columns() {
            Ok(Sequences { values, layout })
        } else {
            Err(ShapeError::Columns { columns: values.ncols(), steps: layout.steps(), batch: layout.batch() })
        }
    }

    /// All zeros.
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn zeros(features: usize, layout: Layout) -> Self {
        Sequences { values: sizes::zero_matrix(features, layout.columns()), layout }
    }

    /// Every element from `f(feature, step, sequence)`; all steps valid, no reset.
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn from_fn(features: usize, steps: usize, batch: usize, mut f: impl FnMut(usize, usize, usize) -> T) -> Self {
        let layout = Layout::new(steps, batch);
        sizes::elements::<T>(features, layout.columns());
        let values = DMatrix::from_fn(features, layout.columns(), |row, column| f(row, column / batch, column % batch));
        Sequences { values, layout }
    }

    /// One sequence from a matrix `features x steps`.
    pub fn single(values: DMatrix<T>) -> Self {
        let layout = Layout::new(values.ncols(), 1);
        Sequences { values, layout }
    }

    /// A batch of sequences of different lengths, each `features x steps`, padded at the end.
    ///
    /// # Errors
    /// If they differ in the number of features.
    ///
    /// # Panics
    /// If the elements do not fit in the address space: every sequence is padded to the length of the longest.
    #[track_caller]
    pub fn ragged(sequences: &[DMatrix<T>]) -> Result<Self, ShapeError> {
        let features = sequences.first().map_or(0, DMatrix::nrows);
        if let Some((sequence, other)) = sequences.iter().enumerate().find(|(_, other)| other.nrows() != features) {
            return Err(ShapeError::Ragged { sequence, given: other.nrows(), expected: features });
        }
        let lengths: Vec<usize> = sequences.iter().map(DMatrix::ncols).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0);
        let layout = Layout::new(steps, sequences.len()).with_lengths(&lengths)?;
        let mut padded = Sequences::zeros(features, layout);
        for (sequence, values) in sequences.iter().enumerate() {
            for step in 0..values.ncols() {
                padded.at_mut(step, sequence).copy_from_slice(values.column(step).as_slice());
            }
        }
        Ok(padded)
    }

    /// Sequences from numbers in the order batch, steps, features, with the features of a step next to each other: that of a
    /// PyTorch tensor with `batch_first=True` and of a NumPy array of that shape.
    ///
    /// ```
    /// use longhand::Sequences;
    /// // Two sequences of two steps of one feature.
    /// let x = Sequences::from_batch_first(&[1.0, 2.0, 3.0, 4.0], [2, 2, 1])?;
    /// assert_eq!((x.at(0, 1), x.at(1, 0)), ([3.0].as_slice(), [2.0].as_slice()));
    /// # Ok::<(), longhand::ShapeError>(())
    /// ```
    ///
    /// # Errors
    /// If there are not `batch * steps * features` numbers.
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn from_batch_first(values: &[T], [batch, steps, features]: [usize; 3]) -> Result<Self, ShapeError> {
        let layout = Layout::new(steps, batch);
        check_count(values, [batch, steps, features])?;
        let mut sequences = Sequences::zeros(features, layout);
        for sequence in 0..batch {
            for step in 0..steps {
                let first = (sequence * steps + step) * features;
                sequences.at_mut(step, sequence).copy_from_slice(&values[first..first + features]);
            }
        }
        Ok(sequences)
    }

    /// Sequences from numbers in the order steps, batch, features: that of a PyTorch tensor with `batch_first=False`, and of the
    /// memory of this type.
    ///
    /// # Errors
    /// If there are not `steps * batch * features` numbers.
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn from_time_first(values: &[T], [steps, batch, features]: [usize; 3]) -> Result<Self, ShapeError> {
        check_count(values, [steps, batch, features])?;
        Sequences::new(DMatrix::from_column_slice(features, steps * batch, values), Layout::new(steps, batch))
    }
}

/// The error of a slice with another number of elements than these sizes have.
fn check_count<T>(values: &[T], sizes: [usize; 3]) -> Result<(), ShapeError> {
    let expected = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if expected == Some(values.len()) { Ok(()) } else { Err(ShapeError::Elements { given: values.len(), sizes }) }
}
