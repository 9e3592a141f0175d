//! Causal self-attention against its equations, in truncation windows, and with extreme scores.

#![allow(clippy::default_trait_access, reason = "the types of caches would distract")]

use crate::common::{assert_close, generator, random_layout, random_sequences};
use longhand::{CausalSelfAttention, Layer, Layout, Pass, Sequences, Stream};

fn attention(key_size: usize, window: usize) -> CausalSelfAttention<f64> {
    CausalSelfAttention::new(2, 3, key_size, window, &mut generator(key_size as u64)).expect("settings in range")
}

/// The equations of the module without a carry, term by term.
#[test]
fn outputs_are_weighted_means_over_the_last_valid_steps_since_the_last_reset() {
    for seed in 0..100 {
        let (key_size, window) = (1 + seed as usize % 4, 1 + seed as usize % 5);
        let layer = attention(key_size, window);
        let g = &mut generator(seed + 1000);
        let layout = random_layout(1 + seed as usize % 11, 1 + seed as usize % 3, g);
        let x = random_sequences(2, &layout, g);
        let y = layer.forward(&x, &mut layer.carry(x.batch()), &mut Default::default(), &mut Pass::Infer).clone();
        let projected = |x: &[f64], row: usize| {
            layer.in_proj_bias[row] + (0..2).map(|i| layer.in_proj_weight[(row, i)] * x[i]).sum::<f64>()
        };
        for b in 0..x.batch() {
            let mut seen: Vec<&[f64]> = Vec::new();
            for step in 0..x.steps() {
                if layout.resets(step, b) {
                    seen.clear();
                }
                if !layout.is_valid(step, b) {
                    assert!(y.at(step, b).iter().all(|&y| y == 0.0));
                    continue;
                }
                seen.push(x.at(step, b));
                let visible = &seen[seen.len().saturating_sub(window)..];
                let score = |other: &[f64]| {
                    let terms = (0..key_size).map(|e| projected(x.at(step, b), e) * projected(other, key_size + e));
                    terms.sum::<f64>() / (key_size as f64).sqrt()
                };
                let exponentials: Vec<f64> = visible.iter().map(|other| score(other).exp()).collect();
                let total: f64 = exponentials.iter().sum();
                for (o, &y) in y.at(step, b).iter().enumerate() {
                    let terms = visible.iter().zip(&exponentials);
                    let expected: f64 = terms.map(|(other, e)| e / total * projected(other, 2 * key_size + o)).sum();
                    assert!((y - expected).abs() < 1e-12, "seed {seed}, step {step}: {y}, expected {expected}");
                }
            }
        }
    }
}

#[test]
fn truncation_windows_give_what_the_whole_sequence_gives() {
    for (window, steps) in [(4, 3), (2, 5), (9, 1), (1, 4)] {
        let layer = attention(3, window);
        let g = &mut generator(5);
        let x = random_sequences(2, &random_layout(15, 3, g), g);
        let mut whole_carry = layer.carry(3);
        let whole = layer.forward(&x, &mut whole_carry, &mut Default::default(), &mut Pass::Infer).clone();
        let (mut carry, mut cache) = (layer.carry(3), Default::default());
        for first in (0..15).step_by(steps) {
            let steps = steps.min(15 - first);
            let (mut part, mut expected) = (Sequences::default(), Sequences::default());
            part.copy_steps(&x, first, steps);
            expected.copy_steps(&whole, first, steps);
            let y = layer.forward(&part, &mut carry, &mut cache, &mut Pass::Infer);
            assert_close("output", y, &expected, 1e-13);
        }
        assert_close("carry", &carry, &whole_carry, 1e-13);
    }
}

/// Scores of 1e6 overflow the exponential unless the largest one is subtracted.
#[test]
fn large_scores_select_one_step() {
    let mut layer = CausalSelfAttention::<f32>::zeros(1, 1, 1, 3).expect("settings in range");
    layer.in_proj_weight.copy_from_slice(&[1e3, 1e3, 1.0]);
    let x = Sequences::from_time_first(&[1.0, 2.0, 1.0, 0.5], [4, 1, 1]).expect("4 steps");
    let y = layer.forward(&x, &mut layer.carry(1), &mut Default::default(), &mut Pass::Infer).clone();
    assert_eq!(y.values().as_slice(), [1.0, 2.0, 2.0, 2.0]);
    // Below zero the own score is the largest one: an absent slot, whose score is 0, does not count.
    layer.in_proj_weight[1] = -1e3;
    layer.in_proj_bias[2] = 7.0;
    let (mut stream, mut carry) = (Stream::new(&layer), layer.carry(1));
    assert_eq!(stream.step(&[1.0], &mut carry), [8.0]);
    assert_eq!(stream.step(&[2.0], &mut carry), [8.0]);
    assert_eq!(carry.as_slice(), [-1e3, 8.0, 1.0, -2e3, 9.0, 1.0]);
}

/// Absent slots of a carry have a weight of zero whatever their keys, even where a later slot is present.
#[test]
fn absent_slots_do_not_matter() {
    let layer = attention(2, 4);
    let x = random_sequences(2, &Layout::new(3, 1), &mut generator(3));
    let run = |key: f64| {
        // Slots of 2 + 3 + 1 rows. The first and the third are absent.
        let mut carry = layer.carry(1);
        carry.fill(0.5);
        (carry[5], carry[17]) = (0.0, 0.0);
        for row in [0, 1, 12, 13] {
            carry[row] = key;
        }
        layer.forward(&x, &mut carry, &mut Default::default(), &mut Pass::Infer).clone()
    };
    let expected = run(0.0);
    assert!(expected.values().iter().all(|y| y.is_finite()));
    for key in [1e3, -1e3, 1e200] {
        assert_eq!(run(key), expected);
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let zeros = |key_size, window| CausalSelfAttention::<f32>::zeros(2, 3, key_size, window);
    for (error, text) in [
        (zeros(0, 3).unwrap_err(), "key size"),
        (zeros(2, 0).unwrap_err(), "window"),
        (zeros(2, usize::MAX).unwrap_err(), "the carry does not fit"),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
    assert_eq!(attention(4, 5).name(), "CausalSelfAttention(2 -> 3, key size 4, window 5)");
}
