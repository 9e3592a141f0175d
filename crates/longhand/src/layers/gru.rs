//! The GRU layer (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014), as PyTorch's `nn.GRU`
//! writes it: the reset gate acts after the recurrent product, which can then be one product for all gates.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry and `*` element by element:
//!
//! ```text
//! a[t] = W_ih x[t] + b_ih                               what the input says to the three gates, one below the other
//! u[t] = W_hh h[t-1] + b_hh                             what the state says to them
//! r[t] = sigmoid(a_r[t] + u_r[t])                       reset gate: how much of the state the candidate sees
//! z[t] = sigmoid(a_z[t] + u_z[t])                       update gate: how much of the state is kept
//! n[t] = tanh(a_n[t] + r[t] * u_n[t])                   candidate
//! h[t] = n[t] + z[t] * (h[t-1] - n[t])                  hidden state = output; that is (1 - z) * n + z * h[t-1]
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `h` | `hidden` | `units x (steps * batch)` |
//! | `h[t-1]` | `state` | `units x (steps * batch)` |
//! | `a`, then `r z n` | `gates` | `3 units x (steps * batch)` |
//! | `u[t]` | `u` | `3 units x batch` |
//! | `u_n` | `recurrent_n` | `units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `3 units x inputs`, `3 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `3 units` |
//!
//! The rows of `a`, `u`, of the weights and of the biases are in the order `r`, `z`, `n`. A reset puts zero for
//! `h[t-1]`; an invalid step leaves `h[t] = h[t-1]` in the carry and gives no output.
//!
//! Hidden states and deltas too small to matter are flushed to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and by the next step. So, going backwards from the last step, with `d_carry` what the step after this one says,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry
//! d_z[t] = d_h[t] * (h[t-1] - n[t])
//! d_n[t] = d_h[t] * (1 - z[t])
//! ```
//!
//! then through the nonlinearities, with `sigmoid' = sigmoid (1 - sigmoid)` and `tanh' = 1 - tanh^2`. The candidate
//! comes first, since the reset gate has its part in it:
//!
//! ```text
//! d_a_n[t] = d_n[t] * (1 - n[t]^2)
//! d_r[t]   = d_a_n[t] * u_n[t]
//! d_a_r[t] = d_r[t] * r[t] * (1 - r[t])
//! d_a_z[t] = d_z[t] * z[t] * (1 - z[t])
//! ```
//!
//! The state's part `u` stands beside the input's part `a` in each gate, but behind the reset gate in the candidate:
//!
//! ```text
//! d_u_r[t] = d_a_r[t]
//! d_u_z[t] = d_a_z[t]
//! d_u_n[t] = d_a_n[t] * r[t]
//! ```
//!
//! The step before had a part in `h[t]` through the update gate and in `u[t]` through `W_hh`:
//!
//! ```text
//! d_carry = d_h[t] * z[t] + W_hh' d_u[t]
//! ```
//!
//! Every step has the same weights, so their gradients are sums over the steps, which are matrix products:
//!
//! ```text
//! d_W_ih = sum d_a[t] x[t]'     = d_A X'             d_b_ih = sum d_a[t]
//! d_W_hh = sum d_u[t] h[t-1]'   = d_U Previous'      d_b_hh = sum d_u[t]
//! d_x[t] = W_ih' d_a[t],   that is   d_X = W_ih' d_A
//! ```
//!
//! Before the first step, `d_carry` is the gradient of the carry that came in.

use super::recurrence::{self, Recurrence, step_of};
use super::shapes;
use crate::kernel::{Accumulate, Equations, Real, bands, bands_mut, compiled_here, each_row};
use crate::sequences::reshape;
use crate::{Features, Layer, Pass, Scalar, Sequences, initialise, sizes};
use alloc::{format, string::String};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// A GRU layer; see the [module](self) for its equations.
///
/// Input `inputs x (steps * batch)`, output and hidden state `units x (steps * batch)`, carry `units x batch`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gru<T: Scalar> {
    /// `W_ih`, `3 units x inputs`.
    pub weight_ih_l0: DMatrix<T>,
    /// `W_hh`, `3 units x units`.
    pub weight_hh_l0: DMatrix<T>,
    /// `b_ih`, `3 units`.
    pub bias_ih_l0: DVector<T>,
    /// `b_hh`, `3 units`.
    pub bias_hh_l0: DVector<T>,
}

