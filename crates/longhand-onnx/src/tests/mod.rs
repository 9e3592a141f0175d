//! The structure of exported files, and saving.

mod errors;

use crate::proto::{Dimension, GraphProto, ModelProto, ValueInfoProto, attribute_type, data_type};
use crate::{IR_VERSION, OPSET, OnnxError, OnnxExport};
use longhand::prelude::*;
use longhand_model::{Describe, LayerDescription, Model, ModelDescription};
use prost::Message;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn generator() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn new(layer: &str) -> LayerDescription {
    LayerDescription::new(layer)
}

fn built(description: &ModelDescription) -> Model<f32> {
    Model::build(description, &mut generator()).expect("a model")
}

fn file<M: Describe<f32> + Layer<f32>>(export: OnnxExport, model: &M) -> ModelProto {
    let bytes = export.to_bytes(model).expect("an exported model");
    ModelProto::decode(bytes.as_slice()).expect("a file of the format")
}

fn graph<M: Describe<f32> + Layer<f32>>(export: OnnxExport, model: &M) -> GraphProto {
    file(export, model).graph.expect("a graph")
}

fn both() -> OnnxExport {
    OnnxExport::new().with_lengths().with_states()
}

/// Name, type and axes, such as `input: 1 [batch, time, 3]`.
fn shape(value: &ValueInfoProto) -> String {
    let tensor = value.r#type.clone().and_then(|r#type| r#type.tensor_type).expect("the type of a tensor");
    let axes = tensor.shape.expect("axes").dim.into_iter().map(|dim| match dim.value.expect("a size or a name") {
        Dimension::Size(size) => size.to_string(),
        Dimension::Name(name) => name,
    });
    format!("{}: {} [{}]", value.name, tensor.elem_type, axes.collect::<Vec<_>>().join(", "))
}

fn shapes(values: &[ValueInfoProto]) -> Vec<String> {
    values.iter().map(shape).collect()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|node| node.op_type.as_str()).collect()
}

fn values(graph: &GraphProto, name: &str) -> Vec<f32> {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name == name).expect("the tensor");
    assert_eq!(tensor.data_type, data_type::FLOAT);
    let (numbers, _) = tensor.raw_data.as_chunks::<4>();
    numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

#[test]
fn a_file_states_its_versions_and_its_model() {
    let model = Lstm::<f32>::new(3, 4, &mut generator()).then(Linear::new(4, 2, &mut generator())).expect("4 features");
    let file = file(OnnxExport::new(), &model);
    assert_eq!((file.ir_version, file.opset_import[0].version), (IR_VERSION, OPSET));
    assert_eq!((file.opset_import.len(), file.opset_import[0].domain.as_str()), (1, ""));
    assert_eq!(file.producer_name, "longhand-onnx");
    assert_eq!(file.doc_string, "Lstm(3 -> 4) > Linear(4 -> 2)");
    let metadata = &file.metadata_props[0];
    assert_eq!(metadata.key, "longhand.description");
    let description: ModelDescription = serde_json::from_str(&metadata.value).expect("a description");
    assert_eq!(description, ModelDescription::of(&model).expect("a description"));
}

#[test]
fn inputs_and_outputs_have_dynamic_axes() {
    let (a, b) = (Lstm::<f32>::new(3, 4, &mut generator()), Gru::new(4, 2, &mut generator()));
    let graph = graph(both(), &a.then(b).expect("4 features"));
    let inputs = [
        "input: 1 [batch, time, 3]",
        "lengths: 7 [batch]",
        "initial_state.0: 1 [batch, 4]",
        "initial_state.1: 1 [batch, 4]",
        "initial_state.2: 1 [batch, 2]",
    ];
    assert_eq!(shapes(&graph.input), inputs);
    let outputs = [
        "output: 1 [batch, time, 2]",
        "final_state.0: 1 [batch, 4]",
        "final_state.1: 1 [batch, 4]",
        "final_state.2: 1 [batch, 2]",
    ];
    assert_eq!(shapes(&graph.output), outputs);
}

#[test]
fn token_ids_are_integers_and_one_step_is_one_step() {
    let model = Embedding::<f32>::new(7, 3, &mut generator()).then(LastStep).expect("any features");
    let graph = graph(OnnxExport::new(), &model);
    assert_eq!(shapes(&graph.input), ["input: 7 [batch, time]"]);
    assert_eq!(shapes(&graph.output), ["output: 1 [batch, 1, 3]"]);
}

#[test]
fn a_model_of_any_features_has_a_dynamic_axis_of_features() {
    let graph = graph(OnnxExport::new(), &Activation::Tanh);
    assert_eq!(shapes(&graph.input), ["input: 1 [batch, time, features]"]);
    assert_eq!(shapes(&graph.output), ["output: 1 [batch, time, features]"]);
}

