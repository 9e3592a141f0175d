//! Top-k scores.

use serde::Serialize;

use crate::ReportError;

/// The top-1 to top-K scores of a classifier on a set of samples, with K the number of classes.
///
/// The top-k score is the fraction of samples whose true class is among the k classes with the highest logits.
/// The rank of the true class is the number of *other* classes whose logit is not below its own. Therefore:
///
/// - A tie counts against the model: a model with equal logits for all classes has a top-1 score of 0, not 1/K.
/// - A NaN counts against the model, both at the true class and at another class.
/// - The top-K score is always 1, and the scores never decrease from k to k + 1.
///
/// ```
/// use longhand_report::TopK;
///
/// // Two samples, three classes; the first is right, the second has its true class in second place.
/// let logits = [0.1, 2.0, -1.0, /* */ 3.0, 1.0, 0.0];
/// let scores = TopK::from_logits(3, &logits, &[1, 1])?;
/// assert_eq!(scores.as_slice(), [0.5, 1.0, 1.0]);
/// assert_eq!(scores.top(1), 0.5);
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TopK {
    scores: Vec<f64>,
}

impl TopK {
    /// Computes the scores of `logits` against the true classes `labels`. `logits` is `labels.len() x classes`,
    /// row-major: one row per sample. Log-probabilities or probabilities work as well, because only the order matters.
    ///
    /// # Errors
    ///
    /// If there are no classes or no labels, if `logits` does not have `classes * labels.len()` values, or if a label
    /// is not below `classes`.
    pub fn from_logits(classes: usize, logits: &[f32], labels: &[usize]) -> Result<Self, ReportError> {
        check_shapes(classes, logits, labels)?;
        let mut samples_by_rank = vec![0_usize; classes];
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            samples_by_rank[classes_not_below(row, label).count()] += 1;
        }
        let mut within = 0;
        let scores = samples_by_rank.iter().map(|&samples| {
            within += samples;
            within as f64 / labels.len() as f64
        });
        Ok(Self { scores: scores.collect() })
    }

    /// The top-`k` score, between 0 and 1. It is 0 for `k` = 0, and 1 for `k` beyond the number of classes.
    pub fn top(&self, k: usize) -> f64 {
        match k {
            0 => 0.0,
            k => self.scores.get(k - 1).copied().unwrap_or(1.0),
        }
    }

    /// The scores from top-1 to top-K.
    pub fn as_slice(&self) -> &[f64] {
        &self.scores
    }
}

/// Lists the classes other than `label` whose logit is not below that of `label`. NaN is never below and has nothing
/// below it.
pub(crate) fn classes_not_below(row: &[f32], label: usize) -> impl Iterator<Item = usize> {
    let own = row[label];
    (0..row.len()).filter(move |&class| {
        let below = row[class] < own;
        class != label && !below
    })
}

/// Checks that logits and labels have matching shapes and that labels are below `classes`.
pub(crate) fn check_shapes(classes: usize, logits: &[f32], labels: &[usize]) -> Result<(), ReportError> {
    if classes == 0 {
        return Err(ReportError::NoClasses);
    }
    if labels.is_empty() {
        return Err(ReportError::NoSamples);
    }
    if labels.len().checked_mul(classes) != Some(logits.len()) {
        return Err(ReportError::LogitsShape { logits: logits.len(), classes, labels: labels.len() });
    }
    check_classes(classes, labels)
}

/// Checks that class indices are below `classes`.
pub(crate) fn check_classes(classes: usize, indices: &[usize]) -> Result<(), ReportError> {
    match indices.iter().position(|&class| class >= classes) {
        Some(sample) => Err(ReportError::ClassOutOfRange { sample, class: indices[sample], classes }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn top(logits: &[f32], labels: &[usize]) -> Vec<f64> {
        TopK::from_logits(logits.len() / labels.len(), logits, labels).unwrap().as_slice().to_vec()
    }

    #[test]
    fn scores_equal_those_computed_by_hand() {
        let logits = [3.0, 2.0, 1.0, 3.0, 2.0, 1.0, 3.0, 2.0, 1.0, 3.0, 2.0, 1.0];
        assert_eq!(top(&logits, &[0, 0, 1, 2]), [0.5, 0.75, 1.0]);
    }

    #[test]
    fn a_tie_counts_against_the_model() {
        assert_eq!(top(&[1.0, 1.0, 0.0], &[0]), [0.0, 1.0, 1.0]);
        assert_eq!(top(&[1.0, 1.0, 1.0], &[2]), [0.0, 0.0, 1.0]);
        assert_eq!(top(&[f32::INFINITY, f32::INFINITY, 0.0], &[1]), [0.0, 1.0, 1.0]);
    }

    #[test]
    fn nan_counts_against_the_model() {
        assert_eq!(top(&[f32::NAN, 0.0, 1.0], &[0]), [0.0, 0.0, 1.0]);
        assert_eq!(top(&[f32::NAN, 0.0, 1.0], &[2]), [0.0, 1.0, 1.0]);
        assert_eq!(top(&[f32::NAN; 3], &[1]), [0.0, 0.0, 1.0]);
    }

    #[test]
    fn k_may_be_out_of_range() {
        let scores = TopK::from_logits(2, &[0.0, 1.0], &[0]).unwrap();
        let tops = [0, 1, 2, 9].map(|k| scores.top(k));
        assert_eq!(tops.to_vec(), [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn inconsistent_inputs_are_rejected() {
        let message = |classes, logits: &[f32], labels: &[usize]| {
            TopK::from_logits(classes, logits, labels).unwrap_err().to_string()
        };
        assert_eq!(message(0, &[], &[]), "there are no classes: expected at least one");
        assert_eq!(message(2, &[], &[]), "there are no samples to score: expected at least one label");
        assert_eq!(message(2, &[0.0; 3], &[0]), "expected 2 logits for each of 1 labels, got 3 logits in total");
        assert_eq!(
            message(2, &[0.0; 2], &[2]),
            "sample 0 has class 2: expected a class below 2, the number of classes"
        );
    }

    proptest! {
        #[test]
        fn scores_never_decrease_and_end_at_1(
            samples in proptest::collection::vec((proptest::collection::vec(any::<f32>(), 5), 0_usize..5), 1..20)
        ) {
            let logits: Vec<f32> = samples.iter().flat_map(|(row, _)| row.clone()).collect();
            let labels: Vec<usize> = samples.iter().map(|&(_, label)| label).collect();
            let scores = TopK::from_logits(5, &logits, &labels).unwrap();
            prop_assert!(scores.as_slice().is_sorted());
            prop_assert!(scores.top(1) >= 0.0);
            prop_assert!((scores.top(5) - 1.0).abs() < f64::EPSILON);
        }
    }
}
