//! The choice of the gradient for the study's models.

use clap::ValueEnum;

/// The gradient of the study's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StudyGradient {
    /// The exact gradient
    Exact,
    /// The gradient of the study's program: no transpose in the recursion, clamped to [-0.5, 0.5], bias inputs of -1
    Program,
}

impl StudyGradient {
    /// The name in `--study-gradient` and in `summary.json`.
    pub fn key(self) -> &'static str {
        match self {
            StudyGradient::Exact => "exact",
            StudyGradient::Program => "program",
        }
    }

    /// The suffix of titles and model names that states the gradient; empty for the exact one.
    pub fn suffix(self) -> &'static str {
        match self {
            StudyGradient::Exact => "",
            StudyGradient::Program => ", with the gradient of the study's program",
        }
    }
}
