//! Compares the outputs and gradients of the layers without recurrent weights, and of stacks, with PyTorch in double precision.
//!
//! The oracle of this crate uses the layer's own forward pass. These reference values are independent of it: `reference.py`
//! computed `reference.json` with PyTorch's modules, or with a few lines of PyTorch where there is no module.

use longhand::nalgebra::DMatrix;
use longhand::{
    Activation, AttentionPooling, BoxedLayer, Elman, Embedding, Gradients, Gru, Highway, HyperparameterError, Layer,
    LayerNorm, Lstm, MaxOverTime, Pass, Path, RmsNorm, Sequences, ShapeError, Stack, Stored, Tokens,
};
use serde_json::Value;

/// All numbers in nested lists, in order.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(flat).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// A list of sequences, each a list of steps, each a list of features.
fn ragged(value: &Value) -> Sequences<f64> {
    let matrix = |sequence: &Value| {
        let steps = list(sequence);
        DMatrix::from_iterator(list(&steps[0]).len(), steps.len(), flat(sequence))
    };
    Sequences::ragged(&list(value).iter().map(matrix).collect::<Vec<_>>())
        .expect("all sequences have the same features")
}

/// Requires agreement within `tolerance`, relative to the largest element of the tensor.
#[track_caller]
fn assert_close(what: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let size = theirs.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (ours - theirs).abs() <= tolerance * size,
            "{what}, element {index}: {ours} in longhand, {theirs} in PyTorch"
        );
    }
}

/// The elements of a PyTorch tensor, whose lists are rows, in the order of a tensor of ours.
fn in_memory(value: &Value, stored: Stored) -> Vec<f64> {
    match stored {
        Stored::Matrix => {
            let rows = list(value);
            DMatrix::from_row_iterator(rows.len(), list(&rows[0]).len(), flat(value)).as_slice().to_vec()
        }
        Stored::Vector | Stored::Transposed => flat(value),
        Stored::Kernel(_) => panic!("these layers have no convolution"),
    }
}

fn stack(inputs: usize, settings: &Value) -> Result<BoxedLayer<f64>, ShapeError> {
    let size = |setting: &str| usize::try_from(settings[setting].as_u64().expect("a number")).expect("a size");
    let (units, count) = (size("units"), size("layers"));
    Ok(match (settings["kind"].as_str(), settings["bidirectional"] == true) {
        (Some("Lstm"), false) => BoxedLayer::new(Stack::new::<f64>(inputs, count, |n| Lstm::zeros(n, units))?),
        (Some("Lstm"), true) => {
            BoxedLayer::without_streaming(Stack::bidirectional::<f64>(inputs, count, |n| Lstm::zeros(n, units))?)
        }
        (Some("Gru"), true) => {
            BoxedLayer::without_streaming(Stack::bidirectional::<f64>(inputs, count, |n| Gru::zeros(n, units))?)
        }
        _ => BoxedLayer::new(Stack::new::<f64>(inputs, count, |n| Elman::zeros(n, units))?),
    })
}

