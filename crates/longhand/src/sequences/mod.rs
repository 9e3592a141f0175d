//! A batch of sequences in one matrix.

mod from_values;

pub(crate) use crate::sizes::reshape;
use crate::{ChangeScalar, Layout, Path, Scalar, Shape, ShapeError, Tensors, sizes};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::{DMatrix, DMatrixView, DMatrixViewMut};

/// A batch of sequences: one contiguous, time-major matrix, `features x (steps * batch)`, and its [`Layout`].
///
/// Step `t` is the `batch` columns from `t * batch` on, so a step is a view, a window of steps is a view, and the
/// product of a weight with every step of every sequence is one matrix product.
///
/// ```
/// use longhand::Sequences;
/// // Two features, three steps, two sequences.
/// let x = Sequences::from_fn(2, 3, 2, |feature, step, sequence| (100 * sequence + 10 * step + feature) as f64);
/// assert_eq!(x.values().shape(), (2, 6));
/// assert_eq!(x.at(2, 1), [120.0, 121.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sequences<T> {
    values: DMatrix<T>,
    layout: Layout,
}

impl<T: Scalar> Default for Sequences<T> {
    fn default() -> Self {
        Sequences { values: DMatrix::from_vec(0, 0, Vec::new()), layout: Layout::default() }
    }
}

impl<T: Scalar> Sequences<T> {
    /// Some of the sequences, in this order: a mini-batch.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    #[track_caller]
    pub fn select(&self, sequences: &[usize]) -> Self {
        let mut selected = Sequences::default();
        let layout = &self.layout;
        selected.reshape_marked(
            self.features(),
            self.steps(),
            sequences.len(),
            |step, b| layout.is_valid(step, sequences[b]),
            |step, b| layout.resets(step, sequences[b]),
        );
        for step in 0..self.steps() {
            for (b, &sequence) in sequences.iter().enumerate() {
                selected.at_mut(step, b).copy_from_slice(self.at(step, sequence));
            }
        }
        selected
    }

    /// Number of features: rows.
    pub fn features(&self) -> usize {
        self.values.nrows()
    }

    /// Number of steps, padding included.
    pub fn steps(&self) -> usize {
        self.layout.steps()
    }

    /// Number of sequences.
    pub fn batch(&self) -> usize {
        self.layout.batch()
    }

    /// Steps, sequences and the marks on them.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The same values under other marks.
    ///
    /// # Errors
    /// If the layout has another number of columns.
    pub fn with_layout(self, layout: Layout) -> Result<Self, ShapeError> {
        Sequences::new(self.values, layout)
    }

    /// All values, `features x (steps * batch)`.
    pub fn values(&self) -> &DMatrix<T> {
        &self.values
    }

    /// All values, mutable.
    pub fn values_mut(&mut self) -> &mut DMatrix<T> {
        &mut self.values
    }

    /// The features of one step of one sequence.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[track_caller]
    pub fn at(&self, step: usize, sequence: usize) -> &[T] {
        self.column(self.layout.column(step, sequence))
    }

    /// The features of one step of one sequence, mutable.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[track_caller]
    pub fn at_mut(&mut self, step: usize, sequence: usize) -> &mut [T] {
        self.column_mut(self.layout.column(step, sequence))
    }

