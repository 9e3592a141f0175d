//! The LSTM layer (Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; with the forget gate of Gers,
//! Schmidhuber and Cummins, 2000), as PyTorch's `nn.LSTM` writes it.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` and `c[-1]` the carry and `*` element by element:
//!
//! ```text
//! z[t] = W_ih x[t] + b_ih + W_hh h[t-1] + b_hh          pre-activations of the four gates, one below the other
//! i[t] = sigmoid(z_i[t])                                input gate: how much of the candidate enters the cell
//! f[t] = sigmoid(z_f[t])                                forget gate: how much of the cell is kept
//! g[t] = tanh(z_g[t])                                   candidate
//! o[t] = sigmoid(z_o[t])                                output gate: how much of the cell shows
//! c[t] = f[t] * c[t-1] + i[t] * g[t]                    cell
//! h[t] = o[t] * tanh(c[t])                              hidden state = output
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `h` | `hidden` | `units x (steps * batch)` |
//! | `h[t-1]`, `c[t-1]` | `state`, `cell` | `units x (steps * batch)` |
//! | `z`, then `i f g o` | `gates` | `4 units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `4 units x inputs`, `4 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `4 units` |
//!
//! The rows of `z`, of the weights and of the biases are in the order `i`, `f`, `g`, `o`. A reset puts zero for
//! `h[t-1]` and `c[t-1]`; an invalid step leaves `h[t] = h[t-1]` and `c[t] = c[t-1]` in the carry and gives no output.
//!
//! Hidden states and deltas too small to matter are flushed to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and by the gates of the next step. The cell `c[t]` is used twice: by `h[t]` and by the next cell. So, going
//! backwards from the last step, with `d_carry_h` and `d_carry_c` what the step after this one says,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry_h
//! d_o[t] = d_h[t] * tanh(c[t])
//! d_c[t] = d_carry_c + d_h[t] * o[t] * (1 - tanh(c[t])^2)          tanh' = 1 - tanh^2
//! d_i[t] = d_c[t] * g[t]
//! d_f[t] = d_c[t] * c[t-1]
//! d_g[t] = d_c[t] * i[t]
//! ```
//!
//! then through the nonlinearities, with `sigmoid' = sigmoid (1 - sigmoid)`,
//!
//! ```text
//! d_z_i[t] = d_i[t] * i[t] * (1 - i[t])
//! d_z_f[t] = d_f[t] * f[t] * (1 - f[t])
//! d_z_g[t] = d_g[t] * (1 - g[t]^2)
//! d_z_o[t] = d_o[t] * o[t] * (1 - o[t])
//! ```
//!
//! and back to the step before, which had a part in `c[t]` through the forget gate and in `z[t]` through `W_hh`:
//!
//! ```text
//! d_carry_c = d_c[t] * f[t]
//! d_carry_h = W_hh' d_z[t]
//! ```
//!
//! Every step has the same weights, so their gradients are sums over the steps, which are matrix products:
//!
//! ```text
//! d_W_ih = sum d_z[t] x[t]'     = d_Z X'
//! d_W_hh = sum d_z[t] h[t-1]'   = d_Z Previous'
//! d_b_ih = d_b_hh = sum d_z[t]
//! d_x[t] = W_ih' d_z[t],   that is   d_X = W_ih' d_Z
//! ```
//!
//! Before the first step, `d_carry_h` and `d_carry_c` are the gradients of the carry that came in.

use super::recurrence::{self, Recurrence, States, step_of};
use super::shapes;
use crate::hyperparameters::check_finite;
use crate::kernel::{Accumulate, Equations, Real, bands, bands_mut, compiled_here, each_row};
use crate::scalar::real;
use crate::sequences::reshape;
use crate::{Features, HyperparameterError, Layer, Pass, Scalar, Sequences, initialise, sizes};
use alloc::{format, string::String, vec::Vec};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// An LSTM layer; see the [module](self) for its equations.
///
/// Input `inputs x (steps * batch)`, output and hidden state `units x (steps * batch)`, carry [`LstmCarry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Lstm<T: Scalar> {
    /// `W_ih`, `4 units x inputs`.
    pub weight_ih_l0: DMatrix<T>,
    /// `W_hh`, `4 units x units`.
    pub weight_hh_l0: DMatrix<T>,
    /// `b_ih`, `4 units`.
    pub bias_ih_l0: DVector<T>,
    /// `b_hh`, `4 units`.
    pub bias_hh_l0: DVector<T>,
}

crate::tensors!(Lstm { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0 });

