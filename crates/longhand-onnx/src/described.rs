//! The description of a layer, as the export reads it: its settings, the layers inside of it, and its place in the model.

use crate::OnnxError;
use longhand_model::LayerDescription;
use serde_json::{Map, Value};

/// A layer with its settings and its place in the model.
#[derive(Debug)]
pub(crate) struct Described {
    /// The name of the layer, such as `Lstm`.
    pub(crate) name: String,
    settings: Map<String, Value>,
    /// The place for messages, such as ``layers[1] (`Residual`) > inner[0] (`Lstm`)``.
    pub(crate) place: String,
    /// The place as a prefix of names in the graph, such as `layers.1.inner.0`.
    pub(crate) scope: String,
}

impl Described {
    /// The layers of a model.
    pub(crate) fn layers(layers: &[LayerDescription]) -> Vec<Described> {
        let layers = layers.iter().enumerate();
        layers
            .map(|(index, layer)| {
                let (name, settings) = (layer.layer.clone(), fields(Value::from(layer.clone())));
                let place = format!("layers[{index}] (`{name}`)");
                Described { name, settings, place, scope: format!("layers.{index}") }
            })
            .collect()
    }

    fn problem(&self, problem: String) -> OnnxError {
        OnnxError::Description { place: self.place.clone(), problem }
    }

    /// A setting that is a size.
    pub(crate) fn size(&self, setting: &str) -> Result<usize, OnnxError> {
        let size = self.settings.get(setting).and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| self.problem(format!("the description must have the setting `{setting}`, a whole number")))
    }

    /// A setting that is a real number.
    pub(crate) fn number(&self, setting: &str) -> Result<f64, OnnxError> {
        let number = self.settings.get(setting).and_then(Value::as_f64);
        number.ok_or_else(|| self.problem(format!("the description must have the setting `{setting}`, a number")))
    }

    /// Whether the nonlinearity is the rectifier rather than the hyperbolic tangent.
    pub(crate) fn is_relu(&self) -> Result<bool, OnnxError> {
        match self.settings.get("nonlinearity").and_then(Value::as_str) {
            Some("relu") => Ok(true),
            Some("tanh") => Ok(false),
            other => Err(self.problem(format!(
                "the description must have the setting `nonlinearity`, \"tanh\" or \"relu\"; it has {other:?}"
            ))),
        }
    }

    /// The layer or layers inside of this one that a setting describes.
    pub(crate) fn inner(&self, setting: &str) -> Result<Vec<Described>, OnnxError> {
        let (values, is_list) = match self.settings.get(setting) {
            Some(Value::Array(list)) => (list.clone(), true),
            Some(value @ Value::Object(_)) => (vec![value.clone()], false),
            _ => (Vec::new(), false),
        };
        let layers = values.into_iter().enumerate().map(|(index, value)| {
            let settings = fields(value);
            let name = settings.get("layer")?.as_str()?.to_owned();
            let (at, scope) = if is_list {
                (format!("{setting}[{index}]"), format!("{}.{setting}.{index}", self.scope))
            } else {
                (setting.to_owned(), format!("{}.{setting}", self.scope))
            };
            Some(Described { place: format!("{} > {at} (`{name}`)", self.place), name, settings, scope })
        });
        match layers.collect::<Option<Vec<_>>>() {
            Some(layers) if !layers.is_empty() => Ok(layers),
            _ => {
                Err(self
                    .problem(format!("the description must have the setting `{setting}`, a layer or a list of layers")))
            }
        }
    }
}

/// Whether the first layer takes token ids.
pub(crate) fn takes_tokens(layers: &[Described]) -> Result<bool, OnnxError> {
    match layers.first() {
        Some(frozen) if frozen.name == "Frozen" => takes_tokens(&frozen.inner("inner")?),
        Some(chain) if chain.name == "Chain" => takes_tokens(&chain.inner("layers")?),
        first => Ok(first.is_some_and(|first| first.name == "Embedding")),
    }
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