crate::tensors!(Gru { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 });

impl<T: Scalar> Gru<T> {
    /// Every parameter uniform in `[-1/sqrt(units), 1/sqrt(units)]`, as PyTorch begins.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Gru::zeros(inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// All parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, units: usize) -> Self {
        let rows = sizes::gate_rows(3, units);
        Gru {
            weight_ih_l0: sizes::zero_matrix(rows, inputs),
            weight_hh_l0: sizes::zero_matrix(rows, units),
            bias_ih_l0: sizes::zero_vector(rows),
            bias_hh_l0: sizes::zero_vector(rows),
        }
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        shapes::check_recurrent("Gru", 3, self.shapes());
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
        self.weight_hh_l0.ncols()
    }
}

/// What the backward pass of [`Gru`] needs, and the buffers of both passes: `6 units` scalars for each column, and
/// buffers that do not grow with the number of steps.
#[derive(Debug)]
pub struct GruCache<T: Scalar> {
    /// `h` and `h[t-1]`, among others.
    recurrence: Recurrence<T>,
    /// `a`, and in its place `r z n`; unspecified at invalid steps.
    pub(crate) gates: DMatrix<T>,
    /// `u` of one step.
    u: DMatrix<T>,
    /// `u_n`; unspecified at invalid steps.
    recurrent_n: DMatrix<T>,
    /// `d_a` of one block of steps, zero at invalid ones.
    pub(crate) d_a: DMatrix<T>,
    /// `d_u` of one block of steps, zero at invalid ones.
    pub(crate) d_u: DMatrix<T>,
}

impl<T: Scalar> Default for GruCache<T> {
    fn default() -> Self {
        GruCache {
            recurrence: Recurrence::default(),
            gates: recurrence::empty(),
            u: recurrence::empty(),
            recurrent_n: recurrence::empty(),
            d_a: recurrence::empty(),
            d_u: recurrence::empty(),
        }
    }
}

/// The gates in place of the input's part in them, what the reset gate acts on, and the hidden state: the output, and
/// the state that goes on.
#[derive(Clone, Copy)]
pub(crate) struct Forward;

compiled_here!(Forward, 4, 6);

impl<T: Scalar> Equations<T, 4, 6> for Forward {
    #[inline(always)]
    fn apply<V: Real<T>>(self, [u_r, u_z, u_n, previous]: [V; 4], [a_r, a_z, a_n, _, _, _]: [V; 6]) -> [V; 6] {
        let (r, z) = ((a_r + u_r).sigmoid(), (a_z + u_z).sigmoid());
        let n = (a_n + r * u_n).flush_to_zero().tanh();
        let h = (n + z * (previous - n)).flush_to_zero();
        [r, z, n, u_n, h, h]
    }
}

/// From `d_output` and `d_carry` to `d_a`, `d_u` and, in place of `d_carry`, what the update gate takes back.
#[derive(Clone, Copy)]
struct Backward;

compiled_here!(Backward, 6, 7);

impl<T: Scalar> Equations<T, 6, 7> for Backward {
    #[inline(always)]
    fn apply<V: Real<T>>(
        self,
        [r, z, n, u_n, previous, d_output]: [V; 6],
        [_, _, _, _, _, _, d_carry]: [V; 7],
    ) -> [V; 7] {
        let one = d_carry.constant(T::one());
        let d_h = (d_output + d_carry).flush_to_zero();
        let d_z = d_h * (previous - n);
        let d_n = d_h * (one - z);
        let d_a_n = (d_n * (one - n * n)).flush_to_zero();
        let d_r = d_a_n * u_n;
        let d_a_r = (d_r * r * (one - r)).flush_to_zero();
        let d_a_z = (d_z * z * (one - z)).flush_to_zero();
        let d_u_n = (d_a_n * r).flush_to_zero();
        [d_a_r, d_a_z, d_a_n, d_a_r, d_a_z, d_u_n, d_h * z]
    }
}

