//! The Elman recurrent layer (Elman, "Finding Structure in Time", 1990), as PyTorch's `nn.RNN` writes it.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry:
//!
//! ```text
//! z[t] = W_ih x[t] + b_ih + W_hh h[t-1] + b_hh          pre-activation
//! h[t] = tanh(z[t])   or   relu(z[t])                   hidden state = output
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `h` | `hidden` | `units x (steps * batch)` |
//! | `h[t-1]` | `state` | `units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `units x inputs`, `units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `units` |
//!
//! A reset puts zero for `h[t-1]`; an invalid step leaves `h[t] = h[t-1]` in the carry and gives no output.
//!
//! Hidden states and deltas too small to matter are flushed to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and as the state that the next step starts from. So, going backwards from the last step,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry                        what both uses say
//! d_z[t] = d_h[t] * (1 - h[t]^2)                        tanh' = 1 - tanh^2   (relu: d_h[t] where h[t] > 0)
//! d_carry = W_hh' d_z[t]                                z[t] is linear in h[t-1], so the transpose takes it back
//! ```
//!
//! and, since every step has the same weights, their gradients are sums over the steps, which are matrix products:
//!
//! ```text
//! d_W_ih = sum d_z[t] x[t]'     = d_Z X'
//! d_W_hh = sum d_z[t] h[t-1]'   = d_Z Previous'
//! d_b_ih = d_b_hh = sum d_z[t]
//! d_x[t] = W_ih' d_z[t],   that is   d_X = W_ih' d_Z
//! ```
//!
//! Before the first step, `d_carry` is the gradient of the carry that came in.

use super::recurrence::{self, Recurrence, step_of};
use super::shapes;
use crate::kernel::{Accumulate, Equations, Real, bands, bands_mut, compiled_here, each_row};
use crate::sequences::reshape;
use crate::{Features, Layer, Pass, Scalar, Sequences, initialise, sizes};
use alloc::{format, string::String, vec::Vec};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// What follows the pre-activation of an Elman layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nonlinearity {
    /// `tanh(z)`.
    #[default]
    Tanh,
    /// `max(z, 0)`, with derivative 0 at 0.
    Relu,
}

/// An Elman recurrent layer; see the [module](self) for its equations.
///
/// Input `inputs x (steps * batch)`, output and hidden state `units x (steps * batch)`, carry `units x batch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Elman<T: Scalar> {
    /// `W_ih`, `units x inputs`.
    pub weight_ih_l0: DMatrix<T>,
    /// `W_hh`, `units x units`.
    pub weight_hh_l0: DMatrix<T>,
    /// `b_ih`, `units`.
    pub bias_ih_l0: DVector<T>,
    /// `b_hh`, `units`.
    pub bias_hh_l0: DVector<T>,
    /// What follows the pre-activation.
    pub nonlinearity: Nonlinearity,
}

crate::tensors!(Elman { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 } keep { nonlinearity });

impl<T: Scalar> Elman<T> {
    /// A tanh layer with every parameter uniform in `[-1/sqrt(units), 1/sqrt(units)]`, as PyTorch begins.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Elman::zeros(inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// A tanh layer whose parameters are all zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, units: usize) -> Self {
        Elman {
            weight_ih_l0: sizes::zero_matrix(units, inputs),
            weight_hh_l0: sizes::zero_matrix(units, units),
            bias_ih_l0: sizes::zero_vector(units),
            bias_hh_l0: sizes::zero_vector(units),
            nonlinearity: Nonlinearity::Tanh,
        }
    }

    /// The same layer with another nonlinearity.
    #[must_use]
    pub fn with_nonlinearity(mut self, nonlinearity: Nonlinearity) -> Self {
        self.nonlinearity = nonlinearity;
        self
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        shapes::check_recurrent("Elman", 1, self.shapes());
    }

    fn shapes(&self) -> [(usize, usize); 4] {
        let [weights, biases] = [
            [self.weight_ih_l0.shape(), self.weight_hh_l0.shape()],
            [self.bias_ih_l0.shape(), self.bias_hh_l0.shape()],
        ];
        [weights[0], weights[1], biases[0], biases[1]]
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.weight_ih_l0.ncols()
    }

    /// Number of hidden units.
    pub fn units(&self) -> usize {
        self.weight_hh_l0.nrows()
    }
}

/// What the backward pass of [`Elman`] needs, and the buffers of both passes.
#[derive(Debug)]
pub struct ElmanCache<T: Scalar> {
    /// `h` and `h[t-1]`, among others.
    recurrence: Recurrence<T>,
    /// `b_ih + b_hh`.
    bias: Vec<T>,
    /// `d_z` of one block of steps, zero at invalid ones.
    pub(crate) d_z: DMatrix<T>,
}

impl<T: Scalar> Default for ElmanCache<T> {
    fn default() -> Self {
        ElmanCache { recurrence: Recurrence::default(), bias: Vec::new(), d_z: recurrence::empty() }
    }
}

/// `h[t]` from `z[t]`: the output, and the state that goes on.
#[derive(Clone, Copy)]
pub(crate) struct Forward(pub(crate) Nonlinearity);

compiled_here!(Forward, 0, 2);

impl<T: Scalar> Equations<T, 0, 2> for Forward {
    #[inline(always)]
    fn apply<V: Real<T>>(self, []: [V; 0], [z, _]: [V; 2]) -> [V; 2] {
        let h = match self.0 {
            Nonlinearity::Tanh => z.flush_to_zero().tanh(),
            Nonlinearity::Relu => z.constant(T::zero()).max(z).flush_to_zero(),
        };
        [h, h]
    }
}

