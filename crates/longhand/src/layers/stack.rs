//! Several layers of one kind, one after the other, with dropout in between: PyTorch's `num_layers`, `dropout` and `bidirectional`.
//!
//! # Equations
//! With the layers `f[0]` to `f[n - 1]` and a dropout mask `m` for the output of each layer except for the last,
//!
//! ```text
//! x[0] = x      x[k] = m[k - 1] * f[k - 1](x[k - 1])      y = f[n - 1](x[n - 1])
//! ```
//!
//! The masks are those of [`Dropout`]: drawn in training, one in inference. A stack computes the same as the
//! [`Chain`](crate::Chain) of its layers with a `Dropout` between any two. Padding, resets and the carry are those of the layers.
//!
//! # Derivation of the backward pass
//! The chain rule, from the last layer to the first: each layer turns the gradient of its output into that of its input, which is
//! multiplied by the mask.
//!
//! # Names
//! The tensors are named by their layer: `layers.0.weight_ih_l0`, or `layers.1.backward.weight_ih_l0` in a bidirectional stack. In
//! files they have PyTorch's names, `weight_ih_l0` and `weight_ih_l1_reverse`.

use super::bidirectional::Bidirectional;
use super::dropout::{Dropout, DropoutCache};
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences, ShapeError};
use alloc::{format, string::String, string::ToString, vec::Vec};

/// Several layers of one kind, with dropout in between; see the [module](self).
///
/// An `nn.LSTM(3, 16, num_layers=2, dropout=0.3, bidirectional=True)`:
///
/// ```
/// use longhand::{Features, Layer, Lstm, Stack};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let g = &mut ChaCha8Rng::seed_from_u64(1);
/// let lstm = Stack::bidirectional::<f32>(3, 2, |inputs| Lstm::new(inputs, 16, g))?.with_dropout(0.3)?;
/// assert_eq!(lstm.features(), Features::Fixed { input: 3, output: 32 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Stack<L> {
    layers: Vec<L>,
    dropout: Option<Dropout>,
}

crate::tensors!(Stack<L> { layers } keep { dropout });

impl<L> Stack<L> {
    /// `count` layers without dropout. `layer` makes a layer from its number of input features: `inputs` for the first one, and what
    /// the layer before it gives for each other one.
    ///
    /// ```
    /// use longhand::{Gru, Layer, Stack};
    /// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    ///
    /// let g = &mut ChaCha8Rng::seed_from_u64(1);
    /// let gru = Stack::new::<f32>(3, 2, |inputs| Gru::new(inputs, 8, g))?;
    /// assert_eq!(gru.name(), "Stack(Gru(3 -> 8) > Gru(8 -> 8))");
    /// # Ok::<(), longhand::ShapeError>(())
    /// ```
    ///
    /// # Errors
    /// If `count` is zero, or a layer takes another number of features than it gets.
    pub fn new<T: Scalar>(inputs: usize, count: usize, mut layer: impl FnMut(usize) -> L) -> Result<Self, ShapeError>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        let (mut layers, mut features) = (Vec::with_capacity(count), inputs);
        for _ in 0..count {
            let layer = layer(features);
            features = layer.features().of_output(features);
            layers.push(layer);
        }
        let stack = Stack::of::<T>(layers)?;
        match stack.features_of_all::<T>() {
            Features::Fixed { input, .. } if input != inputs => {
                Err(ShapeError::Stack { layer: stack.layers[0].name(), takes: input, gets: inputs })
            }
            _ => Ok(stack),
        }
    }

    /// These layers, without dropout.
    ///
    /// # Errors
    /// If there is none, or a layer takes another number of features than the one before it gives.
    pub fn of<T: Scalar>(layers: Vec<L>) -> Result<Self, ShapeError>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        if layers.is_empty() {
            return Err(ShapeError::EmptyStack);
        }
        for pair in layers.windows(2) {
            if let (Features::Fixed { output: gives, .. }, Features::Fixed { input: takes, .. }) =
                (pair[0].features(), pair[1].features())
                && gives != takes
            {
                return Err(ShapeError::Features { first: pair[0].name(), gives, second: pair[1].name(), takes });
            }
        }
        Ok(Stack { layers, dropout: None })
    }

    /// Sets the probability of dropout on the output of each layer except for the last.
    ///
    /// # Errors
    /// If `probability` is not in `[0, 1)`.
    pub fn with_dropout(self, probability: f64) -> Result<Self, HyperparameterError> {
        Ok(Stack { dropout: Some(Dropout::new(probability)?), ..self })
    }

    /// The layers, from the input to the output.
    pub fn layers(&self) -> &[L] {
        &self.layers
    }

    /// The layers, to be changed.
    pub fn layers_mut(&mut self) -> &mut [L] {
        &mut self.layers
    }

    /// The dropout between two layers.
    pub fn dropout(&self) -> Option<Dropout> {
        self.dropout
    }

    /// The features of all layers together, as those of a chain.
    fn features_of_all<T: Scalar>(&self) -> Features
    where
        L: Layer<T>,
    {
        let features = self.layers.iter().map(Layer::features);
        let join = |first, second| match (first, second) {
            (Features::Any, other) | (other, Features::Any) => other,
            (Features::Fixed { input, .. }, Features::Fixed { output, .. }) => Features::Fixed { input, output },
        };
        features.reduce(join).unwrap_or(Features::Any)
    }
}

