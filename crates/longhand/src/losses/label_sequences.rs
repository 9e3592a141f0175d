//! Targets that are a sequence of labels for each sequence of outputs, shorter than it and not aligned with it.

use super::Target;
use alloc::vec::Vec;
use core::ops::Range;

/// One sequence of class labels per sequence of outputs, for example the characters of a recording: the target of
/// [`ConnectionistTemporalClassification`](crate::ConnectionistTemporalClassification).
///
/// The labels of a sequence hold for the sequence as a whole, not for particular steps. A sequence may have no labels (an
/// empty slice), or no target at all, and then does not count.
///
/// ```
/// use longhand::LabelSequences;
/// let targets = LabelSequences::new(&[vec![3, 1, 1], vec![], vec![2]]);
/// assert_eq!(targets.labels(0), Some(&[3, 1, 1][..]));
/// assert_eq!(targets.labels(1), Some(&[][..]));
/// assert_eq!(targets.select(&[2, 0]), LabelSequences::new(&[vec![2], vec![3, 1, 1]]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabelSequences {
    /// The labels of all sequences, one after the other.
    labels: Vec<usize>,
    /// Where those of each sequence are; `None` without a target.
    ranges: Vec<Option<Range<usize>>>,
}

impl LabelSequences {
    /// The labels of each sequence.
    pub fn new<S: AsRef<[usize]>>(sequences: &[S]) -> LabelSequences {
        LabelSequences::with_missing(sequences.iter().map(|labels| Some(labels.as_ref())))
    }

    /// The labels of each sequence, or `None` for a sequence without a target.
    pub fn with_missing<'a>(sequences: impl IntoIterator<Item = Option<&'a [usize]>>) -> LabelSequences {
        let mut all = LabelSequences::default();
        sequences.into_iter().for_each(|labels| all.push(labels));
        all
    }

    /// The labels of some of the sequences, in this order.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[must_use]
    #[track_caller]
    pub fn select(&self, sequences: &[usize]) -> LabelSequences {
        let mut selected = LabelSequences::default();
        for &sequence in sequences {
            selected.push(self.labels(sequence));
        }
        selected
    }

    /// The labels of a sequence, or `None` if it has no target.
    ///
    /// # Panics
    /// If there is no such sequence.
    #[track_caller]
    pub fn labels(&self, sequence: usize) -> Option<&[usize]> {
        let sequences = self.ranges.len();
        assert!(sequence < sequences, "there is no sequence {sequence} in labels of {sequences} sequences");
        self.ranges[sequence].clone().map(|range| &self.labels[range])
    }

    /// Adds a sequence.
    fn push(&mut self, labels: Option<&[usize]>) {
        let start = self.labels.len();
        self.labels.extend_from_slice(labels.unwrap_or_default());
        self.ranges.push(labels.map(|labels| start..start + labels.len()));
    }
}

impl Target for LabelSequences {
    /// 1: each sequence has one target.
    fn steps(&self) -> usize {
        1
    }

    fn batch(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the sequence of this column has a target, at any step.
    fn is_present(&self, column: usize) -> bool {
        self.labels(column % self.batch().max(1)).is_some()
    }

    /// A sequence has a target if any of its steps has one.
    fn gather(&mut self, whole: &Self, steps: usize, batch: usize, column: impl Fn(usize, usize) -> Option<usize>) {
        self.labels.clear();
        self.ranges.clear();
        for sequence in 0..batch {
            let from = (0..steps).find_map(|step| column(step, sequence));
            self.push(from.and_then(|column| whole.labels(column % whole.batch())));
        }
    }
}
