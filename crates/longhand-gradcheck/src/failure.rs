//! What a check says when it fails.

use std::fmt::{self, Write as _};
use thiserror::Error;

/// Why a layer or a loss was rejected.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Failure {
    /// A gradient differs from the exact one.
    #[error("{0}")]
    Gradient(GradientFailure),
    /// A law of layers or losses is broken.
    #[error("{0}")]
    Law(LawFailure),
    /// The layer or the loss panicked.
    #[error("{0}")]
    Panic(PanicFailure),
}

/// Gradients that are not the exact ones.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientFailure {
    /// Shapes and seed, which reproduce the failure.
    pub context: String,
    /// The tensors whose gradients are wrong, the one nearest to the mistake first.
    pub wrong: Vec<WrongTensor>,
    /// The tensors whose gradients are right.
    pub right: Vec<String>,
    /// How to leave the check out and when, if a layer may do without it.
    pub advice: Option<String>,
}

/// One tensor whose gradient is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongTensor {
    /// Its name: `elman.weight_hh_l0`.
    pub tensor: String,
    /// How many elements it has.
    pub count: usize,
    /// Those that are wrong.
    pub elements: Vec<Mismatch>,
    /// Whether `elements` has all of them: the search of a large tensor stops early.
    pub complete: bool,
    /// What the wrong gradient looks like, if it looks like something.
    pub hint: Option<String>,
    /// Backward's derivative in the random direction that found it.
    pub analytic: f64,
    /// The exact one.
    pub exact: f64,
    /// Their difference relative to the size of the terms; accepted is `1e-12`.
    pub relative: f64,
}

/// One wrong element.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Tensor, row and column: `elman.weight_hh_l0[2,1]`.
    pub element: String,
    /// What the backward pass gives.
    pub analytic: f64,
    /// What the forward pass on dual numbers gives.
    pub exact: f64,
}

impl Mismatch {
    fn error(&self) -> f64 {
        let error = (self.analytic - self.exact).abs();
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

/// A broken law.
#[derive(Debug, Clone, PartialEq)]
pub struct LawFailure {
    /// What should have held, in a sentence.
    pub law: String,
    /// Where it did not: tensor and element, and the two values.
    pub found: String,
    /// Layer, shapes and seed.
    pub context: String,
    /// How to leave the law out and when, if a layer may do without it.
    pub advice: Option<String>,
}

/// A panic inside of a layer or a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct PanicFailure {
    /// The law that was checked.
    pub law: String,
    /// The message of the panic.
    pub message: String,
    /// Layer, shapes and seed.
    pub context: String,
}

impl fmt::Display for PanicFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PanicFailure { law, message, context } = self;
        write!(f, "panicked: {message}\n  during the check of {law} ({context})")
    }
}

impl fmt::Display for LawFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  broken law: {} ({})", self.found, self.law, self.context)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "\n  {advice}"))
    }
}

/// How many elements of a tensor are written out.
const SHOWN: usize = 3;

impl fmt::Display for GradientFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, tensor) in self.wrong.iter().enumerate() {
            let mut elements: Vec<&Mismatch> = tensor.elements.iter().collect();
            elements.sort_by(|a, b| b.error().total_cmp(&a.error()));
            let indent = if index == 0 { "" } else { "\n" };
            let Some(worst) = elements.first() else {
                let (analytic, exact) = numbers(tensor.analytic, tensor.exact);
                write!(f, "{indent}{}, in a random direction: analytic {analytic}, exact {exact}", tensor.tensor)?;
                write!(f, " ({})", self.context)?;
                continue;
            };
            let (analytic, exact) = numbers(worst.analytic, worst.exact);
            write!(f, "{indent}{}: analytic {analytic}, exact {exact} ({})", worst.element, self.context)?;
            let least = if tensor.complete { "" } else { "at least " };
            write!(f, "\n  {least}{} of {} elements are wrong", elements.len(), tensor.count)?;
            if let Some(hint) = &tensor.hint {
                write!(f, "; {hint}")?;
            }
            for other in elements.iter().skip(1).take(SHOWN - 1) {
                let (analytic, exact) = numbers(other.analytic, other.exact);
                write!(f, "\n  {}: analytic {analytic}, exact {exact}", other.element)?;
            }
        }
        if !self.right.is_empty() {
            write!(f, "\nright: {}", self.right.join(", "))?;
        } else if self.wrong.len() > 1 {
            write!(f, "\nright: no tensor; a wrong delta, which every gradient uses, looks like this")?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "\n  {advice}"))
    }
}

/// Two numbers with as many digits as it takes to see that they differ, and four at least.
pub(crate) fn numbers(a: f64, b: f64) -> (String, String) {
    let with = |digits: usize, x: f64| {
        let mut text = String::new();
        let small = x != 0.0 && !(1e-3..1e6).contains(&x.abs());
        // Writing into a string cannot fail.
        let _ = if small { write!(text, "{x:.digits$e}") } else { write!(text, "{x:.digits$}") };
        text
    };
    let digits = (4..17).find(|&digits| with(digits, a) != with(digits, b)).unwrap_or(17);
    // One digit more than the first that differs, unless four show it already.
    let digits = if digits > 4 { (digits + 1).min(17) } else { digits };
    (with(digits, a), with(digits, b))
}
