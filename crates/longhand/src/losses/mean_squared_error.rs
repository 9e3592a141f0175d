//! The squared error.
//!
//! For each output `y` with target `d`, summed over the features,
//!
//! ```text
//! loss = (y - d)^2          d_y = 2 (y - d)
//! ```

use super::{Loss, Reduction, check_features, compiled_scaled_sum};
use crate::compensated_sum::CompensatedSum;
use crate::{Scalar, Sequences};

/// The squared difference to real targets, element-wise; the mean squared error with [`Reduction::MeanOverElements`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanSquaredError {
    reduction: Reduction,
}

impl MeanSquaredError {
    /// The loss with this reduction.
    pub fn new(reduction: Reduction) -> Self {
        MeanSquaredError { reduction }
    }
}

impl<T: Scalar> Loss<T> for MeanSquaredError {
    type Target = Sequences<T>;

    compiled_scaled_sum!(MeanSquaredError);

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
                *d_y = (y - d) + (y - d);
            }
        }
        output.iter().zip(target).map(|(&y, &d)| (y - d) * (y - d)).collect::<CompensatedSum<T>>().value()
    }
}
