//! The layers that descriptions can name.

use crate::{LayerDescription, LayerError, LayerRequest, ModelError, ModelInput, library};
use longhand::{BoxedLayer, Features, Layer, Scalar, Sequences, Tokens};
use rand::Rng;
use std::collections::BTreeMap;

/// Builds a layer on the input `X`.
pub(crate) type Build<T, X> =
    Box<dyn Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, X>, LayerError> + Send + Sync>;

/// The layers that descriptions can name: the library's, and your own.
///
/// ```
/// use longhand::{BoxedLayer, Linear, Scalar};
/// use longhand_model::{Layers, Model, ModelDescription};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct DiagonalSettings { scale: f64 }
///
/// /// The library's layers and one more: a linear layer that begins as a multiple of the identity. For any scalar type, so
/// /// that a model can be proven on dual numbers.
/// fn layers<T: Scalar>() -> Layers<T> {
///     Layers::library().with("Diagonal", |layer| {
///         let DiagonalSettings { scale } = layer.settings()?;
///         let inputs = layer.inputs()?;
///         layer.check_size(&[[inputs, inputs]])?;
///         let mut linear = Linear::zeros(inputs, inputs);
///         linear.weight.fill_diagonal(longhand::nalgebra::convert(scale));
///         Ok(BoxedLayer::new(linear))
///     })
/// }
///
/// let description: ModelDescription = toml::from_str(r#"
///     inputs = 2
///     layers = [{ layer = "Gru", units = 8 }, { layer = "Diagonal", scale = 0.5 }]
/// "#)?;
/// let model = Model::<f32>::build_with(&description, &layers(), &mut ChaCha8Rng::seed_from_u64(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Layers<T: Scalar> {
    on_features: BTreeMap<String, Build<T, Sequences<T>>>,
    on_tokens: BTreeMap<String, Build<T, Tokens>>,
    pub(crate) limit: usize,
}

/// The number of parameters that a layer may have unless another limit is set.
const LIMIT: usize = 100_000_000;

impl<T: Scalar> Layers<T> {
    /// The layers of the library, which [the crate's page](crate#the-layers) lists.
    pub fn library() -> Self {
        let mut layers = Layers { on_features: BTreeMap::new(), on_tokens: BTreeMap::new(), limit: LIMIT };
        library::register(&mut layers);
        layers
    }

    /// Adds a layer of your own, or replaces the one of this name.
    #[must_use]
    pub fn with<F>(mut self, name: impl Into<String>, build: F) -> Self
    where
        F: Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T>, LayerError> + Send + Sync + 'static,
    {
        self.register(name.into(), build);
        self
    }

    /// Adds a layer of your own that takes token ids.
    #[must_use]
    pub fn with_on_tokens<F>(mut self, name: impl Into<String>, build: F) -> Self
    where
        F: Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, Tokens>, LayerError> + Send + Sync + 'static,
    {
        self.register_on_tokens(name.into(), build);
        self
    }

    /// Sets the number of parameters that a layer may have: 100 million, unless you set it. A description that asks for more is
    /// an error, so that a wrong number in a file does not exhaust the memory.
    #[must_use]
    pub fn with_limit(mut self, parameters: usize) -> Self {
        self.limit = parameters;
        self
    }

    pub(crate) fn register<F>(&mut self, name: String, build: F)
    where
        F: Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T>, LayerError> + Send + Sync + 'static,
    {
        self.on_features.insert(name, Box::new(build));
    }

    pub(crate) fn register_on_tokens<F>(&mut self, name: String, build: F)
    where
        F: Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, Tokens>, LayerError> + Send + Sync + 'static,
    {
        self.on_tokens.insert(name, Box::new(build));
    }

    /// The builder of a layer on features.
    pub(crate) fn on_features(&self, name: &str) -> Result<&Build<T, Sequences<T>>, LayerError> {
        self.on_features.get(name).ok_or_else(|| match self.on_tokens.get(name) {
            Some(_) => LayerError::TakesTokens,
            None => LayerError::Unknown { known: self.names() },
        })
    }

    /// The builder of a layer on token ids.
    pub(crate) fn on_tokens(&self, name: &str) -> Result<&Build<T, Tokens>, LayerError> {
        self.on_tokens.get(name).ok_or_else(|| match self.on_features.get(name) {
            Some(_) => LayerError::TakesFeatures,
            None => LayerError::Unknown { known: self.names() },
        })
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.on_features.keys().chain(self.on_tokens.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    /// Builds a list of layers, the first of which takes `X`; `place` names each in errors.
    pub(crate) fn build_list<X: ModelInput<T>>(
        &self,
        descriptions: &[LayerDescription],
        inputs: Option<usize>,
        generator: &mut dyn Rng,
        place: &dyn Fn(usize) -> String,
    ) -> Result<BoxedLayer<T, X>, ModelError> {
        let Some((first, others)) = descriptions.split_first() else {
            return Err(ModelError { place: place(0), error: LayerError::Empty });
        };
        let at = |index: usize, description: &LayerDescription| {
            let (place, layer) = (place(index), description.layer.clone());
            move |error: LayerError| ModelError::new(&place, &layer, error)
        };
        let mut request = LayerRequest { layers: self, description: first, inputs, generator: &mut *generator };
        let mut model = X::build(&mut request)
            .and_then(|layer| check_first(layer.features(), inputs).map(|()| layer))
            .map_err(at(0, first))?;
        for (index, description) in (1..).zip(others) {
            let inputs = match model.features() {
                Features::Fixed { output, .. } => Some(output),
                Features::Any => inputs,
            };
            let mut request = LayerRequest { layers: self, description, inputs, generator: &mut *generator };
            let built = self.on_features(&description.layer).and_then(|build| build(&mut request));
            model = built
                .and_then(|next| model.then_boxed(next).map_err(LayerError::from))
                .map_err(at(index, description))?;
        }
        Ok(model)
    }
}

/// A first layer with a fixed number of inputs agrees with the description.
fn check_first(features: Features, inputs: Option<usize>) -> Result<(), LayerError> {
    match (features, inputs) {
        (Features::Fixed { input: takes, .. }, Some(inputs)) if takes != inputs => {
            Err(LayerError::FirstInputs { takes, inputs })
        }
        _ => Ok(()),
    }
}
