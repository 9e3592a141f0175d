//! Causal convolutions against their equations, and in windows.

#![allow(clippy::default_trait_access, reason = "the types of caches would distract")]

use crate::common::{generator, random_sequences};
use longhand::{CausalConvolution, Layer, Layout, Pass, Sequences, Stream, Streaming};
use rand::RngExt;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn convolution(kernel_size: usize, dilation: usize, stride: usize) -> CausalConvolution<f64> {
    let layer = CausalConvolution::new(2, 3, kernel_size, &mut generator(kernel_size as u64));
    let layer = layer.and_then(|layer| layer.with_dilation(dilation)).and_then(|layer| layer.with_stride(stride));
    layer.expect("settings in range")
}

/// Steps, sequences, padding anywhere and resets anywhere.
fn layout(seed: u64) -> Layout {
    let g = &mut generator(seed);
    let (steps, batch) = (g.random_range(1..12), g.random_range(1..4));
    let valid = (0..steps * batch).map(|_| g.random_ratio(4, 5)).collect();
    let mut layout = Layout::new(steps, batch).with_valid(valid).expect("a mark for each column");
    for _ in 0..g.random_range(0..3) {
        layout = layout.with_reset(g.random_range(0..steps), g.random_range(0..batch));
    }
    layout
}

/// The equation of the module, term by term.
#[test]
fn outputs_are_sums_over_the_valid_inputs_since_the_last_reset() {
    for seed in 0..200 {
        let (kernel_size, dilation, stride) = (1 + seed as usize % 4, 1 + seed as usize / 4 % 3, 1 + seed as usize % 3);
        let layer = convolution(kernel_size, dilation, stride);
        let x = random_sequences(2, &layout(seed), &mut generator(seed + 1000));
        let y = layer.forward(&x, &mut layer.carry(x.batch()), &mut Default::default(), &mut Pass::Infer).clone();
        assert_eq!(y.steps(), x.steps().div_ceil(stride));
        for b in 0..x.batch() {
            let mut seen: Vec<&[f64]> = Vec::new();
            let mut was_reset = false;
            for step in 0..x.steps() {
                if x.layout().resets(step, b) {
                    seen.clear();
                    was_reset = true;
                }
                let is_valid = x.layout().is_valid(step, b);
                if is_valid {
                    seen.push(x.at(step, b));
                }
                if step % stride > 0 {
                    continue;
                }
                assert_eq!(y.layout().is_valid(step / stride, b), is_valid);
                assert_eq!(y.layout().resets(step / stride, b), was_reset);
                was_reset = false;
                for (o, &y) in y.at(step / stride, b).iter().enumerate() {
                    let mut expected = if is_valid { layer.bias[o] } else { 0.0 };
                    for p in (0..kernel_size).filter(|_| is_valid) {
                        let Some(at) = seen.len().checked_sub(1 + (kernel_size - 1 - p) * dilation) else { continue };
                        expected += (0..2).map(|i| layer.weight[(o, p * 2 + i)] * seen[at][i]).sum::<f64>();
                    }
                    assert!((y - expected).abs() < 1e-12, "seed {seed}, step {step}: {y}, expected {expected}");
                }
            }
        }
    }
}

#[test]
fn windows_of_a_multiple_of_the_stride_give_what_the_whole_sequence_gives() {
    for (kernel_size, dilation, stride) in [(3, 2, 1), (4, 1, 2), (2, 3, 3)] {
        let layer = convolution(kernel_size, dilation, stride);
        let x = random_sequences(2, &Layout::new(12, 2).with_reset(7, 1), &mut generator(5));
        let mut whole_carry = layer.carry(2);
        let whole = layer.forward(&x, &mut whole_carry, &mut Default::default(), &mut Pass::Infer).clone();
        let (mut carry, mut cache) = (layer.carry(2), Default::default());
        for first in (0..12).step_by(6) {
            let layout = (0..6)
                .filter(|step| x.layout().resets(first + step, 1))
                .fold(Layout::new(6, 2), |l, s| l.with_reset(s, 1));
            let window = Sequences::from_fn(2, 6, 2, |feature, step, b| x.at(first + step, b)[feature]);
            let window = window.with_layout(layout).expect("the same size");
            let y = layer.forward(&window, &mut carry, &mut cache, &mut Pass::Infer);
            for step in 0..y.steps() {
                for b in 0..2 {
                    let distance =
                        y.at(step, b).iter().zip(whole.at(first / stride + step, b)).map(|(a, b)| (a - b).abs());
                    assert!(distance.fold(0.0, f64::max) < 1e-14);
                }
            }
        }
        assert_eq!(carry, whole_carry);
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let zeros = |kernel_size| CausalConvolution::<f32>::zeros(2, 3, kernel_size);
    let layer = || zeros(3).expect("a kernel size");
    for (error, text) in [
        (zeros(0).unwrap_err(), "kernel size"),
        (layer().with_dilation(0).unwrap_err(), "dilation"),
        (layer().with_dilation(usize::MAX).unwrap_err(), "the carry does not fit"),
        (layer().with_stride(0).unwrap_err(), "stride"),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
    assert_eq!(convolution(3, 1, 1).name(), "CausalConvolution(2 -> 3, kernel 3)");
    assert_eq!(convolution(3, 4, 2).name(), "CausalConvolution(2 -> 3, kernel 3, dilation 4, stride 2)");
}

#[test]
fn a_stride_cannot_be_streamed() {
    let layer = convolution(3, 1, 2);
    let error = layer.can_stream().unwrap_err().to_string();
    assert!(error.contains("`CausalConvolution(2 -> 3, kernel 3, stride 2)` cannot run one step at a time"), "{error}");
    assert!(catch_unwind(AssertUnwindSafe(|| Stream::new(&layer))).is_err());
}
