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
//! | `h[t-1]` | `previous` | `units x (steps * batch)` |
//! | `a`, then `r z n` | `gates` | `3 units x (steps * batch)` |
//! | `u[t]` | `u` | `3 units x batch` |
//! | `u_n` | `recurrent_n` | `units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `3 units x inputs`, `3 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `3 units` |
//!
//! The rows of `a`, `u`, of the weights and of the biases are in the order `r`, `z`, `n`. A reset puts zero for
//! `h[t-1]`; an invalid step leaves `h[t] = h[t-1]` in the carry and gives no output.
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

use super::recurrence::{self, Recurrence, column_of, gates, gates_mut, step_of, step_of_block};
use crate::kernel::{self, Accumulate};
use crate::sequences::reshape;
use crate::{Features, Layer, Pass, Scalar, Sequences, initialise};
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
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Gru::zeros(inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// All parameters zero, to be filled.
    pub fn zeros(inputs: usize, units: usize) -> Self {
        Gru {
            weight_ih_l0: DMatrix::zeros(3 * units, inputs),
            weight_hh_l0: DMatrix::zeros(3 * units, units),
            bias_ih_l0: DVector::zeros(3 * units),
            bias_hh_l0: DVector::zeros(3 * units),
        }
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
    gates: DMatrix<T>,
    /// `u` of one step.
    u: DMatrix<T>,
    /// `u_n`; unspecified at invalid steps.
    recurrent_n: DMatrix<T>,
    /// `d_a` of one block of steps, zero at invalid ones.
    d_a: DMatrix<T>,
    /// `d_u` of one block of steps, zero at invalid ones.
    d_u: DMatrix<T>,
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

kernel::for_each_instruction_set! {
    /// `a_n + r * u_n`, in place of `a_n`.
    fn candidate<T>(a_n: &mut [T], r: &[T], u_n: &[T]) {
        for ((a_n, &r), &u_n) in a_n.iter_mut().zip(r).zip(u_n) {
            *a_n += r * u_n;
        }
    }
}

kernel::for_each_instruction_set! {
    /// `h[t] = n[t] + z[t] * (h[t-1] - n[t])`.
    fn next_state<T>(h: &mut [T], all_gates: &[T], previous: &[T]) {
        let units = h.len();
        let ([_, z, n], previous) = (gates(all_gates, units), &previous[..units]);
        for k in 0..units {
            h[k] = n[k] + z[k] * (previous[k] - n[k]);
        }
    }
}

kernel::for_each_instruction_set! {
    /// The elements of one step of one sequence backward: from `d_h` to `d_a`, `d_u` and, in place of `d_h`, what the
    /// update gate takes back. One loop for each result, which the compiler can make vectors of.
    fn gates_backward<T>(d_a: &mut [T], d_u: &mut [T], d_h: &mut [T], all_gates: &[T], u_n: &[T], previous: &[T]) {
        let (units, one) = (d_h.len(), T::one());
        let [d_a_r, d_a_z, d_a_n] = gates_mut(d_a, units);
        let [r, z, n] = gates(all_gates, units);
        let (u_n, previous) = (&u_n[..units], &previous[..units]);
        for k in 0..units {
            d_a_z[k] = d_h[k] * (previous[k] - n[k]) * z[k] * (one - z[k]);
        }
        for k in 0..units {
            d_a_n[k] = d_h[k] * (one - z[k]) * (one - n[k] * n[k]);
        }
        for k in 0..units {
            d_a_r[k] = d_a_n[k] * u_n[k] * r[k] * (one - r[k]);
        }
        let [d_u_r, d_u_z, d_u_n] = gates_mut(d_u, units);
        d_u_r.copy_from_slice(d_a_r);
        d_u_z.copy_from_slice(d_a_z);
        for k in 0..units {
            d_u_n[k] = d_a_n[k] * r[k];
        }
        for k in 0..units {
            d_h[k] *= z[k];
        }
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
        DMatrix::zeros(self.units(), batch)
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut DMatrix<T>,
        cache: &'c mut GruCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), input.layout());
        let GruCache { recurrence, gates, u, recurrent_n, .. } = cache;
        recurrence.begin(self, [&self.weight_ih_l0, &self.weight_hh_l0], input, carry);
        reshape(gates, 3 * units, layout.columns());
        reshape(u, 3 * units, layout.batch());
        reshape(recurrent_n, units, layout.columns());
        let Recurrence { hidden, previous, weight_ih, weight_hh, .. } = recurrence;

        let (carry, u) = (carry.as_mut_slice(), u.as_mut_slice());
        for step in 0..layout.steps() {
            recurrence::reset(carry, layout, step);
            let columns = step_of(step, layout, units);
            let previous = &mut previous.as_mut_slice()[columns.clone()];
            previous.copy_from_slice(carry);
            kernel::fill_columns(u, self.bias_hh_l0.as_slice());
            weight_hh.product(u, Accumulate::Add, previous);
            // W_ih x + b_ih of a block of steps; only the recurrent product has to wait for the step before.
            recurrence::input_product(gates.as_mut_slice(), step, weight_ih, self.bias_ih_l0.as_slice(), input);
            let a = &mut gates.as_mut_slice()[step_of(step, layout, 3 * units)];
            let recurrent_n = &mut recurrent_n.as_mut_slice()[columns.clone()];
            let h = &mut hidden.values_mut().as_mut_slice()[columns];
            for sequence in 0..layout.batch() {
                let column = column_of(sequence, units);
                let h = &mut h[column.clone()];
                if !layout.is_valid(step, sequence) {
                    // It holds its carry and gives nothing.
                    h.fill(T::zero());
                    continue;
                }
                let a = &mut a[column_of(sequence, 3 * units)];
                let (u_r_and_z, u_n) = u[column_of(sequence, 3 * units)].split_at(2 * units);
                recurrent_n[column.clone()].copy_from_slice(u_n);
                let (r_and_z, n) = a.split_at_mut(2 * units);
                kernel::add(r_and_z, u_r_and_z);
                kernel::sigmoid(r_and_z);
                candidate(n, &r_and_z[..units], u_n);
                kernel::tanh(n);
                next_state(h, a, &previous[column.clone()]);
                carry[column].copy_from_slice(h);
            }
        }
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
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        let (units, layout) = (self.units(), input.layout());
        let GruCache { recurrence, gates, recurrent_n, d_a, d_u, .. } = cache;
        recurrence.begin_backward(
            [&self.weight_ih_l0, &self.weight_hh_l0],
            input,
            d_output,
            d_carry,
            d_input.as_deref_mut(),
        );
        reshape(d_a, 3 * units, recurrence::block_steps(layout) * layout.batch());
        reshape(d_u, 3 * units, recurrence::block_steps(layout) * layout.batch());

        let d_carry = d_carry.as_mut_slice();
        for step in (0..layout.steps()).rev() {
            let columns = step_of(step, layout, units);
            let d_h_output = &d_output.values().as_slice()[columns.clone()];
            let (previous, recurrent_n) =
                (&recurrence.previous.as_slice()[columns.clone()], &recurrent_n.as_slice()[columns]);
            let gates = &gates.as_slice()[step_of(step, layout, 3 * units)];
            let d_a_step = &mut d_a.as_mut_slice()[step_of_block(step, layout, 3 * units)];
            let d_u_step = &mut d_u.as_mut_slice()[step_of_block(step, layout, 3 * units)];
            for sequence in 0..layout.batch() {
                let (column, column_of_gates) = (column_of(sequence, units), column_of(sequence, 3 * units));
                let (d_a, d_u) = (&mut d_a_step[column_of_gates.clone()], &mut d_u_step[column_of_gates.clone()]);
                if !layout.is_valid(step, sequence) {
                    // It held its carry, so the gradient of the carry passes it unchanged.
                    d_a.fill(T::zero());
                    d_u.fill(T::zero());
                    continue;
                }
                let d_h = &mut d_carry[column.clone()];
                kernel::add(d_h, &d_h_output[column.clone()]);
                gates_backward(d_a, d_u, d_h, &gates[column_of_gates], &recurrent_n[column.clone()], &previous[column]);
            }
            // Onto d_h * z, which stands there already; where the step is invalid, d_u is zero.
            recurrence.weight_hh_transposed.product(d_carry, Accumulate::Add, d_u_step);
            recurrence::reset(d_carry, layout, step);
            let gradients = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            recurrence.block_backward(step, input, [d_a, d_u], gradients, d_input.as_deref_mut());
        }
    }
}
