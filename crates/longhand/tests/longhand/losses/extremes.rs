//! Extreme outputs in `f32`: results are finite, and those of `f64` to a few roundings.

use longhand::nalgebra::DMatrix;
use longhand::{
    ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, HyperparameterError,
    LabelSequences, Labels, Loss, MeanAbsoluteError, QuantileLoss, Reduction, Scalar, Sequences, SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
};

fn column<T: Scalar>(values: &[f32], convert: fn(f32) -> T) -> Sequences<T> {
    Sequences::single(DMatrix::from_iterator(values.len(), 1, values.iter().map(|&value| convert(value))))
}

/// Value and gradient in `f32`, and in `f64` from the same numbers.
fn both<L>(
    loss: &L,
    output: &[f32],
    narrow: &<L as Loss<f32>>::Target,
    wide: &<L as Loss<f64>>::Target,
) -> [(f64, Vec<f64>); 2]
where
    L: Loss<f32> + Loss<f64>,
{
    let (mut d_narrow, mut d_wide) = (Sequences::default(), Sequences::default());
    let value = Loss::<f32>::evaluate(loss, &column(output, |y| y), narrow, Some(&mut d_narrow));
    let exact = Loss::<f64>::evaluate(loss, &column(output, f64::from), wide, Some(&mut d_wide));
    [
        (f64::from(value), d_narrow.values().iter().map(|&d| f64::from(d)).collect()),
        (exact, d_wide.values().iter().copied().collect()),
    ]
}

/// Requires finite results that agree within the tolerance, relative to each number. Numbers near those that are flushed
/// to zero may differ by 1e-18.
#[track_caller]
fn assert_agree(what: &str, tolerance: f64, [(value, gradient), (exact, of_exact)]: &[(f64, Vec<f64>); 2]) {
    assert!(value.is_finite(), "{what}: the loss is {value}");
    assert!((value - exact).abs() <= tolerance * exact.abs() + 1e-18, "{what}: {value:e} in f32, {exact:e} in f64");
    for (index, (d, exact)) in gradient.iter().zip(of_exact).enumerate() {
        assert!(d.is_finite(), "{what}: gradient {index} is {d}");
        assert!(
            (d - exact).abs() <= tolerance * exact.abs() + 1e-18,
            "{what}, gradient {index}: {d:e}, {exact:e} in f64"
        );
    }
}

const LOGITS: [f32; 13] = [-1e30, -1e4, -200.0, -87.0, -30.0, -3.0, 0.0, 0.5, 12.0, 40.0, 90.0, 1e4, 1e30];

#[test]
fn focal_losses_are_finite_and_accurate_for_every_probability() -> Result<(), HyperparameterError> {
    for gamma in [0.0, 0.25, 1.0, 2.0, 5.0] {
        let loss = FocalLoss::new(Reduction::Sum, gamma)?.with_alpha(&[0.25, 1.0, 3.0])?;
        for (a, b) in LOGITS.into_iter().flat_map(|a| LOGITS.map(|b| (a, b))) {
            for label in 0..3 {
                let labels = Labels::per_sequence(&[label]);
                let results = both(&loss, &[a, b, 1.0], &labels, &labels);
                // A power multiplies the relative error of `1 - p`.
                let tolerance = 1e-6 * (1.0 + gamma);
                assert_agree(&format!("gamma {gamma}, {a} {b}, label {label}"), tolerance, &results);
            }
        }
    }
    Ok(())
}

