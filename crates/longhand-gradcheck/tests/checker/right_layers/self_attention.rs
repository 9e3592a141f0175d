//! Causal self-attention: the recurrence and its mistakes, and the library's layer against the recurrence.

use super::causal_self_attention::{self, CausalSelfAttention};
use super::{SEEDS, assert_rejected};
use longhand_gradcheck::{Case, Setting, check, prove};

#[test]
fn causal_self_attentions_are_accepted() {
    for key_and_window in [[3, 3], [2, 1]] {
        prove(|case| {
            let mistake = causal_self_attention::Mistake::None;
            CausalSelfAttention::zeros(case.inputs, case.outputs, key_and_window, mistake)
        });
    }
}

#[test]
fn wrong_causal_self_attentions_are_rejected() {
    use causal_self_attention::Mistake as M;
    let mistakes = [
        M::DiagonalSoftmax,
        M::WeightsConstant,
        M::ScaleForgotten,
        M::KeyForQuery,
        M::PresenceConstant,
        M::PresenceOnce,
        M::OldestForgotten,
        M::OnlyThisWindow,
        M::InvalidStepMoves,
        M::ResetKeepsPresence,
        M::ReversedWeights,
    ];
    assert_rejected(M::None, &mistakes, |mistake, case| {
        check(&CausalSelfAttention::zeros(case.inputs, case.outputs, [3, 3], mistake), case)
    });
}

/// Two implementations, one by windows and one step by step, must agree, also with carries that are not 0 or 1.
#[test]
fn the_librarys_causal_self_attention_agrees_with_the_recurrence() {
    for seed in 0..SEEDS {
        let case = Case::from_seed(seed);
        let (key, window) = (1 + seed as usize % 4, 1 + seed as usize % 5);
        let none = causal_self_attention::Mistake::None;
        let expected = CausalSelfAttention::<f64>::zeros(case.inputs, case.outputs, [key, window], none);
        let expected = Setting::of_case(&expected, &case);
        let layer = longhand::CausalSelfAttention::zeros(case.inputs, case.outputs, key, window);
        let mut layer = layer.expect("settings in range");
        layer.in_proj_weight.copy_from(&expected.layer.weight);
        layer.in_proj_bias.copy_from(&expected.layer.bias);
        let passes = Setting::of_case_as_it_is(&layer, &case).passes();
        let expected = expected.passes();
        let close = |what: &str, a: &[f64], b: &[f64]| {
            assert_eq!(a.len(), b.len());
            let distance = a.iter().zip(b).fold(0.0_f64, |largest, (a, b)| largest.max((a - b).abs()));
            assert!(distance < 1e-11, "{case}: {what} differs by {distance}");
        };
        close("output", passes.output.values().as_slice(), expected.output.values().as_slice());
        close("carry", passes.carry.as_slice(), expected.carry.as_slice());
        close("weight", passes.gradients.in_proj_weight.as_slice(), expected.gradients.weight.as_slice());
        close("bias", passes.gradients.in_proj_bias.as_slice(), expected.gradients.bias.as_slice());
        close("input", passes.d_input.values().as_slice(), expected.d_input.values().as_slice());
        close("gradient of the carry", passes.d_carry.as_slice(), expected.d_carry.as_slice());
    }
}
