//! Targets of losses.

use crate::{Scalar, Sequences};
use alloc::vec::Vec;

/// Targets of a batch of sequences, one per column, time-major like [`Sequences`]: `step * batch + sequence`.
pub trait Target: Default {
    /// Number of steps: 1 when each sequence has one target.
    fn steps(&self) -> usize;

    /// Number of sequences.
    fn batch(&self) -> usize;

    /// Whether this column has a target.
    fn is_present(&self, column: usize) -> bool;

    /// Copies targets of `whole`, reusing the memory: target `column(step, sequence)`, or none, for each of `steps` steps of
    /// `batch` sequences.
    fn gather(&mut self, whole: &Self, steps: usize, batch: usize, column: impl Fn(usize, usize) -> Option<usize>);
}

/// Class labels, counted from 0; a step may have none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    classes: Vec<Option<usize>>,
    steps: usize,
    batch: usize,
}

impl Labels {
    /// One label per sequence, which holds at every step of it.
    pub fn per_sequence(classes: &[usize]) -> Labels {
        Labels { classes: classes.iter().copied().map(Some).collect(), steps: 1, batch: classes.len() }
    }

    /// One optional label per step, step by step, not sequence by sequence: the label of (step, sequence) is at
    /// `step * batch + sequence`. `None` skips the step.
    ///
    /// # Panics
    /// If the number of labels is no multiple of `batch`.
    #[track_caller]
    pub fn per_step(classes: Vec<Option<usize>>, batch: usize) -> Labels {
        assert!(
            classes.len().is_multiple_of(batch),
            "{} labels cannot be divided into steps of {batch} sequences",
            classes.len()
        );
        Labels { steps: classes.len().checked_div(batch).unwrap_or(0), classes, batch }
    }

    /// One label per step, sequence by sequence, for sequences of different lengths: the labels of
    /// [`Sequences::ragged`].
    ///
    /// ```
    /// use longhand::Labels;
    /// let labels = Labels::ragged(&[vec![1, 0, 2], vec![1]]);
    /// // The label of step 1 of both sequences: the second sequence has ended.
    /// assert_eq!((labels.class(2), labels.class(3)), (Some(0), None));
    /// ```
    pub fn ragged<S: AsRef<[usize]>>(sequences: &[S]) -> Labels {
        let steps = sequences.iter().map(|labels| labels.as_ref().len()).max().unwrap_or(0);
        let mut classes = Vec::with_capacity(steps * sequences.len());
        for step in 0..steps {
            classes.extend(sequences.iter().map(|labels| labels.as_ref().get(step).copied()));
        }
        Labels { classes, steps, batch: sequences.len() }
    }

    /// One label per step as in [`per_step`](Labels::per_step), from signed ids of which one marks the steps to skip: the
    /// `ignore_index` of PyTorch, -100 by default there. To skip a class of labels made in another way, see
    /// [`without_class`](Labels::without_class).
    ///
    /// ```
    /// use longhand::Labels;
    /// let labels = Labels::per_step_ignoring(&[2, -100, 0, 1], -100, 2);
    /// assert_eq!(labels, Labels::per_step(vec![Some(2), None, Some(0), Some(1)], 2));
    /// ```
    ///
    /// # Panics
    /// If another id is negative, or as [`per_step`](Labels::per_step).
    #[track_caller]
    pub fn per_step_ignoring(ids: &[i64], ignored: i64, batch: usize) -> Labels {
        let mut classes = Vec::with_capacity(ids.len());
        for (index, &id) in ids.iter().enumerate() {
            let class = usize::try_from(id).ok();
            assert!(
                id == ignored || class.is_some(),
                "label {index} is {id}; labels must be 0 or greater, or {ignored} to skip the step"
            );
            classes.push(class.filter(|_| id != ignored));
        }
        Labels::per_step(classes, batch)
    }

    /// These labels without those of one class, whose steps are skipped then: for a padding token, for example.
    ///
    /// ```
    /// use longhand::Labels;
    /// let labels = Labels::per_step(vec![Some(3), Some(0)], 1).without_class(0);
    /// assert_eq!(labels, Labels::per_step(vec![Some(3), None], 1));
    /// ```
    #[must_use]
    pub fn without_class(mut self, class: usize) -> Labels {
        for label in &mut self.classes {
            *label = label.filter(|&label| label != class);
        }
        self
    }

    /// The labels of some of the sequences, in this order.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    #[track_caller]
    pub fn select(&self, sequences: &[usize]) -> Labels {
        let mut classes = Vec::with_capacity(self.steps * sequences.len());
        for step in 0..self.steps {
            for &sequence in sequences {
                assert!(sequence < self.batch, "there is no sequence {sequence} in labels of {} sequences", self.batch);
                classes.push(self.classes[step * self.batch + sequence]);
            }
        }
        Labels { classes, steps: self.steps, batch: sequences.len() }
    }

    /// Replaces the labels by one label per sequence, reusing the memory.
    pub fn set_per_sequence(&mut self, classes: impl Iterator<Item = usize>) {
        self.classes.clear();
        self.classes.extend(classes.map(Some));
        (self.steps, self.batch) = (1, self.classes.len());
    }

    /// The label of a column, if it has one.
    ///
    /// # Panics
    /// If there is no such column.
    #[track_caller]
    pub fn class(&self, column: usize) -> Option<usize> {
        let columns = self.classes.len();
        assert!(column < columns, "there is no column {column} in labels of {columns} columns, counted from 0");
        self.classes[column]
    }
}

impl Target for Labels {
    fn steps(&self) -> usize {
        self.steps
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn is_present(&self, column: usize) -> bool {
        self.class(column).is_some()
    }

    fn gather(&mut self, whole: &Self, steps: usize, batch: usize, column: impl Fn(usize, usize) -> Option<usize>) {
        (self.steps, self.batch) = (steps, batch);
        self.classes.clear();
        for step in 0..steps {
            let classes = (0..batch).map(|sequence| whole.classes[column(step, sequence)?]);
            self.classes.extend(classes);
        }
    }
}

/// Real targets; an invalid step has none.
impl<T: Scalar> Target for Sequences<T> {
    fn steps(&self) -> usize {
        Sequences::steps(self)
    }

    fn batch(&self) -> usize {
        Sequences::batch(self)
    }

    fn is_present(&self, column: usize) -> bool {
        self.layout().is_valid_column(column)
    }

    fn gather(&mut self, whole: &Self, steps: usize, batch: usize, column: impl Fn(usize, usize) -> Option<usize>) {
        let present = |step: usize, sequence: usize| column(step, sequence).filter(|&from| whole.is_present(from));
        self.reshape_marked(
            whole.features(),
            steps,
            batch,
            |step, sequence| present(step, sequence).is_some(),
            |_, _| false,
        );
        for step in 0..steps {
            for sequence in 0..batch {
                let to = self.at_mut(step, sequence);
                match present(step, sequence) {
                    Some(from) => to.copy_from_slice(whole.column(from)),
                    None => to.fill(T::zero()),
                }
            }
        }
    }
}
