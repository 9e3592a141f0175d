//! Accuracy of losses for large logits, for probabilities close to 1, and in long sums.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use longhand::nalgebra::DMatrix;
use longhand::{
    Labels, Layout, Loss, MeanSquaredError, Reduction, Sequences, SigmoidCrossEntropy, SoftmaxCrossEntropy,
};

const SIGMOID: fn(Reduction) -> SigmoidCrossEntropy = SigmoidCrossEntropy::new;

fn column(values: &[f32]) -> Sequences<f32> {
    Sequences::single(DMatrix::from_column_slice(values.len(), 1, values))
}

fn softmax(logits: &[f32], label: usize, smoothing: f64) -> (f32, Vec<f32>) {
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum).with_label_smoothing(smoothing).expect("the value is in range");
    let mut gradient = Sequences::default();
    let value = loss.evaluate(&column(logits), &Labels::per_sequence(&[label]), Some(&mut gradient));
    (value, gradient.values().as_slice().to_vec())
}

fn sigmoid(logit: f32, target: f32) -> (f32, f32) {
    let mut gradient = Sequences::default();
    let value = SIGMOID(Reduction::Sum).evaluate(&column(&[logit]), &column(&[target]), Some(&mut gradient));
    (value, gradient.values()[0])
}

#[track_caller]
fn assert_near(what: &str, given: f32, expected: f64, tolerance: f64) {
    let error = (f64::from(given) - expected).abs();
    assert!(error <= tolerance, "{what}: got {given:e}, expected {expected:e}, error {error:e}");
}

#[test]
fn softmax_cross_entropy_of_large_equal_logits_is_accurate() {
    for logit in [0.0, 1.0, 1e6, 1e7, 1e8, -1e8, 1e30] {
        let (value, gradient) = softmax(&[logit, logit], 1, 0.0);
        assert_near("loss", value, 2.0_f64.ln(), 1e-7);
        assert_eq!(gradient, [0.5, -0.5]);
        assert_near("smoothed loss", softmax(&[logit, logit], 1, 0.1).0, 2.0_f64.ln(), 1e-7);
    }
    assert_near("loss", softmax(&[12.0, 0.0], 0, 0.0).0, (-12.0_f64).exp().ln_1p(), 1e-12);
}

/// The reference is the definition in `f64`, which is accurate at these sizes.
#[test]
fn softmax_cross_entropy_at_f32_agrees_with_f64() {
    for (a, b) in (-40..=40).step_by(4).flat_map(|a| (-40..=40).step_by(5).map(move |b| (a as f32, b as f32))) {
        let logits = [a, b, 0.5];
        for (label, smoothing) in [(0, 0.0), (1, 0.0), (2, 0.0), (0, 0.1), (2, 0.3)] {
            let (value, gradient) = softmax(&logits, label, smoothing);
            let of = |j: usize| f64::from(logits[j]);
            // -log p_j is ln_1p of the sum of the other classes' exponentials relative to class j.
            let loss = |j: usize| (0..3).filter(|&i| i != j).map(|i| (of(i) - of(j)).exp()).sum::<f64>().ln_1p();
            let target = |j: usize| smoothing / 3.0 + if j == label { 1.0 - smoothing } else { 0.0 };
            let expected: f64 = (0..3).filter(|&j| target(j) > 0.0).map(|j| target(j) * loss(j)).sum();
            assert_near(&format!("{logits:?}, {label}, {smoothing}"), value, expected, 4e-7 * expected);
            for (j, &d) in gradient.iter().enumerate() {
                // p_j - q_j. At the label, p - 1 = expm1(-loss) avoids cancellation.
                let rest = target(j) - if j == label { 1.0 } else { 0.0 };
                let p = if j == label { (-loss(j)).exp_m1() } else { (-loss(j)).exp() };
                let size = p.abs().max(rest.abs());
                assert_near(&format!("{logits:?}, {label}, {smoothing}: {j}"), d, p - rest, 1e-6 * size + 1e-19);
            }
        }
    }
}

