//! The minimal GRU, minGRU (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs All We Needed?", 2024): a GRU whose gate and
//! candidate depend on the input only.
//!
//! # Equations
//! For each step `t` of each sequence, with `h[-1]` the carry and `*` element-wise:
//!
//! ```text
//! a[t] = W_ih x[t] + b_ih                               pre-activations: a_z, a_c
//! z[t] = sigmoid(a_z[t])                                update gate: how much of the state is replaced
//! c[t] = a_c[t]                                         candidate
//! h[t] = h[t-1] + z[t] * (c[t] - h[t-1])                hidden state = output; that is (1 - z) * h[t-1] + z * c
//! ```
//!
//! `W_ih` is `2 units x inputs`, `b_ih` is `2 units`; their rows are in the order `z`, `c`. There is no recurrent weight
//! ([`Connections::None`]), so the loop over the steps has no matrix product: it is element-wise, forward and backward. The paper
//! replaces this loop by a parallel prefix scan, which a GPU needs; on a CPU core the loop does less arithmetic.
//!
//! | | [`MinimalGatedUnit`](super::minimal_gated_unit) | `MinGru` |
//! |---|---|---|
//! | gates | one, of the input and the state | one, of the input only |
//! | candidate | `tanh`, of the input and the gated state | linear, of the input only |
//! | parameters | `2 units (inputs + units + 2)` | `2 units (inputs + 1)` |
//! | a function of the order of inputs | in one layer | needs two layers: the gates of the second depend on the state of the first |
//!
//! The state is a weighted mean of the candidates so far and of the carry. It cannot grow beyond them.
//!
//! # Derivation of the backward pass
//! Write `d_v` for the gradient of the loss with respect to `v`. With `d_h[t]` the gradient of the output plus that of the
//! next step:
//!
//! ```text
//! d_a_c   = d_h[t] * z
//! d_a_z   = d_h[t] * (c - h[t-1]) * z * (1 - z)         sigmoid' = sigmoid (1 - sigmoid)
//! d_carry = d_h[t] * (1 - z)
//! d_W_ih  = sum d_a[t] x[t]'        d_b_ih = sum d_a[t]        d_x[t] = W_ih' d_a[t]
//! ```
//!
//! A unit's gradient over `n` steps is multiplied by `n` factors `1 - z` and by nothing else. They are at most 1, so it never grows;
//! where the gate is closed, it does not shrink either. Over thousands of steps, initialise the first half of `bias_ih_l0`, `b_z`, with
//! negative numbers: a gate `sigmoid(b_z)` remembers for about `exp(-b_z)` steps.

use super::recurrent::{Cell, Connections, Recurrent, compiled_passes};
use crate::Scalar;
use crate::kernel::Real;
use nalgebra::DMatrix;

/// A minimal GRU layer; see the [module](self) for its equations.
///
/// ```
/// use longhand::prelude::*;
///
/// // One input, one unit: a gate of 1/2, and a candidate equal to the input.
/// let mut layer = MinGru::<f64>::zeros(1, 1);
/// layer.weight_ih_l0[(1, 0)] = 1.0;
/// let x = Sequences::from_time_first(&[8.0, 0.0, 4.0], [3, 1, 1])?;
/// let (mut carry, mut cache) = (layer.carry(1), Default::default());
/// let y = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
/// assert_eq!(y.values().as_slice(), [4.0, 2.0, 3.0]);
/// # Ok::<(), longhand::ShapeError>(())
/// ```
pub type MinGru<T> = Recurrent<T, MinGruCell>;

/// The equations of a minimal GRU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MinGruCell;

impl Cell for MinGruCell {
    const NAME: &'static str = "MinGru";
    const CONNECTIONS: Connections = Connections::None;
    type PreActivations<V: Copy> = [V; 2];
    type States<V: Copy> = [V; 1];
    type Kept<V: Copy> = [V; 2];
    type Carry<T: Scalar> = DMatrix<T>;
    compiled_passes!(MinGruCell);

    #[inline(always)]
    fn forward<V: Real>(self, [a_z, a_c]: [V; 2], [previous]: [V; 1]) -> ([V; 2], [V; 1]) {
        let (z, c) = (a_z.sigmoid(), a_c);
        let h = previous + z * (c - previous);
        ([z, c], [h])
    }

    #[inline(always)]
    fn backward<V: Real>(self, [z, c]: [V; 2], [previous]: [V; 1], [d_h]: [V; 1]) -> ([V; 2], [V; 1]) {
        let one = d_h.number(1.0);
        let d_h = d_h.flush_to_zero();
        let d_a_c = d_h * z;
        let d_a_z = d_h * (c - previous) * z * (one - z);
        ([d_a_z, d_a_c], [d_h * (one - z)])
    }
}
