//! A layer and a second one that runs backwards in time (Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", 1997).
//!
//! # Equations
//! ```text
//! y[t] = (f(x)[t], b(x reversed)[steps - 1 - t])        one below the other
//! ```
//!
//! with `f` the forward layer and `b` the backward layer. Shapes: `features x (steps * batch)` to
//! `(outputs of f + outputs of b) x (steps * batch)`.
//!
//! The marks are reversed with the steps. An invalid step holds the hidden state, so `b` runs over the valid steps of each
//! sequence in reverse, wherever the padding is. A reset before step `t` cuts between the steps `t - 1` and `t`. In reversed time
//! that is a reset before the step that `t - 1` becomes, which is `steps - t`.
//!
//! The carry is that of `f`. `b` starts from zero at the last step of each truncation window, because the steps after the window
//! are not known. So windows do not give what the whole sequence gives: train on whole sequences
//! ([`TruncatedBptt::full`](crate::TruncatedBptt::full)). To give `b` another first state, and to have its last one, as the second
//! directions of PyTorch's `h_0` and `h_n`, call [`Bidirectional::forward_both`] and [`Bidirectional::backward_both`].
//!
//! # Derivation of the backward pass
//! `d_y` is split into its two parts, and the part of `b` is reversed. Each layer has its own backward pass. `x` is used by both,
//! so `d_x` is the sum of the first one's and the reversed second one's.

use super::shapes::{check_backward, check_input};
use crate::scalar::compiled;
use crate::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, ShapeError, Tensors, kernel};
use alloc::{format, string::String};

/// Two layers over the same input, one of which runs backwards in time; see the [module](self).
///
/// ```
/// use longhand::{Bidirectional, Gru, Layer};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let layer = Bidirectional::new::<f32>(Gru::new(3, 8, &mut generator), Gru::new(3, 8, &mut generator))?;
/// assert_eq!(layer.name(), "Bidirectional(Gru(3 -> 8), Gru(3 -> 8))");
/// # Ok::<(), longhand::ShapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bidirectional<L> {
    /// The layer that runs forwards in time.
    forward: L,
    /// The layer that runs backwards in time.
    backward: L,
}

crate::tensors!(Bidirectional<L> { forward, backward });

impl<L> Bidirectional<L> {
    /// `forward` over the steps in order, and `backward` over the steps in reverse.
    ///
    /// # Errors
    /// If the two take different numbers of features, or one of them takes any number.
    pub fn new<T: Scalar>(forward: L, backward: L) -> Result<Self, ShapeError>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        match (forward.features(), backward.features()) {
            (Features::Fixed { input: a, .. }, Features::Fixed { input: b, .. }) if a != b => {
                Err(ShapeError::Directions { forward: forward.name(), takes: a, backward: backward.name(), other: b })
            }
            (Features::Any, _) => Err(ShapeError::AnyFeatures { layer: forward.name() }),
            (_, Features::Any) => Err(ShapeError::AnyFeatures { layer: backward.name() }),
            _ => Ok(Bidirectional { forward, backward }),
        }
    }

    /// The layers that run forwards and backwards in time.
    pub fn directions(&self) -> (&L, &L) {
        (&self.forward, &self.backward)
    }

    /// The same, to be changed.
    pub fn directions_mut(&mut self) -> (&mut L, &mut L) {
        (&mut self.forward, &mut self.backward)
    }
}

/// The caches of both directions, and the values of the backward direction in reversed time.
pub struct BidirectionalCache<T: Scalar, L: Layer<T>> {
    output: Sequences<T>,
    forward: L::Cache,
    backward: L::Cache,
    /// The carry of the backward direction and its gradient, and the number of sequences they are for.
    carries: Option<(usize, L::Carry, L::Carry)>,
    /// The input in reversed time.
    reversed: Sequences<T>,
    d_forward: Sequences<T>,
    d_backward: Sequences<T>,
    d_reversed: Sequences<T>,
}

impl<T: Scalar, L: Layer<T>> Default for BidirectionalCache<T, L> {
    fn default() -> Self {
        BidirectionalCache {
            output: Sequences::default(),
            forward: L::Cache::default(),
            backward: L::Cache::default(),
            carries: None,
            reversed: Sequences::default(),
            d_forward: Sequences::default(),
            d_backward: Sequences::default(),
            d_reversed: Sequences::default(),
        }
    }
}

