//! Confusion matrices.

use serde::Serialize;

use crate::ReportError;
use crate::scores::{check_classes, check_shapes, classes_not_below};

/// A confusion matrix: the number of samples per true class and predicted class.
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
    /// One row per true class, one column per predicted class.
    counts: Vec<Vec<usize>>,
}

impl Confusion {
    /// Counts the pairs of `labels` (true class per sample) and `predictions` (predicted class per sample). `classes`
    /// contains the class names.
    ///
    /// # Errors
    ///
    /// If there are no classes or no labels, if the numbers of labels and predictions differ, or if a label or
    /// prediction is not the index of a class.
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

    /// Predicts the class with the highest logit of each sample. `logits` has the layout of
    /// [`TopK::from_logits`](crate::TopK::from_logits).
    ///
    /// If the true class ties with another class for the highest logit, or a NaN is present, the prediction is a wrong
    /// class: the first of the other classes with the highest logit, NaN counting as highest. So
    /// [`accuracy`](Self::accuracy) equals the top-1 score.
    ///
    /// # Errors
    ///
    /// The errors of [`TopK::from_logits`](crate::TopK::from_logits).
    pub fn from_logits(classes: &[String], logits: &[f32], labels: &[usize]) -> Result<Self, ReportError> {
        check_shapes(classes.len(), logits, labels)?;
        let predictions: Vec<usize> = logits
            .chunks_exact(classes.len())
            .zip(labels)
            .map(|(row, &label)| {
                let key = |class: usize| {
                    if row[class].is_nan() { f32::INFINITY } else { row[class] }
                };
                classes_not_below(row, label)
                    .reduce(|best, class| if key(class) > key(best) { class } else { best })
                    .unwrap_or(label)
            })
            .collect();
        Self::from_predictions(classes, labels, &predictions)
    }

    /// Class names, in the order of the class indices.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of samples of class `truth` that were predicted as class `predicted`; 0 if either index is out of range.
    pub fn count(&self, truth: usize, predicted: usize) -> usize {
        self.counts.get(truth).and_then(|row| row.get(predicted)).copied().unwrap_or(0)
    }

    /// Total number of samples.
    pub fn samples(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// Fraction of all samples that were predicted correctly, between 0 and 1.
    pub fn accuracy(&self) -> f64 {
        let correct: usize = (0..self.classes.len()).map(|class| self.count(class, class)).sum();
        correct as f64 / self.samples() as f64
    }

    /// Recall: of the samples whose true class is `class`, the fraction predicted as `class`; `None` if there are none.
    pub fn recall(&self, class: usize) -> Option<f64> {
        self.fraction_of_true(class, class)
    }

    /// Precision: of the samples predicted as `class`, the fraction whose true class is `class`; `None` if there are
    /// none.
    pub fn precision(&self, class: usize) -> Option<f64> {
        let predicted = (0..self.classes.len()).map(|truth| self.count(truth, class)).sum();
        fraction(self.count(class, class), predicted)
    }

    /// Of the samples whose true class is `truth`, the fraction predicted as `predicted`; `None` if there are none.
    pub(crate) fn fraction_of_true(&self, truth: usize, predicted: usize) -> Option<f64> {
        let of_class = (0..self.classes.len()).map(|class| self.count(truth, class)).sum();
        fraction(self.count(truth, predicted), of_class)
    }
}

fn fraction(part: usize, whole: usize) -> Option<f64> {
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
    fn counts_accuracy_recall_and_precision_are_correct() {
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
    fn inconsistent_inputs_are_rejected() {
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
        fn accuracy_equals_the_top_1_score_with_ties_and_nan(
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
