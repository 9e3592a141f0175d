//! The layout of a batch of sequences in a matrix: which steps are valid, and where a sequence is reset.

use crate::{ShapeError, sizes};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Steps, sequences, and the marks on them.
///
/// Column `step * batch + sequence` of a time-major matrix belongs to `step` of `sequence`. A column can carry two marks:
///
/// - *reset*: the carry of this sequence is set to zero before this step;
/// - *invalid* (padding): the carry is kept, and there is no output and no gradient. The input of an invalid step never matters,
///   not even NaN.
///
/// ```
/// use longhand::Layout;
/// let layout = Layout::new(4, 2).with_lengths(&[4, 2])?;
/// assert!(layout.is_valid(1, 1) && !layout.is_valid(2, 1));
/// assert_eq!(layout.last_valid_step(1), Some(1));
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    steps: usize,
    batch: usize,
    /// One mark per column, or empty if all are valid.
    valid: Vec<bool>,
    /// One mark per column, or empty if nothing is reset.
    reset: Vec<bool>,
}

impl Layout {
    /// `steps` valid steps of `batch` sequences, with no reset.
    ///
    /// # Panics
    /// If `steps * batch` exceeds the range of `usize`.
    #[track_caller]
    pub fn new(steps: usize, batch: usize) -> Layout {
        sizes::columns(steps, batch);
        Layout { steps, batch, valid: Vec::new(), reset: Vec::new() }
    }

    /// Marks sequence `b` as valid for its first `lengths[b]` steps only.
    ///
    /// # Errors
    /// If `lengths.len() != batch`, or a length exceeds the number of steps.
    pub fn with_lengths(self, lengths: &[usize]) -> Result<Layout, ShapeError> {
        if lengths.len() != self.batch {
            return Err(ShapeError::Lengths { given: lengths.len(), batch: self.batch });
        }
        if let Some((sequence, &length)) = lengths.iter().enumerate().find(|&(_, &length)| length > self.steps) {
            return Err(ShapeError::Length { sequence, length, steps: self.steps });
        }
        let valid = (0..self.columns()).map(|column| column / self.batch < lengths[column % self.batch]).collect();
        self.with_valid(valid)
    }

    /// Sets the validity mask, one `bool` per column (`step * batch + sequence`).
    ///
    /// # Errors
    /// If `valid.len() != steps * batch`.
    pub fn with_valid(mut self, valid: Vec<bool>) -> Result<Layout, ShapeError> {
        if valid.len() != self.columns() {
            return Err(self.marks_error("valid", valid.len()));
        }
        self.valid = if valid.iter().all(|&mark| mark) { Vec::new() } else { valid };
        Ok(self)
    }

    /// Sets the carry of `sequence` to zero before `step`.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[must_use]
    #[track_caller]
    pub fn with_reset(mut self, step: usize, sequence: usize) -> Layout {
        let (column, columns) = (self.column(step, sequence), self.columns());
        if self.reset.is_empty() {
            self.reset = vec![false; columns];
        }
        self.reset[column] = true;
        self
    }

    /// Number of steps, padding included.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Number of sequences.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Number of columns: `steps * batch`.
    pub fn columns(&self) -> usize {
        self.steps * self.batch
    }

    /// The column of `step` of `sequence`.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[inline]
    #[track_caller]
    pub fn column(&self, step: usize, sequence: usize) -> usize {
        assert!(
            step < self.steps && sequence < self.batch,
            "there is no step {step} of sequence {sequence} in a layout of {} steps of {} sequences, counted from 0",
            self.steps,
            self.batch
        );
        step * self.batch + sequence
    }

    /// Whether `step` of `sequence` is valid.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[track_caller]
    pub fn is_valid(&self, step: usize, sequence: usize) -> bool {
        self.is_valid_column(self.column(step, sequence))
    }

    /// Whether the carry of `sequence` is set to zero before `step`.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[track_caller]
    pub fn resets(&self, step: usize, sequence: usize) -> bool {
        let column = self.column(step, sequence);
        !self.reset.is_empty() && self.reset[column]
    }

    /// Whether any step is invalid.
    pub fn has_padding(&self) -> bool {
        !self.valid.is_empty()
    }

