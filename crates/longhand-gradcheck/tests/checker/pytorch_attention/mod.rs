//! Compares outputs and all gradients of causal self-attention with PyTorch's `scaled_dot_product_attention` under a banded causal
//! mask, and with its multi-head attention of one head, in double precision.
//!
//! These reference values are independent of the oracle of this crate: `reference.py` computed `reference.json`.

use crate::pytorch::{assert_close, count, flat, list, ragged, steps};
use longhand::layers::causal_self_attention::CausalSelfAttentionCache;
use longhand::{CausalSelfAttention, Layer, ParameterGradients, Pass, Sequences, Tensors};
use serde_json::Value;

/// The elements of a PyTorch weight, whose lists are rows, column by column.
fn weight(value: &Value) -> Vec<f64> {
    steps(value).transpose().as_slice().to_vec()
}

#[test]
fn causal_self_attention_agrees_with_pytorch() {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).expect("reference.json is JSON");
    for case in list(&reference["cases"]) {
        let size = |name: &str| count(&case[name]);
        let [inputs, outputs, key_size, window] = ["inputs", "outputs", "key_size", "window"].map(size);
        let layer = CausalSelfAttention::<f64>::zeros(inputs, outputs, key_size, window);
        let mut layer = layer.expect("settings in range");
        layer.in_proj_weight.copy_from_slice(&weight(&case["weight"]));
        layer.in_proj_bias.copy_from_slice(&flat(&case["bias"]));
        let x = ragged(&case["x"]);
        let (mut carry, mut cache) = (layer.carry(x.batch()), CausalSelfAttentionCache::default());
        let output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let (about, expected) = (layer.name(), ragged(&case["output"]));
        assert_eq!(output.layout(), expected.layout());
        assert_close(&format!("{about}: output"), output.values().as_slice(), expected.values().as_slice());

        let (mut d_carry, mut gradients, mut d_x) = (layer.carry(x.batch()), layer.zeros(), Sequences::default());
        let (d_output, add) = (ragged(&case["d_output"]), ParameterGradients::Add(&mut gradients));
        layer.backward(&x, &mut cache, Some(&d_output), &mut d_carry, add, Some(&mut d_x));
        let close = |what: &str, ours: &[f64], theirs: &[f64]| assert_close(&format!("{about}: {what}"), ours, theirs);
        close("weight", gradients.in_proj_weight.as_slice(), &weight(&case["d_weight"]));
        close("bias", gradients.in_proj_bias.as_slice(), &flat(&case["d_bias"]));
        close("input", d_x.values().as_slice(), ragged(&case["d_x"]).values().as_slice());
    }
}
