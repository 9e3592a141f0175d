//! A case: a PyTorch module as a list of its parts, as `nets.py` describes it, and the same model here.

use crate::run::Tensor;
use longhand_model::{LayerDescription, ModelDescription, TensorNames};
use serde::{Deserialize, Serialize};

/// A module and the form of its inputs.
#[derive(Debug, Serialize, Deserialize)]
pub struct Case {
    /// `f32` or `f64`.
    pub precision: String,
    /// Number of features; `None` for token ids.
    pub inputs: Option<usize>,
    pub batch_first: bool,
    pub parts: Vec<Part>,
}

/// One module; settings that its kind does not have are left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    pub kind: String,
    /// The name of the module in the state dict.
    pub path: String,
    /// Units, outputs or features.
    pub size: usize,
    /// The features of the hidden state, if it is projected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projection: Option<usize>,
    pub layers: usize,
    pub bidirectional: bool,
    pub bias: bool,
    pub nonlinearity: String,
    pub tokens: usize,
    pub probability: f64,
    pub inner: Vec<Part>,
}

impl Part {
    pub fn is_recurrent(&self) -> bool {
        self.layers > 0
    }

    /// The names of its states before the first step.
    pub fn states(&self) -> &'static [&'static str] {
        match self.kind.as_str() {
            "LSTM" => &["h_0", "c_0"],
            _ => &["h_0"],
        }
    }

    /// The layers here: one, or several for a stack.
    fn layers(&self) -> Vec<LayerDescription> {
        if !self.is_recurrent() {
            return vec![match self.kind.as_str() {
                "Embedding" => {
                    LayerDescription::new("Embedding").with("tokens", self.tokens).with("features", self.size)
                }
                "Linear" => LayerDescription::new("Linear").with("outputs", self.size),
                "Dropout" => LayerDescription::new("Dropout").with("probability", self.probability),
                "Residual" => LayerDescription::new("Residual").with("inner", list(&layers(&self.inner))),
                kind => LayerDescription::new(kind),
            }];
        }
        let name = match self.kind.as_str() {
            "RNN" => "Elman",
            "LSTM" if self.projection.is_some() => "ProjectedLstm",
            "LSTM" => "Lstm",
            "GRU" => "Gru",
            kind => kind,
        };
        let mut layer = LayerDescription::new(name).with("units", self.size);
        if let Some(outputs) = self.projection {
            layer = layer.with("outputs", outputs);
        }
        if !self.nonlinearity.is_empty() {
            layer = layer.with("nonlinearity", self.nonlinearity.as_str());
        }
        if self.bidirectional {
            layer = LayerDescription::new("Bidirectional").with("forward", layer.clone()).with("backward", layer);
        }
        vec![layer; self.layers]
    }

    /// Adds the rules for its tensors, where `places` are those of its layers.
    fn add_names(&self, names: TensorNames, places: &[String], all_biases: bool) -> TensorNames {
        let names = match self.kind.as_str() {
            "Residual" => add_names(names, &self.inner, &join(&places[0], "inner"), all_biases),
            "Linear" | "Embedding" => names.with_module(&self.path, &places[0]),
            _ if self.is_recurrent() => names.with_stack(&self.path, places),
            _ => return names,
        };
        let has_biases = self.bias || !(self.is_recurrent() || self.kind == "Linear");
        if has_biases || all_biases { names } else { names.without_biases(&self.path) }
    }
}

impl Case {
    pub fn description(&self) -> ModelDescription {
        ModelDescription { inputs: self.inputs, layers: layers(&self.parts) }
    }

    /// Which tensor of the state dict is which tensor of the model.
    pub fn names(&self) -> TensorNames {
        add_names(TensorNames::new(), &self.parts, "", false)
    }

    /// The same, with names for the biases that the module does not have.
    pub fn names_with_biases(&self) -> TensorNames {
        add_names(TensorNames::new(), &self.parts, "", true)
    }

    /// A tensor of states with zeros for the second directions, which the carry of a model with other layers does not have; any other
    /// as it is.
    pub fn without_second_directions(&self, name: &str, tensor: &Tensor) -> Tensor {
        let mut tensor = tensor.clone();
        if let [part] = &self.parts[..]
            && part.bidirectional
        {
            return tensor;
        }
        let is_state = |path: &str| name.trim_start_matches("d_").rsplit_once('/').is_some_and(|(of, _)| of == path);
        if self.recurrent_parts().iter().any(|part| part.bidirectional && is_state(&part.path)) {
            let size = tensor.shape[1] * tensor.shape[2];
            tensor.values.chunks_exact_mut(size).skip(1).step_by(2).for_each(|state| state.fill(0.0));
        }
        tensor
    }

    /// All recurrent parts in order, those inside of others included.
    pub fn recurrent_parts(&self) -> Vec<&Part> {
        fn collect<'p>(parts: &'p [Part], found: &mut Vec<&'p Part>) {
            for part in parts {
                found.extend(part.is_recurrent().then_some(part));
                collect(&part.inner, found);
            }
        }
        let mut found = Vec::new();
        collect(&self.parts, &mut found);
        found
    }

    /// The matrices of the model's carry in order, each as the state of a part and its index in PyTorch's tensor.
    pub fn carries(&self) -> Vec<Place> {
        let mut carries = Vec::new();
        for part in self.recurrent_parts() {
            let directions = if part.bidirectional { 2 } else { 1 };
            for layer in 0..part.layers {
                // The carry is that of the forward direction.
                let states = part.states().iter();
                carries.extend(states.map(|state| (format!("{}/{state}", part.path), layer * directions)));
            }
        }
        carries
    }

    /// The same for a module that is one recurrent module in both directions, each with its states.
    pub fn carries_of_both(&self) -> Vec<Place> {
        let part = &self.parts[0];
        let of = |index| part.states().iter().map(move |state| (format!("{}/{state}", part.path), index));
        (0..2 * part.layers).flat_map(of).collect()
    }
}

/// The name of PyTorch's tensor of states, and the index of a matrix in it.
pub type Place = (String, usize);

fn layers(parts: &[Part]) -> Vec<LayerDescription> {
    parts.iter().flat_map(Part::layers).collect()
}

fn list(layers: &[LayerDescription]) -> serde_json::Value {
    layers.iter().cloned().map(serde_json::Value::from).collect()
}

fn add_names(names: TensorNames, parts: &[Part], prefix: &str, all_biases: bool) -> TensorNames {
    let count = layers(parts).len();
    // One layer alone has no place in front of the names of its tensors.
    let mut places =
        (0..count).map(|place| if count == 1 { prefix.to_owned() } else { join(prefix, &place.to_string()) });
    parts.iter().fold(names, |names, part| {
        let places: Vec<String> = places.by_ref().take(part.layers().len()).collect();
        part.add_names(names, &places, all_biases)
    })
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}
