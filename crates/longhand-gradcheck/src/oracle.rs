//! Sources of reference derivatives: dual numbers or finite differences.

use crate::dual::{Direction, DualLayer, cotangents};
use crate::numbers::dot;
use crate::setting::Setting;
use longhand::Layer;

/// A directional derivative `<v, J u>` from an oracle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derivative {
    /// The derivative of the loss `<v, .>` in the direction `u`.
    pub value: f64,
    /// The sum of `|v_j (J u)_j|`. The rounding error of `value` is proportional to this sum.
    pub magnitude: f64,
    /// A bound on the oracle's own error beyond rounding. It is 0 for an exact oracle.
    pub error: f64,
}

/// Computes the derivative of a setting's loss in any direction, without the layer's backward pass.
pub trait Oracle<L: Layer<f64>> {
    /// The derivative of `<d_output, output> + <d_carry, carry out>` in this direction.
    fn derivative(&self, setting: &Setting<L>, direction: &Direction) -> Derivative;
}

/// The exact oracle, which runs the forward pass on dual numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct DualNumbers;

impl<L: DualLayer> Oracle<L> for DualNumbers {
    fn derivative(&self, setting: &Setting<L>, direction: &Direction) -> Derivative {
        let (value, magnitude) = dot(&cotangents(setting), &L::tangent(setting, direction).derivatives);
        Derivative { value, magnitude, error: 0.0 }
    }
}
