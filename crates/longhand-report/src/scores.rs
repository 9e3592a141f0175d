//! Top-k scores.

use serde::Serialize;

use crate::ReportError;

/// The top-1 to top-K scores of a classifier on a set of samples, K being the number of classes.
///
/// The top-k score is the share of samples whose true class is among the k classes of the highest logits.
/// The rank of the true class is the number of *other* classes whose logit is not below its own, so that
///
/// - a tie counts against the model (a model that says the same of every class scores 0, not 1/K);
/// - a NaN counts against it too, whether it stands at the true class or at another one;
/// - top-K is always 1, and the scores never fall from k to k + 1.
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
    /// Scores `logits` (one row of `classes` values for each sample, sample after sample, in any unit that
    /// grows with belief: logits, log-probabilities or probabilities) against the true classes `labels`.
    ///
    /// # Errors
    ///
    /// If there are no classes or no labels, if `logits` has not `classes * labels.len()` values, or if a label
    /// is not below `classes`.
    pub fn from_logits(classes: usize, logits: &[f32], labels: &[usize]) -> Result<Self, ReportError> {
        check(classes, logits, labels)?;
        let mut of_rank = vec![0_usize; classes];
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            of_rank[rivals(row, label).count()] += 1;
        }
        let mut within = 0;
        let scores = of_rank.iter().map(|&samples| {
            within += samples;
            within as f64 / labels.len() as f64
        });
        Ok(Self { scores: scores.collect() })
    }

    /// The top-`k` score, between 0 and 1; `k` counts from 1.
    ///
    /// 0 for `k` = 0, and 1 for any `k` beyond the number of classes.
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

/// The classes other than the true one that are *not below* it: NaN on either side makes a rival.
pub(crate) fn rivals(row: &[f32], label: usize) -> impl Iterator<Item = usize> {
    let own = row[label];
    (0..row.len()).filter(move |&class| {
        let below = row[class] < own;
        class != label && !below
    })
}

/// Refuses logits and labels that do not fit each other.
pub(crate) fn check(classes: usize, logits: &[f32], labels: &[usize]) -> Result<(), ReportError> {
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

/// Refuses class indices that are not below `classes`.
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
    fn by_hand() {
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
    fn k_outside_the_classes() {
        let scores = TopK::from_logits(2, &[0.0, 1.0], &[0]).unwrap();
        let tops = [0, 1, 2, 9].map(|k| scores.top(k));
        assert_eq!(tops.to_vec(), [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn misfits_are_refused() {
        let message = |classes, logits: &[f32], labels: &[usize]| {
            TopK::from_logits(classes, logits, labels).unwrap_err().to_string()
        };
        assert_eq!(message(0, &[], &[]), "there are no classes to score against");
        assert_eq!(message(2, &[], &[]), "there are no samples to score");
        assert_eq!(message(2, &[0.0; 3], &[0]), "3 logits do not make 2 for each of 1 labels");
        assert_eq!(message(2, &[0.0; 2], &[2]), "sample 0 has class 2, but there are only 2 classes, counted from 0");
    }

    proptest! {
        #[test]
        fn never_falls_and_ends_at_one(
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
