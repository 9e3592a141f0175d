//! What a model consists of.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// The layers of a model, in order: everything that is needed to build it, except for the values of its parameters.
///
/// ```
/// use longhand_model::{LayerDescription, ModelDescription};
///
/// let description = ModelDescription::new(3)
///     .then(LayerDescription::new("Gru").with("units", 16))
///     .then(LayerDescription::new("Linear").with("outputs", 2));
/// let text = toml::to_string(&description)?;
/// assert_eq!(toml::from_str::<ModelDescription>(&text)?, description);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDescription {
    /// Number of features of the model's input. It may be left out if the first layer states it, as an `Embedding` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<usize>,
    /// The layers, from the input to the output.
    pub layers: Vec<LayerDescription>,
}

impl ModelDescription {
    /// A model of `inputs` input features, without layers.
    pub fn new(inputs: usize) -> Self {
        ModelDescription { inputs: Some(inputs), layers: Vec::new() }
    }

    /// A model on token ids, without layers; the first one states the number of ids.
    pub fn on_tokens() -> Self {
        ModelDescription { inputs: None, layers: Vec::new() }
    }

    /// Adds a layer at the end.
    #[must_use]
    pub fn then(mut self, layer: LayerDescription) -> Self {
        self.layers.push(layer);
        self
    }
}

/// The name of a layer and its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerDescription {
    /// The name of the layer, such as `Lstm`.
    pub layer: String,
    /// The settings, by name.
    #[serde(flatten)]
    pub(crate) settings: Map<String, Value>,
}

impl LayerDescription {
    /// A layer without settings.
    pub fn new(layer: impl Into<String>) -> Self {
        LayerDescription { layer: layer.into(), settings: Map::new() }
    }

    /// Adds a setting: a number, a string, a boolean, a layer, or a list of these.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }
}

/// As it is in a TOML list: `{ layer = "Linear", outputs = 2 }`.
impl fmt::Display for LayerDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ layer = {:?}", self.layer)?;
        self.settings.iter().try_for_each(|(name, value)| write!(f, ", {name} = {value}"))?;
        f.write_str(" }")
    }
}

impl From<LayerDescription> for Value {
    fn from(description: LayerDescription) -> Value {
        let mut fields = description.settings;
        fields.insert("layer".into(), description.layer.into());
        Value::Object(fields)
    }
}

/// A layer's description, borrowed from a [`LayerDescription`] or from the setting of another layer. Copies would add up:
/// each layer is inside of the settings of all layers around it.
#[derive(Clone, Copy)]
pub(crate) struct LayerView<'a> {
    /// The name of the layer.
    pub(crate) layer: &'a str,
    fields: &'a Map<String, Value>,
    /// Whether the fields include the name of the layer.
    is_value: bool,
}

impl<'a> LayerView<'a> {
    /// Reads a description that is a setting of another layer.
    pub(crate) fn of_value(value: &'a Value) -> Result<Self, serde_json::Error> {
        if let Value::Object(fields) = value
            && let Some(Value::String(layer)) = fields.get("layer")
        {
            return Ok(LayerView { layer, fields, is_value: true });
        }
        LayerDescription::deserialize(value).and_then(|_| Err(serde::de::Error::custom("expected a layer")))
    }

    /// The settings, by name.
    pub(crate) fn settings(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.fields.iter().filter(move |(name, _)| !self.is_value || *name != "layer")
    }

    /// The setting of this name.
    pub(crate) fn get(self, setting: &str) -> Option<&'a Value> {
        self.fields.get(setting).filter(|_| !self.is_value || setting != "layer")
    }
}

impl<'a> From<&'a LayerDescription> for LayerView<'a> {
    fn from(description: &'a LayerDescription) -> Self {
        LayerView { layer: &description.layer, fields: &description.settings, is_value: false }
    }
}
