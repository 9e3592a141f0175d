//! Losses: known values, gradients against central differences, reductions, missing targets, extreme logits.

use crate::common;
mod alignments;
mod digits;
mod extremes;
mod shapes;
mod small_values;
mod weights;

use crate::common::{assert_gradient, generator, random_like, random_sequences};
use longhand::{
    Activation, Labels, Layer, Layout, Loss, MeanSquaredError, Pass, Reduction, Sequences, SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
};

const REDUCTIONS: [Reduction; 3] = [Reduction::Sum, Reduction::MeanOverSteps, Reduction::MeanOverElements];

fn assert_near(given: f64, expected: f64, tolerance: f64) {
    assert!((given - expected).abs() <= tolerance * expected.abs().max(1.0), "got {given}, expected {expected}");
}

/// Outputs of 4 features at 3 steps of 2 sequences, the second of which ends after 2 steps.
fn outputs() -> Sequences<f64> {
    let layout = Layout::new(3, 2).with_lengths(&[3, 2]).expect("the lengths fit");
    let mut outputs = random_sequences(4, &layout, &mut generator(1));
    *outputs.values_mut() *= 3.0;
    outputs
}

/// Labels with one missing label. Without the padding, 4 of 6 steps have a loss.
fn labels() -> Labels {
    Labels::per_step(vec![Some(0), Some(3), None, Some(1), Some(2), Some(2)], 2)
}

/// Targets in `[0, 1]` with one missing step. Without the padding, 4 of 6 steps have a loss.
fn targets() -> Sequences<f64> {
    let layout = Layout::new(3, 2).with_valid(vec![true, true, false, true, true, true]).expect("one mark per column");
    let mut targets = random_sequences(4, &layout, &mut generator(2));
    targets.values_mut().apply(|d| *d = 0.5 + 0.5 * *d);
    targets
}

/// Checks a loss and its gradient, and that outputs without a loss have no effect.
fn check<L: Loss<f64>>(name: &str, loss: &L, target: &L::Target) {
    let outputs = outputs();
    let mut d_outputs = Sequences::from_fn(1, 1, 1, |_, _, _| f64::NAN);
    let value = loss.evaluate(&outputs, target, Some(&mut d_outputs));
    assert_eq!(
        value.to_bits(),
        loss.evaluate(&outputs, target, None).to_bits(),
        "{name}: the value must not depend on whether the gradient is computed"
    );
    assert_gradient(name, &outputs, &d_outputs, &mut |outputs| loss.evaluate(outputs, target, None));
    for (step, sequence) in [(1, 0), (2, 1)] {
        assert!(
            d_outputs.at(step, sequence).iter().all(|&d| d == 0.0),
            "{name}: the gradient of a step without loss must be zero"
        );
    }
    // Outputs at steps without loss must not matter, even if they are NaN.
    let mut dirty = outputs.clone();
    dirty.at_mut(1, 0).fill(f64::NAN);
    dirty.at_mut(2, 1).fill(f64::NAN);
    let mut d_dirty = Sequences::default();
    assert_eq!(loss.evaluate(&dirty, target, Some(&mut d_dirty)).to_bits(), value.to_bits(), "{name}");
    assert_eq!(common::bits(&d_dirty), common::bits(&d_outputs), "{name}");
}

#[test]
fn gradients_of_each_loss_under_each_reduction() {
    for reduction in REDUCTIONS {
        check("mean squared error", &MeanSquaredError::new(reduction), &targets());
        check("sigmoid", &SigmoidCrossEntropy::new(reduction), &targets());
        let softmax = SoftmaxCrossEntropy::new(reduction);
        check("softmax", &softmax, &labels());
        check("smoothed softmax", &softmax.with_label_smoothing(0.3).expect("the value is in range"), &labels());
    }
}

#[test]
fn means_divide_by_the_number_of_steps_or_elements_with_a_loss() {
    fn values<L: Loss<f64>>(loss: impl Fn(Reduction) -> L, target: &L::Target) -> [f64; 3] {
        REDUCTIONS.map(|reduction| loss(reduction).evaluate(&outputs(), target, None))
    }
    for [sum, steps, elements] in [
        values(MeanSquaredError::new, &targets()),
        values(SigmoidCrossEntropy::new, &targets()),
        values(SoftmaxCrossEntropy::new, &labels()),
    ] {
        assert_near(steps, sum / 4.0, 1e-14);
        assert_near(elements, sum / 16.0, 1e-14);
    }
}

