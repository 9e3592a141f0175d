//! The squared error.
//!
//! For each output `y` with target `d`, summed over the features,
//!
//! ```text
//! loss = (y - d)^2          d_y = 2 (y - d)
//! ```

use super::{Loss, Reduction, compiled_scaled_sum, element_wise};
use crate::kernel::{Precision, Real, Terms};
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

/// The equations.
#[derive(Clone, Copy)]
struct SquaredError;

impl Terms<1, 0> for SquaredError {
    #[inline(always)]
    fn term<V: Real>(self, [y]: [V; 1], d: V, []: [V; 0]) -> (V, [V; 1]) {
        let r = y - d;
        (r * r, [r + r])
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of all losses")]
fn sum<S: Scalar + Precision>(
    _: &MeanSquaredError,
    output: &Sequences<S>,
    target: &Sequences<S>,
    scale: S,
    d_output: Option<&mut Sequences<S>>,
) -> S {
    element_wise::scaled_sum(SquaredError, || {}, [output, target], [], scale, d_output)
}

impl<T: Scalar> Loss<T> for MeanSquaredError {
    type Target = Sequences<T>;

    compiled_scaled_sum!(MeanSquaredError, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        element_wise::column(SquaredError, output, target.column(index), |_| [], d_output)
    }
}
