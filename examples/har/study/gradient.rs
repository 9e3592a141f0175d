//! Which gradient the study's models are trained with.

use clap::ValueEnum;

/// The gradient of the study's models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StudyGradient {
    /// The exact gradient
    Exact,
    /// What the study's own program computes: no transpose in the recursion, clamped to [-0.5, 0.5], biases fed with -1
    Program,
}

impl StudyGradient {
    /// The name in `--study-gradient` and in the summary.
    pub fn key(self) -> &'static str {
        match self {
            StudyGradient::Exact => "exact",
            StudyGradient::Program => "program",
        }
    }

    /// What titles and names of models add to say which gradient it was; empty for the exact one.
    pub fn suffix(self) -> &'static str {
        match self {
            StudyGradient::Exact => "",
            StudyGradient::Program => ", with the gradient of its program",
        }
    }
}
