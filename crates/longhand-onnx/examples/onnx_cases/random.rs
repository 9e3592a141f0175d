//! Random descriptions of models.

use crate::{RECURRENT, recurrent};
use longhand_model::{LayerDescription, ModelDescription};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Layers may be inside of at most this many others.
const DEPTH: usize = 2;

const NONLINEARITIES: [&str; 11] =
    ["Tanh", "Sigmoid", "Relu", "LeakyRelu", "Gelu", "Silu", "Softplus", "Elu", "HardSigmoid", "HardTanh", "HardSwish"];

/// A random model; one that can stream if it is to have states.
pub(crate) fn model(streams: bool, generator: &mut ChaCha8Rng) -> ModelDescription {
    let inputs = generator.random_range(1..=9);
    let mut draw = Draw { streams, depth: 0, generator };
    if draw.generator.random_ratio(1, 5) {
        let features = draw.size();
        let embedding = LayerDescription::new("Embedding").with("tokens", inputs).with("features", features);
        let first =
            if draw.generator.random() { LayerDescription::new("Frozen").with("inner", embedding) } else { embedding };
        let (mut layers, _) = draw.layers(features, true);
        layers.insert(0, first);
        return ModelDescription { inputs: None, layers };
    }
    ModelDescription { inputs: Some(inputs), layers: draw.layers(inputs, true).0 }
}

struct Draw<'a> {
    streams: bool,
    depth: usize,
    generator: &'a mut ChaCha8Rng,
}

impl Draw<'_> {
    fn size(&mut self) -> usize {
        self.generator.random_range(1..=9)
    }

    /// A list of layers, and the number of their output features.
    fn layers(&mut self, mut features: usize, may_end_steps: bool) -> (Vec<LayerDescription>, usize) {
        let mut layers = Vec::new();
        for _ in 0..self.generator.random_range(1..=4) {
            let (layer, outputs) = self.layer(features, may_end_steps);
            layers.push(layer);
            features = outputs;
        }
        (layers, features)
    }

    /// A list of layers that ends with `outputs` features, as the value of a setting.
    fn inner(&mut self, features: usize, outputs: usize) -> Value {
        self.depth += 1;
        let (mut layers, _) = self.layers(features, false);
        self.depth -= 1;
        let cell = RECURRENT[self.generator.random_range(0..RECURRENT.len())];
        layers.push(recurrent(cell, outputs));
        layers.into_iter().map(Value::from).collect()
    }

    fn layer(&mut self, features: usize, may_end_steps: bool) -> (LayerDescription, usize) {
        let new = LayerDescription::new;
        match self.generator.random_range(0..14) {
            0 => (new("Dropout").with("probability", 0.5), features),
            1 => (new(NONLINEARITIES[self.generator.random_range(0..NONLINEARITIES.len())]), features),
            2 => {
                let outputs = self.size();
                (new("Linear").with("outputs", outputs), outputs)
            }
            3 if may_end_steps => (new("LastStep"), features),
            4 if may_end_steps && !self.streams => match self.generator.random_range(0..3) {
                0 => (new("MeanOverTime"), features),
                1 => (new("MaxOverTime"), features),
                _ => (new("AttentionPooling").with("units", self.size()), features),
            },
            5 if self.depth < DEPTH => {
                let around = ["Residual", "Highway"][self.generator.random_range(0..2)];
                (new(around).with("inner", self.inner(features, features)), features)
            }
            6 if self.depth < DEPTH => {
                let outputs = self.size();
                (new("Frozen").with("inner", self.inner(features, outputs)), outputs)
            }
            7 if self.depth < DEPTH && !self.streams => {
                let (forward, backward) = (self.size(), self.size());
                let layer = new("Bidirectional").with("forward", self.inner(features, forward));
                (layer.with("backward", self.inner(features, backward)), forward + backward)
            }
            8 => {
                let (outputs, kernel) = (self.size(), self.generator.random_range(1..=4));
                let layer = new("CausalConvolution").with("outputs", outputs).with("kernel_size", kernel);
                (layer.with("dilation", self.generator.random_range(1..=3)), outputs)
            }
            9 => {
                let (outputs, key_size, window) = (self.size(), self.size(), self.size());
                let layer = new("CausalSelfAttention").with("outputs", outputs).with("key_size", key_size);
                (layer.with("window", window), outputs)
            }
            10 => match self.generator.random_range(0..3) {
                0 => (new("LayerNorm"), features),
                1 => (new("RmsNorm").with("epsilon", 1e-3), features),
                _ => (new("VariationalDropout").with("probability", 0.5), features),
            },
            11 => {
                let units = self.size();
                let cell = RECURRENT[self.generator.random_range(0..RECURRENT.len())];
                let layers: Value = [(); 3].map(|()| Value::from(recurrent(cell, units))).into_iter().collect();
                (new("Stack").with("layers", layers).with("dropout", 0.3), units)
            }
            _ => {
                let (cell, units) = (RECURRENT[self.generator.random_range(0..RECURRENT.len())], self.size());
                (recurrent(cell, units), units)
            }
        }
    }
}
