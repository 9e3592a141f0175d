//! Mistakes in the use of a right layer.

/// The mistake in the use of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The parameters are copied into the cache once, and backward uses the copy.
    ParametersInCache,
    /// The forward pass uses the copy too.
    ParametersInCacheForward,
    /// A transposed weight is stored in the layer once.
    TransposeInLayer,
    /// The input of the last forward pass is stored in the layer, and backward uses it.
    InputInLayer,
    /// The input's gradient is stored in the cache at the first backward pass after a forward pass.
    DeltaInCache,
    /// The marks of the first batch of a shape are used for all batches of that shape.
    MarksInCache,
    /// The backward pass of every batch uses the carry of the first batch of that shape.
    CarryInCache,
    /// The gradient of the carry is omitted if the incoming carry was zero.
    ZeroCarry,
    /// The gradient of the carry is omitted for a sequence whose incoming carry was zero.
    ZeroCarryOfOneSequence,
    /// A step with a cotangent of zero is skipped, so that the gradient of the carry is lost.
    SilentStep,
    /// Backward returns at once if the whole cotangent of the output is zero.
    SilentPass,
    /// When gradients are replaced, that of a bias is doubled if `d_input` is not requested.
    ReplacingWithoutInput,
    /// When gradients are replaced, one tensor's gradient is added to if `d_input` is not requested.
    AddedWithoutInput,
    /// When gradients are replaced, the gradient of the carry is wrong.
    ReplacingCarry,
    /// In `f32`, when gradients are replaced, that of a bias is doubled.
    SingleReplacing,
    /// In `f32`, gradients are overwritten, not added to.
    SingleOverwritten,
    /// In `f32`, the parameters in the cache are stale.
    SingleParametersInCache,
    /// In `f32`, the gradient of the input is not written at invalid steps.
    SinglePaddingNotWritten,
    /// In `f32`, a bias's gradient includes the cotangent at padding times zero.
    SinglePaddingTimesZero,
    /// In `f32`, the gradient of the carry is omitted if the carry was zero.
    SingleZeroCarry,
    /// In `f32`, the delta of the first backward pass is stored and used again.
    SingleDeltaInCache,
    /// In `f32`, the input of the last forward pass is stored in the layer, and backward uses it.
    SingleInputInLayer,
    /// In `f64` only, the gradient of a bias is off by a thousandth.
    DoubleOnly,
    /// The input's gradient is zero beyond 64 steps.
    Beyond64Steps,
    /// The input's gradient is zero beyond 128 steps.
    Beyond128Steps,
    /// Backward ignores resets at multiples of 16 steps.
    ResetAtSixteen,
    /// A gap at step 32 is not masked in the input's gradient.
    GapAt32,
    /// A bias's gradient is doubled if the number of units is a multiple of 4 and at least 16.
    UnitsInFours,
    /// The bias of units after the 33rd has no gradient.
    Beyond33Units,
    /// The input's gradient uses the weight in place of its transpose if the weight is square.
    Square,
    /// The mask of every fourth sequence is not applied to the input's gradient.
    MaskOfFourth,
    /// Sequences after the 32nd have no gradient of the carry.
    Beyond32Sequences,
    /// The input's gradient is zero for features after the 32nd.
    Beyond32Inputs,
    /// A bias's gradient is doubled if there are 16 sequences.
    SixteenSequences,
    /// A bias's gradient is doubled if there are 4 inputs, 4 units and 4 sequences.
    Fours,
    /// A bias's gradient is doubled in a batch of one sequence.
    OneSequence,
}
