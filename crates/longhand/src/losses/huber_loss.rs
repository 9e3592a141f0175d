//! The Huber loss: the squared error near the target and the absolute error far from it (Huber, "Robust estimation of a
//! location parameter", 1964).
//!
//! For each output `y` with target `d` and `r = y - d`, summed over the features,
//!
//! ```text
//! |r| <= delta:   loss = r^2 / 2                        d_y = r
//! |r| > delta:    loss = delta (|r| - delta / 2)        d_y = delta sign(r)
//! ```
//!
//! Loss and gradient are continuous at `|r| = delta`. The square is taken of small differences only, so it does not
//! overflow for large ones.

use super::{Loss, Reduction, compiled_scaled_sum, element_wise};
use crate::hyperparameters::check_positive;
use crate::kernel::{Precision, Real, Terms};
use crate::{HyperparameterError, Scalar, Sequences};

/// Half the squared difference to real targets up to `delta`, and linear beyond it, element-wise: see the equations
/// above. Each gradient is within `delta` of 0, so outliers cannot dominate a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HuberLoss {
    reduction: Reduction,
    delta: f64,
}

impl HuberLoss {
    /// The loss that becomes linear at a difference of `delta`. PyTorch's default is 1.
    ///
    /// # Errors
    /// If `delta` is not above 0, or not a normal number of `f32`.
    pub fn new(reduction: Reduction, delta: f64) -> Result<Self, HyperparameterError> {
        check_positive::<f32>("delta", delta)?;
        Ok(HuberLoss { reduction, delta })
    }
}

/// The equations, with `near`, the part of `|r|` up to `delta`: `loss = near^2 / 2 + delta (|r| - near)`.
#[derive(Clone, Copy)]
struct Huber {
    delta: f64,
}

impl Terms<1, 0> for Huber {
    #[inline(always)]
    fn term<V: Real>(self, [y]: [V; 1], d: V, []: [V; 0]) -> (V, [V; 1]) {
        let (r, delta) = (y - d, y.number(self.delta));
        let near = delta.min(r.abs());
        let loss = y.number(0.5) * near * near + delta * (r.abs() - near);
        (loss, [y.number(-self.delta).max(delta.min(r))])
    }
}

fn sum<S: Scalar + Precision>(
    loss: &HuberLoss,
    output: &Sequences<S>,
    target: &Sequences<S>,
    scale: S,
    d_output: Option<&mut Sequences<S>>,
) -> S {
    element_wise::scaled_sum(Huber { delta: loss.delta }, || {}, [output, target], [], scale, d_output)
}

impl<T: Scalar> Loss<T> for HuberLoss {
    type Target = Sequences<T>;

    compiled_scaled_sum!(HuberLoss, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        element_wise::column(Huber { delta: self.delta }, output, target.column(index), |_| [], d_output)
    }
}
