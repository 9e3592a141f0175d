//! Everything together: one call.

use crate::adjoint::{self, Agreement};
use crate::case::Case;
use crate::differences::Differences;
use crate::dual::DualLayer;
use crate::failure::Failure;
use crate::laws::{self, Doubling, SingleLayer};
use crate::loss::{self, DualLoss};
use crate::oracle::{DualNumbers, Oracle};
use crate::setting::{SequenceLayer, Setting};
use crate::target::CheckedTarget;
use longhand::{Layer, Loss};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// A law that some layers do not keep, for good reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// A batch is the sum of its sequences; not so for a layer that normalises over the batch.
    Batch,
    /// A reset cuts a sequence in two.
    Reset,
    /// Windows are the whole sequence; not so for a layer that looks at later steps.
    Windows,
    /// Padding never matters.
    Padding,
    /// `f32` agrees with `f64`; not so for a layer that jumps.
    SinglePrecision,
}

/// What is checked, and how. [`prove`](crate::prove) and [`check`](crate::check) are `Checker::new()` with everything.
///
/// ```
/// use longhand::Activation;
/// use longhand_gradcheck::{Case, Checker, Law};
/// Checker::new().without(Law::SinglePrecision).layer(&Activation::Tanh, &Case::from_seed(1))?;
/// # Ok::<(), longhand_gradcheck::Failure>(())
/// ```
#[derive(Debug, Clone)]
pub struct Checker {
    without: Vec<Law>,
    keep_parameters: bool,
    doubling: Doubling,
    flushing: bool,
    cases: u32,
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new()
    }
}

/// How many cases [`prove`](crate::prove) draws if `PROPTEST_CASES` does not say.
const CASES: u32 = 64;

impl Checker {
    /// Every law, with parameters drawn at a size of about 0.5.
    pub fn new() -> Self {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
        Checker {
            without: Vec::new(),
            keep_parameters: false,
            doubling: Doubling::WithinRounding,
            flushing: false,
            cases,
        }
    }

    /// Leaves out a law that this layer does not keep.
    #[must_use]
    pub fn without(mut self, law: Law) -> Self {
        self.without.push(law);
        self
    }

    /// Checks the layer with the parameters that it has, for a layer whose parameters must not be just any numbers.
    #[must_use]
    pub fn keep_parameters(mut self) -> Self {
        self.keep_parameters = true;
        self
    }

    /// Asks that a second backward pass doubles the gradients to the last bit, which it does where each gradient is
    /// worked out whole and added once, as in every layer of longhand.
    #[must_use]
    pub fn doubling(mut self, doubling: Doubling) -> Self {
        self.doubling = doubling;
        self
    }

    /// Asks that gradients too small to matter are zero and never subnormal, as the recurrent layers of longhand ensure:
    /// see [`laws::flushing`].
    #[must_use]
    pub fn flushing(mut self) -> Self {
        self.flushing = true;
        self
    }

    /// Draws this many cases, whatever `PROPTEST_CASES` says.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// The gradients of a layer against dual numbers, and all laws, in one case and, with the same layer, under the marks
    /// of [`Case::edge_layouts`].
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn layer<L: SequenceLayer + DualLayer + SingleLayer>(
        &self,
        layer: &L,
        case: &Case,
    ) -> Result<Agreement, Failure> {
        let mut agreement = self.layer_in(layer, case)?;
        for (_, layout) in Case::edge_layouts() {
            agreement = agreement.and(self.layer_in(layer, &case.clone().with_layout(layout))?);
        }
        Ok(agreement)
    }

    /// The same in this case only.
    fn layer_in<L: SequenceLayer + DualLayer + SingleLayer>(
        &self,
        layer: &L,
        case: &Case,
    ) -> Result<Agreement, Failure> {
        let setting = self.setting(layer, case);
        laws::tensors(&setting)?;
        let agreement = self.with_oracle(&setting, &DualNumbers, |setting| laws::same_function(setting))?;
        if self.asks(Law::SinglePrecision) {
            // A rounding of f32 may carry a number over a kink, where the gradient jumps: once in many thousand cases.
            // What is wrong with an f32 kernel is wrong with other numbers too.
            laws::single_precision(&setting).or_else(|failure| {
                let other = case.clone().with_seed(case.seed.wrapping_add(1));
                laws::single_precision(&self.setting(layer, &other)).map_err(|_| failure)
            })?;
        }
        Ok(agreement)
    }

