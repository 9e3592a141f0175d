//! The layer that is to be built, as its builder sees it.

use crate::{LayerDescription, LayerError, Layers, ModelError, ModelInput};
use longhand::{BoxedLayer, Scalar};
use rand::Rng;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The layer that is to be built: its settings, the number of its inputs, and the generator for its parameters.
pub struct LayerRequest<'a, T: Scalar> {
    pub(crate) layers: &'a Layers<T>,
    pub(crate) description: &'a LayerDescription,
    pub(crate) inputs: Option<usize>,
    pub(crate) generator: &'a mut dyn Rng,
}

impl<T: Scalar> LayerRequest<'_, T> {
    /// The settings, read into a type of the layer's own. Use `#[serde(deny_unknown_fields)]`, so that a misspelt setting is an
    /// error.
    ///
    /// # Errors
    /// If a setting is missing, unknown or has the wrong type.
    pub fn settings<S: DeserializeOwned>(&self) -> Result<S, LayerError> {
        let settings = Value::Object(self.description.settings.clone());
        serde_json::from_value(settings).map_err(|error| LayerError::Settings(error.to_string()))
    }

    /// The number of input features: what the layer before this one gives, or the model's `inputs`.
    ///
    /// # Errors
    /// If the description does not say.
    pub fn inputs(&self) -> Result<usize, LayerError> {
        self.inputs.ok_or(LayerError::Inputs)
    }

    /// The generator from which the parameters are drawn.
    pub fn generator(&mut self) -> &mut dyn Rng {
        self.generator
    }

    /// Checks the number of parameters before memory is allocated for them: `sizes` are the rows and columns of each tensor.
    ///
    /// # Errors
    /// If there are more than [`Layers::with_limit`] allows.
    pub fn check_size(&self, sizes: &[[usize; 2]]) -> Result<(), LayerError> {
        let count = |[rows, columns]: [usize; 2]| rows.saturating_mul(columns);
        let parameters = sizes.iter().fold(0_usize, |sum, &size| sum.saturating_add(count(size)));
        let limit = self.layers.limit;
        if parameters <= limit { Ok(()) } else { Err(LayerError::TooLarge { parameters, limit }) }
    }

    /// Builds the layer inside of this one that a setting describes: a layer, or a list of layers.
    ///
    /// # Errors
    /// If the setting is missing or not a layer, or the layer cannot be built.
    pub fn inner(&mut self, setting: &str) -> Result<BoxedLayer<T>, LayerError> {
        self.inner_on(setting)
    }

    /// [`inner`](Self::inner) on the input `X`.
    pub(crate) fn inner_on<X: ModelInput<T>>(&mut self, setting: &str) -> Result<BoxedLayer<T, X>, LayerError> {
        let read = |value: &Value| {
            LayerDescription::from_value(value).map_err(|error| LayerError::Settings(format!("`{setting}`: {error}")))
        };
        let (descriptions, is_list) = match self.description.settings.get(setting) {
            None => {
                return Err(LayerError::Settings(format!("missing field `{setting}`, a layer or a list of layers")));
            }
            Some(Value::Array(list)) => (list.iter().map(read).collect::<Result<Vec<_>, _>>()?, true),
            Some(value) => (vec![read(value)?], false),
        };
        let place = |index: usize| if is_list { format!("{setting}[{index}]") } else { setting.to_owned() };
        let built = self.layers.build_list(&descriptions, self.inputs, &mut *self.generator, &place);
        built.map_err(|error| LayerError::Inner(Box::new(error)))
    }
}

impl LayerDescription {
    /// Reads a description that is a setting of another layer.
    fn from_value(value: &Value) -> Result<Self, serde_json::Error> {
        serde_json::from_value(value.clone())
    }
}

impl ModelError {
    pub(crate) fn new(place: &str, layer: &str, error: LayerError) -> Self {
        match error {
            LayerError::Inner(inner) => {
                ModelError { place: format!("{place} (`{layer}`) > {}", inner.place), error: inner.error }
            }
            error => ModelError { place: format!("{place} (`{layer}`)"), error },
        }
    }
}