#[test]
fn gates_are_in_the_order_of_the_operators() {
    let mut lstm = Lstm::<f32>::zeros(1, 1);
    lstm.weight_ih_l0.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    lstm.bias_hh_l0.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
    let of_lstm = graph(OnnxExport::new(), &lstm);
    assert_eq!(values(&of_lstm, "weight_ih_l0"), [1.0, 4.0, 2.0, 3.0]);
    assert_eq!(values(&of_lstm, "bias_ih_l0"), [0.0, 0.0, 0.0, 0.0, 1.0, 4.0, 2.0, 3.0]);

    let mut gru = Gru::<f32>::zeros(1, 1);
    gru.weight_hh_l0.copy_from_slice(&[1.0, 2.0, 3.0]);
    assert_eq!(values(&graph(OnnxExport::new(), &gru), "weight_hh_l0"), [2.0, 1.0, 3.0]);
}

/// The hidden state has the features of the projection, the cell those of the units.
#[test]
fn a_projected_lstm_is_a_loop_with_a_product() {
    let model = ProjectedLstm::<f32>::new(3, 5, 2, &mut generator());
    let graph = graph(both(), &model);
    assert_eq!(shapes(&graph.output)[0], "output: 1 [batch, time, 2]");
    let states = ["initial_state.0: 1 [batch, 2]", "initial_state.1: 1 [batch, 5]"];
    assert_eq!(shapes(&graph.input)[2..], states);
    assert_eq!(shapes(&graph.output)[1..], states.map(|state| state.replace("initial", "final")));
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let bodies: Vec<&GraphProto> = attributes.filter_map(|attribute| attribute.g.as_ref()).collect();
    assert_eq!(bodies.len(), 1);
    assert_eq!(operators(bodies[0]).into_iter().filter(|&name| name == "MatMul").count(), 2);
    assert_eq!(values(bodies[0], "weight_hr_l0"), model.weight_hr_l0.as_slice());
}

#[test]
fn dropout_and_frozen_add_nothing() {
    let linear = Linear::<f32>::new(2, 2, &mut generator());
    let model = Frozen::new(linear.clone()).then(Dropout::new(0.5).expect("a probability")).expect("any features");
    assert_eq!(operators(&graph(OnnxExport::new(), &model)), operators(&graph(OnnxExport::new(), &linear)));
}

/// What an operator states in its attributes and constants, and the layers that are several operators.
#[test]
fn nonlinearities_are_operators_of_opset_17() {
    let expected: [(Activation, &[&str]); 8] = [
        (Activation::leaky_relu(0.2).expect("finite"), &["LeakyRelu"]),
        (Activation::elu(0.7).expect("positive"), &["Elu"]),
        (Activation::Softplus, &["Softplus"]),
        (Activation::HardSigmoid, &["HardSigmoid"]),
        (Activation::HardTanh, &["Clip"]),
        (Activation::HardSwish, &["HardSigmoid", "Mul"]),
        (Activation::Silu, &["Sigmoid", "Mul"]),
        (Activation::Gelu, &["Mul", "Erf", "Add", "Mul", "Mul"]),
    ];
    for (activation, expected) in expected {
        let graph = graph(OnnxExport::new(), &activation);
        let found: Vec<&str> = operators(&graph).into_iter().filter(|&name| name != "Transpose").collect();
        assert_eq!(found, expected, "{activation:?}");
        let alpha = graph.node.iter().flat_map(|node| &node.attribute).find(|attribute| attribute.name == "alpha");
        match activation {
            Activation::LeakyRelu { .. } => assert_eq!(alpha.and_then(|alpha| alpha.f), Some(0.2)),
            Activation::Elu { .. } => assert_eq!(alpha.and_then(|alpha| alpha.f), Some(0.7)),
            _ => {}
        }
    }
}

#[test]
fn causal_self_attention_is_exported() {
    let model = CausalSelfAttention::<f32>::new(3, 5, 2, 4, &mut generator()).expect("settings in range");
    let of_whole = graph(OnnxExport::new(), &model);
    assert_eq!(shapes(&of_whole.output), ["output: 1 [batch, time, 5]"]);
    assert_eq!(operators(&of_whole).into_iter().filter(|&operator| operator == "MatMul").count(), 3);
    let with_states = graph(both(), &model);
    // Three earlier slots of a key, a value and a presence.
    assert!(shapes(&with_states.input).contains(&"initial_state.0: 1 [batch, 24]".to_owned()));
    assert!(shapes(&with_states.output).contains(&"final_state.0: 1 [batch, 24]".to_owned()));
    // A window of one step has no state.
    let model = CausalSelfAttention::<f32>::new(3, 5, 2, 1, &mut generator()).expect("settings in range");
    assert_eq!(shapes(&graph(both(), &model).output), ["output: 1 [batch, time, 5]"]);
}

