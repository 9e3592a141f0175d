//! The absolute error.
//!
//! For each output `y` with target `d`, summed over the features,
//!
//! ```text
//! loss = |y - d|          d_y = sign(y - d)
//! ```
//!
//! The derivative at the kink, `y = d`, is 0, as in PyTorch.

use super::{Loss, Reduction, compiled_scaled_sum, element_wise};
use crate::kernel::{Precision, Real, Terms};
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

/// The equations.
#[derive(Clone, Copy)]
struct AbsoluteError;

impl Terms<1, 0> for AbsoluteError {
    #[inline(always)]
    fn term<V: Real>(self, [y]: [V; 1], d: V, []: [V; 0]) -> (V, [V; 1]) {
        let (r, zero, one) = (y - d, y.number(0.0), y.number(1.0));
        // Zero, or NaN if the difference is NaN.
        let nothing = zero * y.number(-1.0).max(one.min(r));
        (r.abs(), [r.where_positive(one) - (zero - r).where_positive(one) + nothing])
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature of all losses")]
fn sum<S: Scalar + Precision>(
    _: &MeanAbsoluteError,
    output: &Sequences<S>,
    target: &Sequences<S>,
    scale: S,
    d_output: Option<&mut Sequences<S>>,
) -> S {
    element_wise::scaled_sum(AbsoluteError, || {}, [output, target], [], scale, d_output)
}

impl<T: Scalar> Loss<T> for MeanAbsoluteError {
    type Target = Sequences<T>;

    compiled_scaled_sum!(MeanAbsoluteError, sum);

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// # Panics
    /// If the target has another number of features.
    fn column(&self, output: &[T], target: &Sequences<T>, index: usize, d_output: Option<&mut [T]>) -> T {
        element_wise::column(AbsoluteError, output, target.column(index), |_| [], d_output)
    }
}
