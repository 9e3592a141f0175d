//! The layers without a carry, one step at a time, and the layers around other layers.

use super::{CannotStream, Streaming};
use crate::kernel;
use crate::kernel::{Accumulate, PackedForColumn};
use crate::layers::activation;
use crate::{
    Activation, Chain, Dropout, Embedding, Frozen, LastStep, Layer, LayerNorm, Linear, Residual, RmsNorm, Scalar,
    Sequences, VariationalDropout,
};
use alloc::{vec, vec::Vec};

impl<T: Scalar> Streaming<T> for Linear<T> {
    type Step = [T];
    type Prepared = LinearPrepared<T>;

    fn prepare(&self, _: usize) -> LinearPrepared<T> {
        self.check_parameters();
        let mut weight = PackedForColumn::default();
        weight.pack((&self.weight).into());
        LinearPrepared { weight, bias: self.bias.as_slice().to_vec() }
    }

    fn step(prepared: &mut LinearPrepared<T>, input: &[T], (): &mut (), output: &mut [T]) {
        prepared.weight.product(output, Accumulate::Bias(&prepared.bias), input);
    }
}

/// The parameters of a [`Linear`].
#[derive(Debug)]
pub struct LinearPrepared<T> {
    weight: PackedForColumn<T>,
    bias: Vec<T>,
}

impl<T: Scalar> Streaming<T> for Activation {
    type Step = [T];
    type Prepared = Activation;

    fn prepare(&self, _: usize) -> Activation {
        *self
    }

    fn step(prepared: &mut Activation, input: &[T], (): &mut (), output: &mut [T]) {
        activation::forward(*prepared, input, output);
    }
}

impl<T: Scalar> Streaming<T> for LayerNorm<T> {
    type Step = [T];
    type Prepared = Normalisation<LayerNorm<T>, T>;

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        self.check_parameters();
        Normalisation { layer: self.clone(), normalised: vec![T::zero(); inputs] }
    }

    fn step(prepared: &mut Self::Prepared, input: &[T], (): &mut (), output: &mut [T]) {
        prepared.layer.normalise(input, &mut prepared.normalised, output);
    }
}

impl<T: Scalar> Streaming<T> for RmsNorm<T> {
    type Step = [T];
    type Prepared = Normalisation<RmsNorm<T>, T>;

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        Normalisation { layer: self.clone(), normalised: vec![T::zero(); inputs] }
    }

    fn step(prepared: &mut Self::Prepared, input: &[T], (): &mut (), output: &mut [T]) {
        prepared.layer.normalise(input, &mut prepared.normalised, output);
    }
}

/// A layer that normalises, and a buffer for one step.
#[derive(Debug)]
pub struct Normalisation<L, T> {
    layer: L,
    normalised: Vec<T>,
}

/// The last step so far is the current step.
impl<T: Scalar> Streaming<T> for LastStep {
    type Step = [T];
    type Prepared = ();

    fn prepare(&self, _: usize) {}

    fn step((): &mut (), input: &[T], (): &mut (), output: &mut [T]) {
        output.copy_from_slice(input);
    }
}

/// Streaming is inference, where dropout does nothing.
impl<T: Scalar> Streaming<T> for Dropout {
    type Step = [T];
    type Prepared = ();

    fn prepare(&self, _: usize) {}

    fn step((): &mut (), input: &[T], (): &mut (), output: &mut [T]) {
        output.copy_from_slice(input);
    }
}

/// Streaming is inference, where dropout does nothing.
impl<T: Scalar> Streaming<T> for VariationalDropout {
    type Step = [T];
    type Prepared = ();

    fn prepare(&self, _: usize) {}

    fn step((): &mut (), input: &[T], (): &mut (), output: &mut [T]) {
        output.copy_from_slice(input);
    }
}

impl<T: Scalar> Streaming<T> for Embedding<T> {
    type Step = usize;
    type Prepared = Embedding<T>;

    fn prepare(&self, _: usize) -> Embedding<T> {
        self.clone()
    }

    fn step(table: &mut Embedding<T>, &id: &usize, (): &mut (), output: &mut [T]) {
        output.copy_from_slice(table.column(id));
    }
}

impl<T: Scalar, L: Streaming<T>> Streaming<T> for Frozen<L> {
    type Step = L::Step;
    type Prepared = L::Prepared;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.inner.can_stream()
    }

    fn prepare(&self, inputs: usize) -> L::Prepared {
        self.inner.prepare(inputs)
    }

    fn step(prepared: &mut L::Prepared, input: &L::Step, carry: &mut L::Carry, output: &mut [T]) {
        L::step(prepared, input, carry, output);
    }
}

impl<T, L> Streaming<T> for Residual<L>
where
    T: Scalar,
    L: Streaming<T, Step = [T]> + Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
{
    type Step = [T];
    type Prepared = L::Prepared;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.inner().can_stream()
    }

    fn prepare(&self, inputs: usize) -> L::Prepared {
        self.inner().prepare(inputs)
    }

    fn step(prepared: &mut L::Prepared, input: &[T], carry: &mut L::Carry, output: &mut [T]) {
        L::step(prepared, input, carry, output);
        kernel::add(output, input);
    }
}

/// The two layers of a [`Chain`], and the output of the first one.
#[derive(Debug)]
pub struct ChainPrepared<A, T, B> {
    first: A,
    between: Vec<T>,
    second: B,
}

impl<T, A, B> Streaming<T> for Chain<A, B>
where
    T: Scalar,
    A: Streaming<T>,
    B: Streaming<T, Step = [T]> + Layer<T, Input = A::Output>,
{
    type Step = A::Step;
    type Prepared = ChainPrepared<A::Prepared, T, B::Prepared>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.first().can_stream().and_then(|()| self.second().can_stream())
    }

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        let features = self.first().features().of_output(inputs);
        ChainPrepared {
            first: self.first().prepare(inputs),
            between: vec![T::zero(); features],
            second: self.second().prepare(features),
        }
    }

    fn step(prepared: &mut Self::Prepared, input: &A::Step, carry: &mut Self::Carry, output: &mut [T]) {
        let ChainPrepared { first, between, second } = prepared;
        A::step(first, input, &mut carry.0, between);
        B::step(second, between, &mut carry.1, output);
    }
}