/// Where the focusing of right and wrong predictions has simple limits.
#[test]
fn focal_gradients_have_the_limits_of_the_equations() -> Result<(), HyperparameterError> {
    let at = |gamma: f64, logit: f32| -> Result<(f32, f32), HyperparameterError> {
        let mut gradient = Sequences::default();
        let output = column(&[logit, 0.0], |y| y);
        let value =
            FocalLoss::new(Reduction::Sum, gamma)?.evaluate(&output, &Labels::per_sequence(&[0]), Some(&mut gradient));
        Ok((value, gradient.values()[0]))
    };
    // p -> 0: the cross-entropy and its gradient of -1. p -> 1: nothing.
    for gamma in [0.5, 1.0, 2.0] {
        assert_eq!(at(gamma, -1e4)?, (1e4, -1.0));
        assert_eq!(at(gamma, 1e4)?, (0.0, 0.0));
        // With q = 1 - p small, the loss is q^(gamma + 1) and the gradient -(gamma + 1) q^(gamma + 1).
        let (value, gradient) = at(gamma, 12.0)?;
        let power = (-12.0 * (gamma + 1.0)).exp();
        assert!((f64::from(value) / power - 1.0).abs() < 3e-5, "{gamma}: {value:e}, {power:e}");
        assert!((f64::from(gradient) / (-(gamma + 1.0) * power) - 1.0).abs() < 3e-5, "{gamma}: {gradient:e}");
    }
    Ok(())
}

#[test]
fn weighted_cross_entropies_are_finite_and_accurate() -> Result<(), HyperparameterError> {
    for smoothing in [0.0, 0.1] {
        let loss = SoftmaxCrossEntropy::new(Reduction::Sum).with_label_smoothing(smoothing)?;
        let loss = loss.with_class_weights(&[0.1, 20.0, 1.0])?;
        for (a, b) in LOGITS.into_iter().flat_map(|a| LOGITS.map(|b| (a, b))) {
            for label in 0..3 {
                let labels = Labels::per_sequence(&[label]);
                let [(value, gradient), (exact, of_exact)] = both(&loss, &[a, b, 1.0], &labels, &labels);
                let what = format!("{a} {b}, label {label}, smoothing {smoothing}");
                // Losses below the normal numbers of `f32` become 0.
                assert!((value - exact).abs() <= 1e-6 * exact + 1e-37, "{what}: {value:e}, {exact:e}");
                for (d, exact) in gradient.iter().zip(&of_exact) {
                    // With smoothing, the gradient is a difference of numbers of the size of the weights.
                    let size = if smoothing > 0.0 { 20.0 } else { exact.abs() };
                    assert!((d - exact).abs() <= 1e-6 * size + 1e-18, "{what}: {d:e}, {exact:e}");
                }
            }
        }
    }
    for weight in [0.01, 50.0] {
        let loss = SigmoidCrossEntropy::new(Reduction::Sum).with_positive_weights(&[weight])?;
        for z in LOGITS {
            for d in [0.0, 1.0] {
                let what = format!("{z}, target {d}, weight {weight}");
                assert_agree(&what, 1e-6, &both(&loss, &[z], &column(&[d], |d| d), &column(&[d], f64::from)));
            }
        }
    }
    Ok(())
}

#[test]
fn losses_of_real_targets_do_not_overflow() -> Result<(), HyperparameterError> {
    for y in [1e30_f32, -1e30, 1e-30, 3.0, -0.2] {
        let (narrow, wide) = (column(&[0.25], |d| d), column(&[0.25], f64::from));
        let what = format!("{y}");
        assert_agree(&what, 1e-6, &both(&MeanAbsoluteError::new(Reduction::Sum), &[y], &narrow, &wide));
        assert_agree(&what, 1e-6, &both(&HuberLoss::new(Reduction::Sum, 1.5)?, &[y], &narrow, &wide));
        assert_agree(&what, 1e-6, &both(&QuantileLoss::new(Reduction::Sum, &[0.9])?, &[y], &narrow, &wide));
    }
    Ok(())
}