impl<T: Scalar> Lstm<T> {
    /// Every parameter uniform in `[-1/sqrt(units), 1/sqrt(units)]`, as PyTorch begins.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Lstm::zeros(inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// All parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, units: usize) -> Self {
        let rows = sizes::gate_rows(4, units);
        Lstm {
            weight_ih_l0: sizes::zero_matrix(rows, inputs),
            weight_hh_l0: sizes::zero_matrix(rows, units),
            bias_ih_l0: sizes::zero_vector(rows),
            bias_hh_l0: sizes::zero_vector(rows),
        }
    }

    /// The same layer with `bias` for the forget gate: all of it in `b_ih`, and zero in `b_hh`, since only their sum
    /// counts. A bias of 1 lets the cell remember from the first epoch (Jozefowicz, Zaremba and Sutskever, 2015).
    ///
    /// # Errors
    /// If `bias` is not finite, or `T` cannot represent it.
    ///
    /// # Panics
    /// If the parameters do not agree with one another in shape.
    pub fn with_forget_bias(mut self, bias: f64) -> Result<Self, HyperparameterError> {
        check_finite::<T>("forget bias", bias)?;
        self.check_parameters();
        let units = self.units();
        self.bias_ih_l0.rows_mut(units, units).fill(real(bias));
        self.bias_hh_l0.rows_mut(units, units).fill(T::zero());
        Ok(self)
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        shapes::check_recurrent("Lstm", 4, self.shapes());
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

/// What crosses from one window of an [`Lstm`] to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmCarry<T: Scalar> {
    /// The hidden state, `units x batch`.
    pub h: DMatrix<T>,
    /// The cell, `units x batch`.
    pub c: DMatrix<T>,
}

crate::tensors!(LstmCarry { h, c });

/// What the backward pass of [`Lstm`] needs, and the buffers of both passes: `7 units` scalars for each column, and
/// buffers that do not grow with the number of steps.
#[derive(Debug)]
pub struct LstmCache<T: Scalar> {
    /// `h` and `h[t-1]`, among others.
    recurrence: Recurrence<T>,
    /// `b_ih + b_hh`.
    bias: Vec<T>,
    /// `z`, and in its place `i f g o`; unspecified at invalid steps.
    pub(crate) gates: DMatrix<T>,
    /// `c[t-1]`.
    cell: States<T>,
    /// `d_z` of one block of steps, zero at invalid ones.
    pub(crate) d_z: DMatrix<T>,
}

impl<T: Scalar> Default for LstmCache<T> {
    fn default() -> Self {
        LstmCache {
            recurrence: Recurrence::default(),
            bias: Vec::new(),
            gates: recurrence::empty(),
            cell: States::default(),
            d_z: recurrence::empty(),
        }
    }
}

/// The gates in place of their pre-activations, the cell, and the hidden state: the output, and the state that goes on.
#[derive(Clone, Copy)]
pub(crate) struct Forward;

compiled_here!(Forward, 1, 7);

impl<T: Scalar> Equations<T, 1, 7> for Forward {
    #[inline(always)]
    fn apply<V: Real<T>>(self, [previous_c]: [V; 1], [z_i, z_f, z_g, z_o, _, _, _]: [V; 7]) -> [V; 7] {
        let (i, f, g, o) = (z_i.sigmoid(), z_f.sigmoid(), z_g.flush_to_zero().tanh(), z_o.sigmoid());
        let c = (f * previous_c + i * g).flush_to_zero();
        let h = (o * c.tanh()).flush_to_zero();
        [i, f, g, o, c, h, h]
    }
}

/// From `d_output`, `d_carry_h` and `d_carry_c` to `d_z` and `d_carry_c`; nothing is left of `d_carry_h`, since all that
/// `h[t]` had to say is in `d_z` then.
#[derive(Clone, Copy)]
struct Backward;

compiled_here!(Backward, 6, 6);

impl<T: Scalar> Equations<T, 6, 6> for Backward {
    #[inline(always)]
    fn apply<V: Real<T>>(
        self,
        [i, f, g, o, previous_c, d_output]: [V; 6],
        [_, _, _, _, d_carry_h, d_carry_c]: [V; 6],
    ) -> [V; 6] {
        let (zero, one) = (d_output.constant(T::zero()), d_output.constant(T::one()));
        // The cell once more, and its tanh: cheaper than to keep them.
        let tanh_c = (f * previous_c + i * g).flush_to_zero().tanh();
        let d_h = d_output + d_carry_h;
        let d_o = d_h * tanh_c;
        let d_c = (d_carry_c + d_h * o * (one - tanh_c * tanh_c)).flush_to_zero();
        let d_i = d_c * g;
        let d_f = d_c * previous_c;
        let d_g = d_c * i;
        let d_z_i = d_i * i * (one - i);
        let d_z_f = d_f * f * (one - f);
        let d_z_g = d_g * (one - g * g);
        let d_z_o = d_o * o * (one - o);
        [d_z_i.flush_to_zero(), d_z_f.flush_to_zero(), d_z_g.flush_to_zero(), d_z_o.flush_to_zero(), zero, d_c * f]
    }
}