#[test]
fn a_batch_without_labels_has_loss_zero() {
    let none = Labels::per_step(vec![None; 6], 2);
    for reduction in REDUCTIONS {
        let mut d_outputs = Sequences::default();
        let value = SoftmaxCrossEntropy::new(reduction).evaluate(&outputs(), &none, Some(&mut d_outputs));
        assert_eq!(value.to_bits(), 0.0_f64.to_bits());
        assert!(d_outputs.values().iter().all(|&d| d == 0.0));
    }
}

#[test]
fn losses_have_known_values() {
    let z = Sequences::from_fn(2, 1, 1, |feature, _, _| [1.0, -2.0][feature]);
    let d = Sequences::from_fn(2, 1, 1, |feature, _, _| [0.5, 1.0][feature]);
    let mut gradient = Sequences::default();

    // (1 - 0.5)^2 + (-2 - 1)^2 = 9.25
    let value = MeanSquaredError::new(Reduction::Sum).evaluate(&z, &d, Some(&mut gradient));
    assert_near(value, 9.25, 1e-15);
    assert_eq!(gradient.at(0, 0), [1.0, -6.0]);
    assert_near(MeanSquaredError::new(Reduction::MeanOverElements).evaluate(&z, &d, None), 4.625, 1e-15);

    // log(1 + e) - 0.5, and log(1 + e^-2) + 2.
    let value = SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&z, &d, Some(&mut gradient));
    assert_near(value, 1.313_261_687_518_222_8 - 0.5 + 0.126_928_011_042_972_5 + 2.0, 1e-15);
    assert_near(gradient.at(0, 0)[0], 0.731_058_578_630_004_9 - 0.5, 1e-15);
    assert_near(gradient.at(0, 0)[1], 0.119_202_922_022_117_56 - 1.0, 1e-15);

    // softmax(1, -2) = (1, e^-3) / (1 + e^-3); -log of the second is 3 + log(1 + e^-3).
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    let value = loss.evaluate(&z, &Labels::per_sequence(&[1]), Some(&mut gradient));
    assert_near(value, 3.048_587_351_573_742, 1e-15);
    assert_near(gradient.at(0, 0)[0], 0.952_574_126_822_433_1, 1e-15);
    assert_near(gradient.at(0, 0)[1], -0.952_574_126_822_433_1, 1e-15);

    // Smoothing 0.2 over two classes: target 0.9 for the class, 0.1 for the other.
    let smoothed = loss.with_label_smoothing(0.2).expect("the value is in range");
    let value = smoothed.evaluate(&z, &Labels::per_sequence(&[1]), Some(&mut gradient));
    assert_near(value, 0.9 * 3.048_587_351_573_742 + 0.1 * 0.048_587_351_573_742, 1e-14);
    assert_near(gradient.at(0, 0)[0], 0.952_574_126_822_433_1 - 0.1, 1e-15);
}

#[test]
fn sigmoid_cross_entropy_equals_the_textbook_formula() {
    let (logits, targets) = (outputs(), targets());
    let mut cache = Sequences::default();
    let y = Activation::Sigmoid.forward(&logits, &mut (), &mut cache, &mut Pass::Infer);
    let mut expected = 0.0;
    for (step, sequence) in [(0, 0), (0, 1), (1, 1), (2, 0)] {
        for (&y, &d) in y.at(step, sequence).iter().zip(targets.at(step, sequence)) {
            expected += -d * y.ln() - (1.0 - d) * (1.0 - y).ln();
        }
    }
    assert_near(SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&logits, &targets, None), expected, 1e-13);
}

#[test]
fn one_hot_targets_are_one_at_the_label() {
    let targets: Sequences<f64> = SigmoidCrossEntropy::one_hot(3, &[2, 0]);
    assert_eq!((targets.at(0, 0), targets.at(0, 1)), (&[0.0, 0.0, 1.0][..], &[1.0, 0.0, 0.0][..]));
}