#[test]
fn sigmoid_cross_entropy_of_large_logits_does_not_cancel() {
    let (value, gradient) = sigmoid(16.0, 1.0);
    assert_near("loss", value, (-16.0_f64).exp().ln_1p(), 1e-13);
    assert_near("gradient", gradient, -1.0 / (1.0 + 16.0_f64.exp()), 1e-13);
    let (mirrored, mirrored_gradient) = sigmoid(-16.0, 0.0);
    assert_eq!((mirrored, mirrored_gradient), (value, -gradient));
}

/// The reference is the definition in `f64`, in a form without cancellation, for hard and soft targets.
#[test]
fn sigmoid_cross_entropy_at_f32_agrees_with_f64() {
    for z in (-160..=160).map(|z| z as f32 * 0.25) {
        for d in [0.0, 1e-6, 0.1, 0.5, 0.9, 1.0 - 1e-6, 1.0] {
            let (value, gradient) = sigmoid(z, d);
            let (wide, target) = (f64::from(z), f64::from(d));
            // -log y and -log (1 - y).
            let (one, zero) = ((-wide).exp().ln_1p(), wide.exp().ln_1p());
            let expected = target * one + (1.0 - target) * zero;
            assert_near(&format!("loss of {z}, {d}"), value, expected, 3e-7 * expected);
            let (y, not_y) = (1.0 / (1.0 + (-wide).exp()), 1.0 / (1.0 + wide.exp()));
            let expected = if z >= 0.0 { (1.0 - target) - not_y } else { y - target };
            let size = if z >= 0.0 { not_y.max(1.0 - target) } else { y.max(target) };
            assert_near(&format!("gradient of {z}, {d}"), gradient, expected, 3e-7 * size + 1e-19);
        }
    }
}

#[test]
fn losses_over_a_million_terms_are_accurate() {
    const TERMS: usize = 1_000_000;
    let loss = MeanSquaredError::new(Reduction::MeanOverElements);
    for (features, steps) in [(TERMS, 1), (1, TERMS), (1000, TERMS / 1000)] {
        let output = Sequences::from_fn(features, steps, 1, |_, _, _| 0.1_f32);
        let target = Sequences::zeros(features, Layout::new(steps, 1));
        assert_near("mean squared error", loss.evaluate(&output, &target, None), 0.01, 2e-9);
        let value = SIGMOID(Reduction::MeanOverElements).evaluate(&output, &target, None);
        assert_near("sigmoid cross-entropy", value, 0.1_f64.exp().ln_1p(), 2e-7);
    }
    let logits = vec![0.1_f32; TERMS];
    assert_near("softmax cross-entropy", softmax(&logits, 3, 0.0).0, (TERMS as f64).ln(), 2e-6);
    assert_near("smoothed softmax cross-entropy", softmax(&logits, 3, 0.1).0, (TERMS as f64).ln(), 2e-6);
}

/// The product of two elements of a gradient must not be subnormal. NaN must stay NaN.
#[test]
fn small_gradients_are_flushed_to_zero() {
    let small = [2e-19_f32, -2e-19, 1e-20, -1e-20, 1e-40, 0.0, f32::NAN, 1.0];
    let mut gradient = Sequences::default();
    let target = column(&[0.0; 8]);
    MeanSquaredError::new(Reduction::Sum).evaluate(&column(&small), &target, Some(&mut gradient));
    let given = gradient.values().as_slice();
    assert_eq!(given[..6], [4e-19, -4e-19, 0.0, 0.0, 0.0, 0.0]);
    assert!(given[6].is_nan() && given[7] == 2.0);
    // The threshold applies to the gradient after the reduction.
    MeanSquaredError::new(Reduction::MeanOverElements).evaluate(&column(&small), &target, Some(&mut gradient));
    assert_eq!(gradient.values().as_slice()[..2], [0.0, 0.0]);

    let small = Sequences::single(DMatrix::from_column_slice(3, 1, &[1e-153_f64, -1e-155, 1e-310]));
    let target = Sequences::zeros(3, Layout::new(1, 1));
    let mut gradient = Sequences::default();
    MeanSquaredError::new(Reduction::Sum).evaluate(&small, &target, Some(&mut gradient));
    assert_eq!(gradient.values().as_slice(), [2e-153, 0.0, 0.0]);
}
