//! Compares outputs, final states and all gradients of LSTM, LSTM with projection and GRU with PyTorch in double precision.
//!
//! `reference.py` computed `reference.json` with `nn.LSTM`, `nn.GRU` and `nn.Linear`.

use longhand::nalgebra::DMatrix;
use longhand::{
    ChainCache, Gru, Layer, Linear, Lstm, ParameterGradients, Pass, Path, ProjectedLstm, Sequences, Tensors,
};
use serde_json::Value;

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("a count that fits into `usize`")
}

/// All numbers in nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

/// Converts a list of steps, each a list of features, to a matrix with one column per step.
fn steps(value: &Value) -> DMatrix<f64> {
    let steps = list(value);
    DMatrix::from_iterator(steps.first().map_or(0, |step| list(step).len()), steps.len(), flat(value))
}

fn ragged(value: &Value) -> Sequences<f64> {
    Sequences::ragged(&list(value).iter().map(steps).collect::<Vec<_>>()).expect("all sequences have the same features")
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

/// Requires agreement within `1e-12`, relative to the largest element of the tensor.
#[track_caller]
fn assert_close(what: &str, ours: &[f64], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (ours - theirs).abs() <= 1e-12 * size,
            "{what}, element {index}: {ours} in longhand, {theirs} in PyTorch"
        );
    }
}

/// The name of a tensor of the carry. The carry of a GRU is a single matrix without a name, `h` in the reference.
fn state_name(path: &Path<'_>) -> String {
    let name = path.to_string();
    if name.ends_with('c') { "c".to_owned() } else { "h".to_owned() }
}

/// `features` is the number of features of the hidden state.
fn check<L>(layer: L, features: usize, case: &Value)
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let (tensors, outputs) = (layer.names().len(), count(&case["outputs"]));
    let mut model = layer.then(Linear::zeros(features, outputs)).expect("the features match");
    model.visit_mut(&Path::ROOT, &mut |path, _, values| {
        values.copy_from_slice(&by_column(&case["parameters"][path.to_string()]));
    });
    let about = format!("{} of {}", model.name(), case["lengths"]);
    let x = ragged(&case["x"]);
    let batch = x.batch();
    let state = |values: &Value| {
        let mut carry = model.carry(batch);
        carry.visit_mut(&Path::ROOT, &mut |path, _, to| to.copy_from_slice(&flat(&values[state_name(path)])));
        carry
    };
    let (mut carry, mut cache) = (state(&case["first_state"]), ChainCache::default());
    let output = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let expected = ragged(&case["output"]);
    assert_eq!(output.layout(), expected.layout());
    assert_close(&format!("{about}: output"), output.values().as_slice(), expected.values().as_slice());
    carry.visit(&Path::ROOT, &mut |path, _, values| {
        let name = state_name(path);
        assert_close(&format!("{about}: last {name}"), values, &flat(&case["last_state"][name]));
    });

    let (mut d_carry, mut gradients) = (state(&case["d_last_state"]), model.zeros());
    let mut d_x = Sequences::default();
    model.backward(
        &x,
        &mut cache,
        Some(&ragged(&case["d_output"])),
        &mut d_carry,
        ParameterGradients::Add(&mut gradients),
        Some(&mut d_x),
    );
    let in_pytorch = case["gradients"].as_object().expect("the gradients by name").len();
    assert_eq!((gradients.names().len(), in_pytorch), (tensors + 2, tensors + 2));
    gradients.visit(&Path::ROOT, &mut |path, _, values| {
        assert_close(&format!("{about}: {path}"), values, &by_column(&case["gradients"][path.to_string()]));
    });
    assert_close(&format!("{about}: input"), d_x.values().as_slice(), ragged(&case["d_x"]).values().as_slice());
    d_carry.visit(&Path::ROOT, &mut |path, _, values| {
        let name = state_name(path);
        assert_close(&format!("{about}: first {name}"), values, &flat(&case["d_first_state"][name]));
    });
}

#[test]
fn gated_layers_agree_with_pytorch() {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).expect("JSON");
    let cases = list(&reference["gated"]);
    assert_eq!(cases.len(), 14);
    for case in cases {
        let [inputs, units] = ["inputs", "units"].map(|name| count(&case[name]));
        match case["layer"].as_str() {
            Some("lstm") => check(Lstm::zeros(inputs, units), units, case),
            Some("gru") => check(Gru::zeros(inputs, units), units, case),
            _ => {
                let projection = count(&case["projection"]);
                check(ProjectedLstm::zeros(inputs, units, projection), projection, case);
            }
        }
    }
}
