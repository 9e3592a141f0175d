//! Compares the recurrent layers with plain nested loops: forward passes, and the backward pass of the Elman layer.

use crate::common::{
    assert_close, cases, elman, forward, generator, gru, lstm, naive, naive_gated, passes, random_carry_and_cotangents,
    random_layout, random_sequences,
};
use longhand::layers::recurrent::RecurrentCache;
use longhand::{ChangeScalar, Elman, Layer, Layout, Lstm, Nonlinearity, Pass, Sequences};
use proptest::prelude::{any, proptest};

/// The outputs of the naive pass, as `Sequences`.
fn output(layer: &Elman<f64>, x: &Sequences<f64>, naive: &naive::Forward) -> Sequences<f64> {
    let mut y = Sequences::zeros(layer.units(), x.layout().clone());
    for b in 0..x.batch() {
        for t in (0..x.steps()).filter(|&t| x.layout().is_valid(t, b)) {
            y.at_mut(t, b).copy_from_slice(&naive.after[b][t]);
        }
    }
    y
}

fn compare(layer: &Elman<f64>, x: &Sequences<f64>, seed: u64) {
    let (carry, v_output, v_carry) = random_carry_and_cotangents(layer, x, &mut generator(seed));
    let given = passes(layer, x, &carry, &v_output, &v_carry, &mut RecurrentCache::default());
    let naive = naive::forward(layer, x, &carry);
    assert_close("output", &given.output, &output(layer, x, &naive), 1e-12);
    assert_close("carry", &given.carry, &naive.carry, 1e-12);
    let (gradients, d_input, d_carry) = naive::backward(layer, x, &naive, &v_output, &v_carry);
    assert_close("gradient of parameter", &given.gradients, &gradients, 1e-10);
    assert_close("gradient of the input", &given.d_input, &d_input, 1e-10);
    assert_close("gradient of the carry", &given.d_carry, &d_carry, 1e-10);
}

#[test]
fn elman_equals_plain_loops_on_long_sequences_and_wide_layers() {
    // Widths and batches are around the tile sizes of the product kernel.
    for (steps, batch, inputs, units) in
        [(50, 1, 3, 50), (20, 32, 3, 50), (9, 7, 17, 33), (150, 3, 6, 64), (12, 5, 65, 8)]
    {
        let g = &mut generator(steps as u64);
        let mut layer = elman(inputs, units, g);
        // The spectral radius is about 1, so that gradients neither vanish nor explode.
        layer.weight_hh_l0 *= 2.0 / (units as f64).sqrt();
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        compare(&layer, &x, 1);
        compare(&layer, &random_sequences(inputs, &Layout::new(steps, batch), g), 2);
        layer.weight_hh_l0 *= 0.5;
        compare(&layer.with_nonlinearity(Nonlinearity::Relu), &x, 3);
    }
}

#[test]
fn elman_at_f32_equals_plain_loops_within_rounding() {
    for (steps, batch, units) in [(40, 1, 50), (30, 9, 20)] {
        let g = &mut generator(5);
        let mut wide = elman(3, units, g);
        wide.weight_hh_l0 *= 1.0 / (units as f64).sqrt();
        // Both start from parameters that f32 represents exactly.
        let layer = ChangeScalar::map(&wide, &mut |w| w as f32);
        let wide = ChangeScalar::map(&layer, &mut f64::from);
        let x = ChangeScalar::map(&random_sequences(3, &random_layout(steps, batch, g), g), &mut |x| x as f32);
        let mut carry = Layer::<f32>::carry(&layer, batch);
        let mut cache = RecurrentCache::default();
        let y = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);

        let wide_x = ChangeScalar::map(&x, &mut f64::from);
        let naive = naive::forward(&wide, &wide_x, &Layer::<f64>::carry(&wide, batch));
        assert_close("output", &ChangeScalar::map(y, &mut f64::from), &output(&wide, &wide_x, &naive), 1e-5);
        assert_close("carry", &ChangeScalar::map(&carry, &mut f64::from), &naive.carry, 1e-5);
    }
}

/// Compares an LSTM and a GRU of one shape with plain loops, from a random carry.
fn compare_gated(inputs: usize, units: usize, x: &Sequences<f64>, seed: u64) {
    let g = &mut generator(seed);
    let (mut lstm, mut gru) = (lstm(inputs, units, g), gru(inputs, units, g));
    lstm.weight_hh_l0 *= 2.0 / (units as f64).sqrt();
    gru.weight_hh_l0 *= 2.0 / (units as f64).sqrt();

    let carry = random_carry_and_cotangents(&lstm, x, g).0;
    let (given, expected) = (forward(&lstm, x, &carry), naive_gated::lstm(&lstm, x, &carry));
    assert_close("output of the LSTM", &given.0, &expected.0, 1e-12);
    assert_close("carry of the LSTM", &given.1, &expected.1, 1e-12);

    let carry = random_carry_and_cotangents(&gru, x, g).0;
    let (given, expected) = (forward(&gru, x, &carry), naive_gated::gru(&gru, x, &carry));
    assert_close("output of the GRU", &given.0, &expected.0, 1e-12);
    assert_close("carry of the GRU", &given.1, &expected.1, 1e-12);
}

#[test]
fn gated_layers_equal_plain_loops_on_long_sequences() {
    for (steps, batch, inputs, units) in [(50, 1, 3, 64), (20, 32, 3, 33), (9, 7, 17, 16), (300, 2, 6, 8)] {
        let g = &mut generator(units as u64);
        compare_gated(inputs, units, &random_sequences(inputs, &Layout::new(steps, batch), g), 6);
        compare_gated(inputs, units, &random_sequences(inputs, &random_layout(steps, batch, g), g), 7);
    }
}

#[test]
fn with_forget_bias_sets_the_sum_of_both_biases() {
    let layer = Lstm::<f64>::new(3, 4, &mut generator(8)).with_forget_bias(1.5).expect("the forget bias is finite");
    let sum = (&layer.bias_ih_l0 + &layer.bias_hh_l0).rows(4, 4).into_owned();
    assert_eq!(sum.as_slice(), [1.5; 4]);
    let before = Lstm::<f64>::new(3, 4, &mut generator(8));
    assert_eq!(layer.bias_ih_l0.rows(0, 4), before.bias_ih_l0.rows(0, 4));
    assert_eq!(layer.bias_hh_l0.rows(8, 8), before.bias_hh_l0.rows(8, 8));
    assert_eq!((&layer.weight_ih_l0, &layer.weight_hh_l0), (&before.weight_ih_l0, &before.weight_hh_l0));
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn elman_equals_plain_loops_with_random_shapes_and_marks(
        steps in 1usize..20, batch in 1usize..9, inputs in 1usize..20, units in 1usize..24, relu: bool,
        seed in any::<u64>(),
    ) {
        let g = &mut generator(seed);
        let mut layer = elman(inputs, units, g);
        layer.weight_hh_l0 *= 1.5 / (units as f64).sqrt();
        if relu {
            layer = layer.with_nonlinearity(Nonlinearity::Relu);
        }
        compare(&layer, &random_sequences(inputs, &random_layout(steps, batch, g), g), seed ^ 1);
    }

    #[test]
    fn gated_layers_equal_plain_loops_with_random_shapes_and_marks(
        steps in 1usize..20, batch in 1usize..9, inputs in 1usize..20, units in 1usize..24, seed in any::<u64>(),
    ) {
        let g = &mut generator(seed);
        compare_gated(inputs, units, &random_sequences(inputs, &random_layout(steps, batch, g), g), seed ^ 1);
    }
}