    /// Whether any sequence is reset anywhere.
    pub fn has_resets(&self) -> bool {
        !self.reset.is_empty()
    }

    /// The last valid step of `sequence`, if it has any.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[track_caller]
    pub fn last_valid_step(&self, sequence: usize) -> Option<usize> {
        assert!(sequence < self.batch, "there is no sequence {sequence} in a layout of {} sequences", self.batch);
        (0..self.steps).rev().find(|&step| self.is_valid(step, sequence))
    }

    /// The sequences that are reset before `step`.
    ///
    /// # Panics
    /// If there is no such step.
    #[track_caller]
    pub fn resets_at(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        self.check_step(step);
        let marks = if self.has_resets() { &self.reset[step * self.batch..][..self.batch] } else { &[] };
        marks.iter().enumerate().filter_map(|(sequence, &reset)| reset.then_some(sequence))
    }

    /// The sequences whose `step` is invalid.
    ///
    /// # Panics
    /// If there is no such step.
    #[track_caller]
    pub fn invalid_at(&self, step: usize) -> impl Iterator<Item = usize> + '_ {
        self.check_step(step);
        let marks = if self.has_padding() { &self.valid[step * self.batch..][..self.batch] } else { &[] };
        marks.iter().enumerate().filter_map(|(sequence, &valid)| (!valid).then_some(sequence))
    }

    /// Whether `step` of each sequence is valid; empty if all are.
    #[inline]
    pub fn valid_at(&self, step: usize) -> &[bool] {
        if self.has_padding() { &self.valid[step * self.batch..][..self.batch] } else { &[] }
    }

    #[inline(always)]
    pub(crate) fn is_valid_column(&self, column: usize) -> bool {
        self.valid.is_empty() || self.valid[column]
    }

    /// Copies another layout, reusing the memory of this one.
    pub(crate) fn copy_from(&mut self, other: &Layout) {
        self.copy_part(other, 0..other.steps, 0..other.batch);
    }

    /// Copies the layout of some steps of some sequences of `whole`.
    pub(crate) fn copy_part(&mut self, whole: &Layout, steps: Range<usize>, sequences: Range<usize>) {
        (self.steps, self.batch) = (steps.len(), sequences.len());
        for (marks, of_whole, nothing) in
            [(&mut self.valid, &whole.valid, true), (&mut self.reset, &whole.reset, false)]
        {
            marks.clear();
            if !of_whole.is_empty() {
                for step in steps.clone() {
                    marks.extend_from_slice(&of_whole[step * whole.batch..][sequences.clone()]);
                }
                if !marks.contains(&!nothing) {
                    marks.clear();
                }
            }
        }
    }

    /// Sets the size, and the marks that the functions return for each step and sequence.
    #[track_caller]
    pub(crate) fn set_marks(
        &mut self,
        steps: usize,
        batch: usize,
        valid: impl Fn(usize, usize) -> bool,
        resets: impl Fn(usize, usize) -> bool,
    ) {
        sizes::columns(steps, batch);
        (self.steps, self.batch) = (steps, batch);
        self.valid.clear();
        self.reset.clear();
        for step in 0..steps {
            self.valid.extend((0..batch).map(|sequence| valid(step, sequence)));
            self.reset.extend((0..batch).map(|sequence| resets(step, sequence)));
        }
        if !self.valid.contains(&false) {
            self.valid.clear();
        }
        if !self.reset.contains(&true) {
            self.reset.clear();
        }
    }

    /// Panics unless there is such a step.
    #[inline]
    #[track_caller]
    pub(crate) fn check_step(&self, step: usize) {
        assert!(step < self.steps, "there is no step {step} in a layout of {} steps, counted from 0", self.steps);
    }

    /// Whether both have the same number of steps and of sequences, whatever their marks.
    pub(crate) fn has_size_of(&self, other: &Layout) -> bool {
        (self.steps, self.batch) == (other.steps, other.batch)
    }

    fn marks_error(&self, marks: &'static str, given: usize) -> ShapeError {
        ShapeError::Marks { marks, given, steps: self.steps, batch: self.batch }
    }
}
