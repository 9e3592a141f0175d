//! What a hostile description must not do: panic, abort, use more memory than the documentation of
//! `longhand_model::Model::build` states, or cause an error without a message.

use crate::memory::peak_of;
use longhand::{BoxedChainCache, Features, Layer, Pass, Sequences, Tokens};
use longhand_model::{Layers, Model, ModelDescription, ModelError, ModelInput};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Parameters that a model may have.
const PARAMETERS: usize = 10_000;

/// Limits of the memory in bytes: a multiple of the size of the text for parsing and one for building, each with a constant. That
/// of building includes the parameters.
///
/// The parser of TOML makes a table for each part of the key `a.a.a`, even if the parts are empty as in the faulty header `[...`,
/// and each table with a key allocates a node of a B-tree: 1,072 bytes for one byte of text. Tokens and events of the
/// parser take up to 142 bytes more for each byte.
const OF_PARSING: usize = 1_300;
const PARSING_CONSTANT: usize = 1 << 14;
const OF_BUILDING: usize = 150;
const BUILDING_CONSTANT: usize = 1 << 20;

/// Reads the input as a description in JSON if it starts with `{`, otherwise in TOML, and builds both kinds of models.
pub fn description(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let limit = text.len() * OF_PARSING + PARSING_CONSTANT;
    let (description, peak) = peak_of(|| parse(text));
    assert!(peak <= limit, "parsing took {peak} bytes of memory for {} bytes: expected at most {limit}", text.len());
    let Ok(description) = description else { return };
    let limit = text.len() * OF_BUILDING + BUILDING_CONSTANT;
    if let Some(model) = build::<Sequences<f32>>(&description, limit) {
        run(&model);
    }
    build::<Tokens>(&description, limit);
}

fn parse(text: &str) -> Result<ModelDescription, String> {
    if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}

fn build<X: ModelInput<f32>>(description: &ModelDescription, limit: usize) -> Option<Model<f32, X>> {
    let layers = Layers::library().with_limit(PARAMETERS);
    let build = |description: &ModelDescription| -> Result<Model<f32, X>, ModelError> {
        Model::build_with(description, &layers, &mut ChaCha8Rng::seed_from_u64(1))
    };
    let (model, peak) = peak_of(|| build(description));
    assert!(peak <= limit, "building took {peak} bytes of memory: expected at most {limit}");
    match model {
        Ok(model) => {
            let again = build(model.description()).expect("the full description can be built");
            assert_eq!(again.description(), model.description());
            assert_eq!(again.name(), model.name());
            Some(model)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// A model that can be built can be called.
fn run(model: &Model<f32>) {
    let inputs = match model.features() {
        Features::Fixed { input, .. } => input,
        Features::Any => model.description().inputs.unwrap_or(3),
    };
    // One step, because a residual connection around `LastStep` accepts no more (a panic that its documentation states).
    // Layers without parameters accept any number of inputs, even one that does not fit into memory.
    if inputs <= PARAMETERS {
        let input = Sequences::from_fn(inputs, 1, 2, |feature, step, sequence| (feature + step + sequence) as f32);
        let mut cache = BoxedChainCache::default();
        let output = model.forward(&input, &mut model.carry(2), &mut cache, &mut Pass::Infer);
        assert_eq!(output.layout().batch(), 2);
    }
}
