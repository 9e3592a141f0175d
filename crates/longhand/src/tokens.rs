//! A batch of sequences of token ids.

use crate::{ChangeScalar, Layout, Path, Scalar, SequenceInput, Shape, ShapeError, Tensors};
use alloc::vec::Vec;
use core::ops::Range;

/// A batch of sequences of token ids (characters, words, events): the input of an [`Embedding`](crate::Embedding).
///
/// The ids are in the order of [`Sequences`](crate::Sequences): the id of `step` of `sequence` is at `step * batch + sequence`.
/// Ids have no gradient.
///
/// ```
/// use longhand::Tokens;
/// let tokens = Tokens::ragged(&[vec![3, 1, 4], vec![2]]);
/// assert_eq!((tokens.steps(), tokens.batch()), (3, 2));
/// assert_eq!((tokens.at(1, 0), tokens.at(0, 1)), (1, 2));
/// assert!(!tokens.layout().is_valid(1, 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    ids: Vec<usize>,
    layout: Layout,
}

impl Tokens {
    /// Ids in the order of time, step by step.
    ///
    /// # Errors
    /// If there is not one id for each step of each sequence.
    pub fn new(ids: Vec<usize>, layout: Layout) -> Result<Self, ShapeError> {
        if ids.len() == layout.columns() {
            Ok(Tokens { ids, layout })
        } else {
            Err(ShapeError::Columns { columns: ids.len(), steps: layout.steps(), batch: layout.batch() })
        }
    }

    /// One sequence of ids.
    pub fn single(ids: Vec<usize>) -> Self {
        let layout = Layout::new(ids.len(), 1);
        Tokens { ids, layout }
    }

    /// A batch of sequences of different lengths, padded at the end with invalid steps.
    ///
    /// # Panics
    /// If the number of steps times the number of sequences exceeds the range of `usize`.
    #[track_caller]
    pub fn ragged<S: AsRef<[usize]>>(sequences: &[S]) -> Self {
        let lengths: Vec<usize> = sequences.iter().map(|ids| ids.as_ref().len()).collect();
        let steps = lengths.iter().copied().max().unwrap_or(0);
        let layout = Layout::new(steps, sequences.len()).with_lengths(&lengths).expect("one length for each sequence");
        let mut ids = Vec::with_capacity(layout.columns());
        for step in 0..steps {
            ids.extend(sequences.iter().map(|sequence| sequence.as_ref().get(step).copied().unwrap_or(0)));
        }
        Tokens { ids, layout }
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

    /// The id of one step of one sequence; of no meaning at an invalid step.
    ///
    /// # Panics
    /// If there is no such step or sequence.
    #[track_caller]
    pub fn at(&self, step: usize, sequence: usize) -> usize {
        self.ids[self.layout.column(step, sequence)]
    }

    /// All ids, one per column.
    pub(crate) fn ids(&self) -> &[usize] {
        &self.ids
    }
}

impl SequenceInput for Tokens {
    type Step = usize;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn copy_part(&mut self, whole: &Self, steps: Range<usize>, sequences: Range<usize>) {
        self.layout.copy_part(&whole.layout, steps.clone(), sequences.clone());
        self.ids.clear();
        for step in steps {
            let first = step * whole.batch();
            self.ids.extend_from_slice(&whole.ids[first + sequences.start..first + sequences.end]);
        }
    }
}

/// No tensors: ids have no gradient.
impl<T: Scalar> Tensors<T> for Tokens {
    fn visit(&self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {}

    fn visit_mut(&mut self, _: &Path<'_>, _: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {}

    fn visit_pair(&mut self, _: &Path<'_>, _: &Self, _: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {}
}

impl<T: Scalar> ChangeScalar<T> for Tokens {
    type Over<U: Scalar> = Tokens;

    fn map<U: Scalar>(&self, _: &mut dyn FnMut(T) -> U) -> Tokens {
        self.clone()
    }
}
