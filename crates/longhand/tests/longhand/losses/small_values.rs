//! Digits of losses close to zero, and of large intermediate values.

use longhand::nalgebra::DMatrix;
use longhand::{
    ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, LabelSequences, Labels, Layout,
    Loss, Reduction, Sequences, SigmoidCrossEntropy, SoftmaxCrossEntropy,
};

#[track_caller]
fn assert_close(given: f64, expected: f64, relative: f64) {
    assert!((given - expected).abs() <= relative * expected.abs(), "given {given:e}, expected {expected:e}");
}

fn column(values: &[f32]) -> Sequences<f32> {
    Sequences::single(DMatrix::from_column_slice(values.len(), 1, values))
}

/// The loss of one sequence of two classes, with a blank of 0 and the label 1, in both precisions.
fn alignments(logits: &[[f32; 2]]) -> [f64; 2] {
    let values: Vec<f32> = logits.concat();
    let single = Sequences::single(DMatrix::from_column_slice(2, logits.len(), &values));
    let double = Sequences::single(single.values().map(f64::from));
    let (loss, labels) = (ConnectionistTemporalClassification::new(Reduction::Sum), LabelSequences::new(&[[1]]));
    [f64::from(loss.evaluate(&single, &labels, None)), loss.evaluate(&double, &labels, None)]
}

#[test]
fn alignments_that_are_nearly_certain_have_all_digits() {
    let [single, double] = alignments(&[[20.0, 0.0], [0.0, 20.0]]);
    assert_close(single, 2.061_153_618e-9, 3e-7);
    assert_close(double, 2.061_153_618e-9, 1e-9);
    // Blanks, and then the label: nearly every step has a single class that spells it.
    let mut certain = vec![[20.0, 0.0]; 500];
    certain.extend([[0.0, 20.0]; 500]);
    let [single, double] = alignments(&certain);
    assert_close(single, double, 1e-6);
    assert_close(double, 997.0 * 2.061_153_618e-9, 1e-6);
}

#[test]
fn classes_of_small_weight_keep_their_digits() {
    for (weights, logits, expected) in [
        (&[1.0, 0.0][..], &[0.0, -20.0][..], 1.030_576_8e-10),
        (&[1.0, 1e-30, 1e-30], &[0.0, -20.0, -25.0], 6.916_8e-11),
        (&[1.0, 1e-9], &[0.0, -12.0], 3.186_10e-7),
    ] {
        let loss = SoftmaxCrossEntropy::new(Reduction::Sum).with_class_weights(weights).expect("weights");
        let loss = loss.with_label_smoothing(0.1).expect("a share");
        let value = loss.evaluate(&column(logits), &Labels::per_sequence(&[1]), None);
        assert_close(f64::from(value), expected, 2e-5);
    }
}

#[test]
fn large_class_weights_do_not_overflow_in_a_sum_of_them() {
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum).with_class_weights(&[3e37; 50]).expect("weights");
    let loss = loss.with_label_smoothing(0.1).expect("a share");
    let mut gradient = Sequences::default();
    let value = loss.evaluate(&column(&[0.0; 50]), &Labels::per_sequence(&[0]), Some(&mut gradient));
    assert_close(f64::from(value), 3e37 * 50.0_f64.ln(), 1e-5);
    assert!(gradient.values().iter().all(|gradient| gradient.is_finite()));
}

#[test]
fn an_infinite_gradient_stays_at_its_classes() {
    let loss = FocalLoss::new(Reduction::Sum, 2.0).and_then(|loss| loss.with_alpha(&[3e38; 3])).expect("a loss");
    let mut gradient = Sequences::default();
    loss.evaluate(&column(&[0.0, 1.0, 2.0]), &Labels::per_sequence(&[0]), Some(&mut gradient));
    assert_eq!(gradient.values().as_slice(), [f32::NEG_INFINITY, f32::INFINITY, f32::INFINITY]);
}

#[test]
fn large_and_small_log_variances_keep_the_digits_of_the_difference() {
    let evaluate = |smallest: f64, output: [f32; 2], target: f32| {
        let loss = GaussianNegativeLogLikelihood::new(Reduction::Sum).with_smallest_variance(smallest);
        let mut gradient = Sequences::default();
        let value = loss.expect("a variance").evaluate(&column(&output), &column(&[target]), Some(&mut gradient));
        (f64::from(value), gradient.values().as_slice().to_vec())
    };
    let (value, gradient) = evaluate(0.0, [1e22, 100.0], 0.0);
    assert_close(value, 50.0 + 0.5 * (1e44 * (-100.0_f64).exp()), 1e-5);
    assert_close(f64::from(gradient[1]), 0.5 * (1.0 - 1e44 * (-100.0_f64).exp()), 1e-5);
    let (value, gradient) = evaluate(1e-6, [1e20, 87.5], 0.0);
    assert_close(value, 43.75 + 0.5 * (1e40 * (-87.5_f64).exp()), 1e-5);
    assert_close(f64::from(gradient[0]), 1e20 * (-87.5_f64).exp(), 1e-5);
    let (value, _) = evaluate(0.0, [3.0, -200.0], 3.0);
    assert_close(value, -100.0, 1e-6);
}

#[test]
fn shapes_do_not_matter_where_no_step_counts() {
    let nothing = Layout::new(1, 1).with_lengths(&[0]).expect("the lengths fit");
    let invalid = |features| Sequences::<f32>::zeros(features, nothing.clone());
    let loss = SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(&[1.0; 3]).expect("weights");
    assert_eq!(loss.evaluate(&invalid(2), &invalid(2), None).to_bits(), 0.0_f32.to_bits());
    let gaussian = GaussianNegativeLogLikelihood::new(Reduction::Sum);
    assert_eq!(gaussian.evaluate(&invalid(3), &invalid(1), None).to_bits(), 0.0_f32.to_bits());
}
