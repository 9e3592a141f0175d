//! Gradients of every layer, and of chains of layers, against central differences.

use crate::common;
use crate::common::{SequenceLayer, cases, every_smooth_layer, ragged_layout};
use crate::common::{
    check_gradients, elman, every_layer, generator, gru, linear, lstm, naive, random_layout, random_like,
    random_sequences,
};
use longhand::{Activation, LastStep, Layer, Layout, MeanOverTime, Nonlinearity, Sequences};
use proptest::prelude::proptest;

#[test]
fn gradients_of_every_layer_on_ragged_sequences_with_resets() {
    fn check<M: SequenceLayer>(layer: &M) {
        check_gradients(layer, &random_sequences(3, &ragged_layout(), &mut generator(1)), 2);
    }
    every_smooth_layer().iter().for_each(check);
}

/// Five steps of two sequences, one with a gap and one with a reset.
#[test]
fn gradients_of_every_layer_with_a_gap() {
    fn check<M: SequenceLayer>(layer: &M) {
        let mut valid = vec![true; 10];
        valid[4] = false;
        let layout = Layout::new(5, 2).with_valid(valid).expect("one mark per column").with_reset(3, 1);
        check_gradients(layer, &random_sequences(3, &layout, &mut generator(3)), 4);
    }
    every_smooth_layer().iter().for_each(check);
}

/// At a kink of Relu, differences are not the derivative. So this test uses only data whose pre-activations are all
/// away from 0.
#[test]
fn gradients_of_elman_with_relu_away_from_kinks() {
    let mut checked = 0;
    for seed in 0..400 {
        let g = &mut generator(seed);
        let layer = elman(2, 3, g).with_nonlinearity(Nonlinearity::Relu);
        let x = random_sequences(2, &ragged_layout(), g);
        // The carry that `check_gradients` draws from this seed.
        let carry = random_like(&layer.carry(3), &mut generator(seed));
        let z = naive::forward(&layer, &x, &carry).z;
        // Shifting one number by 0.002 changes a pre-activation by a few times as much.
        if z.iter().flatten().flatten().all(|z| z.abs() > 0.02) {
            check_gradients(&layer, &x, seed);
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} data sets are away from the kinks, expected at least 5");
}

#[test]
fn gradients_of_relu_away_from_its_kink_and_zero_at_it() {
    let mut x = random_sequences(3, &ragged_layout(), &mut generator(5));
    x.values_mut().apply(|x| *x += 0.1_f64.copysign(*x));
    check_gradients(&Activation::Relu, &x, 6);
    // The derivative at the kink itself is 0 by definition.
    let zero = Sequences::from_fn(1, 1, 1, |_, _, _| 0.0);
    let one = Sequences::from_fn(1, 1, 1, |_, _, _| 1.0);
    let passes = common::passes(&Activation::Relu, &zero, &(), &one, &(), &mut Sequences::default());
    assert!(passes.d_input.values()[(0, 0)] == 0.0, "{}", passes.d_input.values()[(0, 0)]);
}

#[test]
fn gradients_at_sizes_of_one() {
    for (steps, batch, inputs, units) in [(1, 2, 3, 4), (4, 1, 3, 2), (5, 2, 2, 1), (4, 3, 1, 2), (1, 1, 1, 1)] {
        let g = &mut generator(steps as u64);
        let x = random_sequences(inputs, &Layout::new(steps, batch), g);
        check_gradients(&elman(inputs, units, g), &x, 7);
        check_gradients(&lstm(inputs, units, g), &x, 7);
        check_gradients(&gru(inputs, units, g), &x, 7);
        check_gradients(&linear(inputs, units, g), &x, 7);
        let classifier = elman(inputs, units, g).then(LastStep).and_then(|a| a.then(linear(units, 3, g)));
        check_gradients(&classifier.expect("the features match"), &x, 8);
        let classifier = elman(inputs, units, g).then(MeanOverTime).and_then(|a| a.then(linear(units, 3, g)));
        check_gradients(&classifier.expect("the features match"), &x, 9);
    }
}

/// If every step is masked, the carry and its gradient must be unchanged, and all other gradients must be zero.
#[test]
fn masking_every_step_keeps_the_carry_and_gives_zero_gradients() {
    fn check<M: SequenceLayer>(layer: &M) {
        let layout = Layout::new(4, 2).with_lengths(&[0, 0]).expect("the lengths fit");
        let x = random_sequences(3, &layout, &mut generator(10));
        check_gradients(layer, &x, 11);
        let (carry, v_output, v_carry) = common::random_carry_and_cotangents(layer, &x, &mut generator(12));
        let given = common::passes(layer, &x, &carry, &v_output, &v_carry, &mut M::Cache::default());
        assert!(common::elements(&given.output).iter().all(|&y| y == 0.0), "{}", layer.name());
        assert!(common::elements(&given.gradients).iter().all(|&g| g == 0.0), "{}", layer.name());
        assert!(common::elements(&given.d_input).iter().all(|&d| d == 0.0), "{}", layer.name());
        assert_eq!(common::bits(&given.carry), common::bits(&carry), "{}", layer.name());
        assert_eq!(common::bits(&given.d_carry), common::bits(&v_carry), "{}", layer.name());
    }
    every_layer().iter().for_each(check);
}

/// If all steps of a sequence are masked, its step after a reduction over time is invalid.
#[test]
fn gradients_of_every_layer_with_a_masked_sequence() {
    fn check<M: SequenceLayer>(layer: &M) {
        let layout = Layout::new(4, 3).with_lengths(&[3, 0, 4]).expect("the lengths fit");
        check_gradients(layer, &random_sequences(3, &layout, &mut generator(13)), 14);
    }
    every_smooth_layer().iter().for_each(check);
}

#[test]
#[should_panic(expected = "bias_hh_l0(1, 0)")]
fn the_gradient_check_detects_an_error_of_1e_minus_6() {
    let g = &mut generator(15);
    let layer = elman(2, 3, g);
    let x = random_sequences(2, &Layout::new(3, 2), g);
    let (carry, v_output, v_carry) = common::random_carry_and_cotangents(&layer, &x, g);
    let mut gradients = common::passes(
        &layer,
        &x,
        &carry,
        &v_output,
        &v_carry,
        &mut longhand::layers::recurrent::RecurrentCache::default(),
    )
    .gradients;
    gradients.bias_hh_l0[1] += 1e-6;
    common::assert_gradient("parameter", &layer, &gradients, &mut |layer| {
        let (output, carry) = common::forward(layer, &x, &carry);
        common::dot(&output, &v_output) + common::dot(&carry, &v_carry)
    });
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn gradients_of_elman_with_random_shapes_and_marks(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&elman(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn gradients_of_lstm_with_random_shapes_and_marks(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&lstm(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn gradients_of_gru_with_random_shapes_and_marks(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&gru(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn gradients_of_a_deep_classifier_with_random_shapes(
        steps in 1usize..6, batch in 1usize..4, units in 1usize..5, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(2, &random_layout(steps, batch, g), g);
        let model = elman(2, units, g).then(elman(units, 3, g)).and_then(|a| a.then(MeanOverTime));
        check_gradients(&model.and_then(|a| a.then(linear(3, 2, g))).expect("the features match"), &x, seed ^ 1);
    }
}
