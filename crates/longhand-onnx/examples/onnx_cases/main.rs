//! Writes exported models with inputs and the library's outputs, for other implementations of ONNX to compare with:
//!
//! ```sh
//! cargo run -p longhand-onnx --example onnx_cases -- target/onnx-cases
//! ```
//!
//! Each case is an `.onnx` file and a `.json` file of the same name. The models are random, plus every recurrent layer with every
//! option of the export, and a few that are built from types.

mod case;
mod random;

use case::{Options, Writer};
use longhand::prelude::*;
use longhand_model::{LayerDescription, Model, ModelDescription};
use rand::RngExt;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use std::error::Error;

/// Number of random models.
const RANDOM_MODELS: usize = 150;

/// The recurrent layers, with their nonlinearity where they have the choice.
const RECURRENT: [(&str, Option<&str>); 9] = [
    ("Lstm", None),
    ("ProjectedLstm", None),
    ("Gru", None),
    ("MinGru", None),
    ("MinimalGatedUnit", None),
    ("Elman", Some("tanh")),
    ("Elman", Some("relu")),
    ("IndRnn", Some("relu")),
    ("IndRnn", Some("tanh")),
];

/// A recurrent layer with `units` output features.
fn recurrent((layer, nonlinearity): (&str, Option<&str>), units: usize) -> LayerDescription {
    if layer == "ProjectedLstm" {
        return LayerDescription::new(layer).with("units", units + 2).with("outputs", units);
    }
    let description = LayerDescription::new(layer).with("units", units);
    match nonlinearity {
        Some(nonlinearity) => description.with("nonlinearity", nonlinearity),
        None => description,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("give the folder of the cases")?;
    let mut generator = ChaCha8Rng::seed_from_u64(1);
    let mut writer = Writer::new(folder)?;
    for layer in RECURRENT {
        for options in Options::ALL {
            let units = generator.random_range(1..=9);
            let mut description = ModelDescription::new(generator.random_range(1..=9)).then(recurrent(layer, units));
            if !options.states {
                let [forward, backward] = [(); 2].map(|()| recurrent(layer, generator.random_range(1..=9)));
                let both = LayerDescription::new("Bidirectional").with("forward", forward).with("backward", backward);
                description = description.then(both);
            }
            described(&mut writer, &description, options, &mut generator)?;
        }
    }
    for _ in 0..RANDOM_MODELS {
        let options = Options { lengths: generator.random(), states: generator.random() };
        let description = random::model(options.states, &mut generator);
        described(&mut writer, &description, options, &mut generator)?;
    }
    typed(&mut writer, &mut generator)?;
    println!("wrote {} cases", writer.count());
    Ok(())
}

/// Builds a model from its description and writes a case.
fn described(
    writer: &mut Writer,
    description: &ModelDescription,
    options: Options,
    generator: &mut ChaCha8Rng,
) -> Result<(), Box<dyn Error>> {
    if let Some(features) = description.inputs {
        let model = Model::<f32>::build(description, generator)?;
        writer.features(&model, features, options, generator)
    } else {
        let model = Model::<f32, Tokens>::build(description, generator)?;
        let Features::Fixed { input: tokens, .. } = model.features() else {
            return Err("an embedding has a size".into());
        };
        writer.tokens(&model, tokens, options, generator)
    }
}

/// Models that are built from types, whose tensors have other names than those of a list of layers.
fn typed(writer: &mut Writer, generator: &mut ChaCha8Rng) -> Result<(), Box<dyn Error>> {
    for options in Options::ALL {
        let tail = Gru::<f32>::new(4, 5, generator).then(Linear::new(5, 4, generator))?;
        let nested = Lstm::new(3, 4, generator)
            .then(Residual::new(tail)?)?
            .then(Layer::<f32>::then(Activation::Relu, LastStep)?)?;
        writer.features(&nested, 3, options, generator)?;

        let encoder = Frozen::new(Embedding::<f32>::new(7, 3, generator).then(Elman::new(3, 4, generator))?);
        let model = encoder.then(Dropout::new(0.5)?)?.then(Linear::new(4, 2, generator))?;
        writer.tokens(&model, 7, options, generator)?;

        writer.features(&Linear::<f32>::new(2, 3, generator), 2, options, generator)?;
        writer.features(&Activation::Sigmoid, 3, options, generator)?;
    }
    for options in Options::ALL.into_iter().filter(|options| !options.states) {
        let [forward, backward] = [(); 2].map(|()| IndRnn::<f32>::new(3, 4, generator).then(Gru::new(4, 2, generator)));
        let both = Bidirectional::new(forward?, backward?)?;
        let model = both.then(MeanOverTime)?.then(Linear::new(4, 3, generator))?.then(Activation::Tanh)?;
        writer.features(&model, 3, options, generator)?;
    }
    Ok(())
}