#[test]
fn losses_of_extreme_logits_are_finite_and_correct() {
    for size in [40.0, 1e4, 1e30] {
        let z = Sequences::from_fn(3, 1, 1, |feature, _, _| [size, -size, 0.0][feature]);
        let mut gradient = Sequences::default();
        // Entirely wrong: the loss is the sum of the logits' magnitudes, plus log 2 for the zero logit.
        let wrong = Sequences::from_fn(3, 1, 1, |feature, _, _| [0.0, 1.0, 1.0][feature]);
        let value = SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&z, &wrong, Some(&mut gradient));
        assert_near(value, 2.0 * size + 2.0_f64.ln(), 1e-14);
        assert_eq!(gradient.at(0, 0).iter().map(|d| d.round()).collect::<Vec<_>>(), [1.0, -1.0, -1.0]);
        // Entirely right, except for log 2 of the zero logit.
        let right = Sequences::from_fn(3, 1, 1, |feature, _, _| [1.0, 0.0, 0.5][feature]);
        let value = SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&z, &right, Some(&mut gradient));
        assert_near(value, 2.0_f64.ln(), 1e-14);
        assert!(gradient.values().iter().all(|d| d.abs() < 1e-15));

        for (label, expected) in [(0, 0.0), (1, 2.0 * size), (2, size)] {
            let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
            let value = loss.evaluate(&z, &Labels::per_sequence(&[label]), Some(&mut gradient));
            assert_near(value, expected, 1e-14);
            assert!(gradient.values().iter().all(|d| d.is_finite()));
            assert_near(gradient.values().sum(), 0.0, 1e-15);
        }
    }
    // At f32, where the exponential overflows at 89.
    let z = Sequences::from_fn(2, 1, 1, |feature, _, _| [1e4_f32, -1e4][feature]);
    let mut gradient = Sequences::default();
    let d = SigmoidCrossEntropy::one_hot(2, &[1]);
    assert!((SigmoidCrossEntropy::new(Reduction::Sum).evaluate(&z, &d, Some(&mut gradient)) - 2e4).abs() < 0.01);
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    assert!((loss.evaluate(&z, &Labels::per_sequence(&[1]), Some(&mut gradient)) - 2e4).abs() < 0.01);
    assert_eq!(gradient.at(0, 0), [1.0, -1.0]);
}

/// Adding a constant to all logits must not change the loss, and neither must smoothing by 0.
#[test]
fn softmax_cross_entropy_depends_only_on_differences_of_logits() {
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let mut shifted = outputs();
    shifted.values_mut().apply(|z| *z += 50.0);
    let value = loss.evaluate(&outputs(), &labels(), None);
    assert_near(loss.evaluate(&shifted, &labels(), None), value, 1e-13);
    let smoothed = loss.with_label_smoothing(0.0).expect("the value is in range");
    assert_eq!(smoothed.evaluate(&outputs(), &labels(), None).to_bits(), value.to_bits());
}

#[test]
fn label_smoothing_out_of_range_is_an_error() {
    for smoothing in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
        let error = SoftmaxCrossEntropy::new(Reduction::Sum)
            .with_label_smoothing(smoothing)
            .expect_err("the value is out of range");
        assert!(error.to_string().contains("label smoothing is"), "{error}");
    }
}

#[test]
#[should_panic(expected = "label 4 of sequence 0 at step 0 is not one of 4 classes; expected 0 to 3")]
fn a_label_beyond_the_classes_panics() {
    let loss = SoftmaxCrossEntropy::new(Reduction::Sum);
    loss.evaluate(&outputs(), &Labels::per_step(vec![Some(4); 6], 2), None);
}

#[test]
#[should_panic(expected = "the targets are for 1 steps of 2 sequences, but the output has 3 steps of 2 sequences")]
fn targets_of_another_shape_panic() {
    let loss = MeanSquaredError::new(Reduction::Sum);
    loss.evaluate(&outputs(), &random_like(&Sequences::from_fn(4, 1, 2, |_, _, _| 0.0), &mut generator(3)), None);
}
