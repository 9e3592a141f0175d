//! The layer that is to be built, as its builder sees it.

use crate::description::LayerView;
use crate::{LayerDescription, LayerError, Layers, ModelError, ModelInput};
use longhand::{BoxedLayer, Features, Layer, Scalar};
use rand::Rng;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The layer that is to be built: its settings, the number of its inputs, and the generator for its parameters.
pub struct LayerRequest<'a, T: Scalar> {
    pub(crate) layers: &'a Layers<T>,
    pub(crate) description: LayerView<'a>,
    pub(crate) inputs: Option<usize>,
    pub(crate) site: Site<'a>,
    /// Whether the builder has read the settings that are not layers.
    has_read_settings: bool,
    /// The settings that are layers and that the builder has built.
    built: Vec<String>,
    /// The settings that the description leaves out, and those that are layers, in full.
    full: Map<String, Value>,
}

/// What all layers of a model share while they are built.
pub(crate) struct Site<'a> {
    pub(crate) generator: &'a mut dyn Rng,
    /// Parameters and layers that the model may still get.
    pub(crate) parameters_left: &'a mut usize,
    /// Parameters that the model may have.
    pub(crate) limit: usize,
    pub(crate) layers_left: &'a mut usize,
    /// How many layers this one is inside of.
    pub(crate) depth: usize,
}

impl Site<'_> {
    /// The same for a shorter time, `levels` deeper.
    pub(crate) fn reborrow(&mut self, levels: usize) -> Site<'_> {
        Site {
            generator: &mut *self.generator,
            parameters_left: &mut *self.parameters_left,
            limit: self.limit,
            layers_left: &mut *self.layers_left,
            depth: self.depth + levels,
        }
    }
}

impl<'a, T: Scalar> LayerRequest<'a, T> {
    pub(crate) fn new(
        layers: &'a Layers<T>,
        description: LayerView<'a>,
        inputs: Option<usize>,
        site: Site<'a>,
    ) -> Self {
        LayerRequest {
            layers,
            description,
            inputs,
            site,
            has_read_settings: false,
            built: Vec::new(),
            full: Map::new(),
        }
    }

    /// The settings that are not layers, read into a type of the layer's own. Use `#[serde(deny_unknown_fields)]`, so that a
    /// misspelt setting is an error. (Layers inside of this one are built by [`inner`](Self::inner).)
    ///
    /// # Errors
    /// If a setting is missing, unknown or has the wrong type.
    pub fn settings<S: DeserializeOwned>(&mut self) -> Result<S, LayerError> {
        self.has_read_settings = true;
        let settings = self.description.settings().filter(|(_, value)| !is_layer(value));
        let settings = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_json::from_value(Value::Object(settings)).map_err(|error| LayerError::Settings(error.to_string()))
    }

    /// [`settings`](Self::settings), and remembers those that the description leaves out.
    pub(crate) fn settings_in_full<S: DeserializeOwned + Serialize>(&mut self) -> Result<S, LayerError> {
        let settings = self.settings::<S>()?;
        if let Ok(Value::Object(full)) = serde_json::to_value(&settings) {
            self.full.extend(full);
        }
        Ok(settings)
    }

    /// Remembers a setting that the description may leave out.
    pub(crate) fn set_in_full(&mut self, setting: &str, value: impl Into<Value>) {
        self.full.insert(setting.to_owned(), value.into());
    }

    /// The layer's description, with every setting.
    pub(crate) fn full_description(self) -> LayerDescription {
        // Settings that are layers are in `full`. The others are copied only now: while the layers inside of this one are
        // built, there is no copy of them.
        let settings = self.description.settings().filter(|(_, value)| !is_layer(value));
        let mut settings: Map<_, _> = settings.map(|(name, value)| (name.clone(), value.clone())).collect();
        settings.extend(self.full);
        LayerDescription { layer: self.description.layer.to_owned(), settings }
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
        self.site.generator
    }

    /// Counts the parameters of this layer before memory is allocated for them. `sizes` are the rows and columns of each tensor;
    /// where they are products of settings, use `saturating_mul`.
    ///
    /// # Errors
    /// If the model would have more than [`Layers::with_limit`] allows.
    pub fn check_size(&mut self, sizes: &[[usize; 2]]) -> Result<(), LayerError> {
        let count = |[rows, columns]: [usize; 2]| rows.saturating_mul(columns);
        let parameters = sizes.iter().fold(0_usize, |sum, &size| sum.saturating_add(count(size)));
        match self.site.parameters_left.checked_sub(parameters) {
            Some(left) => {
                *self.site.parameters_left = left;
                Ok(())
            }
            None => Err(LayerError::TooLarge { limit: self.site.limit }),
        }
    }

