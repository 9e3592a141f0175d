//! The absolute error.
//!
//! For each output `y` with target `d`, summed over the features,
//!
//! ```text
//! loss = |y - d|          d_y = sign(y - d)
//! ```
//!
//! The derivative at the kink, `y = d`, is 0, as in PyTorch.

use super::{Loss, Reduction, check_features, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::{Scalar, Sequences};

/// The absolute difference to real targets, element-wise; the mean absolute error with [`Reduction::MeanOverElements`].
///
/// It estimates the median of the targets, and outliers matter less than with
/// [`MeanSquaredError`](crate::MeanSquaredError).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanAbsoluteError {
    reduction: Reduction,
}

impl MeanAbsoluteError {
    /// The loss with this reduction.
    pub fn new(reduction: Reduction) -> Self {
        MeanAbsoluteError { reduction }
    }
}

/// -1, 0 or 1; NaN stays NaN.
pub(super) fn sign<T: Scalar>(value: T) -> T {
    if value > T::zero() {
        T::one()
    } else if value < T::zero() {
        -T::one()
    } else {
        value
    }
}

impl<T: Scalar> Loss<T> for MeanAbsoluteError {
    type Target = Sequences<T>;

    compiled_scaled_sum!(MeanAbsoluteError);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        let target = target.column(index);
        check_features(target.len(), output.len());
        if let Some(d_output) = d_output {
            for ((d_y, &y), &d) in d_output.iter_mut().zip(output).zip(target) {
                *d_y = sign(y - d);
            }
        }
        output.iter().zip(target).map(|(&y, &d)| (y - d).abs()).collect::<CompensatedSum<T>>().value()
    }
}
