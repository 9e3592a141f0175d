//! Boxed layers, one step at a time.

use super::{AnyLayer, BoxedCarry, BoxedLayer};
use crate::streaming::CannotStream;
use crate::{Scalar, SequenceInput, Streaming, Tensors};
use alloc::{boxed::Box, string::String};
use core::any::Any;

/// The part of [`Streaming`] that the type of the layer is needed for.
pub(super) struct StreamingCalls<T: Scalar, X: SequenceInput> {
    can_stream: fn(&dyn AnyLayer<T, X>) -> Result<(), CannotStream>,
    prepare: fn(&dyn AnyLayer<T, X>, usize) -> BoxedPrepared<T, X>,
}

impl<T: Scalar, X: SequenceInput> Copy for StreamingCalls<T, X> {}
impl<T: Scalar, X: SequenceInput> Clone for StreamingCalls<T, X> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Scalar, X: SequenceInput + 'static> StreamingCalls<T, X> {
    /// The calls of layers of type `L`.
    pub(super) fn of<L: Streaming<T, Step = X::Step> + 'static>() -> Self {
        fn typed<T: Scalar, X: SequenceInput + 'static, L: 'static>(layer: &dyn AnyLayer<T, X>) -> &L {
            let layer: &dyn Any = layer;
            layer.downcast_ref().expect("a boxed layer keeps its type")
        }
        StreamingCalls {
            can_stream: |layer| typed::<T, X, L>(layer).can_stream(),
            prepare: |layer, inputs| {
                let layer = typed::<T, X, L>(layer);
                BoxedPrepared(Box::new(PreparedOf::<T, L> { prepared: layer.prepare(inputs), name: layer.name() }))
            },
        }
    }
}

/// A [`BoxedLayer`], prepared to run one step at a time.
pub struct BoxedPrepared<T, X: SequenceInput>(Box<dyn AnyPrepared<T, X::Step>>);

/// The object-safe part of a prepared layer.
trait AnyPrepared<T, S: ?Sized>: Send {
    fn step(&mut self, input: &S, carry: &mut BoxedCarry<T>, output: &mut [T]);
}

struct PreparedOf<T: Scalar, L: Streaming<T>> {
    prepared: L::Prepared,
    name: String,
}

impl<T: Scalar, L: Streaming<T> + 'static> AnyPrepared<T, L::Step> for PreparedOf<T, L> {
    fn step(&mut self, input: &L::Step, carry: &mut BoxedCarry<T>, output: &mut [T]) {
        L::step(&mut self.prepared, input, carry.of(|| self.name.clone()), output);
    }
}

impl<T: Scalar, X: SequenceInput + Tensors<T> + 'static> Streaming<T> for BoxedLayer<T, X> {
    type Step = X::Step;
    type Prepared = BoxedPrepared<T, X>;

    fn can_stream(&self) -> Result<(), CannotStream> {
        match self.streaming {
            Some(calls) => (calls.can_stream)(&*self.layer),
            None => Err(CannotStream { layer: self.layer.name() }),
        }
    }

    fn prepare(&self, inputs: usize) -> BoxedPrepared<T, X> {
        match self.streaming {
            Some(calls) => (calls.prepare)(&*self.layer, inputs),
            None => panic!("{}", CannotStream { layer: self.layer.name() }),
        }
    }

    fn step(prepared: &mut BoxedPrepared<T, X>, input: &X::Step, carry: &mut BoxedCarry<T>, output: &mut [T]) {
        prepared.0.step(input, carry, output);
    }
}