    /// Checks the numbers in the carry of one sequence, of a layer whose carry can be large whatever the number of its parameters: at most
    /// 16 for each parameter that the model may have, but always 65,536, so that a small file cannot ask for a large memory.
    pub(crate) fn check_carry(&self, numbers: usize) -> Result<(), LayerError> {
        let limit = self.site.limit.saturating_mul(16).clamp(65_536, 100_000_000);
        if numbers <= limit {
            return Ok(());
        }
        let problem = format!("the carry of a sequence would have {numbers} numbers; at most {limit} are allowed here");
        Err(LayerError::Settings(problem))
    }

    /// Builds the layer inside of this one that a setting describes: a layer, or a list of layers.
    ///
    /// ```
    /// use longhand::{BoxedLayer, Frozen, Scalar};
    /// use longhand_model::Layers;
    ///
    /// fn layers<T: Scalar>() -> Layers<T> {
    ///     Layers::library().with("Fixed", |layer| Ok(BoxedLayer::new(Frozen::new(layer.inner("inner")?))))
    /// }
    /// ```
    ///
    /// # Errors
    /// If the setting is missing or not a layer, or the layer cannot be built.
    pub fn inner(&mut self, setting: &str) -> Result<BoxedLayer<T>, LayerError> {
        self.inner_on(setting)
    }

    /// The layers that a setting describes, and whether they are in a list.
    fn views(&mut self, setting: &str) -> Result<(Vec<LayerView<'a>>, bool), LayerError> {
        self.built.push(setting.to_owned());
        let read =
            |value| LayerView::of_value(value).map_err(|error| LayerError::Settings(format!("`{setting}`: {error}")));
        match self.description.get(setting) {
            None => Err(LayerError::Settings(format!("missing field `{setting}`, a layer or a list of layers"))),
            Some(Value::Array(list)) if list.is_empty() => Err(LayerError::Empty(format!("`{setting}`"))),
            Some(Value::Array(list)) => Ok((list.iter().map(read).collect::<Result<Vec<_>, _>>()?, true)),
            Some(value) => Ok((vec![read(value)?], false)),
        }
    }

    /// Builds the layers that a setting describes, a layer or a list of layers, each in a box of its own. Each one gets the output
    /// of the one before it.
    pub(crate) fn inner_list(&mut self, setting: &str) -> Result<Vec<BoxedLayer<T>>, LayerError> {
        let (descriptions, is_list) = self.views(setting)?;
        let (mut built, mut full, mut inputs) = (Vec::new(), Vec::new(), self.inputs);
        for (index, description) in descriptions.into_iter().enumerate() {
            let place = |_| if is_list { format!("{setting}[{index}]") } else { setting.to_owned() };
            let layer = self.layers.build_list(&[description], inputs, self.site.reborrow(1), &place);
            let (layer, description) = layer.map_err(|error| LayerError::Inner(Box::new(error)))?;
            if let Features::Fixed { output, .. } = layer.features() {
                inputs = Some(output);
            }
            built.push(layer);
            full.extend(description);
        }
        self.full.insert(setting.to_owned(), full.into_iter().map(Value::from).collect());
        Ok(built)
    }

    /// [`inner`](Self::inner) on the input `X`.
    pub(crate) fn inner_on<X: ModelInput<T>>(&mut self, setting: &str) -> Result<BoxedLayer<T, X>, LayerError> {
        let (descriptions, is_list) = self.views(setting)?;
        let place = |index: usize| if is_list { format!("{setting}[{index}]") } else { setting.to_owned() };
        let built = self.layers.build_list(&descriptions, self.inputs, self.site.reborrow(1), &place);
        let (layer, full) = built.map_err(|error| LayerError::Inner(Box::new(error)))?;
        self.full.insert(setting.to_owned(), LayerDescription::list_value(full));
        Ok(layer)
    }

    /// Every setting has been read.
    pub(crate) fn check_settings(&self) -> Result<(), LayerError> {
        let is_read = |(name, value): (&String, &Value)| {
            if is_layer(value) {
                self.built.contains(name)
            } else {
                self.has_read_settings || self.built.contains(name)
            }
        };
        match self.description.settings().find(|&setting| !is_read(setting)) {
            Some((name, _)) => Err(LayerError::Settings(format!("unknown field `{name}`"))),
            None => Ok(()),
        }
    }
}

/// Whether a setting describes a layer or a list of layers.
fn is_layer(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.get("layer").is_some_and(Value::is_string),
        Value::Array(list) => !list.is_empty() && list.iter().all(is_layer),
        _ => false,
    }
}

impl LayerDescription {
    /// Layers as a setting of another layer: one layer, or a list.
    pub(crate) fn list_value(mut layers: Vec<LayerDescription>) -> Value {
        match layers.pop() {
            Some(only) if layers.is_empty() => only.into(),
            Some(last) => layers.into_iter().chain([last]).map(Value::from).collect(),
            None => Value::Array(Vec::new()),
        }
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
