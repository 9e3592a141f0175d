//! The minimal gated unit (Zhou, Wu, Zhang and Zhou, "Minimal Gated Unit for Recurrent Neural Networks", 2016): a GRU with
//! one gate, which both forgets and updates.
//!
//! As in PyTorch's GRU, the gate acts after the recurrent product (`f * (U h)`), which can then be one product for both
//! rows; in the paper it acts before it (`U (f * h)`).
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry and `*` element-wise:
//!
//! ```text
//! a[t] = W_ih x[t] + b_ih                               the input's part: a_f, a_n
//! u[t] = W_hh h[t-1] + b_hh                             the state's part: u_f, u_n
//! f[t] = sigmoid(a_f[t] + u_f[t])                       forget gate: how much of the state is replaced
//! n[t] = tanh(a_n[t] + f[t] * u_n[t])                   candidate
//! h[t] = h[t-1] + f[t] * (n[t] - h[t-1])                hidden state = output; that is (1 - f) * h[t-1] + f * n
//! ```
//!
//! `W_ih` is `2 units x inputs`, `W_hh` is `2 units x units`; their rows are in the order `f`, `n`.
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. With `d_h[t]` the gradient of the output plus that of the
//! next step:
//!
//! ```text
//! d_n     = d_h[t] * f
//! d_a_n   = d_n * (1 - n^2)                             tanh' = 1 - tanh^2
//! d_f     = d_h[t] * (n - h[t-1]) + d_a_n * u_n         both uses of the gate
//! d_a_f   = d_f * f * (1 - f)                           sigmoid' = sigmoid (1 - sigmoid)
//! d_u_f   = d_a_f        d_u_n = d_a_n * f
//! d_carry = d_h[t] * (1 - f) + W_hh' d_u
//! ```

use super::recurrent::{Apart, Cell, Recurrent, compiled_passes};
use crate::Scalar;
use crate::kernel::Real;
use nalgebra::DMatrix;

/// A layer of minimal gated units; see the [module](self) for its equations.
pub type MinimalGatedUnit<T> = Recurrent<T, MinimalGatedCell>;

/// The equations of a minimal gated unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinimalGatedCell;

impl Cell for MinimalGatedCell {
    const NAME: &'static str = "MinimalGatedUnit";
    type PreActivations<V: Copy> = Apart<[V; 2]>;
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 3];
    type Carry<T: Scalar> = DMatrix<T>;
    compiled_passes!(MinimalGatedCell);

    #[inline(always)]
    fn forward<V: Real>(
        self,
        Apart { input: [a_f, a_n], state: [u_f, u_n] }: Apart<[V; 2]>,
        [previous]: [V; 1],
    ) -> ([V; 3], [V; 1]) {
        let f = (a_f + u_f).sigmoid();
        let n = (a_n + f * u_n).flush_to_zero().tanh();
        let h = previous + f * (n - previous);
        ([f, n, u_n], [h])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [f, n, u_n]: [V; 3], [previous]: [V; 1], [d_h]: [V; 1]) -> (Apart<[V; 2]>, [V; 1]) {
        let one = d_h.number(1.0);
        let d_h = d_h.flush_to_zero();
        let d_n = d_h * f;
        let d_a_n = (d_n * (one - n * n)).flush_to_zero();
        let d_f = d_h * (n - previous) + d_a_n * u_n;
        let d_a_f = d_f * f * (one - f);
        let d_u_n = d_a_n * f;
        (Apart { input: [d_a_f, d_a_n], state: [d_a_f, d_u_n] }, [d_h * (one - f)])
    }
}
