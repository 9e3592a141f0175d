//! Accuracy, top-k and the confusion matrix, against values that were computed by hand.

use crate::common::{assert_close, logits};
use longhand::{Labels, Layout, Sequences};
use longhand_training::metrics::{Accuracy, ConfusionMatrix, MetricError, TopK};

/// Three classes and a fourth that does not occur:
///
/// ```text
/// label \ predicted   0  1  2  3
/// 0                   3  1  0  0
/// 1                   1  2  0  0
/// 2                   0  2  0  0
/// ```
fn confusion() -> ConfusionMatrix {
    let mut confusion = ConfusionMatrix::new(4);
    let pairs = [(0, 0), (0, 0), (0, 0), (0, 1), (1, 0), (1, 1), (1, 1), (2, 1), (2, 1)];
    for (label, predicted) in pairs {
        confusion.add(label, Some(predicted)).unwrap();
    }
    confusion
}

/// `sklearn.metrics.classification_report(labels, predicted, zero_division=0)` has the same rows.
#[test]
fn scores_per_class_follow_their_definitions() {
    let confusion = confusion();
    assert_eq!((confusion.total(), confusion.labels(0), confusion.predictions(1)), (9, 4, 5));
    assert_close(confusion.accuracy(), 5.0 / 9.0);
    assert_eq!(confusion.precision(0), Some(3.0 / 4.0));
    assert_eq!(confusion.recall(0), Some(3.0 / 4.0));
    assert_eq!(confusion.f1(0), Some(3.0 / 4.0));
    assert_eq!(confusion.precision(1), Some(2.0 / 5.0));
    assert_eq!(confusion.recall(1), Some(2.0 / 3.0));
    // 2 * 2 / (5 + 3), the harmonic mean of 2/5 and 2/3.
    assert_eq!(confusion.f1(1), Some(0.5));
}

#[test]
fn classes_without_steps_have_no_scores() {
    let confusion = confusion();
    // Never predicted.
    assert_eq!((confusion.precision(2), confusion.recall(2), confusion.f1(2)), (None, Some(0.0), Some(0.0)));
    // Neither predicted nor a label.
    assert_eq!((confusion.precision(3), confusion.recall(3), confusion.f1(3)), (None, None, None));
    // No such class.
    assert_eq!(
        (confusion.precision(4), confusion.count(4, 0), confusion.count(0, 4), confusion.labels(4)),
        (None, 0, 0, 0)
    );
    let empty = ConfusionMatrix::new(2);
    assert_eq!((empty.accuracy(), empty.macro_f1(), Accuracy::new().value()), (None, None, None));
    assert_eq!(TopK::new(1).unwrap().value(), None);
}

/// scikit-learn: the mean over the classes that are a label or a prediction, with `zero_division=0`.
#[test]
fn macro_averages_are_means_over_classes_that_occur() {
    let confusion = confusion();
    assert_close(confusion.macro_precision(), (3.0 / 4.0 + 2.0 / 5.0 + 0.0) / 3.0);
    assert_close(confusion.macro_recall(), (3.0 / 4.0 + 2.0 / 3.0 + 0.0) / 3.0);
    assert_close(confusion.macro_f1(), (3.0 / 4.0 + 0.5 + 0.0) / 3.0);
}

#[test]
fn missing_predictions_lower_recall_and_accuracy() {
    let outputs = logits(&[&[1.0, 0.0], &[f64::NAN, 0.0], &[0.0, 1.0]]);
    let mut confusion = ConfusionMatrix::new(2);
    confusion.update(&outputs, &Labels::per_sequence(&[0, 0, 1])).unwrap();
    assert_eq!((confusion.without_prediction(0), confusion.without_prediction(1), confusion.total()), (1, 0, 3));
    assert_eq!((confusion.recall(0), confusion.precision(0)), (Some(0.5), Some(1.0)));
    assert_close(confusion.accuracy(), 2.0 / 3.0);
    let mut accuracy = Accuracy::new();
    accuracy.update(&outputs, &Labels::per_sequence(&[0, 0, 1])).unwrap();
    assert_eq!((accuracy.right(), accuracy.total()), (2, 3));
}

#[test]
fn the_label_is_among_the_k_largest_logits() {
    let outputs =
        logits(&[&[0.4, 0.3, 0.2, 0.1], &[0.1, 0.2, 0.3, 0.4], &[0.0, 0.0, 0.0, 0.0], &[f64::NAN, 1.0, 0.0, 0.0]]);
    // Ranks of the labels, counted from 1: 2, 4, 2 (the first of equal logits comes first), none.
    let labels = Labels::per_sequence(&[1, 0, 1, 1]);
    for (k, right) in [(1, 0.0), (2, 0.5), (3, 0.5), (4, 0.75), (9, 0.75)] {
        let mut top = TopK::new(k).unwrap();
        top.update(&outputs, &labels).unwrap();
        assert_eq!(top.value(), Some(right), "top {k}");
    }
    assert!(TopK::new(0).is_err());
}

/// Two sequences of three steps: padding, even of NaN, and missing labels do not count.
#[test]
fn padding_and_missing_labels_do_not_count() {
    let layout = Layout::new(3, 2).with_lengths(&[3, 1]).unwrap();
    let mut outputs = Sequences::zeros(2, layout);
    for step in 0..3 {
        outputs.at_mut(step, 0).copy_from_slice(&[0.0, 1.0]);
        outputs.at_mut(step, 1).fill(f64::NAN);
    }
    outputs.at_mut(0, 1).copy_from_slice(&[1.0, 0.0]);
    // The label of (step 1, sequence 0) is missing; those of steps 1 and 2 of sequence 1 are under padding.
    let labels = Labels::per_step(vec![Some(1), Some(0), None, Some(1), Some(0), Some(1)], 2);
    let mut accuracy = Accuracy::new();
    accuracy.update(&outputs, &labels).unwrap();
    assert_eq!((accuracy.right(), accuracy.total()), (2, 3));
    let mut confusion = ConfusionMatrix::new(2);
    confusion.update(&outputs, &labels).unwrap();
    assert_eq!((confusion.total(), confusion.count(0, 1), confusion.without_prediction(1)), (3, 1, 0));

    // One label per sequence holds at every valid step.
    let mut accuracy = Accuracy::new();
    accuracy.update(&outputs, &Labels::per_sequence(&[1, 1])).unwrap();
    assert_eq!((accuracy.right(), accuracy.total()), (3, 4));
}

#[test]
fn updates_that_fail_change_nothing() {
    let outputs = logits(&[&[1.0, 0.0], &[0.0, 1.0]]);
    let mut accuracy = Accuracy::new();
    let error = accuracy.update(&outputs, &Labels::per_sequence(&[0, 2])).unwrap_err();
    assert_eq!(error, MetricError::Class { class: 2, classes: 2 });
    assert_eq!(error.to_string(), "class 2 is not one of 2 classes; expected 0 to 1");
    assert_eq!(accuracy, Accuracy::new());
    let shapes = accuracy.update(&outputs, &Labels::per_sequence(&[0])).unwrap_err();
    assert_eq!(shapes, MetricError::Shape { targets: [1, 1], outputs: [1, 2] });
    let mut confusion = ConfusionMatrix::new(3);
    let features = confusion.update(&outputs, &Labels::per_sequence(&[0, 1])).unwrap_err();
    assert_eq!(features, MetricError::Features { given: 2, expected: 3 });
    assert!(confusion.add(0, Some(3)).is_err() && confusion.add(3, None).is_err());
    assert_eq!(confusion.total(), 0);
    assert!(confusion.merge(&ConfusionMatrix::new(2)).is_err());
}
