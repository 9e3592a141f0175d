//! Class weights, positive weights and focusing: what they change, and what they must not change.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use super::{REDUCTIONS, assert_near, labels, outputs, targets};
use crate::common::{bits, forward, generator, random_sequences};
use longhand::{
    Batch, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, HyperparameterError, Labels, Layout, Linear, Loss,
    LossAt, MeanAbsoluteError, QuantileLoss, Reduction, Sequences, SigmoidCrossEntropy, SoftmaxCrossEntropy, Tensors,
    Trainer, TruncatedBptt,
};

fn evaluate<L: Loss<f64>>(loss: &L, target: &L::Target) -> (f64, Sequences<f64>) {
    let mut gradient = Sequences::default();
    let value = loss.evaluate(&outputs(), target, Some(&mut gradient));
    (value, gradient)
}

fn assert_equal((value, gradient): &(f64, Sequences<f64>), (other, of_other): &(f64, Sequences<f64>), tolerance: f64) {
    assert_near(*value, *other, tolerance);
    let difference = (gradient.values() - of_other.values()).amax();
    assert!(difference <= tolerance, "the gradients differ by {difference}");
}

#[test]
fn weights_of_1_change_nothing() -> Result<(), HyperparameterError> {
    for reduction in REDUCTIONS {
        for smoothing in [0.0, 0.3] {
            let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(smoothing)?;
            let weighted = loss.clone().with_class_weights(&[1.0; 4])?;
            assert_equal(&evaluate(&weighted, &labels()), &evaluate(&loss, &labels()), 1e-15);
        }
        let sigmoid = SigmoidCrossEntropy::new(reduction);
        let weighted = sigmoid.clone().with_positive_weights(&[1.0; 4])?;
        assert_equal(&evaluate(&weighted, &targets()), &evaluate(&sigmoid, &targets()), 1e-14);
    }
    Ok(())
}

/// The labels that count are 0, 3, 1 and 2.
#[test]
fn a_mean_divides_by_the_weights_of_the_labels() {
    let weights = [0.5, 2.0, 0.0, 4.0];
    for smoothing in [0.0, 0.2] {
        let [sum, steps, elements] = REDUCTIONS.map(|reduction| {
            let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(smoothing);
            let loss = loss.and_then(|loss| loss.with_class_weights(&weights)).expect("accepted hyperparameters");
            evaluate(&loss, &labels()).0
        });
        assert_near(steps, sum / 6.5, 1e-15);
        assert_near(elements, sum / 26.0, 1e-15);
    }
    // The factors of a focal loss and positive weights do not count in the divisor.
    let focal = REDUCTIONS.map(|reduction| {
        let loss = FocalLoss::new(reduction, 1.0).and_then(|loss| loss.with_alpha(&weights));
        evaluate(&loss.expect("accepted hyperparameters"), &labels()).0
    });
    let sigmoid = REDUCTIONS.map(|reduction| {
        let loss = SigmoidCrossEntropy::new(reduction).with_positive_weights(&weights);
        evaluate(&loss.expect("accepted weights"), &targets()).0
    });
    for [sum, steps, elements] in [focal, sigmoid] {
        assert_near(steps, sum / 4.0, 1e-15);
        assert_near(elements, sum / 16.0, 1e-15);
    }
}

#[test]
fn a_batch_whose_labels_all_have_weight_0_has_loss_0() -> Result<(), HyperparameterError> {
    for reduction in REDUCTIONS {
        let loss = SoftmaxCrossEntropy::new(reduction).with_class_weights(&[0.0; 4])?;
        let (value, gradient) = evaluate(&loss, &labels());
        assert_eq!((value, gradient.values().amax()), (0.0, 0.0));
    }
    Ok(())
}