impl<T: Scalar, L: Layer<T>> BidirectionalCache<T, L> {
    /// The carry of the backward direction and its gradient, to be put back. Their values do not matter.
    fn carries_of(&mut self, backward: &L, batch: usize) -> (L::Carry, L::Carry) {
        match self.carries.take() {
            Some((of, carry, d_carry)) if of == batch => (carry, d_carry),
            _ => (backward.carry(batch), backward.carry(batch)),
        }
    }
}

/// Gives `to` the shape and the marks of `from` in reversed time.
fn reshape_reversed<T: Scalar>(to: &mut Sequences<T>, features: usize, from: &Sequences<T>) {
    let (layout, steps) = (from.layout(), from.steps());
    let valid = |step, b| layout.is_valid(steps - 1 - step, b);
    let resets = |step, b| step > 0 && layout.resets(steps - step, b);
    to.reshape_marked(features, steps, from.batch(), valid, resets);
}

/// Copies rows of `from`, from row `first` on, to rows of `to`, from row `first_to` on; the steps are reversed if `reverse`.
fn copy_rows<T: Scalar>(from: &Sequences<T>, first: usize, to: &mut Sequences<T>, first_to: usize, reverse: bool) {
    let copy_rows: CopyRows<T> =
        compiled([&(copy_rows_f32 as CopyRows<f32>), &(copy_rows_f64 as CopyRows<f64>)], copy_any_rows);
    copy_rows(from, first, to, first_to, reverse);
}

type CopyRows<T> = fn(&Sequences<T>, usize, &mut Sequences<T>, usize, bool);

fn copy_rows_f32(from: &Sequences<f32>, first: usize, to: &mut Sequences<f32>, first_to: usize, reverse: bool) {
    copy_any_rows(from, first, to, first_to, reverse);
}

fn copy_rows_f64(from: &Sequences<f64>, first: usize, to: &mut Sequences<f64>, first_to: usize, reverse: bool) {
    copy_any_rows(from, first, to, first_to, reverse);
}

fn copy_any_rows<T: Scalar>(from: &Sequences<T>, first: usize, to: &mut Sequences<T>, first_to: usize, reverse: bool) {
    // One of the two is a direction, and the other has the rows of both.
    let rows = from.features().min(to.features());
    for step in 0..from.steps() {
        let at = if reverse { from.steps() - 1 - step } else { step };
        for b in 0..from.batch() {
            to.at_mut(at, b)[first_to..first_to + rows].copy_from_slice(&from.at(step, b)[first..first + rows]);
        }
    }
}

