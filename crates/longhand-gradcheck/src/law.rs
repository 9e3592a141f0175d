//! The laws that can be left out, and for which layers.

/// A law that some kinds of layers break by design. [`Checker::without`](crate::Checker::without) leaves it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// Each sequence of a batch has the results that it has alone, and the gradients are sums over the sequences. Leave
    /// this law out for a layer that normalises over the batch.
    Batch,
    /// A reset cuts a sequence in two. Leave this law out only for a layer that reads across resets by design. A
    /// bidirectional layer or attention that respects resets satisfies the law.
    Reset,
    /// Windows have the results of the whole sequence. Leave this law out for a layer that reads later steps, or that
    /// normalises over time.
    Windows,
    /// The contents and the length of the padding do not change any result. Leave this law out for a layer that is only
    /// used on batches without padding.
    Padding,
    /// `f32` agrees with `f64`, and the laws hold in `f32` too. Leave this law out for a layer that is only used in
    /// `f64`.
    SinglePrecision,
    /// Central differences agree with the backward pass. Leave this law out for a layer whose forward pass is
    /// discontinuous everywhere.
    Differences,
    /// Central differences agree with the backward pass on an input that is 30 times as large. Leave this law out for a
    /// layer that accepts small inputs only.
    LargeInputs,
    /// The output has the same valid steps and resets as the input. Leave this law out for a layer that changes them.
    Marks,
    /// Gradients are right where parameters are zero. Leave this law out for a layer that has a value but no derivative
    /// where a parameter is zero.
    ZeroParameters,
    /// Gradients are right where the carry is zero. Leave this law out for a layer that has no derivative at a carry of
    /// zero.
    ZeroCarry,
}

impl Law {
    /// The last line of a report: how to leave the law out, and for which layers.
    pub(crate) fn advice(self) -> String {
        let layers = match self {
            Law::Batch => "for a layer that normalises over the batch",
            Law::Reset => "for a layer that reads across resets by design",
            Law::Windows => "for a layer that reads later steps or normalises over time",
            Law::Padding => "for a layer that is only used on batches without padding",
            Law::SinglePrecision => "for a layer that is only used in f64",
            Law::Differences => "for a layer whose forward pass is discontinuous everywhere",
            Law::LargeInputs => "for a layer that accepts small inputs only",
            Law::Marks => "for a layer that changes which steps are valid or reset",
            Law::ZeroParameters => "for a layer that has no derivative where a parameter is zero",
            Law::ZeroCarry => "for a layer that has no derivative at a carry of zero",
        };
        format!("leave this law out with Checker::without(Law::{self:?}) only {layers}")
    }
}
