//! A model that is built from its description.

use crate::{LayerError, LayerRequest, Layers, ModelDescription, ModelError};
use longhand::{
    BoxedCarry, BoxedChain, BoxedChainCache, BoxedLayer, CannotStream, Features, Layer, ParameterGradients, Pass, Path,
    Scalar, SequenceInput, Sequences, Shape, Streaming, Tensors, Tokens,
};
use rand::Rng;

/// A model that is built from its description, with inputs `X`: [`Sequences`], or [`Tokens`] if its first layer is an
/// `Embedding`.
///
/// It is a layer like any other. Its tensors have the names that they have in the same model built from types: `0.weight_ih_l0`.
#[derive(Debug, Clone)]
pub struct Model<T: Scalar, X: SequenceInput + 'static = Sequences<T>> {
    description: ModelDescription,
    layers: BoxedChain<T, X>,
}

/// The input of a [`Model`]: [`Sequences`] or [`Tokens`].
pub trait ModelInput<T: Scalar>: SequenceInput + Tensors<T> + sealed::Sealed + 'static {
    /// Builds the first layer.
    #[doc(hidden)]
    fn build(request: &mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, Self>, LayerError>;
}

mod sealed {
    pub trait Sealed {}
    impl<T: longhand::Scalar> Sealed for longhand::Sequences<T> {}
    impl Sealed for longhand::Tokens {}
}

impl<T: Scalar> ModelInput<T> for Sequences<T> {
    fn build(request: &mut LayerRequest<'_, T>) -> Result<BoxedLayer<T>, LayerError> {
        let layers = request.layers;
        layers.on_features(request.description.layer)?(request)
    }
}

impl<T: Scalar> ModelInput<T> for Tokens {
    fn build(request: &mut LayerRequest<'_, T>) -> Result<BoxedLayer<T, Tokens>, LayerError> {
        let layers = request.layers;
        layers.on_tokens(request.description.layer)?(request)
    }
}

impl<T: Scalar, X: ModelInput<T>> Model<T, X> {
    /// Builds a model of the library's layers. The parameters are drawn in the order of the layers, as by the layers' own
    /// constructors.
    ///
    /// # Memory
    /// A description may come from a hostile file. The number of parameters is checked before memory is allocated for them.
    /// Besides the parameters, building takes at most 150 bytes of memory per byte of the description's text, plus 1 MiB.
    ///
    /// The text is parsed before. From a hostile text the parser of the `toml` crate takes at most 1,300 bytes of memory per byte, plus
    /// 16 KiB: for each part of a dotted key `a.a.a` it allocates a table. A limit on the size of the text limits both: 64 kB
    /// of text are enough for hundreds of layers.
    ///
    /// # Errors
    /// If a layer or a setting is unknown, missing or out of range, if the layers do not fit each other, or if the model is too
    /// large: more than 500 layers, 50 levels, or the parameters that [`Layers::with_limit`] allows.
    pub fn build<R: Rng>(description: &ModelDescription, generator: &mut R) -> Result<Self, ModelError> {
        Model::build_with(description, &Layers::library(), generator)
    }

    /// Builds a model of these layers: the library's, and your own.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with<R: Rng>(
        description: &ModelDescription,
        layers: &Layers<T>,
        generator: &mut R,
    ) -> Result<Self, ModelError> {
        Model::build_within(description, layers, layers.limit, generator)
    }

    /// Builds a model of at most `limit` parameters.
    pub(crate) fn build_within<R: Rng>(
        description: &ModelDescription,
        layers: &Layers<T>,
        limit: usize,
        generator: &mut R,
    ) -> Result<Self, ModelError> {
        let limit = limit.min(layers.limit);
        let (layers, full) = layers.build_model(&description.layers, description.inputs, limit, generator)?;
        Ok(Model {
            description: ModelDescription { inputs: description.inputs, layers: full },
            layers: BoxedChain::new(layers),
        })
    }

    /// The description from which the model was built, with the settings that it left out.
    pub fn description(&self) -> &ModelDescription {
        &self.description
    }

    /// The layers.
    pub fn layers(&self) -> &BoxedChain<T, X> {
        &self.layers
    }
}

impl<T: Scalar, X: ModelInput<T>> Tensors<T> for Model<T, X> {
    fn places(&self) -> usize {
        self.layers.places()
    }

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.layers.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.layers.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.layers.visit_pair(path, &other.layers, visitor);
    }
}

impl<T: Scalar, X: ModelInput<T>> Layer<T> for Model<T, X> {
    type Input = X;
    type Output = Sequences<T>;
    type Carry = Vec<BoxedCarry<T>>;
    type Cache = BoxedChainCache<T>;

    fn name(&self) -> String {
        self.layers.name()
    }

    fn features(&self) -> Features {
        self.layers.features()
    }

    fn carry(&self, batch: usize) -> Vec<BoxedCarry<T>> {
        self.layers.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &X,
        carry: &mut Vec<BoxedCarry<T>>,
        cache: &'c mut BoxedChainCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.layers.forward(input, carry, cache, pass)
    }

    fn output(cache: &BoxedChainCache<T>) -> &Sequences<T> {
        BoxedChain::<T, X>::output(cache)
    }

    fn backward(
        &self,
        input: &X,
        cache: &mut BoxedChainCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut Vec<BoxedCarry<T>>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut X>,
    ) {
        let gradients = gradients.part(|model| &mut model.layers);
        self.layers.backward(input, cache, d_output, d_carry, gradients, d_input);
    }
}

impl<T: Scalar, X: ModelInput<T>> Streaming<T> for Model<T, X> {
    type Step = X::Step;
    type Prepared = <BoxedChain<T, X> as Streaming<T>>::Prepared;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.layers.can_stream()
    }

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        self.layers.prepare(inputs)
    }

    fn step(prepared: &mut Self::Prepared, input: &X::Step, carry: &mut Vec<BoxedCarry<T>>, output: &mut [T]) {
        BoxedChain::<T, X>::step(prepared, input, carry, output);
    }
}
