//! The confusion matrix.

use serde::Serialize;

use crate::ReportError;
use crate::scores::{check, check_classes, rivals};

/// How often each true class was taken for each class.
///
/// ```
/// use longhand_report::Confusion;
///
/// let classes = ["sitting", "walking"].map(String::from);
/// let confusion = Confusion::from_predictions(&classes, &[0, 0, 1, 1], &[0, 1, 1, 1])?;
/// assert_eq!(confusion.count(0, 1), 1);
/// assert_eq!(confusion.accuracy(), 0.75);
/// assert_eq!(confusion.recall(0), Some(0.5));
/// # Ok::<(), longhand_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    classes: Vec<String>,
    /// One row for each true class, one column for each predicted class.
    counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Counts `predictions` (a class index for each sample) against the true classes `labels`; `classes` are
    /// the names.
    ///
    /// # Errors
    ///
    /// If there are no classes or no labels, if labels and predictions are not equally many, or if one of them
    /// is not the index of a class.
    pub fn from_predictions(classes: &[String], labels: &[usize], predictions: &[usize]) -> Result<Self, ReportError> {
        if classes.is_empty() {
            return Err(ReportError::NoClasses);
        }
        if labels.is_empty() {
            return Err(ReportError::NoSamples);
        }
        if labels.len() != predictions.len() {
            return Err(ReportError::PredictionsShape { labels: labels.len(), predictions: predictions.len() });
        }
        check_classes(classes.len(), labels)?;
        check_classes(classes.len(), predictions)?;

        let mut counts = vec![vec![0; classes.len()]; classes.len()];
        for (&label, &prediction) in labels.iter().zip(predictions) {
            counts[label][prediction] += 1;
        }
        Ok(Self { classes: classes.to_vec(), counts })
    }

    /// Takes the class of the highest logit as the prediction; `logits` as in
    /// [`TopK::from_logits`](crate::TopK::from_logits).
    ///
    /// Where the true class ties with another, or a NaN stands in its way, the prediction is the first of the
    /// highest *other* classes (NaN being highest), so [`accuracy`](Self::accuracy) is the top-1 score exactly.
    ///
    /// # Errors
    ///
    /// As [`TopK::from_logits`](crate::TopK::from_logits).
    pub fn from_logits(classes: &[String], logits: &[f32], labels: &[usize]) -> Result<Self, ReportError> {
        check(classes.len(), logits, labels)?;
        let predictions: Vec<usize> = logits
            .chunks_exact(classes.len())
            .zip(labels)
            .map(|(row, &label)| {
                let key = |class: usize| {
                    if row[class].is_nan() { f32::INFINITY } else { row[class] }
                };
                rivals(row, label)
                    .reduce(|best, class| if key(class) > key(best) { class } else { best })
                    .unwrap_or(label)
            })
            .collect();
        Self::from_predictions(classes, labels, &predictions)
    }

    /// The names of the classes, in the order of their indices.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of samples of class `truth` that were predicted as class `predicted`; 0 if either is no class.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// Number of all samples.
    pub fn samples(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// The share of all samples that were predicted right, between 0 and 1.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..self.classes.len()).map(|class| self.count(class, class)).sum();
        right as f64 / self.samples() as f64
    }

    /// Of the samples that *are* of `class`, the share that was predicted so; `None` if there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        self.share_of_true(class, class)
    }

    /// Of the samples that were *predicted* as `class`, the share that is so; `None` if there are none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        let predicted = (0..self.classes.len()).map(|truth| self.count(truth, class)).sum();
        share(self.count(class, class), predicted)
    }

    /// Of the samples of class `truth`, the share that was predicted as `predicted`; `None` if there are none.
    pub(crate) fn share_of_true(&self, truth: usize, predicted: usize) -> Option<f64> {
        let of_class = (0..self.classes.len()).map(|class| self.count(truth, class)).sum();
        share(self.count(truth, predicted), of_class)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopK;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn counts_and_shares() {
        let confusion = Confusion::from_predictions(&names(3), &[0, 0, 0, 1, 1], &[0, 0, 1, 1, 0]).unwrap();
        assert_eq!((confusion.count(0, 0), confusion.count(0, 1), confusion.count(1, 0)), (2, 1, 1));
        assert_eq!(confusion.count(0, 7), 0);
        assert_eq!(confusion.samples(), 5);
        assert!((confusion.accuracy() - 0.6).abs() < 1e-12);
        assert_eq!(confusion.recall(0), Some(2.0 / 3.0));
        assert_eq!(confusion.precision(1), Some(0.5));
        assert_eq!((confusion.recall(2), confusion.precision(2), confusion.recall(9)), (None, None, None));
    }

    #[test]
    fn misfits_are_refused() {
        assert!(matches!(Confusion::from_predictions(&[], &[0], &[0]), Err(ReportError::NoClasses)));
        assert!(matches!(Confusion::from_predictions(&names(2), &[], &[]), Err(ReportError::NoSamples)));
        assert!(matches!(
            Confusion::from_predictions(&names(2), &[0], &[0, 1]),
            Err(ReportError::PredictionsShape { labels: 1, predictions: 2 })
        ));
        assert!(matches!(
            Confusion::from_predictions(&names(2), &[0, 1], &[0, 2]),
            Err(ReportError::ClassOutOfRange { sample: 1, class: 2, classes: 2 })
        ));
    }

    proptest! {
        #[test]
        fn logits_give_the_top_1_score_even_with_ties_and_nan(
            samples in proptest::collection::vec(
                (proptest::collection::vec(prop_oneof![Just(f32::NAN), Just(0.0), Just(1.0), any::<f32>()], 4), 0_usize..4),
                1..20,
            )
        ) {
            let logits: Vec<f32> = samples.iter().flat_map(|(row, _)| row.clone()).collect();
            let labels: Vec<usize> = samples.iter().map(|&(_, label)| label).collect();
            let confusion = Confusion::from_logits(&names(4), &logits, &labels).unwrap();
            let top_1 = TopK::from_logits(4, &logits, &labels).unwrap().top(1);
            prop_assert!((confusion.accuracy() - top_1).abs() < 1e-12);
            prop_assert_eq!(confusion.samples(), labels.len());
            for class in 0..4 {
                let of_class: usize = (0..4).map(|predicted| confusion.count(class, predicted)).sum();
                prop_assert_eq!(of_class, labels.iter().filter(|&&label| label == class).count());
            }
        }
    }
}
