//! What can be wrong around a right layer.

/// What is wrong around the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing.
    None,
    /// The parameters are copied into the cache once; backward uses the copy.
    ParametersInCache,
    /// The forward pass uses the copy too.
    ParametersInCacheForward,
    /// A transposed weight is stored in the layer once.
    TransposeInLayer,
    /// The input of the last forward pass is stored in the layer, and backward uses it.
    InputInLayer,
    /// The input's gradient is stored in the cache at the first backward pass after a forward pass.
    DeltaInCache,
    /// The marks of the first batch of a shape are used for the others.
    MarksInCache,
    /// The carry of the first batch of a shape is used by the backward pass of the others.
    CarryInCache,
    /// The gradient of the carry is left out if the carry that came in was zero.
    ZeroCarry,
    /// The same if the carry of one sequence was zero.
    ZeroCarryOfOneSequence,
    /// A step with a cotangent of zero is skipped, and the gradient of the carry with it.
    SilentStep,
    /// Backward returns at once if the whole cotangent of the output is zero.
    SilentPass,
    /// Replaced, a bias is doubled if nobody asks for the input's gradient.
    ReplacingWithoutInput,
    /// Replaced, one tensor keeps its gradient if nobody asks for the input's gradient.
    AddedWithoutInput,
    /// Replaced, the gradient of the carry is another one.
    ReplacingCarry,
    /// In `f32`: Replaced, a bias is doubled.
    SingleReplacing,
    /// In `f32`: gradients are overwritten, not added to.
    SingleOverwritten,
    /// In `f32`: the parameters in the cache are stale.
    SingleParametersInCache,
    /// In `f32`: the gradient of the input is left as it was at invalid steps.
    SinglePaddingNotWritten,
    /// In `f32`: what is in the padding of the cotangent reaches a bias, times zero.
    SinglePaddingTimesZero,
    /// In `f32`: the gradient of the carry is left out if the carry was zero.
    SingleZeroCarry,
    /// In `f32`: the delta of the first backward pass is stored.
    SingleDeltaInCache,
    /// In `f32`: the input of the last forward pass is stored in the layer.
    SingleInputInLayer,
    /// In `f64` only: a thousandth of a bias.
    DoubleOnly,
    /// The input's gradient is zero beyond 64 steps.
    Beyond64Steps,
    /// The input's gradient is zero beyond 128 steps.
    Beyond128Steps,
    /// A reset at a multiple of 16 steps is forgotten by backward.
    ResetAtSixteen,
    /// A gap at step 32 is not masked in the input's gradient.
    GapAt32,
    /// A bias is doubled if the units are a multiple of 4, and at least 16.
    UnitsInFours,
    /// The bias of the units beyond 33 has no gradient.
    Beyond33Units,
    /// The input's gradient takes the weight for its transpose where the shapes allow it.
    Square,
    /// The mask of every fourth sequence is not applied to the input's gradient.
    MaskOfFourth,
    /// The sequences beyond 32 have no gradient of the carry.
    Beyond32Sequences,
    /// The input's gradient of the features beyond 32 is zero.
    Beyond32Inputs,
    /// A bias is doubled if there are 16 sequences.
    SixteenSequences,
    /// A bias is doubled if all of inputs, units and sequences are 4.
    Fours,
    /// A bias is doubled in a batch of one sequence.
    OneSequence,
}
