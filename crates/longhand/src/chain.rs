//! One layer after another.

use crate::{ChangeScalar, Features, Layer, ParameterGradients, Pass, Path, Scalar, Shape, ShapeError, Tensors};
use alloc::{format, string::String};

/// `second` on the output of `first`; made by [`Layer::then`].
///
/// Its tensors are named by the position of their layer, as in PyTorch's `Sequential`: `0.weight_ih_l0`, `2.weight`.
///
/// Forward: `y = second(first(x))`. Backward, by the chain rule, in reverse: `second` computes the gradient of the value between
/// the two layers, and `first` continues with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain<A, B> {
    first: A,
    second: B,
}

/// The caches of the two layers, and the gradient of the value between them.
#[derive(Debug)]
pub struct ChainCache<A, Between, B> {
    pub(crate) first: A,
    d_between: Between,
    second: B,
}

impl<A: Default, Between: Default, B: Default> Default for ChainCache<A, Between, B> {
    fn default() -> Self {
        ChainCache { first: A::default(), d_between: Between::default(), second: B::default() }
    }
}

impl<A, B> Chain<A, B> {
    pub(crate) fn new<T: Scalar>(first: A, second: B) -> Result<Self, ShapeError>
    where
        A: Layer<T>,
        B: Layer<T, Input = A::Output>,
    {
        match (first.features(), second.features()) {
            (Features::Fixed { output: gives, .. }, Features::Fixed { input: takes, .. }) if gives != takes => {
                Err(ShapeError::Features { first: first.name(), gives, second: second.name(), takes })
            }
            _ => Ok(Chain { first, second }),
        }
    }

    /// The first layer.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The first layer, mutable.
    pub fn first_mut(&mut self) -> &mut A {
        &mut self.first
    }

    /// The second layer.
    pub fn second(&self) -> &B {
        &self.second
    }

    /// The second layer, mutable.
    pub fn second_mut(&mut self) -> &mut B {
        &mut self.second
    }
}

impl<T: Scalar, A: Layer<T>, B: Layer<T, Input = A::Output>> Layer<T> for Chain<A, B> {
    type Input = A::Input;
    type Output = B::Output;
    type Carry = (A::Carry, B::Carry);
    type Cache = ChainCache<A::Cache, A::Output, B::Cache>;

    fn name(&self) -> String {
        format!("{} > {}", self.first.name(), self.second.name())
    }

    fn features(&self) -> Features {
        match (self.first.features(), self.second.features()) {
            (Features::Any, other) | (other, Features::Any) => other,
            (Features::Fixed { input, .. }, Features::Fixed { output, .. }) => Features::Fixed { input, output },
        }
    }

    fn carry(&self, batch: usize) -> Self::Carry {
        (self.first.carry(batch), self.second.carry(batch))
    }

    fn forward<'c>(
        &self,
        input: &A::Input,
        carry: &mut Self::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c B::Output {
        let between = self.first.forward(input, &mut carry.0, &mut cache.first, pass);
        self.second.forward(between, &mut carry.1, &mut cache.second, pass)
    }

    fn output(cache: &Self::Cache) -> &B::Output {
        B::output(&cache.second)
    }

    fn backward(
        &self,
        input: &A::Input,
        cache: &mut Self::Cache,
        d_output: Option<&B::Output>,
        d_carry: &mut Self::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut A::Input>,
    ) {
        let ChainCache { first, d_between, second } = cache;
        let (of_first, of_second) = gradients.parts(|chain| (&mut chain.first, &mut chain.second));
        let between = A::output(first);
        self.second.backward(between, second, d_output, &mut d_carry.1, of_second, Some(d_between));
        self.first.backward(input, first, Some(d_between), &mut d_carry.0, of_first, d_input);
    }
}

impl<A, B> Chain<A, B> {
    /// If the first layer is a chain, its positions continue in this chain; any other layer has position 0.
    fn path_of_first<'a, T: Scalar>(&self, path: &'a Path<'a>, place: &'a Path<'a>) -> &'a Path<'a>
    where
        A: Tensors<T>,
    {
        if self.first.places() > 1 { path } else { place }
    }
}

impl<T: Scalar, A: Tensors<T>, B: Tensors<T>> Tensors<T> for Chain<A, B> {
    fn places(&self) -> usize {
        self.first.places() + 1
    }

    fn visit(&self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &[T])) {
        self.first.visit(self.path_of_first::<T>(path, &path.place(0)), visitor);
        self.second.visit(&path.place(self.first.places()), visitor);
    }

    fn visit_mut(&mut self, path: &Path<'_>, visitor: &mut dyn FnMut(&Path<'_>, Shape, &mut [T])) {
        let (place, next) = (path.place(0), path.place(self.first.places()));
        let first = self.path_of_first::<T>(path, &place);
        self.first.visit_mut(first, visitor);
        self.second.visit_mut(&next, visitor);
    }

    fn visit_pair(&mut self, path: &Path<'_>, other: &Self, visitor: &mut dyn FnMut(&Path<'_>, &mut [T], &[T])) {
        let (place, next) = (path.place(0), path.place(self.first.places()));
        let first = self.path_of_first::<T>(path, &place);
        self.first.visit_pair(first, &other.first, visitor);
        self.second.visit_pair(&next, &other.second, visitor);
    }
}

impl<T: Scalar, A: ChangeScalar<T>, B: ChangeScalar<T>> ChangeScalar<T> for Chain<A, B> {
    type Over<U: Scalar> = Chain<A::Over<U>, B::Over<U>>;

    fn map<U: Scalar>(&self, f: &mut dyn FnMut(T) -> U) -> Self::Over<U> {
        Chain { first: self.first.map(f), second: self.second.map(f) }
    }
}
