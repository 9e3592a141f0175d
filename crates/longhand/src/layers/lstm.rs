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
//! | `h[t-1]`, `c[t-1]` | `previous`, `previous_cell` | `units x (steps * batch)` |
//! | `z`, then `i f g o` | `gates` | `4 units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `4 units x inputs`, `4 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `4 units` |
//!
//! The rows of `z`, of the weights and of the biases are in the order `i`, `f`, `g`, `o`. A reset puts zero for
//! `h[t-1]` and `c[t-1]`; an invalid step leaves `h[t] = h[t-1]` and `c[t] = c[t-1]` in the carry and gives no output.
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

use super::recurrence::{self, Recurrence, column_of, gates, gates_mut, step_of, step_of_block};
use crate::kernel::{self, Accumulate};
use crate::scalar::real;
use crate::sequences::reshape;
use crate::{Features, Layer, Pass, Scalar, Sequences, initialise};
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
    pub fn new<R: Rng + ?Sized>(inputs: usize, units: usize, generator: &mut R) -> Self {
        let mut layer = Lstm::zeros(inputs, units);
        initialise::uniform_fan(&mut layer, units, generator);
        layer
    }

    /// All parameters zero, to be filled.
    pub fn zeros(inputs: usize, units: usize) -> Self {
        Lstm {
            weight_ih_l0: DMatrix::zeros(4 * units, inputs),
            weight_hh_l0: DMatrix::zeros(4 * units, units),
            bias_ih_l0: DVector::zeros(4 * units),
            bias_hh_l0: DVector::zeros(4 * units),
        }
    }

    /// The same layer with `bias` for the forget gate: all of it in `b_ih`, and zero in `b_hh`, since only their sum
    /// counts. A bias of 1 lets the cell remember from the first epoch (Jozefowicz, Zaremba and Sutskever, 2015).
    #[must_use]
    pub fn with_forget_bias(mut self, bias: f64) -> Self {
        let units = self.units();
        self.bias_ih_l0.rows_mut(units, units).fill(real(bias));
        self.bias_hh_l0.rows_mut(units, units).fill(T::zero());
        self
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
    gates: DMatrix<T>,
    /// `c[t-1]`: the cell that each step starts from, after a reset.
    previous_cell: DMatrix<T>,
    /// `tanh(c[t])` of one sequence.
    tanh_c: Vec<T>,
    /// `d_z` of one block of steps, zero at invalid ones.
    d_z: DMatrix<T>,
}

impl<T: Scalar> Default for LstmCache<T> {
    fn default() -> Self {
        LstmCache {
            recurrence: Recurrence::default(),
            bias: Vec::new(),
            gates: recurrence::empty(),
            previous_cell: recurrence::empty(),
            tanh_c: Vec::new(),
            d_z: recurrence::empty(),
        }
    }
}

kernel::for_each_instruction_set! {
    /// `c[t] = f[t] * c[t-1] + i[t] * g[t]`, in place of `c[t-1]`.
    fn next_cell<T>(c: &mut [T], all_gates: &[T]) {
        let units = c.len();
        let [i, f, g] = gates(all_gates, units);
        for k in 0..units {
            c[k] = f[k] * c[k] + i[k] * g[k];
        }
    }
}

