//! Compares outputs and all gradients of causal convolutions with PyTorch's `nn.Conv1d` in double precision.
//!
//! These reference values are independent of the oracle of this crate: `reference.py` computed `reference.json`.

use crate::pytorch::{assert_close, count, flat, list, ragged};
use longhand::layers::causal_convolution::CausalConvolutionCache;
use longhand::{CausalConvolution, Layer, ParameterGradients, Pass, Sequences, Tensors};
use serde_json::Value;

/// The elements of a PyTorch weight in the order of ours: the matrices of the kernel side by side, each column by column.
fn weight(value: &Value, [outputs, inputs, kernel_size]: [usize; 3]) -> Vec<f64> {
    let theirs = flat(value);
    let at = |p: usize, i: usize, o: usize| theirs[(o * inputs + i) * kernel_size + p];
    let columns = (0..kernel_size).flat_map(|p| (0..inputs).map(move |i| (p, i)));
    columns.flat_map(|(p, i)| (0..outputs).map(move |o| at(p, i, o))).collect()
}

#[test]
fn causal_convolutions_agree_with_pytorch() {
    let reference: Value = serde_json::from_str(include_str!("reference.json")).expect("reference.json is JSON");
    for case in list(&reference["cases"]) {
        let size = |name: &str| count(&case[name]);
        let [inputs, outputs, kernel_size] = ["inputs", "outputs", "kernel_size"].map(size);
        let layer = CausalConvolution::<f64>::zeros(inputs, outputs, kernel_size);
        let layer = layer.and_then(|layer| layer.with_dilation(size("dilation")));
        let mut layer = layer.and_then(|layer| layer.with_stride(size("stride"))).expect("settings in range");
        let sizes = [outputs, inputs, kernel_size];
        layer.weight.copy_from_slice(&weight(&case["weight"], sizes));
        layer.bias.copy_from_slice(&flat(&case["bias"]));
        let x = ragged(&case["x"]);
        let (mut carry, mut cache) = (layer.carry(x.batch()), CausalConvolutionCache::default());
        let output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let (about, expected) = (layer.name(), ragged(&case["output"]));
        assert_eq!(output.layout(), expected.layout());
        assert_close(&format!("{about}: output"), output.values().as_slice(), expected.values().as_slice());

        let (mut d_carry, mut gradients, mut d_x) = (layer.carry(x.batch()), layer.zeros(), Sequences::default());
        let (d_output, add) = (ragged(&case["d_output"]), ParameterGradients::Add(&mut gradients));
        layer.backward(&x, &mut cache, Some(&d_output), &mut d_carry, add, Some(&mut d_x));
        assert_close(&format!("{about}: weight"), gradients.weight.as_slice(), &weight(&case["d_weight"], sizes));
        assert_close(&format!("{about}: bias"), gradients.bias.as_slice(), &flat(&case["d_bias"]));
        assert_close(&format!("{about}: input"), d_x.values().as_slice(), ragged(&case["d_x"]).values().as_slice());
    }
}
