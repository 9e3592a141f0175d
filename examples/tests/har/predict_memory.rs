//! The memory of `har-predict`, which a model file must not exhaust.

use crate::predict::{predict, samples};
use longhand_model::{LayerDescription, Model, ModelDescription, ModelFile};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;
use std::path::Path;

/// Saves a model of three channels and two activities, with windows of that many samples.
pub fn save_file(path: &Path, file: ModelFile, samples: usize) {
    let activities = json!({
        "data": "none",
        "synthetic": true,
        "classes": ["up\u{1b}[2J\u{9b}31m", "down\u{7f}\u{202e}\u{e0001}"],
        "channels": [["x", "g"], ["y", "g"], ["z", "g"]],
        "sampling_rate": 50.0,
        "samples": samples,
        "preparation": { "samples_per_step": 1, "normalisation": null },
        "outputs": "softmax",
    });
    file.with("activity recognition", activities).unwrap().save(path).unwrap();
}

fn save(path: &Path, layers: impl IntoIterator<Item = LayerDescription>, samples: usize) {
    let model = layers.into_iter().fold(ModelDescription::new(3), ModelDescription::then);
    let model = Model::<f32>::build(&model, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    save_file(path, ModelFile::of(&model).unwrap(), samples);
}

fn layer(name: &str) -> LayerDescription {
    LayerDescription::new(name)
}

fn sized(name: &str, setting: &str, size: usize) -> LayerDescription {
    layer(name).with(setting, size)
}

#[test]
fn a_model_whose_layers_exhaust_the_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let wide = || sized("Linear", "outputs", 1_000);
    let end = || [layer("LastStep"), sized("Linear", "outputs", 2)];
    // The file that asked for 29 GB, whose layers may also be inside of others.
    let repeated = |layer: LayerDescription, count: usize| std::iter::repeat_n(layer, count);
    let nested = |count| repeated(layer("Tanh"), count).map(serde_json::Value::from).collect::<Vec<_>>();
    for (layers, samples) in [
        (vec![wide()].into_iter().chain(repeated(layer("Tanh"), 490)).chain(end()).collect::<Vec<_>>(), 15_000),
        (
            vec![
                wide(),
                layer("Residual").with("inner", nested(490)),
                layer("LastStep"),
                sized("Linear", "outputs", 2),
            ],
            15_000,
        ),
        ([wide(), layer("Frozen").with("inner", nested(490))].into_iter().chain(end()).collect(), 15_000),
        ([sized("Lstm", "units", 100)].into_iter().chain(end()).collect(), 100_000),
        (repeated(sized("Linear", "outputs", 2), 60).collect(), 1_000_000),
    ] {
        save(&path, layers, samples);
        let run = predict(&[], &path, "");
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(
            run.stderr.contains(&format!("model.safetensors: windows of {samples} steps, for which the layers")),
            "{}",
            run.stderr
        );
        assert!(run.stderr.contains("expected at most 50,000,000"), "{}", run.stderr);
    }
}

#[test]
fn a_model_of_every_layer_classifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let linear = |outputs| sized("Linear", "outputs", outputs);
    let layers = [
        sized("Elman", "units", 5),
        sized("IndRnn", "units", 5),
        sized("Lstm", "units", 5),
        sized("ProjectedLstm", "units", 7).with("outputs", 5),
        sized("Gru", "units", 5),
        sized("MinGru", "units", 5),
        sized("MinimalGatedUnit", "units", 5),
        layer("Tanh"),
        layer("Sigmoid"),
        layer("Relu"),
        layer("LeakyRelu"),
        layer("Elu"),
        layer("Gelu"),
        layer("Silu"),
        layer("Softplus"),
        layer("HardSigmoid"),
        layer("HardTanh"),
        layer("HardSwish"),
        layer("LayerNorm"),
        layer("RmsNorm"),
        layer("Dropout").with("probability", 0.5),
        layer("VariationalDropout").with("probability", 0.5),
        sized("CausalConvolution", "outputs", 5).with("kernel_size", 2).with("dilation", 3),
        sized("CausalSelfAttention", "outputs", 5).with("key_size", 2).with("window", 4),
        layer("Chain").with("layers", linear(5)),
        layer("Stack").with("layers", json!([sized("Gru", "units", 5), sized("Gru", "units", 5)])),
        layer("Highway").with("inner", linear(5)),
        layer("Bidirectional").with("forward", sized("Gru", "units", 2)).with("backward", sized("Gru", "units", 3)),
        layer("Residual").with("inner", linear(5)),
        layer("Frozen").with("inner", linear(6)),
        layer("MeanOverTime"),
        layer("LastStep"),
        layer("MaxOverTime"),
        sized("AttentionPooling", "units", 4),
        linear(2),
    ];
    save(&path, layers, 20);
    let run = predict(&[], &path, &samples(20));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // The names of the classes do not control a terminal.
    assert!(
        run.stdout.trim_end().chars().all(|character| !character.is_control() && character != '\u{202e}'),
        "{:?}",
        run.stdout
    );
    let line: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let names: Vec<&String> = line["probabilities"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["down\u{7f}\u{202e}\u{e0001}", "up\u{1b}[2J\u{9b}31m"]);
}

/// A new layer of the library must be added to `har-predict/memory.rs`, and to the test above.
#[test]
fn the_memory_of_every_layer_is_known() {
    let unknown = ModelDescription::new(3).then(layer("?"));
    let error = Model::<f32>::build(&unknown, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
    let longhand_model::LayerError::Unknown { known } = error.error else { panic!("{error}") };
    let expected = "AttentionPooling Bidirectional CausalConvolution CausalSelfAttention Chain Dropout Elman Elu Embedding Frozen Gelu Gru \
                    HardSigmoid HardSwish HardTanh Highway IndRnn LastStep LayerNorm LeakyRelu Linear Lstm MaxOverTime MeanOverTime \
                    MinGru MinimalGatedUnit ProjectedLstm Relu Residual RmsNorm Sigmoid Silu Softplus Stack Tanh VariationalDropout";
    assert_eq!(known.join(" "), expected);
}

#[test]
fn layers_that_change_the_steps_inside_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let shorter = || vec![serde_json::Value::from(sized("Linear", "outputs", 3)), layer("LastStep").into()];
    for outer in [
        layer("Residual").with("inner", shorter()),
        layer("Bidirectional").with("forward", shorter()).with("backward", shorter()),
    ] {
        save(&path, [outer, sized("Linear", "outputs", 2)], 20);
        let run = predict(&[], &path, &samples(20));
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains("turn 20 steps into 1: expected as many steps"), "{}", run.stderr);
    }
}
