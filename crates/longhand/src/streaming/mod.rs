//! One step of one sequence at a time, as sensors and control loops have it.
//!
//! [`Layer::forward`] packs the weights for the processor at each call, which many steps share. Where there is a single
//! step, that would be most of the work: [`Stream`] packs them once, and then a step allocates nothing and does each layer's
//! own equations.

mod stateless;

use crate::{Features, Layer, Scalar};
use alloc::{vec, vec::Vec};

/// A layer that can run one step of one sequence at a time: its output at a step depends on its input there and on
/// what it carries.
///
/// All recurrent layers, [`Linear`](crate::Linear), [`Activation`](crate::Activation) and chains of these are.
/// [`LastStep`](crate::LastStep) is, too: the last step so far is the one at hand. A mean over time is not.
pub trait Streaming<T: Scalar>: Layer<T> {
    /// The parameters as the kernels want them, and buffers for one step.
    type Prepared;

    /// Packs the parameters as they are now, for input of so many features.
    ///
    /// # Panics
    /// If the parameters do not agree with one another in shape.
    fn prepare(&self, inputs: usize) -> Self::Prepared;

    /// One step of one sequence, from `inputs` scalars to `outputs` scalars; `carry` comes in and goes out.
    ///
    /// # Panics
    /// If the input, the output or the carry have another shape.
    fn step(prepared: &mut Self::Prepared, input: &[T], carry: &mut Self::Carry, output: &mut [T]);
}

/// A model, prepared to run one step of one sequence at a time.
///
/// It holds the parameters as they were when it was made: after more training, make another. The carry stays with the
/// caller, so one stream can serve several sequences in turn, and starting anew is taking a new carry.
///
/// ```
/// use longhand::{Layer, Linear, Lstm, Stream};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Lstm::<f32>::new(3, 16, &mut generator).then(Linear::new(16, 6, &mut generator))?;
///
/// let (mut stream, mut carry) = (Stream::new(&model, 3), model.carry(1));
/// for sample in [[0.1, -0.3, 0.9], [0.2, -0.2, 0.8]] {
///     let logits: &[f32] = stream.step(&sample, &mut carry);
///     assert_eq!(logits.len(), 6);
/// }
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug)]
pub struct Stream<T: Scalar, M: Streaming<T>> {
    inputs: usize,
    prepared: M::Prepared,
    output: Vec<T>,
}

impl<T: Scalar, M: Streaming<T>> Stream<T, M> {
    /// Prepares a model for input of so many features.
    ///
    /// # Panics
    /// If the model takes another number of features, or its parameters do not agree with one another in shape.
    #[track_caller]
    pub fn new(model: &M, inputs: usize) -> Self {
        let features = model.features();
        if let Features::Fixed { input, .. } = features {
            assert!(input == inputs, "expected {input} features (layer `{}`), got {inputs}", model.name());
        }
        Stream { inputs, prepared: model.prepare(inputs), output: vec![T::zero(); features.of_output(inputs)] }
    }

    /// One step: the output for `input`. `carry` is that of one sequence ([`Layer::carry`] of a batch of 1); it comes in
    /// and goes out.
    ///
    /// # Panics
    /// If the input has another number of features, or the carry is that of another number of sequences.
    #[track_caller]
    pub fn step(&mut self, input: &[T], carry: &mut M::Carry) -> &[T] {
        let (given, expected) = (input.len(), self.inputs);
        assert!(given == expected, "expected {expected} features in a step, got {given}");
        M::step(&mut self.prepared, input, carry, &mut self.output);
        &self.output
    }
}
