//! The configurable checker, which checks the gradients and all laws.

mod layers;
mod losses;
mod run;
mod single_precision;

use crate::case::Case;
use crate::law::Law;
use crate::laws::Doubling;
use crate::setting::{SequenceLayer, Setting};

/// Selects laws, cases and parameters of a check. [`prove`](crate::prove) and [`check`](crate::check) use
/// `Checker::new()`, which checks the laws of every layer.
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
    optional: Vec<OptionalLaw>,
    /// Whether the general laws are also checked in training. Off in edge cases, to save time: there, training is
    /// checked for its gradients only.
    in_training: bool,
    outputs_per_target: usize,
    cases: u32,
    seed: u64,
}

/// Laws that a correct layer may break. They are checked on request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OptionalLaw {
    Flushing,
    WrongShapes,
    FiniteInSingle,
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new()
    }
}

/// Number of cases that [`prove`](crate::prove) draws if `PROPTEST_CASES` is not set.
const CASES: u32 = 32;

impl Checker {
    /// Checks every law that is on by default, with random parameters of a size of about 0.5.
    pub fn new() -> Self {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
        Checker {
            without: Vec::new(),
            keep_parameters: false,
            doubling: Doubling::WithinRounding,
            optional: Vec::new(),
            in_training: true,
            outputs_per_target: 1,
            cases,
            seed: 1,
        }
    }

    /// Leaves out a law that the layer breaks by design. [`Law`] lists the kinds of layers.
    #[must_use]
    pub fn without(mut self, law: Law) -> Self {
        self.without.push(law);
        self
    }

    /// Keeps the parameters of the layer instead of drawing them, for a layer that needs particular parameters.
    #[must_use]
    pub fn keep_parameters(mut self) -> Self {
        self.keep_parameters = true;
        self
    }

    /// Sets how exactly a second backward pass must double the gradients. They double bit for bit if each gradient is
    /// computed completely and added once, as in every layer of longhand.
    #[must_use]
    pub fn doubling(mut self, doubling: Doubling) -> Self {
        self.doubling = doubling;
        self
    }

    /// Requires that tiny gradients are zero and never subnormal, as in the recurrent layers of longhand. See
    /// [`laws::flushing`](crate::laws::flushing).
    #[must_use]
    pub fn flushing(mut self) -> Self {
        self.optional.push(OptionalLaw::Flushing);
        self
    }

    /// Requires the panics on wrong shapes that [`Layer`](longhand::Layer) documents. See
    /// [`laws::wrong_shapes`](crate::laws::wrong_shapes). The messages of these panics appear on the standard error.
    #[must_use]
    pub fn wrong_shapes(mut self) -> Self {
        self.optional.push(OptionalLaw::WrongShapes);
        self
    }

    /// Requires that no intermediate result overflows in `f32` on inputs of about 100 with small results. A softmax
    /// that does not subtract the largest logit first overflows there.
    #[must_use]
    pub fn finite_in_single(mut self) -> Self {
        self.optional.push(OptionalLaw::FiniteInSingle);
        self
    }

    /// Sets how many output features a loss has for each feature of its target: 2 for a loss that reads a mean and a
    /// variance. The default is 1. A case then has [`Case::outputs`] features in the target, and this many times as many
    /// in the output.
    #[must_use]
    pub fn outputs_per_target(mut self, outputs: usize) -> Self {
        self.outputs_per_target = outputs;
        self
    }

    /// Sets the number of random cases, and overrides `PROPTEST_CASES`. The default is 32. The edge cases are always
    /// checked too.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// Sets the seed of the cases and their values. The default is 1.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn setting<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Setting<L> {
        if self.keep_parameters { Setting::of_case_as_it_is(layer, case) } else { Setting::of_case(layer, case) }
    }

    /// This checker with the fewer checks of an edge case.
    fn at_an_edge(&self) -> Checker {
        Checker { in_training: false, ..self.clone() }
    }

    fn requires(&self, law: OptionalLaw) -> bool {
        self.optional.contains(&law)
    }

    fn includes(&self, law: Law) -> bool {
        !self.without.contains(&law)
    }
}
