//! The layers that descriptions can name.

use crate::description::LayerView;
use crate::request::Site;
use crate::{LayerDescription, LayerError, LayerRequest, ModelError, ModelInput, library};
use longhand::{BoxedLayer, Features, Layer, Scalar, Sequences, Tokens};
use rand::Rng;
use std::collections::BTreeMap;

/// Builds a layer on the input `X`.
pub(crate) type Build<T, X> =
    Box<dyn Fn(&mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, X>, LayerError> + Send + Sync>;

/// A layer, and its description or descriptions with every setting.
type Built<T, X, D> = (BoxedLayer<T, X>, D);

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

/// The number of parameters that a model may have unless another limit is set.
const PARAMETERS: usize = 100_000_000;
/// The number of layers that a model may have, those inside of other layers included. Each call goes through all of them, one
/// inside of the other, on the stack.
const LAYERS: usize = 500;
/// How many layers a layer may be inside of.
const DEPTH: usize = 50;

impl<T: Scalar> Layers<T> {
    /// The layers of the library, which [the crate's page](crate#the-layers) lists.
    pub fn library() -> Self {
        let mut layers = Layers { on_features: BTreeMap::new(), on_tokens: BTreeMap::new(), limit: PARAMETERS };
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

    /// Sets the number of parameters that a model may have: 100 million, unless you set it. A description that asks for more is
    /// an error, so that a wrong number in a file does not exhaust the memory. A layer of your own is counted if its builder calls
    /// [`LayerRequest::check_size`].
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
        descriptions: &[LayerView<'_>],
        inputs: Option<usize>,
        mut site: Site<'_>,
        place: &dyn Fn(usize) -> String,
    ) -> Result<Built<T, X, Vec<LayerDescription>>, ModelError> {
        let Some((&first, others)) = descriptions.split_first() else {
            return Err(ModelError { place: place(0), error: LayerError::Empty("`layers`".into()) });
        };
        let at = |index: usize, description: LayerView<'_>| {
            let (place, layer) = (place(index), description.layer.to_owned());
            move |error: LayerError| ModelError::new(&place, &layer, error)
        };
        let (mut model, full) = self.build_layer::<X>(first, inputs, site.reborrow(0)).map_err(at(0, first))?;
        let mut full = vec![full];
        for (index, &description) in (1..).zip(others) {
            let inputs = match model.features() {
                Features::Fixed { output, .. } => Some(output),
                Features::Any => inputs,
            };
            let (next, next_full) = self
                .build_layer::<Sequences<T>>(description, inputs, site.reborrow(0))
                .map_err(at(index, description))?;
            model = model.then_boxed(next).map_err(|error| at(index, description)(error.into()))?;
            full.push(next_full);
        }
        Ok((model, full))
    }

    fn build_layer<'a, X: ModelInput<T>>(
        &'a self,
        description: LayerView<'a>,
        inputs: Option<usize>,
        site: Site<'a>,
    ) -> Result<Built<T, X, LayerDescription>, LayerError> {
        if site.depth > DEPTH {
            return Err(LayerError::TooDeep { limit: DEPTH });
        }
        *site.layers_left = site.layers_left.checked_sub(1).ok_or(LayerError::TooManyLayers { limit: LAYERS })?;
        let mut request = LayerRequest::new(self, description, inputs, site);
        let layer = X::build(&mut request)?;
        request.check_settings()?;
        match (layer.features(), inputs) {
            (Features::Fixed { input: takes, .. }, Some(gets)) if takes != gets => {
                Err(LayerError::WrongInputs { takes, gets })
            }
            _ => Ok((layer, request.full_description())),
        }
    }

    /// Builds all layers of a model, with at most `limit` parameters.
    pub(crate) fn build_model<X: ModelInput<T>>(
        &self,
        descriptions: &[LayerDescription],
        inputs: Option<usize>,
        limit: usize,
        generator: &mut dyn Rng,
    ) -> Result<Built<T, X, Vec<LayerDescription>>, ModelError> {
        let descriptions: &[LayerView<'_>] = &descriptions.iter().map(LayerView::from).collect::<Vec<_>>();
        if descriptions.is_empty() {
            return Err(ModelError { place: "the model".into(), error: LayerError::Empty("`layers`".into()) });
        }
        let (mut parameters_left, mut layers_left) = (limit, LAYERS);
        let site =
            Site { generator, parameters_left: &mut parameters_left, limit, layers_left: &mut layers_left, depth: 0 };
        self.build_list(descriptions, inputs, site, &|index| format!("layers[{index}]"))
    }
}
