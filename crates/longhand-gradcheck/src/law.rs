//! The laws that can be left out, and when.

/// A law that some kinds of layers do not keep, for a good reason. [`Checker::without`](crate::Checker::without) leaves
/// it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// A batch is the sum of its sequences. Leave it out for a layer that normalises over the batch.
    Batch,
    /// A reset cuts a sequence in two. Leave it out only for a layer that reads across resets by design: a bidirectional
    /// layer or attention that respects resets keeps this law.
    Reset,
    /// Windows give what the whole sequence gives. Leave it out for a layer that reads later steps, or that normalises
    /// over time.
    Windows,
    /// Padding never matters. Leave it out for a layer that is only used on batches without padding.
    Padding,
    /// `f32` agrees with `f64`, and the laws hold in `f32` too. Leave it out for a layer that is only used in `f64`.
    SinglePrecision,
    /// Central differences agree with the backward pass. Leave it out for a layer whose forward pass jumps everywhere.
    Differences,
    /// Central differences agree with the backward pass where the input is 30 times as large. Leave it out for a layer
    /// whose input is limited to small numbers.
    LargeInputs,
    /// The output has the marks of the input: valid steps and resets. Leave it out for a layer that changes them.
    Marks,
    /// Gradients are right where parameters are zero. Leave it out for a layer that has a value but no derivative where a
    /// parameter is zero.
    ZeroParameters,
    /// Gradients are right where the carry is zero. Leave it out for a layer that has no derivative at a carry of zero.
    ZeroCarry,
}

impl Law {
    /// How to leave the law out, and for which layers: the last line of a report.
    pub(crate) fn advice(self) -> String {
        let layers = match self {
            Law::Batch => "for a layer that normalises over the batch",
            Law::Reset => "for a layer that reads across resets by design",
            Law::Windows => "for a layer that reads later steps or normalises over time",
            Law::Padding => "for a layer that is only used on batches without padding",
            Law::SinglePrecision => "for a layer that is only used in f64",
            Law::Differences => "for a layer whose forward pass jumps everywhere",
            Law::LargeInputs => "for a layer whose input is limited to small numbers",
            Law::Marks => "for a layer that changes which steps are valid or start anew",
            Law::ZeroParameters => "for a layer that has no derivative where a parameter is zero",
            Law::ZeroCarry => "for a layer that has no derivative at a carry of zero",
        };
        format!("leave this law out with Checker::without(Law::{self:?}) only {layers}")
    }
}
