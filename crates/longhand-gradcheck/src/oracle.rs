//! Who says what a derivative really is.

use crate::dual::{Direction, DualLayer, cotangents};
use crate::numbers::dot;
use crate::setting::Setting;
use longhand::Layer;

/// `<v, J u>` as an oracle gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derivative {
    /// The derivative of the loss `<v, .>` in the direction `u`.
    pub value: f64,
    /// The sum of `|v_j (J u)_j|`, which says how large the rounding errors of `value` may be.
    pub magnitude: f64,
    /// A bound on the oracle's own error beyond rounding: 0 for an exact one.
    pub error: f64,
}

/// Gives the derivative of a setting's loss in any direction, without the layer's backward pass.
pub trait Oracle<L: Layer<f64>> {
    /// The derivative of `<d_output, output> + <d_carry, carry out>` in this direction.
    fn derivative(&self, setting: &Setting<L>, direction: &Direction) -> Derivative;
}

/// The exact oracle: the forward pass on dual numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct DualNumbers;

impl<L: DualLayer> Oracle<L> for DualNumbers {
    fn derivative(&self, setting: &Setting<L>, direction: &Direction) -> Derivative {
        let (value, magnitude) = dot(&cotangents(setting), &L::tangent(setting, direction).derivatives);
        Derivative { value, magnitude, error: 0.0 }
    }
}
