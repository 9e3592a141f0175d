//! The LSTM layer (Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; with the forget gate of Gers,
//! Schmidhuber and Cummins, "Learning to Forget: Continual Prediction with LSTM", 2000), in the convention of PyTorch's `nn.LSTM`.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` and `c[-1]` the carry and `*` element-wise:
//!
//! ```text
//! z[t] = W_ih x[t] + b_ih + W_hh h[t-1] + b_hh          pre-activations of the four gates, one below the other
//! i[t] = sigmoid(z_i[t])                                input gate: how much of the candidate enters the cell
//! f[t] = sigmoid(z_f[t])                                forget gate: how much of the cell is kept
//! g[t] = tanh(z_g[t])                                   candidate
//! o[t] = sigmoid(z_o[t])                                output gate: how much of the cell is output
//! c[t] = f[t] * c[t-1] + i[t] * g[t]                    cell
//! h[t] = o[t] * tanh(c[t])                              hidden state = output
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `h` | `hidden` | `units x (steps * batch)` |
//! | `h[t-1]`, `c[t-1]` | `states` | `units x (steps * batch)` each |
//! | `z`, then `i f g o` | `gates` | `4 units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `4 units x inputs`, `4 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `4 units` |
//!
//! The rows of `z`, of the weights and of the biases are in the order `i`, `f`, `g`, `o`. A reset sets `h[t-1]`
//! and `c[t-1]` to zero. An invalid step leaves `h[t] = h[t-1]` and `c[t] = c[t-1]` in the carry, and its output is zero.
//!
//! Hidden states and deltas that are too small to matter are set to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and by the gates of the next step. The cell `c[t]` is used twice: by `h[t]` and by the next cell. So, going
//! backwards from the last step, with `d_carry_h` and `d_carry_c` the gradients from the next step,
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
//! and back to the previous step, which enters `c[t]` through the forget gate and `z[t]` through `W_hh`:
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

use super::recurrent::{Carry, Cell, Recurrent, compiled_passes};
use crate::kernel::Real;
use crate::{Scalar, sizes};
use nalgebra::DMatrix;

/// An LSTM layer; see the [module](self) for its equations.
pub type Lstm<T> = Recurrent<T, LstmCell>;

/// The equations of an LSTM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LstmCell;

/// The states of an [`Lstm`], or of a [`ProjectedLstm`](super::projected_lstm::ProjectedLstm), between two windows.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmCarry<T: Scalar> {
    /// The hidden state, `units x batch`; `outputs x batch` if it is projected.
    pub h: DMatrix<T>,
    /// The cell, `units x batch`.
    pub c: DMatrix<T>,
}

crate::tensors!(LstmCarry { h, c });

impl<T: Scalar> Carry<T> for LstmCarry<T> {
    fn zeros(units: usize, batch: usize) -> Self {
        LstmCarry { h: sizes::zero_matrix(units, batch), c: sizes::zero_matrix(units, batch) }
    }

    #[inline(always)]
    fn each_state<'a>(&'a mut self, mut f: impl FnMut(&'a mut DMatrix<T>)) {
        f(&mut self.h);
        f(&mut self.c);
    }
}

impl Cell for LstmCell {
    const NAME: &'static str = "Lstm";
    type PreActivations<V: Copy> = [V; 4];
    type States<V: Copy> = [V; 2];
    type Kept<V: Copy> = [V; 4];
    type Carry<T: Scalar> = LstmCarry<T>;
    compiled_passes!(LstmCell);

    #[inline(always)]
    fn forward<V: Real>(self, [z_i, z_f, z_g, z_o]: [V; 4], [_, previous_c]: [V; 2]) -> ([V; 4], [V; 2]) {
        let (i, f, g, o) = (z_i.sigmoid(), z_f.sigmoid(), z_g.flush_to_zero().tanh(), z_o.sigmoid());
        let c = (f * previous_c + i * g).flush_to_zero();
        let h = o * c.tanh();
        ([i, f, g, o], [h, c])
    }

    #[inline(always)]
    fn backward<V: Real>(
        self,
        [i, f, g, o]: [V; 4],
        [_, previous_c]: [V; 2],
        [d_h, d_carry_c]: [V; 2],
    ) -> ([V; 4], [V; 2]) {
        let one = d_h.number(1.0);
        // Computing the cell and its tanh again is cheaper than storing them.
        let tanh_c = (f * previous_c + i * g).flush_to_zero().tanh();
        let d_o = d_h * tanh_c;
        let d_c = (d_carry_c + d_h * o * (one - tanh_c * tanh_c)).flush_to_zero();
        let d_i = d_c * g;
        let d_f = d_c * previous_c;
        let d_g = d_c * i;
        let d_z_i = d_i * i * (one - i);
        let d_z_f = d_f * f * (one - f);
        let d_z_g = d_g * (one - g * g);
        let d_z_o = d_o * o * (one - o);
        // All that `h[t]` contributes is in `d_z`.
        ([d_z_i, d_z_f, d_z_g, d_z_o], [d_h.number(0.0), d_c * f])
    }
}
