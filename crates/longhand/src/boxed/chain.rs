//! A list of boxed layers, one after the other.

use super::{BoxedCache, BoxedCarry, BoxedLayer, BoxedPrepared};
use crate::streaming::CannotStream;
use crate::{
    Features, Layer, ParameterGradients, Pass, Path, Scalar, SequenceInput, Sequences, Shape, ShapeError, Streaming,
    Tensors,
};
use alloc::{format, string::String, vec, vec::Vec};

/// Boxed layers, one after the other; made by [`BoxedLayer::then_boxed`].
///
/// It computes the same as the [`Chain`](crate::Chain) of the layers and gives its tensors the same names. It is a list, because a
/// chain of chains would be called through one box per level.
#[derive(Clone, Debug)]
pub struct BoxedChain<T: Scalar, X: SequenceInput + 'static = Sequences<T>> {
    first: BoxedLayer<T, X>,
    others: Vec<BoxedLayer<T>>,
}

/// The caches of the layers, and the gradients of the values between them.
pub struct BoxedChainCache<T> {
    first: BoxedCache<T>,
    others: Vec<BoxedCache<T>>,
    /// The gradient of the input of a layer, and of the output of the layer before it.
    d_input: Sequences<T>,
    d_output: Sequences<T>,
}

impl<T: Scalar> Default for BoxedChainCache<T> {
    fn default() -> Self {
        BoxedChainCache {
            first: BoxedCache::default(),
            others: Vec::new(),
            d_input: Sequences::default(),
            d_output: Sequences::default(),
        }
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> BoxedChain<T, X> {
    /// The layers of a chain that is boxed, or a layer that is alone.
    pub fn new(layer: BoxedLayer<T, X>) -> Self {
        layer.downcast().unwrap_or_else(|first| BoxedChain { first, others: Vec::new() })
    }

    /// Adds a layer.
    pub(super) fn push(&mut self, next: BoxedLayer<T>) -> Result<(), ShapeError> {
        match (self.features(), next.features()) {
            (Features::Fixed { output: gives, .. }, Features::Fixed { input: takes, .. }) if gives != takes => {
                Err(ShapeError::Features { first: self.name(), gives, second: next.name(), takes })
            }
            _ => {
                self.others.push(next);
                Ok(())
            }
        }
    }

    /// The first layer.
    pub fn first(&self) -> &BoxedLayer<T, X> {
        &self.first
    }

    /// The layers after the first one.
    pub fn others(&self) -> &[BoxedLayer<T>] {
        &self.others
    }

    /// If the first layer is a chain, its positions continue in this one; a layer that is alone has none.
    fn path_of_first<'a>(&self, path: &'a Path<'a>, place: &'a Path<'a>) -> &'a Path<'a> {
        if self.first.places() > 1 || self.others.is_empty() { path } else { place }
    }

    /// Panics unless there is one carry per layer.
    #[track_caller]
    fn check_carry(&self, carry: &[BoxedCarry<T>]) {
        let layers = 1 + self.others.len();
        assert!(
            carry.len() == layers,
            "the carry is for {} layers, but the chain has {layers}: make it with `carry(batch)` of this one",
            carry.len(),
        );
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Layer<T> for BoxedChain<T, X> {
    type Input = X;
    type Output = Sequences<T>;
    type Carry = Vec<BoxedCarry<T>>;
    type Cache = BoxedChainCache<T>;

    fn name(&self) -> String {
        self.others.iter().fold(self.first.name(), |names, layer| format!("{names} > {}", layer.name()))
    }

    fn features(&self) -> Features {
        self.others.iter().fold(self.first.features(), |before, layer| match (before, layer.features()) {
            (Features::Any, other) | (other, Features::Any) => other,
            (Features::Fixed { input, .. }, Features::Fixed { output, .. }) => Features::Fixed { input, output },
        })
    }

    fn carry(&self, batch: usize) -> Vec<BoxedCarry<T>> {
        let first = core::iter::once(self.first.carry(batch));
        first.chain(self.others.iter().map(|layer| layer.carry(batch))).collect()
    }

    fn forward<'c>(
        &self,
        input: &X,
        carry: &mut Vec<BoxedCarry<T>>,
        cache: &'c mut BoxedChainCache<T>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_carry(carry);
        cache.others.resize_with(self.others.len(), BoxedCache::default);
        let mut y = self.first.forward(input, &mut carry[0], &mut cache.first, pass);
        for ((layer, carry), cache) in self.others.iter().zip(&mut carry[1..]).zip(&mut cache.others) {
            y = layer.forward(y, carry, cache, pass);
        }
        y
    }

    fn output(cache: &BoxedChainCache<T>) -> &Sequences<T> {
        BoxedLayer::<T>::output(cache.others.last().unwrap_or(&cache.first))
    }

    fn backward(
        &self,
        input: &X,
        cache: &mut BoxedChainCache<T>,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut Vec<BoxedCarry<T>>,
        mut gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut X>,
    ) {
        self.check_carry(d_carry);
        let BoxedChainCache { first, others, d_input: d_x, d_output: d_between } = cache;
        let count = self.others.len();
        assert!(
            others.len() == count,
            "call `forward` with this input and cache before `backward` (layer `{}`)",
            self.name()
        );
        for k in (0..count).rev() {
            let (before, at) = others.split_at_mut(k);
            let x = BoxedLayer::<T>::output(before.last().unwrap_or(first));
            let d_y = if k + 1 == count { d_output } else { Some(&*d_between) };
            let of_layer = gradients.reborrow().part(|chain| &mut chain.others[k]);
            self.others[k].backward(x, &mut at[0], d_y, &mut d_carry[k + 1], of_layer, Some(d_x));
            core::mem::swap(d_x, d_between);
        }
        let d_y = if count == 0 { d_output } else { Some(&*d_between) };
        self.first.backward(input, first, d_y, &mut d_carry[0], gradients.part(|chain| &mut chain.first), d_input);
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Tensors<T> for BoxedChain<T, X> {
    fn places(&self) -> usize {
        self.first.places() + self.others.len()
    }

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        let (places, place) = (self.first.places(), path.place(0));
        self.first.visit(self.path_of_first(path, &place), visitor);
        for (place, layer) in (places..).zip(&self.others) {
            layer.visit(&path.place(place), visitor);
        }
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        let (places, place) = (self.first.places(), path.place(0));
        let first = self.path_of_first(path, &place);
        self.first.visit_mut(first, visitor);
        for (place, layer) in (places..).zip(&mut self.others) {
            layer.visit_mut(&path.place(place), visitor);
        }
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        assert!(
            self.others.len() == other.others.len(),
            "two values of different types cannot be paired; both must come from the same model"
        );
        let (places, place) = (self.first.places(), path.place(0));
        let first = self.path_of_first(path, &place);
        self.first.visit_pair(first, &other.first, visitor);
        for ((place, layer), other) in (places..).zip(&mut self.others).zip(&other.others) {
            layer.visit_pair(&path.place(place), other, visitor);
        }
    }
}

/// The layers of a [`BoxedChain`], prepared to run one step at a time.
pub struct BoxedChainPrepared<T: Scalar, X: SequenceInput> {
    first: BoxedPrepared<T, X>,
    others: Vec<BoxedPrepared<T, Sequences<T>>>,
    /// The output of each layer except for the last.
    between: Vec<Vec<T>>,
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Streaming<T> for BoxedChain<T, X> {
    type Step = X::Step;
    type Prepared = BoxedChainPrepared<T, X>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.first.can_stream()?;
        self.others.iter().try_for_each(Streaming::can_stream)
    }

    fn prepare(&self, inputs: usize) -> BoxedChainPrepared<T, X> {
        let mut features = self.first.features().of_output(inputs);
        let (mut others, mut between) = (Vec::new(), Vec::new());
        for layer in &self.others {
            between.push(vec![T::zero(); features]);
            others.push(layer.prepare(features));
            features = layer.features().of_output(features);
        }
        BoxedChainPrepared { first: self.first.prepare(inputs), others, between }
    }

    fn step(prepared: &mut Self::Prepared, input: &X::Step, carry: &mut Vec<BoxedCarry<T>>, output: &mut [T]) {
        let BoxedChainPrepared { first, others, between } = prepared;
        assert!(
            carry.len() == 1 + others.len(),
            "the carry is that of another chain: make it with `carry(batch)` of this one"
        );
        let last = others.len();
        if last == 0 {
            BoxedLayer::<T, X>::step(first, input, &mut carry[0], output);
            return;
        }
        BoxedLayer::<T, X>::step(first, input, &mut carry[0], &mut between[0]);
        for (k, layer) in (1..).zip(others) {
            let (before, after) = between.split_at_mut(k);
            let y = if k == last { &mut *output } else { &mut after[0] };
            BoxedLayer::<T>::step(layer, &before[k - 1], &mut carry[k], y);
        }
    }
}