/// The divisor is that of the whole batch, not a mean of the windows' means, on any number of shards.
#[test]
fn windows_share_the_divisor_of_the_whole_batch() -> Result<(), Box<dyn std::error::Error>> {
    let (steps, batch) = (7, 3);
    let layout = Layout::new(steps, batch).with_lengths(&[7, 4, 6])?;
    let x = random_sequences(2, &layout, &mut generator(4));
    let classes = (0..steps * batch).map(|column| (column % 5 != 0).then_some((column * 7 / 3) % 4)).collect();
    let labels = Labels::per_step(classes, batch);
    // With a weight of 0, a smoothed loss is lost in a window whose labels all have that weight: its mean is 0.
    let weights = [0.25, 1.0, 3.0, 0.5];
    let mut model = Linear::new(2, 4, &mut generator(5));
    let batch = Batch { inputs: &x, targets: &labels };
    for reduction in REDUCTIONS {
        let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(0.1)?.with_class_weights(&weights)?;
        let (output, ()) = forward(&model, &x, &());
        let expected = loss.evaluate(&output, &labels, None);
        let mut full = Trainer::new(&model, loss.clone(), TruncatedBptt::full(LossAt::EveryStep));
        let (value, gradients) = full.gradients(&model, batch)?;
        assert_near(value, expected, 1e-14);
        let gradients = gradients.values().clone();
        assert_near(full.evaluate(&model, batch)?, expected, 1e-14);
        for window in [1, 2, 3, 5] {
            let bptt = TruncatedBptt::new(window, LossAt::EveryStep)?;
            let mut cut = Trainer::new(&model, loss.clone(), bptt);
            let (value, of_windows) = cut.gradients(&model, batch)?;
            assert_near(value, expected, 1e-14);
            assert!((&of_windows.values().weight - &gradients.weight).amax() < 1e-14);
            // An update that changes nothing: each window has a mean of its own, and the loss is that of the batch.
            assert_near(cut.train_windows(&mut model, batch, |_, _| ())?, expected, 1e-14);
            #[cfg(feature = "rayon")]
            for shards in [2, 3] {
                let mut parallel = Trainer::new(&model, loss.clone(), bptt).in_parallel(&model, shards);
                let (value, of_shards) = parallel.gradients(&model, batch)?;
                assert_near(value, expected, 1e-14);
                assert!((&of_shards.values().weight - &gradients.weight).amax() < 1e-14);
            }
        }
        assert_eq!(gradients.names(), model.names());
    }
    Ok(())
}

/// Without focusing, loss and gradient are those of the cross-entropy to the last bit.
#[test]
fn a_focal_loss_with_gamma_0_is_the_cross_entropy() -> Result<(), HyperparameterError> {
    for reduction in REDUCTIONS {
        let focal = evaluate(&FocalLoss::new(reduction, 0.0)?, &labels());
        let softmax = evaluate(&SoftmaxCrossEntropy::new(reduction), &labels());
        assert_eq!(focal.0.to_bits(), softmax.0.to_bits());
        assert_eq!(bits(&focal.1), bits(&softmax.1));
    }
    Ok(())
}

/// Both slopes of the quantile 1/2 are 1/2.
#[test]
fn the_median_is_half_of_the_absolute_error() -> Result<(), HyperparameterError> {
    let (median, gradient) = evaluate(&QuantileLoss::new(Reduction::Sum, &[0.5])?, &targets());
    let (absolute, of_absolute) = evaluate(&MeanAbsoluteError::new(Reduction::Sum), &targets());
    assert_near(2.0 * median, absolute, 1e-15);
    assert_eq!(gradient.values() * 2.0, *of_absolute.values());
    Ok(())
}

/// At the kinks of the losses the derivative is 0.
#[test]
fn exact_predictions_have_no_gradient() -> Result<(), HyperparameterError> {
    let output = random_sequences(2, &Layout::new(3, 2), &mut generator(6));
    let mut gradient = Sequences::default();
    let losses: [&dyn Loss<f64, Target = Sequences<f64>>; 3] = [
        &MeanAbsoluteError::new(Reduction::Sum),
        &HuberLoss::new(Reduction::Sum, 0.5)?,
        &QuantileLoss::new(Reduction::Sum, &[0.2])?,
    ];
    for loss in losses {
        assert_eq!(loss.evaluate(&output, &output, Some(&mut gradient)), 0.0);
        assert!(gradient.values().iter().all(|&d| d.to_bits() == 0));
    }
    Ok(())
}

#[test]
fn nan_is_not_hidden() -> Result<(), HyperparameterError> {
    let (output, target) =
        (Sequences::from_fn(1, 1, 1, |_, _, _| f64::NAN), Sequences::from_fn(1, 1, 1, |_, _, _| 0.0));
    let losses: [&dyn Loss<f64, Target = Sequences<f64>>; 4] = [
        &MeanAbsoluteError::new(Reduction::Sum),
        &HuberLoss::new(Reduction::Sum, 0.5)?,
        &QuantileLoss::new(Reduction::Sum, &[0.2])?,
        &SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(&[2.0])?,
    ];
    for loss in losses {
        let mut gradient = Sequences::default();
        assert!(loss.evaluate(&output, &target, Some(&mut gradient)).is_nan());
        assert!(gradient.values()[0].is_nan());
    }
    for gamma in [0.0, 0.5, 2.0] {
        let logits = Sequences::from_fn(2, 1, 1, |class, _, _| if class == 0 { f64::NAN } else { 0.0 });
        for label in 0..2 {
            let mut gradient = Sequences::default();
            let loss = FocalLoss::new(Reduction::Sum, gamma)?;
            assert!(loss.evaluate(&logits, &Labels::per_sequence(&[label]), Some(&mut gradient)).is_nan());
            assert!(gradient.values().iter().all(|d| d.is_nan()));
        }
    }
    Ok(())
}