impl<L> Stack<Bidirectional<L>> {
    /// `count` bidirectional layers without dropout. `layer` makes one direction from its number of input features; it is called
    /// for the forward and then for the backward direction of each layer.
    ///
    /// # Errors
    /// If `count` is zero, or a layer takes another number of features than it gets.
    pub fn bidirectional<T: Scalar>(
        inputs: usize,
        count: usize,
        mut layer: impl FnMut(usize) -> L,
    ) -> Result<Self, ShapeError>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        let (mut layers, mut features) = (Vec::with_capacity(count), inputs);
        for _ in 0..count {
            let both = Bidirectional::new::<T>(layer(features), layer(features))?;
            match Layer::<T>::features(&both) {
                Features::Fixed { input, .. } if input != features => {
                    return Err(ShapeError::Stack { layer: Layer::<T>::name(&both), takes: input, gets: features });
                }
                of_layer => features = of_layer.of_output(features),
            }
            layers.push(both);
        }
        Stack::of::<T>(layers)
    }
}

/// The caches of the layers of a [`Stack`], and the values between them.
pub struct StackCache<T: Scalar, L: Layer<T>> {
    layers: Vec<L::Cache>,
    /// One for the output of each layer except for the last.
    dropouts: Vec<DropoutCache<T>>,
    /// The gradients of the input of a layer, and of the output of the layer before it.
    d_input: Sequences<T>,
    d_output: Sequences<T>,
}

impl<T: Scalar, L: Layer<T>> Default for StackCache<T, L> {
    fn default() -> Self {
        StackCache {
            layers: Vec::new(),
            dropouts: Vec::new(),
            d_input: Sequences::default(),
            d_output: Sequences::default(),
        }
    }
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Stack<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = Vec<L::Carry>;
    type Cache = StackCache<T, L>;

    fn name(&self) -> String {
        let names: Vec<String> = self.layers.iter().map(Layer::name).collect();
        let between = match self.dropout {
            Some(dropout) => format!(" > {} > ", Layer::<T>::name(&dropout)),
            None => " > ".to_string(),
        };
        format!("Stack({})", names.join(&between))
    }

    fn features(&self) -> Features {
        self.features_of_all::<T>()
    }

    fn carry(&self, batch: usize) -> Vec<L::Carry> {
        self.layers.iter().map(|layer| layer.carry(batch)).collect()
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut Vec<L::Carry>,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_carry(carry);
        let StackCache { layers, dropouts, .. } = cache;
        layers.resize_with(self.layers.len(), Default::default);
        dropouts.resize_with(self.layers.len() - 1, Default::default);
        for (k, (layer, carry)) in self.layers.iter().zip(carry).enumerate() {
            let (before, at) = layers.split_at_mut(k);
            let x = match (before.last(), self.dropout) {
                (None, _) => input,
                (Some(before), None) => L::output(before),
                (Some(before), Some(dropout)) => {
                    dropout.forward(L::output(before), &mut (), &mut dropouts[k - 1], pass)
                }
            };
            layer.forward(x, carry, &mut at[0], pass);
        }
        Self::output(cache)
    }

    /// # Panics
    /// If no stack has run forward with this cache.
    fn output(cache: &Self::Cache) -> &Sequences<T> {
        L::output(cache.layers.last().expect("`forward` must run with this cache before its output is read"))
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut Vec<L::Carry>,
        mut gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_carry(d_carry);
        let StackCache { layers, dropouts, d_input: d_between, d_output: d_dropped } = cache;
        let count = self.layers.len();
        assert!(
            layers.len() == count,
            "call `forward` with this input and cache before `backward` (layer `{}`)",
            Layer::<T>::name(self)
        );
        for k in (0..count).rev() {
            let (before, at) = layers.split_at_mut(k);
            let x = match (before.last(), self.dropout) {
                (None, _) => input,
                (Some(before), None) => L::output(before),
                (Some(_), Some(_)) => Dropout::output(&dropouts[k - 1]),
            };
            let d_y = if k + 1 == count { d_output } else { Some(&*d_dropped) };
            let of_layer = gradients.reborrow().part(|stack| &mut stack.layers[k]);
            let d_x = if k == 0 { d_input.as_deref_mut() } else { Some(&mut *d_between) };
            self.layers[k].backward(x, &mut at[0], d_y, &mut d_carry[k], of_layer, d_x);
            if let (Some(before), Some(dropout)) = (before.last(), self.dropout) {
                let (y, mask) = (L::output(before), &mut dropouts[k - 1]);
                dropout.backward(y, mask, Some(d_between), &mut (), ParameterGradients::Skip, Some(d_dropped));
            } else {
                core::mem::swap(d_between, d_dropped);
            }
        }
    }
}

impl<L> Stack<L> {
    /// Panics unless there is one carry per layer.
    #[track_caller]
    fn check_carry<C>(&self, carry: &[C]) {
        assert!(
            carry.len() == self.layers.len(),
            "the carry is for {} layers, but the stack has {}: make it with `carry(batch)` of this one",
            carry.len(),
            self.layers.len()
        );
    }
}
