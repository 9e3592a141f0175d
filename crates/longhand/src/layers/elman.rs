//! The Elman recurrent layer (Elman, "Finding Structure in Time", 1990), in the convention of PyTorch's `nn.RNN`.
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
//! | `h[t-1]` | `states` | `units x (steps * batch)` |
//! | `W_ih`, `W_hh` | `weight_ih_l0`, `weight_hh_l0` | `units x inputs`, `units x units` |
//! | `b_ih`, `b_hh` | `bias_ih_l0`, `bias_hh_l0` | `units` |
//!
//! A reset sets `h[t-1]` to zero. An invalid step leaves `h[t] = h[t-1]` in the carry, and its output is zero.
//!
//! Hidden states and deltas that are too small to matter are set to zero: see [`vanishing`](crate::vanishing).
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. The hidden state `h[t]` is used twice: as the output
//! and as the state before the next step. So, going backwards from the last step,
//!
//! ```text
//! d_h[t] = d_output[t] + d_carry                        the sum over both uses
//! d_z[t] = d_h[t] * (1 - h[t]^2)                        tanh' = 1 - tanh^2   (relu: d_h[t] where h[t] > 0)
//! d_carry = W_hh' d_z[t]                                z[t] is linear in h[t-1], so its gradient needs the transpose
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

use super::recurrent::{Cell, Recurrent, compiled_passes};
use crate::Scalar;
use crate::kernel::Real;
use nalgebra::DMatrix;

/// An Elman recurrent layer; see the [module](self) for its equations.
pub type Elman<T> = Recurrent<T, ElmanCell>;

/// The equations of an Elman layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ElmanCell {
    /// The function of the pre-activation.
    pub nonlinearity: Nonlinearity,
}

/// The function of the pre-activation of an Elman layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Nonlinearity {
    /// `tanh(z)`.
    #[default]
    Tanh,
    /// `max(z, 0)`, with derivative 0 at 0.
    Relu,
}

impl Nonlinearity {
    /// `h` from `z`.
    #[inline(always)]
    pub(crate) fn of<V: Real>(self, z: V) -> V {
        match self {
            Nonlinearity::Tanh => z.flush_to_zero().tanh(),
            Nonlinearity::Relu => z.number(0.0).max(z),
        }
    }

    /// `d_z` from `h` and `d_h`.
    #[inline(always)]
    pub(crate) fn back<V: Real>(self, h: V, d_h: V) -> V {
        match self {
            Nonlinearity::Tanh => d_h * (h.number(1.0) - h * h),
            Nonlinearity::Relu => h.where_positive(d_h),
        }
    }
}

impl<T: Scalar> Elman<T> {
    /// The same layer with another nonlinearity.
    #[must_use]
    pub fn with_nonlinearity(mut self, nonlinearity: Nonlinearity) -> Self {
        self.cell.nonlinearity = nonlinearity;
        self
    }
}

impl Cell for ElmanCell {
    const NAME: &'static str = "Elman";
    const KEEPS_OUTPUT: bool = true;
    type PreActivations<V: Copy> = [V; 1];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 1];
    type Carry<T: Scalar> = DMatrix<T>;
    compiled_passes!(ElmanCell);

    fn setting(self) -> &'static str {
        if self.nonlinearity == Nonlinearity::Relu { ", relu" } else { "" }
    }

    #[inline(always)]
    fn forward<V: Real>(self, [z]: [V; 1], _: [V; 1]) -> ([V; 1], [V; 1]) {
        let h = self.nonlinearity.of(z);
        ([h], [h])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [h]: [V; 1], _: [V; 1], [d_h]: [V; 1]) -> ([V; 1], [V; 1]) {
        let d_z = self.nonlinearity.back(h, d_h);
        // All that `h[t]` contributes is in `d_z`.
        ([d_z], [d_z.number(0.0)])
    }
}