/// Both passes with the carries of both directions. They are no part of [`Layer`], in which a carry goes from one window of steps
/// to the next: that of the backward direction would have to go from the next window to the one before.
impl<L> Bidirectional<L> {
    /// [`Layer::forward`] with the carries of the forward and of the backward direction. The second one comes in before the last step
    /// and goes out after the first one.
    ///
    /// ```
    /// use longhand::{nalgebra::DMatrix, prelude::*};
    ///
    /// let layer = Bidirectional::new::<f32>(Lstm::zeros(3, 8), Lstm::zeros(3, 8))?;
    /// let (forward, backward) = layer.directions();
    /// let (mut first, mut second) = (forward.carry(2), backward.carry(2));
    /// // PyTorch's h_0[1], for two sequences.
    /// second.h = DMatrix::from_element(8, 2, 0.5);
    /// let (x, mut cache) = (Sequences::from_fn(3, 5, 2, |_, _, _| 1.0), Default::default());
    /// let y = layer.forward_both(&x, [&mut first, &mut second], &mut cache, &mut Pass::Infer);
    /// // h_n of the second direction is the second half of the output of the first step. There is its c_n, too.
    /// assert_eq!(second.h, y.step(0).rows(8, 8));
    /// assert_eq!(second.c.shape(), (8, 2));
    /// # Ok::<(), ShapeError>(())
    /// ```
    ///
    /// # Panics
    /// As [`Layer::forward`], and if a direction gives no output at every step.
    pub fn forward_both<'c, T: Scalar>(
        &self,
        input: &Sequences<T>,
        [carry, backward_carry]: [&mut L::Carry; 2],
        cache: &'c mut BidirectionalCache<T, L>,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T>
    where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        let BidirectionalCache { output, forward, backward, reversed, .. } = cache;
        if let Features::Fixed { input: features, .. } = Layer::<T>::features(self) {
            check_input(|| Layer::<T>::name(self), features, input);
        }
        reshape_reversed(reversed, input.features(), input);
        copy_rows(input, 0, reversed, 0, true);
        let f = self.forward.forward(input, carry, forward, pass);
        let b = self.backward.forward(reversed, backward_carry, backward, pass);
        for direction in [f, b] {
            assert!(
                direction.layout().has_size_of(input.layout()),
                "both directions must give an output at every step (layer `{}`)",
                Layer::<T>::name(self)
            );
        }
        output.reshape(f.features() + b.features(), input.layout());
        copy_rows(f, 0, output, 0, false);
        copy_rows(b, 0, output, f.features(), true);
        output
    }

    /// [`Layer::backward`] with the gradients of the carries of the forward and of the backward direction.
    ///
    /// # Panics
    /// As [`Layer::backward`].
    pub fn backward_both<T: Scalar>(
        &self,
        input: &Sequences<T>,
        cache: &mut BidirectionalCache<T, L>,
        d_output: Option<&Sequences<T>>,
        [d_carry, d_backward_carry]: [&mut L::Carry; 2],
        gradients: ParameterGradients<'_, Self>,
        mut d_input: Option<&mut Sequences<T>>,
    ) where
        L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    {
        let BidirectionalCache { output, forward, backward, reversed, d_forward, d_backward, d_reversed, .. } = cache;
        let (features, others) = (L::output(forward).features(), L::output(backward).features());
        check_backward(|| Layer::<T>::name(self), output, features + others, input.layout(), d_output);
        let (of_forward, of_backward) = gradients.parts(|layers| (&mut layers.forward, &mut layers.backward));
        if let Some(d_output) = d_output {
            d_forward.reshape(features, input.layout());
            copy_rows(d_output, 0, d_forward, 0, false);
            reshape_reversed(d_backward, others, input);
            copy_rows(d_output, features, d_backward, 0, true);
        }
        let d_b = d_output.is_some().then_some(&*d_backward);
        let d_x = d_input.is_some().then_some(&mut *d_reversed);
        self.backward.backward(reversed, backward, d_b, d_backward_carry, of_backward, d_x);
        let d_f = d_output.is_some().then_some(&*d_forward);
        self.forward.backward(input, forward, d_f, d_carry, of_forward, d_input.as_deref_mut());
        let Some(d_input) = d_input else { return };
        let steps = input.steps();
        for step in 0..steps {
            for b in 0..input.batch() {
                let d_reversed = d_reversed.at(steps - 1 - step, b);
                kernel::add(d_input.at_mut(step, b), d_reversed);
            }
        }
    }
}

impl<T: Scalar, L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>> Layer<T> for Bidirectional<L> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = L::Carry;
    type Cache = BidirectionalCache<T, L>;

    fn name(&self) -> String {
        format!("Bidirectional({}, {})", self.forward.name(), self.backward.name())
    }

    fn features(&self) -> Features {
        match (self.forward.features(), self.backward.features()) {
            (Features::Fixed { input, output }, Features::Fixed { output: other, .. }) => {
                Features::Fixed { input, output: output + other }
            }
            _ => unreachable!("`new` accepts only layers with a fixed number of features"),
        }
    }

    fn carry(&self, batch: usize) -> L::Carry {
        self.forward.carry(batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut L::Carry,
        cache: &'c mut Self::Cache,
        pass: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (mut of_backward, d_of_backward) = cache.carries_of(&self.backward, input.batch());
        of_backward.set_zero();
        self.forward_both(input, [carry, &mut of_backward], cache, pass);
        cache.carries = Some((input.batch(), of_backward, d_of_backward));
        &cache.output
    }

    fn output(cache: &Self::Cache) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut Self::Cache,
        d_output: Option<&Sequences<T>>,
        d_carry: &mut L::Carry,
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let (of_backward, mut d_of_backward) = cache.carries_of(&self.backward, input.batch());
        d_of_backward.set_zero();
        self.backward_both(input, cache, d_output, [d_carry, &mut d_of_backward], gradients, d_input);
        cache.carries = Some((input.batch(), of_backward, d_of_backward));
    }
}
