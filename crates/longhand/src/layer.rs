//! The contract of a layer.

use crate::{Chain, ParameterGradients, Scalar, ShapeError, Tensors};
use alloc::string::String;
use rand::Rng;

/// Whether a pass trains or infers: an argument of [`Layer::forward`], not a mode of the layer.
pub enum Pass<'a> {
    /// Nothing random is drawn.
    Infer,
    /// Layers that draw at random while training (dropout) take it from this generator.
    Train(&'a mut dyn Rng),
}

/// How many features a layer takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Features {
    /// Takes any number and gives as many.
    Any,
    /// Takes `input` and gives `output`.
    Fixed {
        /// Features of the input.
        input: usize,
        /// Features of the output.
        output: usize,
    },
}

impl Features {
    /// How many features come out when `input` go in.
    pub(crate) fn of_output(self, input: usize) -> usize {
        match self {
            Features::Any => input,
            Features::Fixed { output, .. } => output,
        }
    }
}

/// A layer is its parameters; everything else it needs is handed to it.
///
/// | value | what it is | who owns it |
/// |---|---|---|
/// | *carry* | what crosses from one window of steps to the next; `()` if nothing does | the caller |
/// | *cache* | what `backward` needs from `forward`, and the buffers of both | the caller, reused from step to step |
/// | *gradients* | a value of the layer's own shape: added to, replaced, or not wanted | the caller |
///
/// Truncating backpropagation through time is passing zero for the gradient of the carry that goes out; passing on
/// what the next window gave is full backpropagation. Nothing is ever detached.
///
/// Laws that every layer keeps: `backward` is linear in `d_output` and `d_carry`; it can be called again with the same
/// cache; a batch gives the sum of its sequences' gradients; padding never matters, and output and `d_input` are zero
/// there; a reset cuts a sequence in two;
/// after the first call at a shape nothing is allocated. The layers of this crate also flush values too small to matter to
/// zero (see [`vanishing`](crate::vanishing)). The page "Write your own layer" in `docs/` has one in full.
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
    /// What it takes, often [`Sequences`](crate::Sequences). Its gradient is a value of the same type.
    type Input: Tensors<T>;
    /// What it gives.
    type Output: Tensors<T> + Default;
    /// What crosses from one window to the next.
    type Carry: Tensors<T>;
    /// What `backward` needs from `forward`; grows to its size at the first call. A tuple of
    /// [`Sequences`](crate::Sequences) often does, for which `Default` is at hand.
    type Cache: Default + Send;

    /// What it is, for messages: `Elman(3 -> 50)`.
    fn name(&self) -> String;

    /// How many features it takes and gives.
    fn features(&self) -> Features;

    /// The carry before the first step of `batch` sequences: zero. Also the zero to start the gradient of a carry from.
    fn carry(&self, batch: usize) -> Self::Carry;

    /// The output for `input`, which lies in the cache; `carry` comes in and goes out.
    ///
    /// # Panics
    /// If the shape of `input` or `carry` is not what the layer takes, or its parameters do not agree with one another in
    /// shape.
    fn forward<'c>(
        &self,
        input: &Self::Input,
        carry: &mut Self::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Self::Output;

    /// The output that the last `forward` with this cache gave.
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

    /// This layer, and `next` on its output.
    ///
    /// # Errors
    /// If `next` does not take as many features as this layer gives; the error names both.
    fn then<B: Layer<T, Input = Self::Output>>(self, next: B) -> Result<Chain<Self, B>, ShapeError>
    where
        Self: Sized,
    {
        Chain::new::<T>(self, next)
    }
}
