//! One step of one sequence at a time, as sensors and control loops have it.
//!
//! [`Layer::forward`] packs the weights for the processor at each call, which many steps share. Where there is a single
//! step, that would be most of the work: [`Stream`] packs them once, and then a step allocates nothing and does each layer's
//! own equations.

mod around;
mod stateless;

use crate::{Features, Layer, Scalar};
use alloc::{string::String, vec, vec::Vec};
use thiserror::Error;

/// A layer that can run one step of one sequence at a time: its output at a step depends on its input at that step and on its
/// carry.
///
/// All recurrent layers, [`CausalConvolution`](crate::CausalConvolution) without a stride,
/// [`CausalSelfAttention`](crate::CausalSelfAttention), [`Linear`](crate::Linear), [`Activation`](crate::Activation),
/// [`LayerNorm`](crate::LayerNorm),
/// [`RmsNorm`](crate::RmsNorm), [`Dropout`](crate::Dropout), [`VariationalDropout`](crate::VariationalDropout),
/// [`Embedding`](crate::Embedding), [`LastStep`](crate::LastStep) (which passes the current step through), and chains, stacks,
/// highways and residual connections of these can be streamed. [`MeanOverTime`](crate::MeanOverTime),
/// [`MaxOverTime`](crate::MaxOverTime), [`AttentionPooling`](crate::AttentionPooling) and
/// [`Bidirectional`](crate::Bidirectional) cannot: they need other steps.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run one step at a time",
    note = "implement `Streaming`, or, to box a layer that needs whole sequences, call `BoxedLayer::without_streaming`"
)]
pub trait Streaming<T: Scalar>: Layer<T> {
    /// The input of a step: `[T]`, one scalar per feature, or `usize` for a token id.
    type Step: StepInput + ?Sized;
    /// The parameters in the order of the kernels, and buffers for one step.
    type Prepared: Send;

    /// Whether this layer can be streamed. Only a layer whose type is known at run time ([`BoxedLayer`](crate::BoxedLayer)) and a
    /// convolution with a stride may be unable to; layers around other layers pass the question on to them.
    ///
    /// # Errors
    /// The layer that cannot be streamed, because its output at a step depends on other steps, or it has none at some steps.
    fn can_stream(&self) -> Result<(), CannotStream> {
        Ok(())
    }

    /// Packs the parameters as they are now, for input of `inputs` features.
    ///
    /// # Panics
    /// If the parameters do not agree with one another in shape.
    fn prepare(&self, inputs: usize) -> Self::Prepared;

    /// Runs one step of one sequence; `carry` comes in and goes out.
    ///
    /// # Panics
    /// If the input, the output or the carry have another shape.
    fn step(prepared: &mut Self::Prepared, input: &Self::Step, carry: &mut Self::Carry, output: &mut [T]);
}

/// A model, prepared to run one step of one sequence at a time.
///
/// It holds the parameters as they were when it was made: after more training, make another one. The carry stays with the
/// caller, so one stream can serve several sequences in turn. To restart, create a new carry. Outputs equal those of
/// [`Layer::forward`] up to rounding.
///
/// ```
/// use longhand::{Layer, Linear, Lstm, Stream};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Lstm::<f32>::new(3, 16, &mut generator).then(Linear::new(16, 6, &mut generator))?;
///
/// let (mut stream, mut carry) = (Stream::new(&model), model.carry(1));
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
    /// Prepares a model with a fixed number of features.
    ///
    /// # Panics
    /// If the model takes any number of features (use [`with_features`](Self::with_features)), if its parameters do not agree
    /// with one another in shape, or if it is built at run time and [cannot be streamed](Streaming::can_stream).
    #[track_caller]
    pub fn new(model: &M) -> Self {
        match model.features() {
            Features::Fixed { input, .. } => Stream::with_features(model, input),
            Features::Any => panic!("`{}` takes any number of features: use `Stream::with_features`", model.name()),
        }
    }

    /// Prepares a model for input of `inputs` features.
    ///
    /// # Panics
    /// If the model takes another number of features, if its parameters do not agree with one another in shape, or if it is built
    /// at run time and [cannot be streamed](Streaming::can_stream).
    #[track_caller]
    pub fn with_features(model: &M, inputs: usize) -> Self {
        if let Err(error) = model.can_stream() {
            panic!("{error}");
        }
        let features = model.features();
        if let Features::Fixed { input, .. } = features {
            assert!(input == inputs, "expected {input} features (layer `{}`), got {inputs}", model.name());
        }
        Stream { inputs, prepared: model.prepare(inputs), output: vec![T::zero(); features.of_output(inputs)] }
    }

    /// Runs one step and returns the output for `input`. `carry` is that of one sequence ([`Layer::carry`] of a batch of 1); it
    /// comes in and goes out.
    ///
    /// # Panics
    /// If the input has another number of features or is not in the table of an [`Embedding`](crate::Embedding), or if the carry
    /// is that of another number of sequences.
    #[track_caller]
    pub fn step(&mut self, input: &M::Step, carry: &mut M::Carry) -> &[T] {
        if let Some(given) = input.features() {
            let expected = self.inputs;
            assert!(given == expected, "expected {expected} features in a step, got {given}");
        }
        M::step(&mut self.prepared, input, carry, &mut self.output);
        &self.output
    }
}

/// A layer that needs later steps than the current one, or that has no output at some steps.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{layer}` cannot run one step at a time, because it does not have an output at each step that depends on that step and its \
     carry alone; run `forward` on whole sequences, or on windows"
)]
pub struct CannotStream {
    /// The layer.
    pub layer: String,
}

/// The input of one step.
pub trait StepInput {
    /// Number of features; `None` for a token id.
    fn features(&self) -> Option<usize>;
}

impl<T: Scalar> StepInput for [T] {
    fn features(&self) -> Option<usize> {
        Some(self.len())
    }
}

impl StepInput for usize {
    fn features(&self) -> Option<usize> {
        None
    }
}
