//! What can be wrong with the backward pass of an Elman layer, and with its forward pass.

/// What is wrong with the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing.
    None,
    /// The study, section 5: `W_hh d_z` for `W_hh' d_z`; the matrix is square, so the shapes pass.
    RecurrenceNotTransposed,
    /// The study, section 5: step t's delta with the input of step t-1.
    InputOfTheStepBefore,
    /// The study, section 5: `(1 - h)^2` for `1 - h^2`.
    SquareOfOneMinus,
    /// `d_z[t] h[t]'` for `d_z[t] h[t-1]'`.
    HiddenOfTheSameStep,
    /// `h[t-1] d_z[t]'`.
    HiddenGradientTransposed,
    /// `1 - z^2` for `1 - h^2`.
    PreActivation,
    /// `=` for `+=`.
    Overwritten,
    /// `+=` for `=` where the gradients are to be replaced.
    AddedWhereReplaced,
    /// The gradient of the carry that goes out is not used.
    CarryGradientIgnored,
    /// The gradient of the carry that comes in is zero.
    CarryGradientNotGiven,
    /// The gradient of the carry lacks its last step back: `d_z` for `W_hh' d_z`.
    CarryGradientOneStepShort,
    /// `bias_hh_l0` gets no gradient.
    BiasDetached,
    /// `bias_ih_l0` gets the gradient with the other sign.
    BiasSign,
    /// `bias_ih_l0` gets the gradient of the first sequence only.
    BiasOfFirstSequence,
    /// An invalid step has a delta.
    MaskLeaks,
    /// An invalid step stops the gradient of the carry.
    MaskStopsTheCarry,
    /// A delta of zero is multiplied with what stands in the padding.
    PaddingTimesZero,
    /// A reset does not stop the gradient.
    ResetLeaks,
    /// A reset stops the gradient after its step instead of before it.
    ResetOneStepOff,
    /// A reset stops the gradient of all sequences.
    ResetOfAllSequences,
    /// `d_W_hh` at a reset takes the state that was there before it.
    StateBeforeTheReset,
    /// The gradients are divided by the number of sequences.
    MeanOverBatch,
    /// The gradients are divided by the number of steps.
    MeanOverSteps,
    /// The gradient is dropped between time steps.
    DroppedBetweenSteps,
    /// The gradient goes back three steps only.
    ThreeStepsOnly,
    /// One element of `d_W_hh` is off by a millionth.
    MillionthOfWeight,
    /// One element of `d_x` is off by a millionth.
    MillionthOfInput,
    /// The input's gradient of each step is that of the next.
    InputGradientOneStepOff,
    /// The input's gradient is added to what stands there.
    InputGradientAdded,
    /// The gradient of the output counts twice.
    OutputTwice,
    /// The gradient of the output is missing where the carry's is used, at the last step.
    LastOutputMissing,
    /// The deltas are clipped.
    Clipped,
    /// Small deltas are skipped.
    SmallSkipped,
    /// Weight decay in the gradient.
    WeightDecay,
    /// The parameters' gradients are worked out only if the input's is.
    OnlyWithInputGradient,
    /// The buffer of the gradient is not cleared.
    StaleBuffer,
    /// The forward pass forgets resets, and so does the backward pass.
    NoResets,
    /// The forward pass does not hold the carry at an invalid step, and the backward pass agrees.
    NoMask,
    /// The forward pass takes the first sequence's carry for all, and so do the gradients.
    CarryOfTheFirst,
    /// The second product of the recurrence, in `d_x`, takes the output's gradient in place of the delta.
    InputGradientWithoutDerivative,
}