/// Log variances from -1e30 to 1e30, where `exp` overflows and underflows.
#[test]
fn gaussian_likelihoods_are_finite_for_every_log_variance() -> Result<(), HyperparameterError> {
    for smallest in [1e-6, 0.5] {
        let loss = GaussianNegativeLogLikelihood::new(Reduction::Sum).with_smallest_variance(smallest)?;
        for s in LOGITS {
            for y in [0.0_f32, 1e-3, 2.0, -1e4, 1e12] {
                let (narrow, wide) = (column(&[0.0], |d| d), column(&[0.0], f64::from));
                let [(value, gradient), (exact, of_exact)] = both(&loss, &[y, s], &narrow, &wide);
                let what = format!("mean {y}, log variance {s}, smallest {smallest}");
                // `exp` of a sum of size 40 multiplies its rounding by 40.
                let size = exact.abs().max(1.0);
                assert!((value - exact).abs() <= 2e-5 * size, "{what}: {value:e}, {exact:e}");
                for (d, exact) in gradient.iter().zip(&of_exact) {
                    assert!(
                        d.is_finite() && (d - exact).abs() <= 2e-5 * exact.abs() + 1e-6,
                        "{what}: {d:e}, {exact:e}"
                    );
                }
            }
        }
    }
    let loss = GaussianNegativeLogLikelihood::new(Reduction::Sum);
    assert!((f64::from(loss.variance(0.0_f32)) - 1.000_001).abs() < 1e-7);
    Ok(())
}

/// Many steps, and logits so large that every path but one underflows, even as a logarithm of a step.
#[test]
fn alignments_in_single_precision_agree_with_double_precision() {
    let loss = ConnectionistTemporalClassification::new(Reduction::Sum);
    for (steps, size) in [(40, 1.0), (400, 1.0), (400, 30.0), (60, 1e4), (60, 1e30)] {
        let wave = |class: usize, step: usize| size * ((class * 5 + step * 3) as f64).sin();
        let narrow = Sequences::from_fn(6, steps, 1, |class, step, _| wave(class, step) as f32);
        let wide = narrow.values().map(f64::from);
        let wide = Sequences::new(wide, narrow.layout().clone()).expect("the same size");
        let labels = LabelSequences::new(&[(0..steps / 4).map(|i| 1 + i * i % 5).collect::<Vec<_>>()]);
        let (mut d_narrow, mut d_wide) = (Sequences::default(), Sequences::default());
        let value = f64::from(loss.evaluate(&narrow, &labels, Some(&mut d_narrow)));
        let exact = loss.evaluate(&wide, &labels, Some(&mut d_wide));
        assert!(value.is_finite() && (value - exact).abs() <= 1e-6 * exact, "{steps}, {size}: {value}, {exact}");
        let worst = d_narrow.values().map(f64::from) - d_wide.values();
        // A logit of size 30 is rounded by 2e-6, and the probability of a path by as much times the steps that it changes.
        let tolerance = if size > 1e3 { 1e-2 } else { 1e-5 * (1.0 + size) };
        assert!(worst.amax() <= tolerance, "{steps}, {size}: the gradients differ by {}", worst.amax());
    }
}

/// A model that is sure of the right labels: loss and gradients are the small numbers that they should be.
#[test]
fn alignments_of_sure_outputs_have_small_gradients() {
    let path = [0, 2, 2, 0, 1, 1];
    let logits = Sequences::from_fn(3, 6, 1, |class, step, _| if class == path[step] { 50.0_f32 } else { 0.0 });
    let mut gradient = Sequences::default();
    let loss = ConnectionistTemporalClassification::new(Reduction::Sum);
    let value = loss.evaluate(&logits, &LabelSequences::new(&[[2, 1]]), Some(&mut gradient));
    assert!(value.abs() < 1e-6, "{value}");
    assert!(gradient.values().amax() < 1e-20, "{}", gradient.values());
    // Entirely wrong: the gradient is that of the best path, a probability of 1 moved from one class to another.
    let value = loss.evaluate(&logits, &LabelSequences::new(&[[1, 1, 1]]), Some(&mut gradient));
    assert!(value > 90.0);
    for step in 0..6 {
        assert!(gradient.at(step, 0).iter().sum::<f32>().abs() < 1e-6);
        assert!(gradient.at(step, 0).iter().all(|d| d.is_finite()));
    }
}