    /// The same for a layer that runs on `f64` only: against central differences, with a tolerance that follows from
    /// their rounding and truncation errors.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn layer_by_differences<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Result<Agreement, Failure> {
        self.with_oracle(&self.setting(layer, case), &Differences::new(), |_| Ok(()))
    }

    /// The gradients of a layer with any kind of input against dual numbers, and the laws that do not need sequences.
    ///
    /// # Errors
    /// If a gradient is wrong or a law is broken.
    pub fn any_layer<L: DualLayer>(&self, setting: &Setting<L>) -> Result<Agreement, Failure> {
        laws::tensors(setting)?;
        laws::contract(setting)?;
        laws::repeat(setting)?;
        laws::same_function(setting)?;
        let agreement = adjoint::check(setting, &setting.passes(), &DualNumbers)?;
        self.general_laws(setting)?;
        Ok(agreement)
    }

    /// Builds a layer for each case, all the edges and then cases of the shape policy, and checks it; shrinks the shapes
    /// of a case that fails.
    ///
    /// # Panics
    /// If a layer is rejected: with the report.
    #[track_caller]
    pub fn prove<L: SequenceLayer + DualLayer + SingleLayer>(&self, build: impl Fn(&Case) -> L) {
        self.run(&|case| self.layer_in(&build(case), case));
    }

    /// [`prove`](Self::prove) for a layer that runs on `f64` only.
    ///
    /// # Panics
    /// If a layer is rejected: with the report.
    #[track_caller]
    pub fn prove_by_differences<L: SequenceLayer>(&self, build: impl Fn(&Case) -> L) {
        self.run(&|case| self.layer_by_differences(&build(case), case));
    }

    /// A loss against dual numbers, and its laws, in one case: outputs of three sizes, some targets missing.
    ///
    /// # Errors
    /// If the gradient is wrong or a law is broken.
    pub fn loss<L: DualLoss>(&self, loss: &L, case: &Case) -> Result<Agreement, Failure> {
        loss::check(loss, case)
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
        loss::check_by_differences(loss, case)
    }

    /// Checks a loss in all the edges and in cases of the shape policy.
    ///
    /// # Panics
    /// If it is rejected: with the report.
    #[track_caller]
    pub fn prove_loss<L: DualLoss>(&self, loss: &L) {
        self.run(&|case| self.loss(loss, case));
    }

    #[track_caller]
    fn run(&self, check: &dyn Fn(&Case) -> Result<Agreement, Failure>) {
        let config = Config { cases: self.cases, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let found = runner.run(&Case::strategy(), |case| {
            check(&case).map(|_| ()).map_err(|failure| TestCaseError::fail(failure.to_string()))
        });
        match found {
            Ok(()) => {}
            Err(TestError::Fail(reason, case)) => panic!("\n{reason}\n  smallest case: {case}\n"),
            Err(TestError::Abort(reason)) => panic!("{reason}"),
        }
        for (edge, case) in Case::edges(1) {
            if let Err(failure) = check(&case) {
                panic!("\n{failure}\n  at the edge: {edge}\n");
            }
        }
    }

    fn setting<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Setting<L> {
        if self.keep_parameters { Setting::of_case_as_it_is(layer, case) } else { Setting::of_case(layer, case) }
    }

    fn asks(&self, law: Law) -> bool {
        !self.without.contains(&law)
    }

    fn with_oracle<L: SequenceLayer>(
        &self,
        setting: &Setting<L>,
        oracle: &impl Oracle<L>,
        same_function: impl Fn(&Setting<L>) -> Result<(), Failure>,
    ) -> Result<Agreement, Failure> {
        laws::visits(setting)?;
        laws::contract(setting)?;
        laws::repeat(setting)?;
        same_function(setting)?;
        let mut agreement = adjoint::check(setting, &setting.passes(), oracle)?;
        self.general_laws(setting)?;
        let training = setting.in_training();
        same_function(&training)?;
        agreement = agreement.and(adjoint::check(&training, &training.passes(), oracle)?);
        self.general_laws(&training)?;
        if self.asks(Law::Padding) {
            laws::padding(setting)?;
        }
        if self.asks(Law::Batch) {
            laws::batch(setting)?;
        }
        if self.asks(Law::Reset) {
            laws::reset(setting)?;
        }
        if self.asks(Law::Windows) {
            laws::windows_passed(setting)?;
            agreement = agreement.and(laws::windows_held(setting, oracle)?);
        }
        if self.asks(Law::Padding) {
            laws::more_padding(setting)?;
        }
        laws::cache(setting)?;
        if self.flushing {
            laws::flushing(setting)?;
        }
        Ok(agreement)
    }

    fn general_laws<L: Layer<f64>>(&self, setting: &Setting<L>) -> Result<(), Failure> {
        laws::accumulation(setting, self.doubling)?;
        laws::replacing(setting)?;
        laws::zero_cotangent(setting)?;
        laws::linearity(setting)
    }
}
