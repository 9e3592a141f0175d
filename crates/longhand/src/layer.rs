//! The contract of a layer.

use crate::{Chain, ParameterGradients, Scalar, ShapeError, Tensors};
use alloc::string::String;
use rand::Rng;

/// Selects training or inference for one call of [`Layer::forward`]; a layer has no mode of its own.
pub enum Pass<'a> {
    /// Inference: no randomness.
    Infer,
    /// Training: layers that draw at random (dropout) draw from this generator.
    Train(&'a mut dyn Rng),
}

/// Number of features of a layer's input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// Any number; the output has as many as the input.
    Any,
    /// `input` features in, `output` features out.
    Fixed {
        /// Features of the input.
        input: usize,
        /// Features of the output.
        output: usize,
    },
}

impl Features {
    /// Number of output features for `input` input features.
    pub(crate) fn of_output(self, input: usize) -> usize {
        match self {
            Features::Any => input,
            Features::Fixed { output, .. } => output,
        }
    }
}

/// A layer struct contains only its parameters. The caller owns everything else and passes it in.
///
/// | value | what it is | who owns it |
/// |---|---|---|
/// | *carry* | the hidden state between two windows of steps; `()` if there is none | the caller |
/// | *cache* | the values that `backward` needs from `forward`, and the buffers of both | the caller, reused from call to call |
/// | *gradients* | a value of the layer's own type: added to, replaced, or not wanted | the caller |
///
/// To truncate backpropagation through time, pass a zero `d_carry`. For full backpropagation, pass the `d_carry` that the next
/// window returned.
///
/// Every layer keeps these laws:
///
/// - `backward` is linear in `d_output` and `d_carry`, and can be called again with the same cache.
/// - A batch gives the sum of its sequences' gradients.
/// - Padding never matters; the output and `d_input` are zero there. A reset cuts a sequence in two.
/// - After the first call at a shape nothing is allocated.
///
/// The layers of this crate also set values that are too small to matter to zero (see [`vanishing`](crate::vanishing)). The page
/// "Write your own layer" in `docs/` shows a complete layer.
///
/// ```
/// use longhand::{Elman, Gradients, LastStep, Layer, Linear, Pass, Sequences};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Elman::new(3, 50, &mut generator).then(LastStep)?.then(Linear::new(50, 6, &mut generator))?;
/// let x = Sequences::from_fn(3, 150, 2, |feature, step, _| (step as f64 * 0.1).sin() * feature as f64);
///
/// let (mut carry, mut cache) = (model.carry(x.batch()), Default::default());
/// let logits = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
/// assert_eq!(logits.values().shape(), (6, 2));
///
/// let d_logits = logits.clone();
/// let (mut d_carry, mut gradients) = (model.carry(x.batch()), Gradients::zeros(&model));
/// model.backward(&x, &mut cache, Some(&d_logits), &mut d_carry, gradients.add(), None);
/// # Ok::<(), longhand::ShapeError>(())
/// ```
pub trait Layer<T: Scalar>: Tensors<T> {
    /// The input type, usually [`Sequences`](crate::Sequences). The gradient of the input has the same type.
    type Input: Tensors<T>;
    /// The output type.
    type Output: Tensors<T> + Default;
    /// The hidden state between two windows.
    type Carry: Tensors<T>;
    /// The values that `backward` needs from `forward`. It gets its size at the first call. A tuple of
    /// [`Sequences`](crate::Sequences), which implements `Default`, is often enough.
    type Cache: Default + Send;

    /// Display name used in messages, such as `Elman(3 -> 50)`.
    fn name(&self) -> String;

    /// Number of features of the input and the output.
    fn features(&self) -> Features;

    /// A zero carry for `batch` sequences: the carry before the first step, or the gradient of a carry that nothing uses.
    fn carry(&self, batch: usize) -> Self::Carry;

    /// Computes the output for `input` and stores it in the cache. `carry` is the hidden state before the first step, and becomes
    /// the state after the last one.
    ///
    /// # Panics
    /// If `input` or `carry` has the wrong shape, or if the shapes of the parameters do not match each other.
    fn forward<'c>(
        &self,
        input: &Self::Input,
        carry: &mut Self::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Self::Output;

    /// The output of the last `forward` with this cache.
    fn output(cache: &Self::Cache) -> &Self::Output;

    /// The chain rule, after a `forward` with the same `input` and cache.
    ///
    /// - `d_output` is the gradient of the output. `None` means zero: only the carry is used, as in an encoder.
    /// - `d_carry` comes in as the gradient of the carry that went out, and goes out as the gradient of the carry that came in.
    /// - `gradients` says whether the gradients of the parameters are added to a value, replace it, or are not wanted.
    /// - The gradient of the input is written to `d_input`, or not computed if that is `None`.
    ///
    /// # Panics
    /// If the shapes are not those of that `forward`, if there was none, or if the gradients have another shape than the layer.
    fn backward(
        &self,
        input: &Self::Input,
        cache: &mut Self::Cache,
        d_output: Option<&Self::Output>,
        d_carry: &mut Self::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Self::Input>,
    );

    /// Applies `next` to the output of this layer.
    ///
    /// # Errors
    /// If the number of output features of this layer is not the number of input features of `next`; the error names both.
    fn then<B: Layer<T, Input = Self::Output>>(self, next: B) -> Result<Chain<Self, B>, ShapeError>
    where
        Self: Sized,
    {
        Chain::new::<T>(self, next)
    }
}