impl<T: Scalar> Layer<T> for Lstm<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = LstmCarry<T>;
    type Cache = LstmCache<T>;

    fn name(&self) -> String {
        format!("Lstm({} -> {})", self.inputs(), self.units())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.units() }
    }

    fn carry(&self, batch: usize) -> LstmCarry<T> {
        LstmCarry { h: sizes::zero_matrix(self.units(), batch), c: sizes::zero_matrix(self.units(), batch) }
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut LstmCarry<T>,
        cache: &'c mut LstmCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let LstmCache { recurrence, bias, gates, cell, .. } = cache;
        self.check_parameters();
        shapes::check_tensor(|| self.name(), "the carry's cell", carry.c.shape(), (units, batch));
        recurrence.begin(self, [&self.weight_ih_l0, &self.weight_hh_l0], input, &carry.h);
        cell.begin(&carry.c, layout);
        reshape(gates, 4 * units, layout.columns());
        recurrence::add_biases(bias, [&self.bias_ih_l0, &self.bias_hh_l0]);
        let Recurrence { hidden, state, weight_ih, weight_hh, .. } = recurrence;

        for block in recurrence::blocks(layout) {
            recurrence::input_product(gates.as_mut_slice(), &block, weight_ih, bias, input);
            for step in block {
                let z = &mut gates.as_mut_slice()[step_of(step, layout, 4 * units)];
                let h = &mut hidden.values_mut().as_mut_slice()[step_of(step, layout, units)];
                let (previous_h, next_h) = state.step(step, layout);
                let (previous_c, next_c) = cell.step(step, layout);
                weight_hh.product(z, Accumulate::Add, previous_h);
                let [z_i, z_f, z_g, z_o] = bands_mut(z, units, batch);
                let [[c_out], [h_out], [h_next]] =
                    [&mut *next_c, &mut *h, &mut *next_h].map(|out| bands_mut(out, units, batch));
                let changed = [z_i, z_f, z_g, z_o, c_out, h_out, h_next];
                each_row(layout.valid_at(step), Forward, bands(previous_c, units, batch), changed);
                recurrence::hold(previous_h, next_h, layout, step);
                recurrence::hold(previous_c, next_c, layout, step);
                recurrence::give_nothing(h, layout, step);
            }
        }
        state.end(&mut carry.h, layout);
        cell.end(&mut carry.c, layout);
        hidden
    }

    fn output(cache: &LstmCache<T>) -> &Sequences<T> {
        &cache.recurrence.hidden
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut LstmCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut LstmCarry<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.backward_onto(input, cache, d_output, d_carry, (gradients, Accumulate::Add), d_input);
    }

    fn backward_replacing(
        &self,
        input: &Sequences<T>,
        cache: &mut LstmCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut LstmCarry<T>,
        gradients: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        self.backward_onto(input, cache, d_output, d_carry, (gradients, Accumulate::Replace), d_input);
    }
}

impl<T: Scalar> Lstm<T> {
    /// The backward pass, with gradients that are added to or replaced.
    fn backward_onto(
        &self,
        input: &Sequences<T>,
        cache: &mut LstmCache<T>,
        d_output: &Sequences<T>,
        d_carry: &mut LstmCarry<T>,
        (gradients, accumulate): (&mut Self, Accumulate<'_, T>),
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        self.check_parameters();
        shapes::check_recurrent_gradients(|| self.name(), self.shapes(), gradients.shapes());
        let (units, layout) = (self.units(), input.layout());
        let batch = layout.batch();
        let LstmCache { recurrence, gates, cell, d_z, .. } = cache;
        shapes::check_tensor(|| self.name(), "d_carry's cell", d_carry.c.shape(), (units, batch));
        recurrence.begin_backward(
            self,
            [&self.weight_ih_l0, &self.weight_hh_l0],
            input,
            d_output,
            &d_carry.h,
            d_input.as_deref_mut(),
        );
        reshape(d_z, 4 * units, recurrence::block_steps(layout) * layout.batch());

        let (d_carry_h, d_carry_c) = (d_carry.h.as_mut_slice(), d_carry.c.as_mut_slice());
        for block in recurrence::blocks(layout).rev() {
            for step in block.clone().rev() {
                let [i, f, g, o] = bands(&gates.as_slice()[step_of(step, layout, 4 * units)], units, batch);
                let [previous_c] = bands(cell.before(step, layout), units, batch);
                let [d_output] = bands(&d_output.values().as_slice()[step_of(step, layout, units)], units, batch);
                let d_z_step = &mut d_z.as_mut_slice()[step_of(step - block.start, layout, 4 * units)];
                let [d_z_i, d_z_f, d_z_g, d_z_o] = bands_mut(d_z_step, units, batch);
                let [[d_h], [d_c]] = [&mut *d_carry_h, &mut *d_carry_c].map(|d_carry| bands_mut(d_carry, units, batch));
                let read = [i, f, g, o, previous_c, d_output];
                each_row(layout.valid_at(step), Backward, read, [d_z_i, d_z_f, d_z_g, d_z_o, d_h, d_c]);
                recurrence.back_to_state(d_carry_h, d_z_step, layout, step);
                recurrence::reset(d_carry_c, layout, step);
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
