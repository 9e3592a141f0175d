//! Everything together: one call.

mod layers;
mod losses;
mod run;
mod single_precision;

use crate::case::Case;
use crate::law::Law;
use crate::laws::Doubling;
use crate::setting::{SequenceLayer, Setting};

/// What is checked, and how. [`prove`](crate::prove) and [`check`](crate::check) are `Checker::new()` with everything that
/// every layer must keep.
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
    on_request: Vec<OnRequest>,
    /// Whether every law is checked in training too. At the edges only gradients are, to save time.
    in_training: bool,
    cases: u32,
    seed: u64,
}

/// Laws that not every correct layer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnRequest {
    Flushing,
    WrongShapes,
    FiniteInSingle,
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new()
    }
}

/// How many cases [`prove`](crate::prove) draws if `PROPTEST_CASES` does not say.
const CASES: u32 = 32;

impl Checker {
    /// Every law, with parameters drawn at a size of about 0.5.
    pub fn new() -> Self {
        let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
        Checker {
            without: Vec::new(),
            keep_parameters: false,
            doubling: Doubling::WithinRounding,
            on_request: Vec::new(),
            in_training: true,
            cases,
            seed: 1,
        }
    }

    /// Leaves out a law that this layer does not keep. [`Law`] says for which layers that is right.
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

    /// Requires that a second backward pass doubles the gradients to the last bit, which it does where each gradient is
    /// computed whole and added once, as in every layer of longhand.
    #[must_use]
    pub fn doubling(mut self, doubling: Doubling) -> Self {
        self.doubling = doubling;
        self
    }

    /// Requires that gradients too small to matter are zero and never subnormal, as the recurrent layers of longhand
    /// ensure: see [`laws::flushing`](crate::laws::flushing).
    #[must_use]
    pub fn flushing(mut self) -> Self {
        self.on_request.push(OnRequest::Flushing);
        self
    }

    /// Requires the panics on wrong shapes that [`Layer`](longhand::Layer) documents: see
    /// [`laws::wrong_shapes`](crate::laws::wrong_shapes). Their messages appear on the standard error.
    #[must_use]
    pub fn wrong_shapes(mut self) -> Self {
        self.on_request.push(OnRequest::WrongShapes);
        self
    }

    /// Requires that nothing overflows in `f32` where the input is about 100 and the results are small, as in a softmax that
    /// does not subtract the largest logit first.
    #[must_use]
    pub fn finite_in_single(mut self) -> Self {
        self.on_request.push(OnRequest::FiniteInSingle);
        self
    }

    /// Draws this many cases, whatever `PROPTEST_CASES` says. The default is 32. The edges are checked as well.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// Draws the cases and their numbers from another seed than 1, the default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    fn setting<L: SequenceLayer>(&self, layer: &L, case: &Case) -> Setting<L> {
        if self.keep_parameters { Setting::of_case_as_it_is(layer, case) } else { Setting::of_case(layer, case) }
    }

    /// The same checks at an edge.
    fn at_an_edge(&self) -> Checker {
        Checker { in_training: false, ..self.clone() }
    }

    fn requests(&self, law: OnRequest) -> bool {
        self.on_request.contains(&law)
    }

    fn asks(&self, law: Law) -> bool {
        !self.without.contains(&law)
    }
}
