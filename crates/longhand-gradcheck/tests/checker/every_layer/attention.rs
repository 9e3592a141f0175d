//! Causal self-attention.

use super::{prove, prove_chain};
use longhand::{CausalSelfAttention, Gru, LastStep, Layer, Linear};
use longhand_gradcheck::Case;

fn attention(case: &Case, key_size: usize, window: usize) -> CausalSelfAttention<f64> {
    CausalSelfAttention::zeros(case.inputs, case.outputs, key_size, window).expect("settings in range")
}

/// Windows of one step, shorter than the sequences, and longer than most of them.
#[test]
fn causal_self_attention_is_right() {
    for (key_size, window) in [(1, 1), (3, 2), (4, 4), (2, 9)] {
        prove(|case| attention(case, key_size, window));
    }
}

#[test]
fn models_with_causal_self_attention_are_right() {
    prove_chain(|case| {
        let first = Gru::zeros(case.inputs, case.hidden);
        let attention = CausalSelfAttention::zeros(case.hidden, case.outputs, 3, 3).expect("settings in range");
        first.then(attention)?.then(LastStep)?.then(Linear::zeros(case.outputs, 2))
    });
    prove_chain(|case| {
        let second = CausalSelfAttention::zeros(case.outputs, case.hidden, 2, 3).expect("settings in range");
        attention(case, 3, 2).then(second)
    });
}
