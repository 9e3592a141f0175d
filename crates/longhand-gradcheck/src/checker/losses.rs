//! Checks of losses.

use super::Checker;
use crate::adjoint::Agreement;
use crate::case::Case;
use crate::failure::Failure;
use crate::loss::{self, DualLoss};
use crate::panics::caught;
use crate::target::CheckedTarget;
use longhand::Loss;

impl Checker {
    /// Checks the gradient of a loss against dual numbers, and its laws, in one case. The outputs have three sizes, and
    /// some targets are missing.
    ///
    /// # Errors
    /// If the gradient is wrong or a law is broken.
    pub fn loss<L: DualLoss>(&self, loss: &L, case: &Case) -> Result<Agreement, Failure> {
        caught("a loss", || case.to_string(), || loss::check(loss, case))
    }

    /// Like [`loss`](Self::loss), for a loss that runs on `f64` only. Compares with central differences.
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

    /// Checks a loss in random cases ([`Case::strategy`]) and in all edge cases ([`Case::edges`]).
    ///
    /// # Panics
    /// If the loss is rejected. The message is the report.
    #[track_caller]
    pub fn prove_loss<L: DualLoss>(&self, loss: &L) {
        self.run_or_panic(&|checker, case| checker.loss(loss, case));
    }
}
