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

use super::mean_absolute_error::sign;
use super::{Loss, Reduction, check_features, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::hyperparameters::check_positive;
use crate::scalar::real;
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

impl<T: Scalar> Loss<T> for HuberLoss {
    type Target = Sequences<T>;

    compiled_scaled_sum!(HuberLoss);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        let target = target.column(index);
        check_features(target.len(), output.len());
        let (delta, half) = (real::<T>(self.delta), real::<T>(0.5));
        if let Some(d_output) = d_output {
            for ((d_y, &y), &d) in d_output.iter_mut().zip(output).zip(target) {
                let r = y - d;
                *d_y = if r.abs() > delta { delta * sign(r) } else { r };
            }
        }
        let loss = |(&y, &d): (&T, &T)| {
            let r = (y - d).abs();
            if r > delta { delta * (r - half * delta) } else { half * r * r }
        };
        output.iter().zip(target).map(loss).collect::<CompensatedSum<T>>().value()
    }
}
