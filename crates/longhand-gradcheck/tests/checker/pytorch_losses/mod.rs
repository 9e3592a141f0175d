//! Compares losses with weights, of real targets and of label sequences with PyTorch in double precision, in random
//! configurations: `reference.py` computed `reference.json`.

use super::pytorch::{count, flat, list, number, ragged, steps};
use longhand::{
    ConnectionistTemporalClassification, FocalLoss, GaussianNegativeLogLikelihood, HuberLoss, HyperparameterError,
    LabelSequences, Labels, Loss, MeanAbsoluteError, QuantileLoss, Reduction, Sequences, SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
};
use serde_json::Value;
use std::panic::catch_unwind;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference.json")).expect("reference.json is JSON")
}

/// Requires agreement within the tolerance, relative to the largest element or 1.
#[track_caller]
fn assert_close(what: &str, tolerance: f64, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (ours - theirs).abs() <= tolerance * size,
            "{what}, element {index}: {ours} in longhand, {theirs} in PyTorch"
        );
    }
}

fn evaluate<L: Loss<f64>>(loss: &L, output: &Sequences<f64>, target: &L::Target) -> (f64, Sequences<f64>) {
    let mut gradient = Sequences::default();
    let value = loss.evaluate(output, target, Some(&mut gradient));
    (value, gradient)
}

/// The loss of a case, and its gradient.
fn per_step(case: &Value, is_sum: bool) -> Result<(f64, Sequences<f64>), HyperparameterError> {
    let output = Sequences::single(steps(&case["output"]));
    let over = |mean| if is_sum { Reduction::Sum } else { mean };
    let (steps_mean, elements) = (over(Reduction::MeanOverSteps), over(Reduction::MeanOverElements));
    let ids = || -> Vec<i64> { list(&case["target"]).iter().map(|id| id.as_i64().expect("a label")).collect() };
    let real = || Sequences::single(steps(&case["target"]));
    Ok(match case["loss"].as_str() {
        Some("softmax") => {
            let loss = SoftmaxCrossEntropy::new(steps_mean).with_label_smoothing(number(&case["smoothing"]))?;
            let ignored = case["ignored"].as_i64().expect("a label");
            let labels = Labels::per_step_ignoring(&ids(), ignored, 1);
            evaluate(&loss.with_class_weights(&flat(&case["weights"]))?, &output, &labels)
        }
        Some("sigmoid") => {
            let loss = SigmoidCrossEntropy::new(elements).with_positive_weights(&flat(&case["weights"]))?;
            evaluate(&loss, &output, &real())
        }
        Some("focal") => {
            let loss = FocalLoss::new(steps_mean, number(&case["gamma"]))?.with_alpha(&flat(&case["alpha"]))?;
            evaluate(&loss, &output, &Labels::per_step_ignoring(&ids(), -100, 1))
        }
        Some("absolute") => evaluate(&MeanAbsoluteError::new(elements), &output, &real()),
        Some("huber") => evaluate(&HuberLoss::new(elements, number(&case["delta"]))?, &output, &real()),
        Some("quantile") => evaluate(&QuantileLoss::new(elements, &flat(&case["quantiles"]))?, &output, &real()),
        Some("gaussian") => {
            let loss =
                GaussianNegativeLogLikelihood::new(elements).with_smallest_variance(number(&case["smallest"]))?;
            let is_full = case["full"].as_bool().expect("a truth value");
            evaluate(&if is_full { loss.with_constant() } else { loss }, &output, &real())
        }
        other => panic!("unknown loss {other:?}"),
    })
}

#[test]
fn losses_of_steps_agree_with_pytorch() -> Result<(), HyperparameterError> {
    let reference = reference();
    assert!(list(&reference["steps"]).len() >= 48, "expected six configurations of eight losses");
    for (index, case) in list(&reference["steps"]).iter().enumerate() {
        for (name, expected) in case["reductions"].as_object().expect("an object") {
            let (value, gradient) = per_step(case, name == "sum")?;
            let about = format!("case {index}, {} {name}", case["loss"]);
            assert_close(&about, 1e-13, &[value], &[number(&expected["loss"])]);
            assert_close(&about, 1e-13, gradient.values().as_slice(), &flat(&expected["gradient"]));
        }
    }
    Ok(())
}

fn labels(value: &Value) -> Vec<usize> {
    list(value).iter().map(count).collect()
}

/// PyTorch's `sum`, `mean` and `none`, in ragged batches with padding of NaN.
#[test]
fn connectionist_temporal_classification_agrees_with_pytorch() {
    let reference = reference();
    assert!(list(&reference["sequences"]).len() >= 32, "expected 32 configurations");
    for (index, case) in list(&reference["sequences"]).iter().enumerate() {
        let mut output = ragged(&case["output"]);
        for step in 0..output.steps() {
            for sequence in 0..output.batch() {
                if !output.layout().is_valid(step, sequence) {
                    output.at_mut(step, sequence).fill(f64::NAN);
                }
            }
        }
        let targets: Vec<Vec<usize>> = list(&case["targets"]).iter().map(labels).collect();
        let all = LabelSequences::new(&targets);
        let loss = |reduction| {
            let loss = ConnectionistTemporalClassification::new(reduction).with_blank(count(&case["blank"]));
            if case["zero_infinity"] == true { loss.ignoring_impossible() } else { loss }
        };
        let expected = &case["reductions"];
        for (name, reduction) in [("sum", Reduction::Sum), ("mean", Reduction::MeanOverElements)] {
            let (value, gradient) = evaluate(&loss(reduction), &output, &all);
            let about = format!("case {index}, {name}");
            assert_close(&about, 1e-12, &[value], &[number(&expected[name]["loss"])]);
            let theirs = ragged(&expected[name]["gradient"]);
            assert_close(&about, 1e-12, gradient.values().as_slice(), theirs.values().as_slice());
        }
        let each = flat(&expected["none"]);
        for sequence in 0..output.batch() {
            let (value, _) = evaluate(
                &loss(Reduction::Sum),
                &output.select(&[sequence]),
                &LabelSequences::new(&[&targets[sequence]]),
            );
            assert_close(&format!("case {index}, sequence {sequence}"), 1e-12, &[value], &[each[sequence]]);
        }
        let (mean, _) = evaluate(&loss(Reduction::MeanOverSteps), &output, &all);
        let expected = each.iter().sum::<f64>() / each.len() as f64;
        assert_close(&format!("case {index}, mean over sequences"), 1e-12, &[mean], &[expected]);
    }
}

/// The comparison must be able to fail.
#[test]
fn another_reduction_does_not_agree_with_pytorch() {
    let reference = reference();
    let case = &list(&reference["steps"])[0];
    let (value, _) = per_step(case, true).expect("accepted hyperparameters");
    let expected = number(&case["reductions"]["mean"]["loss"]);
    assert!(catch_unwind(|| assert_close("softmax", 1e-13, &[value], &[expected])).is_err());
}
