//! Mistakes in the backward and the forward pass of an Elman layer.

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The study, section 5: `W_hh d_z` for `W_hh' d_z`. The matrix is square, so the shapes match.
    RecurrenceNotTransposed,
    /// The study, section 5: the delta of step t is multiplied by the input of step t-1.
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
    /// `+=` for `=` where the gradients must be replaced.
    AddedWhereReplaced,
    /// The gradient of the outgoing carry is not used.
    CarryGradientIgnored,
    /// The gradient of the incoming carry is zero.
    CarryGradientNotGiven,
    /// The gradient of the incoming carry lacks the product of the first step: `d_z` for `W_hh' d_z`.
    CarryGradientOneStepShort,
    /// `bias_hh_l0` gets no gradient.
    BiasDetached,
    /// `bias_ih_l0` gets the gradient with the wrong sign.
    BiasSign,
    /// `bias_ih_l0` gets the gradient of the first sequence only.
    BiasOfFirstSequence,
    /// An invalid step has a delta.
    MaskLeaks,
    /// An invalid step stops the gradient of the carry.
    MaskStopsTheCarry,
    /// A delta of zero is multiplied by the contents of the padding.
    PaddingTimesZero,
    /// A reset does not stop the gradient.
    ResetLeaks,
    /// A reset stops the gradient after its step, not before it.
    ResetOneStepOff,
    /// A reset stops the gradient of all sequences.
    ResetOfAllSequences,
    /// `d_W_hh` at a reset uses the state before the reset.
    StateBeforeTheReset,
    /// The gradients are divided by the number of sequences.
    MeanOverBatch,
    /// The gradients are divided by the number of steps.
    MeanOverSteps,
    /// The gradient is dropped between time steps.
    DroppedBetweenSteps,
    /// The gradient is propagated over three steps only.
    ThreeStepsOnly,
    /// One element of `d_W_hh` is off by a millionth.
    MillionthOfWeight,
    /// One element of `d_x` is off by a millionth.
    MillionthOfInput,
    /// The input's gradient of each step is that of the next step.
    InputGradientOneStepOff,
    /// The input's gradient is added to the earlier contents of `d_x`.
    InputGradientAdded,
    /// The gradient of the output counts twice.
    OutputTwice,
    /// The gradient of the output is missing at the last step, where the carry's gradient is added.
    LastOutputMissing,
    /// The deltas are clipped.
    Clipped,
    /// Small deltas are skipped.
    SmallSkipped,
    /// Weight decay in the gradient.
    WeightDecay,
    /// The parameters' gradients are computed only if `d_input` is requested.
    OnlyWithInputGradient,
    /// The buffer of the gradient is not cleared.
    StaleBuffer,
    /// Both passes ignore resets.
    NoResets,
    /// Both passes update the carry at an invalid step.
    NoMask,
    /// Both passes use the first sequence's carry for all sequences.
    CarryOfTheFirst,
    /// `d_x` uses the output's gradient in place of the delta.
    InputGradientWithoutDerivative,
}
