//! Failures of a check and their reports.

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

/// Gradients that differ from the exact ones.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientFailure {
    /// Shapes and seed, which reproduce the failure.
    pub context: String,
    /// The tensors whose gradients are wrong, sorted so that the tensor closest to the mistake comes first.
    pub wrong: Vec<WrongTensor>,
    /// The tensors whose gradients are right.
    pub right: Vec<String>,
    /// How to leave the check out, and for which layers, if some layers break it by design.
    pub advice: Option<String>,
}

/// One tensor whose gradient is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct WrongTensor {
    /// The tensor's name, such as `elman.weight_hh_l0`.
    pub tensor: String,
    /// Number of elements of the tensor.
    pub count: usize,
    /// The wrong elements.
    pub elements: Vec<Mismatch>,
    /// Whether `elements` has all wrong elements. The search of a large tensor may stop early.
    pub complete: bool,
    /// A likely cause or a pattern of the error, if one was recognised.
    pub hint: Option<String>,
    /// The derivative from the backward pass, in the random direction in which the error was found.
    pub analytic: f64,
    /// The exact derivative in the same direction.
    pub exact: f64,
    /// The difference of the two, relative to the size of the terms. Up to `1e-12` is accepted.
    pub relative: f64,
}

/// One wrong element.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Tensor, row and column: `elman.weight_hh_l0[2,1]`.
    pub element: String,
    /// The gradient from the backward pass.
    pub analytic: f64,
    /// The exact gradient, from the forward pass on dual numbers.
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
    /// The law as a sentence.
    pub law: String,
    /// The violation: tensor, element and the two values.
    pub found: String,
    /// Layer, shapes and seed.
    pub context: String,
    /// How to leave the law out, and for which layers, if some layers break it by design.
    pub advice: Option<String>,
}

/// A panic inside a layer or a loss.
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

/// The most elements of a tensor that a report shows.
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
            write!(f, "\nright: no tensor; the cause may be a wrong delta, because every gradient uses the deltas")?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "\n  {advice}"))
    }
}

/// Formats two numbers with enough digits to show that they differ, and at least four.
pub(crate) fn numbers(a: f64, b: f64) -> (String, String) {
    let with = |digits: usize, x: f64| {
        let mut text = String::new();
        let small = x != 0.0 && !(1e-3..1e6).contains(&x.abs());
        // Writing into a string cannot fail.
        let _ = if small { write!(text, "{x:.digits$e}") } else { write!(text, "{x:.digits$}") };
        text
    };
    let digits = (4..17).find(|&digits| with(digits, a) != with(digits, b)).unwrap_or(17);
    // Show one digit after the first that differs, unless four digits are enough.
    let digits = if digits > 4 { (digits + 1).min(17) } else { digits };
    (with(digits, a), with(digits, b))
}
