//! Compares outputs, final states and all gradients with PyTorch in double precision.
//!
//! The oracle of this crate uses the layer's own forward pass. These reference values are independent of it:
//! `reference.py` computed `reference.json` with `nn.RNN`, `nn.Linear` and PyTorch's losses.

use longhand::nalgebra::DMatrix;
use longhand::{
    ChainCache, Elman, Labels, Layer, Linear, Loss, MeanSquaredError, Nonlinearity, ParameterGradients, Pass, Path,
    Reduction, Sequences, SigmoidCrossEntropy, SoftmaxCrossEntropy, Tensors,
};
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("reference.json")).expect("reference.json is JSON")
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

pub fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

pub fn count(value: &Value) -> usize {
    number(value) as usize
}

/// All numbers in nested lists, in order.
pub fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![number(value)],
    }
}

/// Converts a list of steps, each a list of features, to a matrix with one column per step.
pub fn steps(value: &Value) -> DMatrix<f64> {
    let steps = list(value);
    DMatrix::from_iterator(steps.first().map_or(0, |step| list(step).len()), steps.len(), flat(value))
}

pub fn ragged(value: &Value) -> Sequences<f64> {
    Sequences::ragged(&list(value).iter().map(steps).collect::<Vec<_>>()).expect("all sequences have the same features")
}

/// Requires agreement within `1e-12`, relative to the largest element of the tensor.
#[track_caller]
pub(crate) fn assert_close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (ours - theirs).abs() <= 1e-12 * size,
            "{what}, element {index}: {ours} in longhand, {theirs} in PyTorch"
        );
    }
}

/// Converts a PyTorch tensor, whose lists are rows, to column-major order.
fn by_column(value: &Value) -> Vec<f64> {
    match list(value).first() {
        Some(Value::Array(row)) => {
            DMatrix::from_row_iterator(list(value).len(), row.len(), flat(value)).as_slice().to_vec()
        }
        _ => flat(value),
    }
}

#[test]
fn elman_and_linear_agree_with_pytorch() {
    let reference = reference();
    for case in list(&reference["recurrent"]) {
        let [inputs, units, outputs] = ["inputs", "units", "outputs"].map(|name| count(&case[name]));
        let nonlinearity = if case["nonlinearity"] == "relu" { Nonlinearity::Relu } else { Nonlinearity::Tanh };
        let elman = Elman::<f64>::zeros(inputs, units).with_nonlinearity(nonlinearity);
        let mut model = elman.then(Linear::zeros(units, outputs)).expect("the features match");
        model.visit_mut(&Path::ROOT, &mut |path, _, values| {
            values.copy_from_slice(&by_column(&case["parameters"][path.to_string()]));
        });
        let x = ragged(&case["x"]);
        let (mut carry, mut cache) = ((steps(&case["h0"]), ()), ChainCache::default());
        let output = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let about = format!("{} of {}", model.name(), case["lengths"]);
        let expected = ragged(&case["output"]);
        assert_eq!(output.layout(), expected.layout());
        assert_close(&format!("{about}: output"), output.values().as_slice(), expected.values().as_slice());
        assert_close(&format!("{about}: final state"), carry.0.as_slice(), &flat(&case["hidden"]));

        let (mut d_carry, mut gradients) = ((steps(&case["d_hidden"]), ()), model.zeros());
        let mut d_x = Sequences::default();
        let d_output = ragged(&case["d_output"]);
        model.backward(
            &x,
            &mut cache,
            Some(&d_output),
            &mut d_carry,
            ParameterGradients::Add(&mut gradients),
            Some(&mut d_x),
        );
        let mut tensors = 0;
        gradients.visit(&Path::ROOT, &mut |path, _, values| {
            tensors += 1;
            assert_close(&format!("{about}: {path}"), values, &by_column(&case["gradients"][path.to_string()]));
        });
        assert_eq!(tensors, 6, "expected three weights and three biases");
        assert_close(&format!("{about}: input"), d_x.values().as_slice(), ragged(&case["d_x"]).values().as_slice());
        assert_close(&format!("{about}: first state"), d_carry.0.as_slice(), &flat(&case["d_h0"]));
    }
}

/// PyTorch's `mean` averages over the labels that are present for cross-entropy, and over all elements for the other
/// losses.
#[test]
fn losses_agree_with_pytorch() {
    let reference = reference();
    for case in list(&reference["losses"]) {
        let output = Sequences::single(steps(&case["output"]));
        for (name, expected) in case["reductions"].as_object().expect("an object") {
            let mean = if case["loss"] == "softmax" { Reduction::MeanOverSteps } else { Reduction::MeanOverElements };
            let reduction = if name == "sum" { Reduction::Sum } else { mean };
            let mut gradient = Sequences::default();
            let value = match case["loss"].as_str() {
                Some("softmax") => {
                    let class = |label: &Value| usize::try_from(label.as_i64().expect("a label")).ok();
                    let labels = Labels::per_step(list(&case["target"]).iter().map(class).collect(), 1);
                    let loss = SoftmaxCrossEntropy::new(reduction).with_label_smoothing(number(&case["smoothing"]));
                    loss.expect("a smoothing below 1").evaluate(&output, &labels, Some(&mut gradient))
                }
                Some("sigmoid") => {
                    let target = Sequences::single(steps(&case["target"]));
                    SigmoidCrossEntropy::new(reduction).evaluate(&output, &target, Some(&mut gradient))
                }
                _ => {
                    let target = Sequences::single(steps(&case["target"]));
                    MeanSquaredError::new(reduction).evaluate(&output, &target, Some(&mut gradient))
                }
            };
            let about = format!("{} {name}", case["loss"]);
            assert_close(&about, &[value], &[number(&expected["loss"])]);
            assert_close(&about, gradient.values().as_slice(), &flat(&expected["gradient"]));
        }
    }
}
