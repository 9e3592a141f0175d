//! Padding does not affect results. They are bit-identical for any values in the padding, and equal up to rounding for
//! any amount of padding.

use crate::common;
use crate::common::boxed;
use crate::common::bptt::{Bptt, UpdateEvery};
use crate::common::{
    SequenceLayer, assert_close, cases, every_layer, generator, passes, ragged_layout, random_carry_and_cotangents,
};
use crate::common::{random_layout, random_sequences};
use longhand::{BoxedCache, BoxedLayer};
use longhand::{
    Labels, Layer, Layout, LossAt, MeanOverTime, Optimizer, Reduction, Sequences, Sgd, SoftmaxCrossEntropy,
};
use proptest::prelude::proptest;

fn fill_padding(x: &mut Sequences<f64>, layout: &Layout, value: f64) {
    for step in 0..layout.steps() {
        for sequence in (0..layout.batch()).filter(|&sequence| !layout.is_valid(step, sequence)) {
            x.at_mut(step, sequence).fill(value);
        }
    }
}

/// Checks that results do not depend on the values in the padding of the input and of the output's gradient.
fn check_padding_values(layer: &BoxedLayer<f64>, layout: &Layout) {
    let mut x = random_sequences(3, layout, &mut generator(1));
    fill_padding(&mut x, layout, 0.0);
    let (carry, mut d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(2));
    let clean = common::forward(layer, &x, &carry).0;
    fill_padding(&mut d_output, clean.layout(), 0.0);
    let expected = passes(layer, &x, &carry, &d_output, &d_carry, &mut BoxedCache::default());
    assert!(common::elements(&expected.gradients).iter().all(|g| g.is_finite()));
    for value in [1.0, f64::NAN, f64::INFINITY, -1e300] {
        fill_padding(&mut x, layout, value);
        fill_padding(&mut d_output, clean.layout(), value);
        let given = passes(layer, &x, &carry, &d_output, &d_carry, &mut BoxedCache::default());
        assert_eq!(given.bits(), expected.bits(), "{} with {value} in the padding", layer.name());
        // With a cache that was used with this padding.
        let mut cache = BoxedCache::default();
        for _ in 0..2 {
            let given = passes(layer, &x, &carry, &d_output, &d_carry, &mut cache);
            assert_eq!(given.bits(), expected.bits(), "{} with {value} in the padding", layer.name());
        }
    }
    // In the padding, outputs and gradients of the input must be zero.
    for step in 0..layout.steps() {
        for sequence in (0..layout.batch()).filter(|&sequence| !layout.is_valid(step, sequence)) {
            assert!(expected.d_input.at(step, sequence).iter().all(|&d| d == 0.0), "{}", layer.name());
            if expected.output.steps() == layout.steps() {
                assert!(expected.output.at(step, sequence).iter().all(|&y| y == 0.0), "{}", layer.name());
                assert!(!expected.output.layout().is_valid(step, sequence), "{}", layer.name());
            }
        }
    }
}

#[test]
fn padding_of_ragged_sequences_does_not_change_results() {
    fn check(layer: &BoxedLayer<f64>) {
        check_padding_values(layer, &ragged_layout());
    }
    every_layer().iter().for_each(check);
}

#[test]
fn padding_of_a_masked_sequence_does_not_change_results() {
    fn check(layer: &BoxedLayer<f64>) {
        check_padding_values(layer, &Layout::new(4, 3).with_lengths(&[4, 0, 1]).expect("the lengths fit"));
        check_padding_values(layer, &Layout::new(3, 2).with_lengths(&[0, 0]).expect("the lengths fit"));
    }
    every_layer().iter().for_each(check);
}

