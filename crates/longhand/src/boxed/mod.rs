//! Layers whose type is known only at run time.
//!
//! [`Layer`] has associated types, so it cannot be made into a trait object. [`BoxedLayer`] holds a trait object of its own
//! (`AnyLayer`), in which the carry, the cache and the gradients are boxed as well and turned back into their types at each call.
//! A call costs a few comparisons of types more than one of the layer itself, and computes the same bits.

mod carry;
mod chain;
mod streaming;

pub use carry::BoxedCarry;
pub use chain::{BoxedChain, BoxedChainCache};

use crate::{
    Features, Layer, ParameterGradients, Pass, Path, Scalar, SequenceInput, Sequences, Shape, ShapeError, Streaming,
    Tensors,
};
use alloc::{boxed::Box, string::String};
use carry::AnyTensors;
use core::any::Any;
use core::fmt;
use streaming::{BoxedPrepared, StreamingCalls};

/// A layer whose type is known only at run time, with inputs `X` and outputs in [`Sequences`].
///
/// It is a layer like any other: it is chained, trained and streamed. So a list of layers is a boxed layer too:
///
/// ```
/// use longhand::prelude::*;
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// fn recurrent(name: &str, inputs: usize, units: usize, generator: &mut ChaCha8Rng) -> BoxedLayer<f32> {
///     match name {
///         "lstm" => BoxedLayer::new(Lstm::new(inputs, units, generator)),
///         "gru" => BoxedLayer::new(Gru::new(inputs, units, generator)),
///         _ => BoxedLayer::new(Elman::new(inputs, units, generator)),
///     }
/// }
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let mut model = recurrent("lstm", 3, 16, &mut generator);
/// for name in ["gru", "elman"] {
///     model = model.then_boxed(recurrent(name, 16, 16, &mut generator))?;
/// }
/// assert_eq!(model.name(), "Lstm(3 -> 16) > Gru(16 -> 16) > Elman(16 -> 16)");
/// assert_eq!(model.names()[4], "1.weight_ih_l0");
/// # Ok::<(), ShapeError>(())
/// ```
pub struct BoxedLayer<T: Scalar, X: SequenceInput = Sequences<T>> {
    layer: Box<dyn AnyLayer<T, X>>,
    /// `None` for a layer that cannot be streamed.
    streaming: Option<StreamingCalls<T, X>>,
}

/// The cache of a [`BoxedLayer`].
pub struct BoxedCache<T>(Option<Box<dyn AnyCache<T>>>);

impl<T> Default for BoxedCache<T> {
    fn default() -> Self {
        BoxedCache(None)
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> BoxedLayer<T, X> {
    /// Boxes a layer that can be streamed.
    pub fn new<L>(layer: L) -> Self
    where
        L: Streaming<T, Step = X::Step> + Layer<T, Input = X, Output = Sequences<T>> + Sync + 'static,
    {
        BoxedLayer { layer: Box::new(layer), streaming: Some(StreamingCalls::of::<L>()) }
    }

    /// Boxes a layer that needs whole sequences, such as [`Bidirectional`](crate::Bidirectional): a
    /// [`Stream`](crate::Stream) of it panics.
    pub fn without_streaming<L>(layer: L) -> Self
    where
        L: Layer<T, Input = X, Output = Sequences<T>> + Sync + 'static,
    {
        BoxedLayer { layer: Box::new(layer), streaming: None }
    }

    /// Applies `next` to the output of this layer: a [`BoxedChain`], boxed again.
    ///
    /// # Errors
    /// If the number of output features of this layer is not the number of input features of `next`.
    pub fn then_boxed(self, next: BoxedLayer<T>) -> Result<Self, ShapeError> {
        let mut chain = BoxedChain::new(self);
        chain.push(next)?;
        Ok(BoxedLayer::new(chain))
    }

    /// The layer itself, if it is an `L`; otherwise the box again.
    ///
    /// # Errors
    /// If it is a layer of another type.
    pub fn downcast<L: 'static>(self) -> Result<L, Self> {
        if self.downcast_ref::<L>().is_none() {
            return Err(self);
        }
        let layer: Box<dyn Any> = self.layer;
        match layer.downcast() {
            Ok(layer) => Ok(*layer),
            Err(_) => unreachable!("the type was just checked"),
        }
    }

    /// The layer itself, if it is an `L`.
    pub fn downcast_ref<L: 'static>(&self) -> Option<&L> {
        let layer: &dyn Any = &*self.layer;
        layer.downcast_ref()
    }

    /// The layer itself, mutable, if it is an `L`.
    pub fn downcast_mut<L: 'static>(&mut self) -> Option<&mut L> {
        let layer: &mut dyn Any = &mut *self.layer;
        layer.downcast_mut()
    }
}

impl<T: Scalar, X: SequenceInput + 'static> Clone for BoxedLayer<T, X> {
    fn clone(&self) -> Self {
        BoxedLayer { layer: self.layer.duplicate(), streaming: self.streaming }
    }
}

impl<T: Scalar, X: SequenceInput + 'static> fmt::Debug for BoxedLayer<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoxedLayer({})", self.layer.name())
    }
}