#[test]
fn the_layers_around_recurrent_layers_are_exported() {
    let g = &mut generator();
    let stack = Stack::bidirectional::<f32>(3, 2, |inputs| Gru::new(inputs, 2, g)).expect("they fit");
    let highway = Highway::new(4, Activation::Gelu, g).expect("any features");
    let model = stack.with_dropout(0.3).expect("a probability").then(highway).expect("4 features");
    let model = model.then(LayerNorm::new(4)).and_then(|model| model.then(RmsNorm::new(4))).expect("4 features");
    let model = model.then(VariationalDropout::new(0.5).expect("a probability")).expect("any features");
    let attended = model.clone().then(AttentionPooling::new(4, 3, g)).expect("4 features");
    let maximum = model.then(MaxOverTime).expect("any features");
    let count = |graph: &GraphProto, name: &str| operators(graph).into_iter().filter(|&found| found == name).count();
    for export in [OnnxExport::new(), OnnxExport::new().with_lengths()] {
        let of_attended = graph(export, &attended);
        assert_eq!((count(&of_attended, "GRU"), count(&of_attended, "Softmax")), (4, 1));
        assert_eq!(count(&of_attended, "LayerNormalization"), 1);
        let of_maximum = graph(export, &maximum);
        assert_eq!(
            (count(&of_maximum, "ReduceMax"), shapes(&of_maximum.output)),
            (1, vec!["output: 1 [batch, 1, 4]".into()])
        );
    }
    for (error, layer) in [
        (both().to_bytes::<f32, _>(&MaxOverTime), "MaxOverTime"),
        (both().to_bytes(&AttentionPooling::<f32>::zeros(3, 2)), "AttentionPooling"),
    ] {
        let error = error.expect_err("the layer needs the whole sequence");
        assert!(matches!(error, OnnxError::CannotStream { .. }) && error.to_string().contains(layer), "{error}");
    }
}

#[test]
fn names_of_values_are_unique_in_the_graph_and_in_its_loops() {
    let inner = ["IndRnn", "MinGru", "MinimalGatedUnit"].map(|layer| new(layer).with("units", 3));
    let inner: serde_json::Value = inner.into_iter().map(serde_json::Value::from).collect();
    let model = built(
        &ModelDescription::new(3)
            .then(new("Residual").with("inner", inner.clone()))
            .then(new("Residual").with("inner", inner))
            .then(new("Lstm").with("units", 3)),
    );
    let graph = graph(both(), &model);
    let mut names: Vec<String> = Vec::new();
    let mut add = |graph: &GraphProto| {
        names.extend(graph.input.iter().map(|input| input.name.clone()));
        names.extend(graph.initializer.iter().map(|tensor| tensor.name.clone()));
        names.extend(graph.node.iter().flat_map(|node| node.output.clone()));
    };
    add(&graph);
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    let bodies: Vec<_> = attributes.filter(|attribute| attribute.r#type == attribute_type::GRAPH).collect();
    assert_eq!(bodies.len(), 7);
    bodies.iter().filter_map(|body| body.g.as_ref()).for_each(&mut add);
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_model_of_double_precision_is_exported_in_single_precision() {
    let mut double = Linear::<f64>::zeros(1, 1);
    double.weight[0] = 0.1;
    let bytes = OnnxExport::new().to_bytes(&double).expect("an exported model");
    let graph = ModelProto::decode(bytes.as_slice()).expect("a file").graph.expect("a graph");
    assert_eq!(values(&graph, "weight"), [0.1]);

    double.weight[0] = 1e300;
    let error = OnnxExport::new().to_bytes(&double).expect_err("the weight is too large");
    assert_eq!(
        error.to_string(),
        "layers[0] (`Linear`): `weight` has a value that is too large for single precision (3.4e38)"
    );
}

#[test]
fn saving_replaces_a_file_and_leaves_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, model) = (folder.path().join("model.onnx"), Linear::<f32>::zeros(1, 1));
    std::fs::write(&path, "an older file").expect("a file");
    OnnxExport::new().save(&model, &path).expect("a saved model");
    assert_eq!(std::fs::read(&path).expect("a file"), OnnxExport::new().to_bytes(&model).expect("an exported model"));
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1);

    let error = OnnxExport::new().save(&model, folder.path().join("none/model.onnx")).expect_err("there is no folder");
    assert!(matches!(&error, OnnxError::Write { path, .. } if path.ends_with("none/model.onnx")), "{error}");
}

#[cfg(unix)]
#[test]
fn a_saved_file_has_the_permissions_of_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("a file").permissions().mode();
    std::fs::write(folder.path().join("new"), "").expect("a file");
    OnnxExport::new().save(&Linear::<f32>::zeros(1, 1), folder.path().join("model.onnx")).expect("a saved model");
    assert_eq!(mode("model.onnx"), mode("new"));
}