#[test]
fn more_padding_changes_results_only_by_rounding() {
    fn check<M: SequenceLayer>(layer: &M) {
        let lengths = [5, 3];
        let short = Layout::new(5, 2).with_lengths(&lengths).expect("the lengths fit");
        let long = Layout::new(11, 2).with_lengths(&lengths).expect("the lengths fit");
        let x = random_sequences(3, &short, &mut generator(3));
        let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(4));
        let extend = |from: &Sequences<f64>| {
            let mut padded = Sequences::zeros(from.features(), long.clone());
            fill_padding(&mut padded, &long, f64::NAN);
            for step in 0..from.steps() {
                padded.step_mut(step).copy_from(&from.step(step));
            }
            padded
        };
        let long_d_output = if d_output.steps() == 5 { extend(&d_output) } else { d_output.clone() };
        let a = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        let b = passes(layer, &extend(&x), &carry, &long_d_output, &d_carry, &mut M::Cache::default());
        assert_close("gradient of parameter", &a.gradients, &b.gradients, 1e-14);
        assert_close("carry", &a.carry, &b.carry, 1e-14);
        assert_close("gradient of the carry", &a.d_carry, &b.d_carry, 1e-14);
        let first_steps = |x: &Sequences<f64>, steps| {
            let mut window = Sequences::default();
            window.copy_steps(x, 0, steps);
            window
        };
        assert_close("gradient of the input", &a.d_input, &first_steps(&b.d_input, 5), 1e-14);
        assert_close("output", &a.output, &first_steps(&b.output, a.output.steps()), 1e-14);
    }
    every_layer().iter().for_each(check);
}

#[test]
fn masked_steps_in_the_middle_are_equivalent_to_no_steps() {
    fn check<M: SequenceLayer>(layer: &M) {
        let gapped = Layout::new(5, 1).with_valid(vec![true, false, true, false, true]).expect("one mark per column");
        let x = random_sequences(3, &gapped, &mut generator(5));
        let dense = Sequences::from_fn(3, 3, 1, |feature, step, _| x.at(2 * step, 0)[feature]);
        let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(6));
        let dense_d_output = if d_output.steps() == 1 {
            d_output.clone()
        } else {
            Sequences::from_fn(d_output.features(), 3, 1, |feature, step, _| d_output.at(2 * step, 0)[feature])
        };
        let a = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        let b = passes(layer, &dense, &carry, &dense_d_output, &d_carry, &mut M::Cache::default());
        assert_close("gradient of parameter", &a.gradients, &b.gradients, 1e-14);
        assert_close("carry", &a.carry, &b.carry, 1e-14);
        assert_close("gradient of the carry", &a.d_carry, &b.d_carry, 1e-14);
        for step in 0..3 {
            for feature in 0..3 {
                let (given, expected) = (a.d_input.at(2 * step, 0)[feature], b.d_input.at(step, 0)[feature]);
                assert!((given - expected).abs() < 1e-14, "{}: got {given}, expected {expected}", layer.name());
            }
        }
    }
    every_layer().iter().for_each(check);
}

/// Some windows consist only of padding for some sequences.
#[test]
fn padding_does_not_change_training() {
    let g = &mut generator(7);
    let initial = common::elman(3, 4, g).then(MeanOverTime).and_then(|chain| chain.then(common::linear(4, 3, g)));
    let initial = initial.expect("the features match");
    let layout = Layout::new(10, 3).with_lengths(&[10, 2, 5]).expect("the lengths fit");
    let mut x = random_sequences(3, &layout, g);
    let mut train = |padding| {
        fill_padding(&mut x, &layout, padding);
        let (mut model, mut workspace) = (initial.clone(), None);
        let (loss, labels) = (SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), Labels::per_sequence(&[0, 1, 2]));
        for (at, every) in [
            (LossAt::WindowEnd, UpdateEvery::Window),
            (LossAt::LastValidStep, UpdateEvery::Sequence),
            (LossAt::WindowEnd, UpdateEvery::Sequence),
        ] {
            let bptt = Bptt::new(3, at, every).expect("the window is not 0");
            let update = |model: &mut _, gradients: &mut _| Sgd::new().step(model, gradients, 0.1);
            bptt.train(&mut model, &loss, &x, &labels, &mut workspace, update).expect("the targets fit");
        }
        common::bits(&model)
    };
    assert_eq!(train(f64::NAN), train(0.0));
    assert_ne!(train(0.0), common::bits(&initial));
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn padding_at_random_steps_does_not_change_results(steps in 1usize..8, batch in 1usize..6, seed: u64) {
        let layout = random_layout(steps, batch, &mut generator(seed));
        let check = &layout;
        check_padding_values(&boxed(&common::elman(3, 9, &mut generator(seed ^ 1))), check);
        check_padding_values(&boxed(&common::lstm(3, 9, &mut generator(seed ^ 1))), check);
        check_padding_values(&boxed(&common::gru(3, 9, &mut generator(seed ^ 1))), check);
        check_padding_values(&boxed(&common::linear(3, 17, &mut generator(seed ^ 2))), check);
    }
}