#[test]
fn hyperparameters_out_of_range_are_errors() {
    let message = |result: Result<(), HyperparameterError>| result.expect_err("out of range").to_string();
    let softmax = |weights: &[f64]| SoftmaxCrossEntropy::new(Reduction::Sum).with_class_weights(weights).map(|_| ());
    let sigmoid = |weights: &[f64]| SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(weights).map(|_| ());
    let focal = |gamma| FocalLoss::new(Reduction::Sum, gamma).map(|_| ());
    for bad in [-1.0, f64::NAN, f64::INFINITY, 1e-60] {
        assert!(message(softmax(&[1.0, bad])).starts_with("class weight is"));
        assert!(message(sigmoid(&[1.0, bad])).starts_with("positive weight is"));
        assert!(message(focal(bad)).starts_with("gamma is"));
        let alpha = FocalLoss::new(Reduction::Sum, 2.0).and_then(|loss| loss.with_alpha(&[bad])).map(|_| ());
        assert!(message(alpha).starts_with("alpha is"));
        assert!(message(HuberLoss::new(Reduction::Sum, bad).map(|_| ())).starts_with("delta is"));
        let gaussian = GaussianNegativeLogLikelihood::new(Reduction::Sum).with_smallest_variance(bad).map(|_| ());
        assert!(message(gaussian).starts_with("smallest variance is"));
    }
    assert!(message(HuberLoss::new(Reduction::Sum, 0.0).map(|_| ())).contains("must be above 0"));
    for bad in [0.0, 1.0, 1.0 - 1e-12, -0.5, f64::NAN] {
        assert!(message(QuantileLoss::new(Reduction::Sum, &[0.5, bad]).map(|_| ())).starts_with("quantile is"));
    }
    assert_eq!(message(softmax(&[])), "number of class weights is 0, but it must be at least 1");
    assert_eq!(message(sigmoid(&[])), "number of positive weights is 0, but it must be at least 1");
    assert!(message(QuantileLoss::new(Reduction::Sum, &[]).map(|_| ())).contains("at least 1"));
}

#[test]
#[should_panic(expected = "the loss has 3 weights, the output 4 features; they must be equal")]
fn weights_for_another_number_of_classes_panic() {
    let loss =
        SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_class_weights(&[1.0; 3]).expect("positive weights");
    loss.evaluate(&outputs(), &labels(), None);
}

#[test]
#[should_panic(expected = "the output has 4 features; 3 quantiles of 4 targets need 12")]
fn quantiles_without_an_output_each_panic() {
    let loss = QuantileLoss::new(Reduction::Sum, &[0.1, 0.5, 0.9]).expect("quantiles");
    loss.evaluate(&outputs(), &targets(), None);
}

#[test]
#[should_panic(expected = "the output has 4 features; the means and log variances of 4 targets need 8")]
fn a_mean_without_a_variance_panics() {
    GaussianNegativeLogLikelihood::new(Reduction::Sum).evaluate(&outputs(), &targets(), None);
}

#[test]
#[should_panic(expected = "label 1 is -7; labels must be 0 or greater, or -100 to skip the step")]
fn negative_labels_panic() {
    let _labels = Labels::per_step_ignoring(&[3, -7], -100, 1);
}

/// A step whose label is ignored counts neither in the sum nor in the divisor.
#[test]
fn ignored_labels_do_not_count() {
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let ignoring = Labels::per_step_ignoring(&[0, 3, -1, 1, 2, 2], -1, 2);
    assert_eq!(ignoring, labels());
    let padded = Labels::per_step_ignoring(&[0, 3, 0, 1, 2, 2], 0, 2);
    let without = Labels::per_step(vec![None, Some(3), None, Some(1), Some(2), Some(2)], 2);
    assert_eq!(padded, without);
    assert_eq!(labels().without_class(0), without);
    assert_eq!(loss.evaluate(&outputs(), &labels().without_class(9), None), loss.evaluate(&outputs(), &labels(), None));
}
