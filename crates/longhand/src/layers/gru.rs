//! The GRU layer (Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation", 2014),
//! in the convention of PyTorch's `nn.GRU`: the reset gate acts after the recurrent product, which can then be one product for all gates.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry and `*` element-wise:
//!
//! ```text
//! a[t] = W_ih x[t] + b_ih                               the input's part of the three gates, one below the other
//! u[t] = W_hh h[t-1] + b_hh                             the state's part
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
//! | `h[t-1]` | `states` | `units x (steps * batch)` |
//! | `a`, then `r z n` | `gates` | `3 units x (steps * batch)` |
//! | `u[t]` | `state_part` | `3 units x batch` |
//! | `u_n` | `extra` | `units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `3 units x inputs`, `3 units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `3 units` |
//!
//! The rows of `a`, `u`, of the weights and of the biases are in the order `r`, `z`, `n`. A reset sets `h[t-1]`
//! to zero. An invalid step leaves `h[t] = h[t-1]` in the carry, and its output is zero.
//!
//! Hidden states and deltas that are too small to matter are set to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and by the next step. So, going backwards from the last step, with `d_carry` the gradient from the next step,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry
//! d_z[t] = d_h[t] * (h[t-1] - n[t])
//! d_n[t] = d_h[t] * (1 - z[t])
//! ```
//!
//! then through the nonlinearities, with `sigmoid' = sigmoid (1 - sigmoid)` and `tanh' = 1 - tanh^2`. The candidate
//! comes first, since the reset gate enters it:
//!
//! ```text
//! d_a_n[t] = d_n[t] * (1 - n[t]^2)
//! d_r[t]   = d_a_n[t] * u_n[t]
//! d_a_r[t] = d_r[t] * r[t] * (1 - r[t])
//! d_a_z[t] = d_z[t] * z[t] * (1 - z[t])
//! ```
//!
//! The state's part `u` is added to the input's part `a` in each gate, but in the candidate it is multiplied by the reset gate first:
//!
//! ```text
//! d_u_r[t] = d_a_r[t]
//! d_u_z[t] = d_a_z[t]
//! d_u_n[t] = d_a_n[t] * r[t]
//! ```
//!
//! The previous state enters `h[t]` through the update gate and `u[t]` through `W_hh`:
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

use super::recurrent::{Apart, Cell, Recurrent, compiled_passes};
use crate::Scalar;
use crate::kernel::Real;
use nalgebra::DMatrix;

/// A GRU layer; see the [module](self) for its equations.
pub type Gru<T> = Recurrent<T, GruCell>;

/// The equations of a GRU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GruCell;

impl Cell for GruCell {
    const NAME: &'static str = "Gru";
    type PreActivations<V: Copy> = Apart<[V; 3]>;
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 4];
    type Carry<T: Scalar> = DMatrix<T>;
    compiled_passes!(GruCell);

    #[inline(always)]
    fn forward<V: Real>(
        self,
        Apart { input: [a_r, a_z, a_n], state: [u_r, u_z, u_n] }: Apart<[V; 3]>,
        [previous]: [V; 1],
    ) -> ([V; 4], [V; 1]) {
        let (r, z) = ((a_r + u_r).sigmoid(), (a_z + u_z).sigmoid());
        let n = (a_n + r * u_n).flush_to_zero().tanh();
        let h = n + z * (previous - n);
        ([r, z, n, u_n], [h])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [r, z, n, u_n]: [V; 4], [previous]: [V; 1], [d_h]: [V; 1]) -> (Apart<[V; 3]>, [V; 1]) {
        let one = d_h.number(1.0);
        let d_h = d_h.flush_to_zero();
        let d_z = d_h * (previous - n);
        let d_n = d_h * (one - z);
        let d_a_n = (d_n * (one - n * n)).flush_to_zero();
        let d_r = d_a_n * u_n;
        let d_a_r = d_r * r * (one - r);
        let d_a_z = d_z * z * (one - z);
        let d_u_n = d_a_n * r;
        (Apart { input: [d_a_r, d_a_z, d_a_n], state: [d_a_r, d_a_z, d_u_n] }, [d_h * z])
    }
}
