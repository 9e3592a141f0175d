//! Every layer, and compositions of them, against central differences.

use crate::common;
use crate::common::{SequenceLayer, cases, every_smooth_layer, ragged_layout};
use crate::common::{
    check_gradients, elman, every_layer, generator, gru, linear, lstm, naive, random_layout, random_like,
    random_sequences,
};
use longhand::{Activation, LastStep, Layer, Layout, MeanOverTime, Nonlinearity, Sequences};
use proptest::prelude::proptest;

#[test]
fn every_layer_on_ragged_sequences_with_resets() {
    fn check<M: SequenceLayer>(layer: &M) {
        check_gradients(layer, &random_sequences(3, &ragged_layout(), &mut generator(1)), 2);
    }
    every_smooth_layer().iter().for_each(check);
}

/// Five steps, two sequences, a gap in the middle of one: the smallest shape with everything in it.
#[test]
fn every_layer_with_a_gap() {
    fn check<M: SequenceLayer>(layer: &M) {
        let mut valid = vec![true; 10];
        valid[4] = false;
        let layout = Layout::new(5, 2).with_valid(valid).expect("ten marks").with_reset(3, 1);
        check_gradients(layer, &random_sequences(3, &layout, &mut generator(3)), 4);
    }
    every_smooth_layer().iter().for_each(check);
}

/// Relu has kinks, where differences mean nothing: data whose every pre-activation keeps away from 0.
#[test]
fn elman_relu_away_from_its_kinks() {
    let mut checked = 0;
    for seed in 0..400 {
        let g = &mut generator(seed);
        let layer = elman(2, 3, g).with_nonlinearity(Nonlinearity::Relu);
        let x = random_sequences(2, &ragged_layout(), g);
        // The carry that `check_gradients` draws first from this seed.
        let carry = random_like(&layer.carry(3), &mut generator(seed));
        let z = naive::forward(&layer, &x, &carry).z;
        // A shift of 0.002 in one number moves a pre-activation by a few times as much.
        if z.iter().flatten().flatten().all(|z| z.abs() > 0.02) {
            check_gradients(&layer, &x, seed);
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked} of the data sets keep away from 0");
}

#[test]
fn activation_relu_away_from_its_kink() {
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
fn one_step_one_sequence_one_unit_one_input() {
    for (steps, batch, inputs, units) in [(1, 2, 3, 4), (4, 1, 3, 2), (5, 2, 2, 1), (4, 3, 1, 2), (1, 1, 1, 1)] {
        let g = &mut generator(steps as u64);
        let x = random_sequences(inputs, &Layout::new(steps, batch), g);
        check_gradients(&elman(inputs, units, g), &x, 7);
        check_gradients(&lstm(inputs, units, g), &x, 7);
        check_gradients(&gru(inputs, units, g), &x, 7);
        check_gradients(&linear(inputs, units, g), &x, 7);
        let classifier = elman(inputs, units, g).then(LastStep).and_then(|a| a.then(linear(units, 3, g)));
        check_gradients(&classifier.expect("they meet"), &x, 8);
        let classifier = elman(inputs, units, g).then(MeanOverTime).and_then(|a| a.then(linear(units, 3, g)));
        check_gradients(&classifier.expect("they meet"), &x, 9);
    }
}

/// With every step masked the carry passes through, and nothing else has a gradient.
#[test]
fn everything_masked() {
    fn check<M: SequenceLayer>(layer: &M) {
        let layout = Layout::new(4, 2).with_lengths(&[0, 0]).expect("two lengths");
        let x = random_sequences(3, &layout, &mut generator(10));
        check_gradients(layer, &x, 11);
        let (carry, v_output, v_carry) = common::random_ends(layer, &x, &mut generator(12));
        let given = common::passes(layer, &x, &carry, &v_output, &v_carry, &mut M::Cache::default());
        assert!(common::elements(&given.output).iter().all(|&y| y == 0.0), "{}", layer.name());
        assert!(common::elements(&given.gradients).iter().all(|&g| g == 0.0), "{}", layer.name());
        assert!(common::elements(&given.d_input).iter().all(|&d| d == 0.0), "{}", layer.name());
        assert_eq!(common::bits(&given.carry), common::bits(&carry), "{}", layer.name());
        assert_eq!(common::bits(&given.d_carry), common::bits(&v_carry), "{}", layer.name());
    }
    every_layer().iter().for_each(check);
}

/// One sequence of a batch masked throughout, which leaves an invalid step after a reduction over time.
#[test]
fn one_sequence_masked() {
    fn check<M: SequenceLayer>(layer: &M) {
        let layout = Layout::new(4, 3).with_lengths(&[3, 0, 4]).expect("three lengths");
        check_gradients(layer, &random_sequences(3, &layout, &mut generator(13)), 14);
    }
    every_smooth_layer().iter().for_each(check);
}

/// A wrong gradient must not pass: the checker itself, given one that is off by 1e-6.
#[test]
#[should_panic(expected = "bias_hh_l0(1, 0)")]
fn the_checker_sees_an_error_of_a_millionth() {
    let g = &mut generator(15);
    let layer = elman(2, 3, g);
    let x = random_sequences(2, &Layout::new(3, 2), g);
    let (carry, v_output, v_carry) = common::random_ends(&layer, &x, g);
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
    fn elman_of_any_shape_with_marks_anywhere(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&elman(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn lstm_of_any_shape_with_marks_anywhere(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&lstm(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn gru_of_any_shape_with_marks_anywhere(
        steps in 1usize..7, batch in 1usize..4, inputs in 1usize..5, units in 1usize..6, seed: u64,
    ) {
        let g = &mut generator(seed);
        let x = random_sequences(inputs, &random_layout(steps, batch, g), g);
        check_gradients(&gru(inputs, units, g), &x, seed ^ 1);
    }

    #[test]
    fn a_deep_classifier_of_any_shape(steps in 1usize..6, batch in 1usize..4, units in 1usize..5, seed: u64) {
        let g = &mut generator(seed);
        let x = random_sequences(2, &random_layout(steps, batch, g), g);
        let model = elman(2, units, g).then(elman(units, 3, g)).and_then(|a| a.then(MeanOverTime));
        check_gradients(&model.and_then(|a| a.then(linear(3, 2, g))).expect("they meet"), &x, seed ^ 1);
    }
}
