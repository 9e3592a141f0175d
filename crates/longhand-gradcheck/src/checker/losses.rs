//! Losses.

use super::Checker;
use crate::adjoint::Agreement;
use crate::case::Case;
use crate::failure::Failure;
use crate::loss::{self, DualLoss};
use crate::panics::caught;
use crate::target::CheckedTarget;
use longhand::Loss;

impl Checker {
    /// A loss against dual numbers, and its laws, in one case: outputs of three sizes, some targets missing.
    ///
    /// # Errors
    /// If the gradient is wrong or a law is broken.
    pub fn loss<L: DualLoss>(&self, loss: &L, case: &Case) -> Result<Agreement, Failure> {
        caught("a loss", || case.to_string(), || loss::check(loss, case))
    }

    /// The same for a loss that runs on `f64` only, against central differences.
    ///
    /// # Errors
    /// If the gradient is wrong or a law is broken.
    pub fn loss_by_differences<L: Loss<f64, Target: CheckedTarget>>(
        &self,
        loss: &L,
        case: &Case,
    ) -> Result<Agreement, Failure> {
        caught("a loss", || case.to_string(), || loss::check_by_differences(loss, case))
    }

    /// Checks a loss in all the edges and in cases of the shape policy.
    ///
    /// # Panics
    /// If the loss is rejected: with the report.
    #[track_caller]
    pub fn prove_loss<L: DualLoss>(&self, loss: &L) {
        self.panicking(&|checker, case| checker.loss(loss, case));
    }
}
