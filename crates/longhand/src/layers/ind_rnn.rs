//! The independently recurrent layer, IndRNN (Li, Li, Cook, Zhu and Gao, "Independently Recurrent Neural Network (IndRNN): Building A
//! Longer and Deeper RNN", 2018): each unit has one recurrent weight, to itself.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry and `*` element-wise:
//!
//! ```text
//! z[t] = W_ih x[t] + b_ih + w_hh * h[t-1] + b_hh        pre-activation
//! h[t] = relu(z[t])   or   tanh(z[t])                   hidden state = output
//! ```
//!
//! `W_ih` is `units x inputs`; `w_hh`, stored as `weight_hh_l0`, is `units x 1`.
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. With `d_h[t]` the gradient of the output plus that of the
//! next step:
//!
//! ```text
//! d_z[t]  = d_h[t] where h[t] > 0   (tanh: d_h[t] * (1 - h[t]^2))
//! d_carry = w_hh * d_z[t]
//! d_w_hh  = sum d_z[t] * h[t-1]                          over the steps, each of which uses the same weight
//! ```
//!
//! A unit's gradient over `n` steps is multiplied by `w_hh^n` and by nothing from other units, so that weights of a magnitude
//! up to 1 keep it from growing. [`IndRnn::new`](super::recurrent::Recurrent::new) draws them from
//! `[-1/sqrt(units), 1/sqrt(units)]` like all parameters; for long sequences set `weight_hh_l0` to numbers near 1.

use super::elman::Nonlinearity;
use super::recurrent::{Cell, Connections, Recurrent, compiled_passes};
use crate::Scalar;
use crate::kernel::Real;
use nalgebra::DMatrix;

/// An independently recurrent layer; see the [module](self) for its equations.
pub type IndRnn<T> = Recurrent<T, IndRnnCell>;

/// The equations of an independently recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndRnnCell {
    /// The function of the pre-activation.
    pub nonlinearity: Nonlinearity,
}

impl<T: Scalar> IndRnn<T> {
    /// The same layer with another nonlinearity.
    #[must_use]
    pub fn with_nonlinearity(mut self, nonlinearity: Nonlinearity) -> Self {
        self.cell.nonlinearity = nonlinearity;
        self
    }
}

impl Default for IndRnnCell {
    /// With the rectifier, as in the paper.
    fn default() -> Self {
        IndRnnCell { nonlinearity: Nonlinearity::Relu }
    }
}

impl Cell for IndRnnCell {
    const NAME: &'static str = "IndRnn";
    const CONNECTIONS: Connections = Connections::Diagonal;
    const KEEPS_OUTPUT: bool = true;
    type PreActivations<V: Copy> = [V; 1];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 1];
    type Carry<T: Scalar> = DMatrix<T>;
    compiled_passes!(IndRnnCell);

    fn setting(self) -> &'static str {
        if self.nonlinearity == Nonlinearity::Tanh { ", tanh" } else { "" }
    }

    #[inline(always)]
    fn forward<V: Real>(self, [z]: [V; 1], _: [V; 1]) -> ([V; 1], [V; 1]) {
        let h = self.nonlinearity.of(z);
        ([h], [h])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [h]: [V; 1], _: [V; 1], [d_h]: [V; 1]) -> ([V; 1], [V; 1]) {
        let d_z = self.nonlinearity.back(h, d_h);
        ([d_z], [d_z.number(0.0)])
    }
}