    /// One step of all sequences, `features x batch`.
    ///
    /// # Panics
    /// If there is no such step.
    #[track_caller]
    pub fn step(&self, step: usize) -> DMatrixView<'_, T> {
        self.layout.check_step(step);
        self.values.columns(step * self.batch(), self.batch())
    }

    /// One step of all sequences, mutable.
    ///
    /// # Panics
    /// If there is no such step.
    #[track_caller]
    pub fn step_mut(&mut self, step: usize) -> DMatrixViewMut<'_, T> {
        self.layout.check_step(step);
        let batch = self.batch();
        self.values.columns_mut(step * batch, batch)
    }

    /// Changes the shape and the marks, reusing the memory. The values are unspecified afterwards: the caller must write every
    /// column.
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn reshape(&mut self, features: usize, layout: &Layout) {
        reshape(&mut self.values, features, layout.columns());
        self.layout.copy_from(layout);
    }

    /// Changes the shape, with marks of its own, reusing the memory: for the output of a layer that changes the number of steps.
    /// `valid` and `resets` return the marks of a step and sequence. The values are unspecified afterwards: the caller must write
    /// every column.
    ///
    /// ```
    /// use longhand::{Layout, Sequences};
    ///
    /// // The output of a layer that keeps every second step.
    /// let x = Sequences::<f32>::zeros(3, Layout::new(5, 2).with_lengths(&[5, 2])?);
    /// let (layout, mut y) = (x.layout(), Sequences::default());
    /// y.reshape_marked(3, 3, 2, |step, b| layout.is_valid(2 * step, b), |step, b| layout.resets(2 * step, b));
    /// for step in 0..3 {
    ///     y.step_mut(step).copy_from(&x.step(2 * step));
    /// }
    /// y.clear_padding();
    /// assert_eq!((y.steps(), y.layout().last_valid_step(1)), (3, Some(0)));
    /// # Ok::<(), longhand::ShapeError>(())
    /// ```
    ///
    /// # Panics
    /// If the elements do not fit in the address space.
    #[track_caller]
    pub fn reshape_marked(
        &mut self,
        features: usize,
        steps: usize,
        batch: usize,
        valid: impl Fn(usize, usize) -> bool,
        resets: impl Fn(usize, usize) -> bool,
    ) {
        reshape(&mut self.values, features, sizes::columns(steps, batch));
        self.layout.set_marks(steps, batch, valid, resets);
    }

    /// Copies steps `start..start + steps` of `whole` into `self`: a truncation window.
    ///
    /// # Panics
    /// If `whole` has fewer steps.
    #[track_caller]
    pub fn copy_steps(&mut self, whole: &Sequences<T>, start: usize, steps: usize) {
        let end = start.checked_add(steps).filter(|&end| end <= whole.steps()).unwrap_or_else(|| {
            panic!("{steps} steps from step {start} on are more than there are in sequences of {} steps", whole.steps())
        });
        self.copy_part(whole, start..end, 0..whole.batch());
    }

    /// Copies some steps of some sequences of `whole` into `self`.
    pub(crate) fn copy_part(&mut self, whole: &Sequences<T>, steps: Range<usize>, sequences: Range<usize>) {
        let features = whole.features();
        reshape(&mut self.values, features, steps.len() * sequences.len());
        self.layout.copy_part(&whole.layout, steps.clone(), sequences.clone());
        let from = whole.values.as_slice();
        let to = self.values.as_mut_slice();
        if sequences.len() == whole.batch() {
            let batch = whole.batch();
            to.copy_from_slice(&from[steps.start * batch * features..steps.end * batch * features]);
            return;
        }
        let length = (sequences.len() * features).max(1);
        for (to, step) in to.chunks_exact_mut(length).zip(steps) {
            let first = (step * whole.batch() + sequences.start) * features;
            to.copy_from_slice(&from[first..first + length]);
        }
    }

    /// Sets the columns of invalid steps to zero.
    pub fn clear_padding(&mut self) {
        if self.layout.has_padding() {
            for column in 0..self.layout.columns() {
                if !self.layout.is_valid_column(column) {
                    self.column_mut(column).fill(T::zero());
                }
            }
        }
    }

    #[inline(always)]
    pub(crate) fn column(&self, column: usize) -> &[T] {
        let features = self.features();
        &self.values.as_slice()[column * features..(column + 1) * features]
    }

    #[inline(always)]
    pub(crate) fn column_mut(&mut self, column: usize) -> &mut [T] {
        let features = self.features();
        &mut self.values.as_mut_slice()[column * features..(column + 1) * features]
    }
}

/// `values` with zeros where `layout` has padding: `values` itself where it has none, and otherwise a copy in `cleared`.
///
/// A weight gradient multiplies each column of the input with a column of the output's gradient. Under padding one of
/// them is zero, but zero times NaN is NaN, so the padding must be set to zero.
pub fn without_padding<'a, T: Scalar>(
    values: &'a Sequences<T>,
    layout: &Layout,
    cleared: &'a mut Sequences<T>,
) -> &'a Sequences<T> {
    if !layout.has_padding() {
        return values;
    }
    cleared.reshape(values.features(), layout);
    cleared.values.as_mut_slice().copy_from_slice(values.values.as_slice());
    cleared.clear_padding();
    cleared
}

impl<T: Scalar> Tensors<T> for Sequences<T> {
    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.values.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.values.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.values.visit_pair(path, &other.values, visitor);
    }
}

impl<T: Scalar> ChangeScalar<T> for Sequences<T> {
    type Over<U: Scalar> = Sequences<U>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Sequences<U> {
        Sequences { values: ChangeScalar::map(&self.values, f), layout: self.layout.clone() }
    }
}
