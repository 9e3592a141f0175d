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
        caught("a loss", || case.to_string(), || loss::check(loss, case, self.outputs_per_target))
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
        caught("a loss", || case.to_string(), || loss::check_by_differences(loss, case, self.outputs_per_target))
    }

    /// Checks a loss in random cases ([`Case::strategy`]) and in all edge cases ([`Case::edges`]).
    ///
    /// # Panics
    /// If the loss is rejected. The message is the report.
    #[track_caller]
    pub fn prove_loss<L: DualLoss>(&self, loss: &L) {
        self.run_or_panic(&|checker, case| checker.loss(loss, case));
    }

    /// Like [`prove_loss`](Self::prove_loss), for a loss that depends on the number of output features, such as one with
    /// class weights. `build` makes it for a case, whose outputs have [`Case::outputs`] features.
    ///
    /// ```
    /// use longhand::{Reduction, SoftmaxCrossEntropy};
    /// use longhand_gradcheck::Checker;
    /// Checker::new().cases(4).prove_loss_with(|case| {
    ///     let weights: Vec<f64> = (0..case.outputs).map(|class| 0.5 + class as f64).collect();
    ///     let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_class_weights(&weights);
    ///     loss.expect("the weights are positive")
    /// });
    /// ```
    ///
    /// # Panics
    /// If the loss is rejected. The message is the report.
    #[track_caller]
    pub fn prove_loss_with<L: DualLoss>(&self, build: impl Fn(&Case) -> L) {
        self.run_or_panic(&|checker, case| checker.loss(&build(case), case));
    }
}