/// `d_z[t]`, and nothing left of `d_carry`: all that `h[t]` had to say is in `d_z[t]` then.
#[derive(Clone, Copy)]
struct Backward(Nonlinearity);

compiled_here!(Backward, 2, 2);

impl<T: Scalar> Equations<T, 2, 2> for Backward {
    #[inline(always)]
    fn apply<V: Real<T>>(self, [h, d_output]: [V; 2], [_, d_carry]: [V; 2]) -> [V; 2] {
        let d_h = d_output + d_carry;
        let d_z = match self.0 {
            Nonlinearity::Tanh => d_h * (h.constant(T::one()) - h * h),
            Nonlinearity::Relu => h.where_positive(d_h),
        };
        [d_z.flush_to_zero(), h.constant(T::zero())]
    }
}

impl<T: Scalar> Layer<T> for Elman<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = ElmanCache<T>;

    fn name(&self) -> String {
        let relu = if self.nonlinearity == Nonlinearity::Relu { ", relu" } else { "" };
        format!("Elman({} -> {}{relu})", self.inputs(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.units() }
    }

    fn carry(&self, batch: usize) -> DMatrix<T> {
        sizes::zero_matrix(self.units(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut ElmanCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let ElmanCache { recurrence, bias, .. } = cache;
        self.check_parameters();
        recurrence.begin(self, [&self.weight_ih_l0, &self.weight_hh_l0], input, carry);
        recurrence::add_biases(bias, [&self.bias_ih_l0, &self.bias_hh_l0]);
        let Recurrence { hidden, state, weight_ih, weight_hh, .. } = recurrence;

        for block in recurrence::blocks(layout) {
            let z = hidden.values_mut().as_mut_slice();
            recurrence::input_product(z, &block, weight_ih, bias, input);
            for step in block {
                let z = &mut z[step_of(step, layout, units)];
                let (previous, next) = state.step(step, layout);
                weight_hh.product(z, Accumulate::Add, previous);
                let ([h], [next_h]) = (bands_mut(z, units, batch), bands_mut(next, units, batch));
                each_row(layout.valid_at(step), Forward(self.nonlinearity), [], [h, next_h]);
                recurrence::hold(previous, next, layout, step);
                recurrence::give_nothing(z, layout, step);
            }
        }
        state.end(carry, layout);
        hidden
    }

    fn output(cache: &ElmanCache<T>) -> &Sequences<T> {
        &cache.recurrence.hidden
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut ElmanCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.backward_onto(input, cache, d_output, d_carry, (gradients, Accumulate::Add), d_input);
    }

    fn backward_replacing(
        &self,
        input: &Sequences<T>,
        cache: &mut ElmanCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.backward_onto(input, cache, d_output, d_carry, (gradients, Accumulate::Replace), d_input);
    }
}

impl<T: Scalar> Elman<T> {
    /// The backward pass, with gradients that are added to or replaced.
    fn backward_onto(
        &self,
        input: &Sequences<T>,
        cache: &mut ElmanCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        (gradients, accumulate): (&mut Self, Accumulate<'_, T>),
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        shapes::check_recurrent_gradients(|| self.name(), self.shapes(), gradients.shapes());
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let ElmanCache { recurrence, d_z, .. } = cache;
        recurrence.begin_backward(
            self,
            [&self.weight_ih_l0, &self.weight_hh_l0],
            input,
            d_output,
            d_carry,
            d_input.as_deref_mut(),
        );
        reshape(d_z, units, recurrence::block_steps(layout) * layout.batch());

        let d_carry = d_carry.as_mut_slice();
        for block in recurrence::blocks(layout).rev() {
            for step in block.clone().rev() {
                let columns = step_of(step, layout, units);
                let d_z_step = &mut d_z.as_mut_slice()[step_of(step - block.start, layout, units)];
                let [h] = bands(&recurrence.hidden.values().as_slice()[columns.clone()], units, batch);
                let [d_h] = bands(&d_output.values().as_slice()[columns], units, batch);
                let ([d_z_rows], [d_carry_rows]) =
                    (bands_mut(d_z_step, units, batch), bands_mut(d_carry, units, batch));
                let backward = Backward(self.nonlinearity);
                each_row(layout.valid_at(step), backward, [h, d_h], [d_z_rows, d_carry_rows]);
                recurrence.back_to_state(d_carry, d_z_step, layout, step);
            }
            let gradients = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            recurrence.block_backward(block, input, [d_z, d_z], (gradients, accumulate), d_input.as_deref_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Elman, ElmanCache};
    use crate::{Layer, Pass, Sequences, Tensors};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    /// One step of more sequences than a product of the backward pass has columns, so that the gradient is a sum of two
    /// products.
    #[test]
    fn backward_twice_doubles_exactly_in_a_wide_batch() {
        const BATCH: usize = 200;
        let layer = Elman::<f64>::new(3, 4, &mut ChaCha8Rng::seed_from_u64(1));
        let input = Sequences::from_fn(3, 1, BATCH, |feature, _, sequence| ((5 * sequence + feature) as f64).sin());
        let (mut carry, mut cache) = (layer.carry(BATCH), ElmanCache::default());
        let output = layer.forward(&input, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let mut gradients = layer.zeros();
        let mut backward = |gradients: &mut Elman<f64>| {
            layer.backward(&input, &mut cache, &output, &mut layer.carry(BATCH), gradients, None);
        };
        backward(&mut gradients);
        let doubled = gradients.map(&mut |d| 2.0 * d);
        backward(&mut gradients);
        assert_eq!(gradients, doubled);
    }
}
