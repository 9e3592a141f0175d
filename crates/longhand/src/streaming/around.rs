//! Highways and stacks, one step at a time.

use super::{CannotStream, Streaming};
use crate::kernel::each;
use crate::layers::highway;
use crate::{Highway, Layer, Linear, Scalar, Sequences, Stack};
use alloc::{vec, vec::Vec};

/// The gate and the inner layer of a [`Highway`], and buffers for one step.
pub struct HighwayPrepared<T: Scalar, P> {
    gate: <Linear<T> as Streaming<T>>::Prepared,
    inner: P,
    z: Vec<T>,
    f: Vec<T>,
}

impl<T, L> Streaming<T> for Highway<T, L>
where
    T: Scalar,
    L: Streaming<T, Step = [T]> + Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
{
    type Step = [T];
    type Prepared = HighwayPrepared<T, L::Prepared>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.inner().can_stream()
    }

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        let [z, f] = [(); 2].map(|()| vec![T::zero(); inputs]);
        HighwayPrepared { gate: self.gate().prepare(inputs), inner: self.inner().prepare(inputs), z, f }
    }

    fn step(prepared: &mut Self::Prepared, input: &[T], carry: &mut L::Carry, output: &mut [T]) {
        let HighwayPrepared { gate, inner, z, f } = prepared;
        Linear::step(gate, input, &mut (), z);
        L::step(inner, input, carry, f);
        each(highway::Forward, [input, f], [z, output]);
    }
}

/// The layers of a [`Stack`], each with its output.
pub struct StackPrepared<T, P> {
    layers: Vec<(P, Vec<T>)>,
}

/// Streaming is inference, where dropout does nothing.
impl<T, L> Streaming<T> for Stack<L>
where
    T: Scalar,
    L: Streaming<T, Step = [T]> + Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
{
    type Step = [T];
    type Prepared = StackPrepared<T, L::Prepared>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        self.layers().iter().try_for_each(Streaming::can_stream)
    }

    fn prepare(&self, inputs: usize) -> Self::Prepared {
        let mut features = inputs;
        let prepare = |layer: &L| {
            let prepared = layer.prepare(features);
            features = layer.features().of_output(features);
            (prepared, vec![T::zero(); features])
        };
        StackPrepared { layers: self.layers().iter().map(prepare).collect() }
    }

    fn step(prepared: &mut Self::Prepared, input: &[T], carry: &mut Vec<L::Carry>, output: &mut [T]) {
        assert!(
            carry.len() == prepared.layers.len(),
            "the carry is for {} layers, but the stack has {}",
            carry.len(),
            prepared.layers.len()
        );
        let mut x = input;
        for ((layer, y), carry) in prepared.layers.iter_mut().zip(carry) {
            L::step(layer, x, carry, y);
            x = y;
        }
        output.copy_from_slice(x);
    }
}