fn layer(name: &str, inputs: usize, settings: &Value) -> Result<BoxedLayer<f64>, Box<dyn std::error::Error>> {
    let epsilon = settings["epsilon"].as_f64();
    let activation = |activation: Result<Activation, HyperparameterError>| activation.map(BoxedLayer::new);
    Ok(match name {
        "Tanh" => BoxedLayer::new(Activation::Tanh),
        "Sigmoid" => BoxedLayer::new(Activation::Sigmoid),
        "Relu" => BoxedLayer::new(Activation::Relu),
        "LeakyRelu" => activation(Activation::leaky_relu(0.2))?,
        "Gelu" => BoxedLayer::new(Activation::Gelu),
        "Silu" => BoxedLayer::new(Activation::Silu),
        "Softplus" => BoxedLayer::new(Activation::Softplus),
        "Elu" => activation(Activation::elu(0.7))?,
        "HardSigmoid" => BoxedLayer::new(Activation::HardSigmoid),
        "HardTanh" => BoxedLayer::new(Activation::HardTanh),
        "HardSwish" => BoxedLayer::new(Activation::HardSwish),
        "LayerNorm" => {
            let layer = LayerNorm::new(inputs);
            BoxedLayer::new(if let Some(epsilon) = epsilon { layer.with_epsilon(epsilon)? } else { layer })
        }
        "RmsNorm" => {
            let layer = RmsNorm::new(inputs);
            BoxedLayer::new(if let Some(epsilon) = epsilon { layer.with_epsilon(epsilon)? } else { layer })
        }
        "MaxOverTime" => BoxedLayer::without_streaming(MaxOverTime),
        "AttentionPooling" => {
            let units = usize::try_from(settings["units"].as_u64().expect("a number"))?;
            BoxedLayer::without_streaming(AttentionPooling::zeros(inputs, units))
        }
        "Highway" => BoxedLayer::new(Highway::zeros(inputs, Gru::zeros(inputs, inputs))?),
        "Stack" => stack(inputs, settings)?,
        name => panic!("there is no layer {name} here"),
    })
}

/// Sets the parameters to those of the case, runs both passes, and compares output and gradients. Returns the gradient of the input.
fn compare<L: Layer<f64, Output = Sequences<f64>>>(case: &Value, mut layer: L, x: &L::Input, batch: usize) -> L::Input {
    let (name, mut tensors) = (layer.name(), 0);
    // PyTorch's `Hardsigmoid` divides by 6 in single precision in its backward pass.
    let tolerance = if name == "HardSigmoid" { 1e-7 } else { 1e-12 };
    layer.visit_mut(&Path::ROOT, &mut |path, shape, values| {
        values.copy_from_slice(&in_memory(&case["parameters"][path.to_string()], shape.stored));
    });
    let mut cache = L::Cache::default();
    let y = layer.forward(x, &mut layer.carry(batch), &mut cache, &mut Pass::Infer);
    let (expected, d_y) = (ragged(&case["output"]), ragged(&case["d_output"]));
    assert_eq!(y.layout(), expected.layout(), "{name}");
    assert_close(&format!("{name}: output"), y.values().as_slice(), expected.values().as_slice(), tolerance);

    let (mut gradients, mut d_x) = (Gradients::zeros(&layer), x.clone());
    layer.backward(x, &mut cache, Some(&d_y), &mut layer.carry(batch), gradients.replace(), Some(&mut d_x));
    gradients.values().visit(&Path::ROOT, &mut |path, shape, values| {
        tensors += 1;
        let expected = in_memory(&case["gradients"][path.to_string()], shape.stored);
        assert_close(&format!("{name}: {path}"), values, &expected, tolerance);
    });
    assert_eq!(tensors, case["parameters"].as_object().expect("an object").len(), "{name}");
    d_x
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() -> Result<(), Box<dyn std::error::Error>> {
    let reference: Value = serde_json::from_str(include_str!("reference.json"))?;
    let cases = list(&reference["cases"]);
    assert_eq!(cases.len(), 25);
    for case in cases {
        let name = case["layer"].as_str().expect("a name");
        let inputs = usize::try_from(case["inputs"].as_u64().expect("a number"))?;
        if name == "Embedding" {
            let ids = |sequence: &Value| flat(sequence).into_iter().map(|id| id as usize).collect::<Vec<_>>();
            let x = Tokens::ragged(&list(&case["x"]).iter().map(ids).collect::<Vec<_>>());
            compare(case, Embedding::zeros(inputs, 3).with_padding(0)?, &x, x.batch());
            continue;
        }
        let x = ragged(&case["x"]);
        let d_x = compare(case, layer(name, inputs, &case["settings"])?, &x, x.batch());
        let tolerance = if name == "HardSigmoid" { 1e-7 } else { 1e-12 };
        let expected = ragged(&case["d_x"]);
        assert_close(&format!("{name}: input"), d_x.values().as_slice(), expected.values().as_slice(), tolerance);
    }
    Ok(())
}