kernel::for_each_instruction_set! {
    /// The elements of one step of one sequence backward: from `d_h` and `d_carry_c` to `d_z` and `d_carry_c`. One loop
    /// for each result, which the compiler can make vectors of.
    fn gates_backward<T>(d_z: &mut [T], d_c: &mut [T], d_h: &[T], all_gates: &[T], previous_cell: &[T], tanh_c: &[T]) {
        let (units, one) = (d_c.len(), T::one());
        let [d_z_i, d_z_f, d_z_g, d_z_o] = gates_mut(d_z, units);
        let [i, f, g, o] = gates(all_gates, units);
        let (d_h, previous_cell, tanh_c) = (&d_h[..units], &previous_cell[..units], &tanh_c[..units]);
        for k in 0..units {
            d_z_o[k] = d_h[k] * tanh_c[k] * o[k] * (one - o[k]);
        }
        for k in 0..units {
            d_c[k] += d_h[k] * o[k] * (one - tanh_c[k] * tanh_c[k]);
        }
        for k in 0..units {
            d_z_i[k] = d_c[k] * g[k] * i[k] * (one - i[k]);
        }
        for k in 0..units {
            d_z_f[k] = d_c[k] * previous_cell[k] * f[k] * (one - f[k]);
        }
        for k in 0..units {
            d_z_g[k] = d_c[k] * i[k] * (one - g[k] * g[k]);
        }
        for k in 0..units {
            d_c[k] *= f[k];
        }
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
        LstmCarry { h: DMatrix::zeros(self.units(), batch), c: DMatrix::zeros(self.units(), batch) }
    }

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        carry: &mut LstmCarry<T>,
        cache: &'c mut LstmCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (units, layout) = (self.units(), input.layout());
        let LstmCache { recurrence, bias, gates, previous_cell, .. } = cache;
        recurrence.begin(self, [&self.weight_ih_l0, &self.weight_hh_l0], input, &carry.h);
        assert_eq!(carry.c.shape(), carry.h.shape(), "{} was given the cell of another shape", self.name());
        reshape(gates, 4 * units, layout.columns());
        reshape(previous_cell, units, layout.columns());
        bias.clear();
        bias.extend(self.bias_ih_l0.iter().zip(self.bias_hh_l0.iter()).map(|(&b_ih, &b_hh)| b_ih + b_hh));
        let Recurrence { hidden, previous, weight_ih, weight_hh, .. } = recurrence;

        let (carry_h, carry_c) = (carry.h.as_mut_slice(), carry.c.as_mut_slice());
        for step in 0..layout.steps() {
            recurrence::reset(carry_h, layout, step);
            recurrence::reset(carry_c, layout, step);
            let columns = step_of(step, layout, units);
            previous.as_mut_slice()[columns.clone()].copy_from_slice(carry_h);
            previous_cell.as_mut_slice()[columns.clone()].copy_from_slice(carry_c);
            // W_ih x + b_ih + b_hh of a block of steps; only the recurrent product has to wait for the step before.
            recurrence::input_product(gates.as_mut_slice(), step, weight_ih, bias, input);
            let z = &mut gates.as_mut_slice()[step_of(step, layout, 4 * units)];
            weight_hh.product(z, Accumulate::Add, carry_h);
            let h = &mut hidden.values_mut().as_mut_slice()[columns];
            for sequence in 0..layout.batch() {
                let h = &mut h[column_of(sequence, units)];
                if !layout.is_valid(step, sequence) {
                    // It holds its carry and gives nothing.
                    h.fill(T::zero());
                    continue;
                }
                let z = &mut z[column_of(sequence, 4 * units)];
                let c = &mut carry_c[column_of(sequence, units)];
                kernel::sigmoid(&mut z[..2 * units]); // i and f
                kernel::tanh(&mut z[2 * units..3 * units]); // g
                kernel::sigmoid(&mut z[3 * units..]); // o
                next_cell(c, z);
                h.copy_from_slice(c);
                kernel::tanh(h);
                kernel::multiply(h, &z[3 * units..]);
                carry_h[column_of(sequence, units)].copy_from_slice(h);
            }
        }
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
        mut d_input: Option<&mut Sequences<T>>,
    ) {
        let (units, layout) = (self.units(), input.layout());
        let LstmCache { recurrence, gates, previous_cell, tanh_c, d_z, .. } = cache;
        recurrence.begin_backward(
            [&self.weight_ih_l0, &self.weight_hh_l0],
            input,
            d_output,
            &d_carry.h,
            d_input.as_deref_mut(),
        );
        assert_eq!(d_carry.c.shape(), d_carry.h.shape(), "d_carry has the shape of the carry");
        reshape(d_z, 4 * units, recurrence::block_steps(layout) * layout.batch());

        let (d_carry_h, d_carry_c) = (d_carry.h.as_mut_slice(), d_carry.c.as_mut_slice());
        for step in (0..layout.steps()).rev() {
            let d_h_output = &d_output.values().as_slice()[step_of(step, layout, units)];
            let previous_cell = &previous_cell.as_slice()[step_of(step, layout, units)];
            let gates = &gates.as_slice()[step_of(step, layout, 4 * units)];
            let d_z_step = &mut d_z.as_mut_slice()[step_of_block(step, layout, 4 * units)];
            for sequence in 0..layout.batch() {
                let (column, column_of_gates) = (column_of(sequence, units), column_of(sequence, 4 * units));
                let d_z = &mut d_z_step[column_of_gates.clone()];
                if !layout.is_valid(step, sequence) {
                    // It held its carry, so the gradients of the carry pass it unchanged.
                    d_z.fill(T::zero());
                    continue;
                }
                let d_h = &mut d_carry_h[column.clone()];
                kernel::add(d_h, &d_h_output[column.clone()]);
                let (gates, previous_cell) = (&gates[column_of_gates], &previous_cell[column.clone()]);
                // The cell once more, and its tanh: cheaper than to keep them.
                tanh_c.clear();
                tanh_c.extend_from_slice(previous_cell);
                next_cell(tanh_c, gates);
                kernel::tanh(tanh_c);
                gates_backward(d_z, &mut d_carry_c[column], d_h, gates, previous_cell, tanh_c);
                // All that h[t] had to say is in d_z now; what W_hh' takes back is added below.
                d_h.fill(T::zero());
            }
            recurrence.weight_hh_transposed.product(d_carry_h, Accumulate::Add, d_z_step);
            recurrence::reset(d_carry_h, layout, step);
            recurrence::reset(d_carry_c, layout, step);
            let gradients = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            recurrence.block_backward(step, input, [d_z, d_z], gradients, d_input.as_deref_mut());
        }
    }
}
