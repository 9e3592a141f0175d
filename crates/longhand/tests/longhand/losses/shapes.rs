//! Losses reject targets whose shape differs from that of the outputs, and labels beyond the classes.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use longhand::{
    Labels, Layout, Loss, MeanSquaredError, Reduction, Sequences, SigmoidCrossEntropy, SoftmaxCrossEntropy,
};

fn zeros(features: usize, steps: usize, batch: usize) -> Sequences<f64> {
    Sequences::zeros(features, Layout::new(steps, batch))
}

#[test]
#[should_panic(expected = "the targets are for 3 steps of 2 sequences, but the output has 2 steps of 3 sequences")]
fn targets_with_equal_columns_but_other_steps_are_rejected() {
    MeanSquaredError::new(Reduction::Sum).evaluate(&zeros(4, 2, 3), &zeros(4, 3, 2), None);
}

#[test]
#[should_panic(expected = "the targets are for 1 steps of 6 sequences, but the output has 6 steps of 1 sequences")]
fn labels_per_sequence_are_rejected_as_labels_per_step() {
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    loss.evaluate(&zeros(4, 6, 1), &Labels::per_sequence(&[0; 6]), None);
}

#[test]
#[should_panic(expected = "the target has 3 features, the output 4")]
fn targets_with_other_features_are_rejected() {
    SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&zeros(4, 2, 3), &zeros(3, 2, 3), None);
}

#[test]
#[should_panic(expected = "label 6 of sequence 1 at step 0 is not one of 6 classes; expected 0 to 5")]
fn a_one_hot_label_beyond_the_classes_is_named() {
    SigmoidCrossEntropy::one_hot::<f32>(6, &[0, 6]);
}

#[test]
#[should_panic(expected = "label 7 of sequence 1 at step 2 is not one of 4 classes; expected 0 to 3")]
fn a_label_beyond_the_classes_is_named_by_step_and_sequence() {
    let labels = Labels::per_step(vec![Some(0), Some(1), None, None, Some(3), Some(7)], 2);
    SoftmaxCrossEntropy::new(Reduction::Sum).evaluate(&zeros(4, 3, 2), &labels, None);
}

#[test]
#[should_panic(expected = "5 labels cannot be divided into steps of 2 sequences")]
fn an_incomplete_step_of_labels_is_rejected() {
    let _labels = Labels::per_step(vec![None; 5], 2);
}

#[test]
fn labels_per_sequence_match_outputs_with_one_step() {
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let value = loss.evaluate(&zeros(4, 1, 3), &Labels::per_sequence(&[0, 1, 2]), None);
    assert!((value - 4.0_f64.ln()).abs() < 1e-15);
}

#[test]
fn a_batch_without_sequences_or_features_has_loss_zero() {
    for (features, steps, batch) in [(4, 1, 0), (4, 3, 0), (4, 0, 2), (0, 3, 2), (0, 0, 0)] {
        let (output, mut gradient) = (zeros(features, steps, batch), zeros(1, 1, 1));
        for reduction in [Reduction::Sum, Reduction::MeanOverSteps, Reduction::MeanOverElements] {
            let squared = MeanSquaredError::new(reduction).evaluate(&output, &output, Some(&mut gradient));
            let sigmoid = SigmoidCrossEntropy::new(reduction).evaluate(&output, &output, Some(&mut gradient));
            assert_eq!((squared, sigmoid), (0.0, 0.0));
            assert_eq!(gradient, output);
        }
    }
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    assert_eq!(loss.evaluate(&zeros(4, 1, 0), &Labels::per_sequence(&[]), None), 0.0);
    assert_eq!(loss.evaluate(&zeros(4, 0, 0), &Labels::per_step(Vec::new(), 0), None), 0.0);
}

#[test]
fn the_scale_of_huge_counts_does_not_overflow() {
    let scale: f64 = Reduction::MeanOverElements.scale(2.0_f64.powi(63), 2);
    assert_eq!(scale, 2.0_f64.powi(-64));
}