/// The object-safe part of [`Layer`].
trait AnyLayer<T: Scalar, X: SequenceInput>: AnyTensors<T> + Sync {
    fn duplicate(&self) -> Box<dyn AnyLayer<T, X>>;
    fn places(&self) -> usize;
    fn name(&self) -> String;
    fn features(&self) -> Features;
    fn carry(&self, batch: usize) -> BoxedCarry<T>;
    fn forward(&self, input: &X, carry: &mut BoxedCarry<T>, cache: &mut BoxedCache<T>, pass: &mut Pass<'_>);
    fn backward(
        &self,
        input: &X,
        cache: &mut BoxedCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut BoxedCarry<T>,
        gradients: ParameterGradients<'_, BoxedLayer<T, X>>,
        d_input: Option<&mut X>,
    );
}

/// The object-safe part of a cache.
trait AnyCache<T>: Any + Send {
    fn output(&self) -> &Sequences<T>;
}

struct CacheOf<T: Scalar, L: Layer<T>>(L::Cache);

impl<T: Scalar, L: Layer<T, Output = Sequences<T>> + 'static> AnyCache<T> for CacheOf<T, L> {
    fn output(&self) -> &Sequences<T> {
        L::output(&self.0)
    }
}

impl<T: Scalar> BoxedCache<T> {
    /// The cache of a layer of type `L`, if it has been used by one.
    fn of<L: Layer<T> + 'static>(&mut self) -> Option<&mut L::Cache> {
        let cache: &mut dyn Any = self.0.as_deref_mut()?;
        cache.downcast_mut::<CacheOf<T, L>>().map(|cache| &mut cache.0)
    }
}

impl<T, X, L> AnyLayer<T, X> for L
where
    T: Scalar,
    X: SequenceInput + Tensors<T> + 'static,
    L: Layer<T, Input = X, Output = Sequences<T>> + Sync + 'static,
{
    fn duplicate(&self) -> Box<dyn AnyLayer<T, X>> {
        Box::new(self.clone())
    }

    fn places(&self) -> usize {
        Tensors::<T>::places(self)
    }

    fn name(&self) -> String {
        Layer::<T>::name(self)
    }

    fn features(&self) -> Features {
        Layer::<T>::features(self)
    }

    fn carry(&self, batch: usize) -> BoxedCarry<T> {
        BoxedCarry::new(Layer::<T>::carry(self, batch))
    }

    fn forward(&self, input: &X, carry: &mut BoxedCarry<T>, cache: &mut BoxedCache<T>, pass: &mut Pass<'_>) {
        let carry = carry.of(|| Layer::<T>::name(self));
        if let Some(own) = cache.of::<L>() {
            Layer::<T>::forward(self, input, carry, own, pass);
            return;
        }
        let mut own = Box::new(CacheOf::<T, L>(L::Cache::default()));
        Layer::<T>::forward(self, input, carry, &mut own.0, pass);
        cache.0 = Some(own);
    }

    fn backward(
        &self,
        input: &X,
        cache: &mut BoxedCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut BoxedCarry<T>,
        gradients: ParameterGradients<'_, BoxedLayer<T, X>>,
        d_input: Option<&mut X>,
    ) {
        let name = || Layer::<T>::name(self);
        let Some(own) = cache.of::<L>() else {
            panic!("call `forward` with this input and cache before `backward` (layer `{}`)", name());
        };
        let gradients = gradients.part(|boxed| {
            let Some(own) = boxed.downcast_mut::<L>() else {
                panic!("the gradients given to `{}` are those of another layer", name());
            };
            own
        });
        Layer::<T>::backward(self, input, own, d_output, d_carry.of(name), gradients, d_input);
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Layer<T> for BoxedLayer<T, X> {
    type Input = X;
    type Output = Sequences<T>;
    type Carry = BoxedCarry<T>;
    type Cache = BoxedCache<T>;

    fn name(&self) -> String {
        self.layer.name()
    }

    fn features(&self) -> Features {
        self.layer.features()
    }

    fn carry(&self, batch: usize) -> BoxedCarry<T> {
        self.layer.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &X,
        carry: &mut BoxedCarry<T>,
        cache: &'c mut BoxedCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.layer.forward(input, carry, cache, pass);
        Self::output(cache)
    }

    /// # Panics
    /// If no layer has run forward with this cache.
    fn output(cache: &BoxedCache<T>) -> &Sequences<T> {
        cache.0.as_deref().expect("`forward` must run with this cache before its output is read").output()
    }

    fn backward(
        &self,
        input: &X,
        cache: &mut BoxedCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut BoxedCarry<T>,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut X>,
    ) {
        self.layer.backward(input, cache, d_output, d_carry, gradients, d_input);
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Tensors<T> for BoxedLayer<T, X> {
    fn places(&self) -> usize {
        self.layer.places()
    }

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.layer.visit(path, visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        self.layer.visit_mut(path, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        self.layer.visit_pair(path, &*other.layer, visitor);
    }
}