impl<T: Scalar> Layer<T> for Gru<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = DMatrix<T>;
    type Cache = GruCache<T>;

    fn name(&self) -> String {
        format!("Gru({} -> {})", self.inputs(), self.units())
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
        cache: &'c mut GruCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let GruCache { recurrence, gates, u, recurrent_n, .. } = cache;
        self.check_parameters();
        recurrence.begin(self, [&self.weight_ih_l0, &self.weight_hh_l0], input, carry);
        reshape(gates, 3 * units, layout.columns());
        reshape(u, 3 * units, layout.batch());
        reshape(recurrent_n, units, layout.columns());
        let Recurrence { hidden, state, weight_ih, weight_hh, .. } = recurrence;

        let u = u.as_mut_slice();
        for block in recurrence::blocks(layout) {
            recurrence::input_product(gates.as_mut_slice(), &block, weight_ih, self.bias_ih_l0.as_slice(), input);
            for step in block {
                let a = &mut gates.as_mut_slice()[step_of(step, layout, 3 * units)];
                let recurrent_n = &mut recurrent_n.as_mut_slice()[step_of(step, layout, units)];
                let h = &mut hidden.values_mut().as_mut_slice()[step_of(step, layout, units)];
                let (previous, next) = state.step(step, layout);
                weight_hh.product(u, Accumulate::Bias(self.bias_hh_l0.as_slice()), previous);
                let ([u_r, u_z, u_n], [previous_h]) = (bands(u, units, batch), bands(previous, units, batch));
                let [a_r, a_z, a_n] = bands_mut(a, units, batch);
                let [[n_out], [h_out], [h_next]] =
                    [recurrent_n, &mut *h, &mut *next].map(|out| bands_mut(out, units, batch));
                let (read, changed) = ([u_r, u_z, u_n, previous_h], [a_r, a_z, a_n, n_out, h_out, h_next]);
                each_row(layout.valid_at(step), Forward, read, changed);
                recurrence::hold(previous, next, layout, step);
                recurrence::give_nothing(h, layout, step);
            }
        }
        state.end(carry, layout);
        hidden
    }

    fn output(cache: &GruCache<T>) -> &Sequences<T> {
        &cache.recurrence.hidden
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut GruCache<T>,
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
        cache: &mut GruCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.backward_onto(input, cache, d_output, d_carry, (gradients, Accumulate::Replace), d_input);
    }
}

impl<T: Scalar> Gru<T> {
    /// The backward pass, with gradients that are added to or replaced.
    fn backward_onto(
        &self,
        input: &Sequences<T>,
        cache: &mut GruCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut DMatrix<T>,
        (gradients, accumulate): (&mut Self, Accumulate<'_, T>),
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        shapes::check_recurrent_gradients(|| self.name(), self.shapes(), gradients.shapes());
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let GruCache { recurrence, gates, recurrent_n, d_a, d_u, .. } = cache;
        recurrence.begin_backward(
            self,
            [&self.weight_ih_l0, &self.weight_hh_l0],
            input,
            d_output,
            d_carry,
            d_input.as_deref_mut(),
        );
        reshape(d_a, 3 * units, recurrence::block_steps(layout) * layout.batch());
        reshape(d_u, 3 * units, recurrence::block_steps(layout) * layout.batch());

        let d_carry = d_carry.as_mut_slice();
        for block in recurrence::blocks(layout).rev() {
            for step in block.clone().rev() {
                let columns = step_of(step, layout, units);
                let [r, z, n] = bands(&gates.as_slice()[step_of(step, layout, 3 * units)], units, batch);
                let [u_n] = bands(&recurrent_n.as_slice()[columns.clone()], units, batch);
                let [previous] = bands(recurrence.state.before(step, layout), units, batch);
                let [d_output] = bands(&d_output.values().as_slice()[columns], units, batch);
                let d_a_step = &mut d_a.as_mut_slice()[step_of(step - block.start, layout, 3 * units)];
                let d_u_step = &mut d_u.as_mut_slice()[step_of(step - block.start, layout, 3 * units)];
                let ([d_a_r, d_a_z, d_a_n], [d_u_r, d_u_z, d_u_n]) =
                    (bands_mut(d_a_step, units, batch), bands_mut(d_u_step, units, batch));
                let [d_h] = bands_mut(d_carry, units, batch);
                let changed = [d_a_r, d_a_z, d_a_n, d_u_r, d_u_z, d_u_n, d_h];
                each_row(layout.valid_at(step), Backward, [r, z, n, u_n, previous, d_output], changed);
                recurrence::give_nothing(d_a_step, layout, step);
                // Onto d_h * z, which stands there already.
                recurrence.back_to_state(d_carry, d_u_step, layout, step);
            }
            let gradients = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            recurrence.block_backward(block, input, [d_a, d_u], (gradients, accumulate), d_input.as_deref_mut());
        }
    }
}
