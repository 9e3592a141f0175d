//! Accumulation of gradients. Backward is linear in its cotangents, and the gradients of a batch are the sum over its
//! sequences.

use crate::common::boxed;
use crate::common::{
    Passes, SequenceLayer, assert_close, bits, cases, elements, elman, every_layer, generator, gru, linear, lstm,
    passes,
};
use crate::common::{ragged_layout, random_carry_and_cotangents, random_layout, random_like, random_sequences, single};
use longhand::layers::linear::LinearCache;
use longhand::layers::recurrent::RecurrentCache;
use longhand::nalgebra::DMatrix;
use longhand::{BoxedCache, BoxedCarry, BoxedLayer};
use longhand::{ChangeScalar, Layer, Layout, ParameterGradients, Path, Sequences, Shape, Tensors};
use proptest::prelude::proptest;

#[test]
fn zero_cotangents_give_zero_gradients() {
    fn check<M: SequenceLayer>(layer: &M) {
        let x = random_sequences(3, &ragged_layout(), &mut generator(1));
        let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(2));
        let zeros = (Tensors::zeros(&d_output), Tensors::zeros(&d_carry));
        let given = passes(layer, &x, &carry, &zeros.0, &zeros.1, &mut M::Cache::default());
        for value in [elements(&given.gradients), elements(&given.d_input), elements(&given.d_carry)] {
            assert!(value.iter().all(|&g| g == 0.0), "{}", layer.name());
        }
    }
    every_layer().iter().for_each(check);
}

/// A second backward pass with the same cache must double the gradients exactly, with the same `d_input` and `d_carry`.
/// A pass that replaces the gradients must give those of the first pass, whatever their previous values.
fn check_backward_twice(layer: &BoxedLayer<f64>, x: &Sequences<f64>) {
    let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, x, &mut generator(3));
    let mut cache = BoxedCache::default();
    let once = passes(layer, x, &carry, &d_output, &d_carry, &mut cache);
    let (mut gradients, mut again, mut d_input) = (once.gradients.clone(), d_carry.clone(), x.zeros());
    layer.backward(
        x,
        &mut cache,
        Some(&d_output),
        &mut again,
        ParameterGradients::Add(&mut gradients),
        Some(&mut d_input),
    );
    let doubled: Vec<f64> = elements(&once.gradients).iter().map(|g| 2.0 * g).collect();
    assert_eq!(elements(&gradients), doubled, "{}", layer.name());
    assert_eq!(bits(&again), bits(&once.d_carry), "{}", layer.name());
    assert_eq!(bits(&d_input), bits(&once.d_input), "{}", layer.name());
    gradients.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(f64::NAN));
    again.copy_from(&d_carry);
    layer.backward(
        x,
        &mut cache,
        Some(&d_output),
        &mut again,
        ParameterGradients::Replace(&mut gradients),
        Some(&mut d_input),
    );
    assert_eq!(elements(&gradients), elements(&once.gradients), "{}", layer.name());
    assert_eq!(bits(&again), bits(&once.d_carry), "{}", layer.name());
    assert_eq!(bits(&d_input), bits(&once.d_input), "{}", layer.name());
    // Without the gradient of the input, the other results must be the same.
    let (mut gradients, mut again) = (layer.zeros(), d_carry);
    layer.backward(x, &mut cache, Some(&d_output), &mut again, ParameterGradients::Add(&mut gradients), None);
    assert_eq!(bits(&gradients), bits(&once.gradients), "{}", layer.name());
    assert_eq!(bits(&again), bits(&once.d_carry), "{}", layer.name());
}

#[test]
fn backward_twice_doubles_exactly() {
    fn check(layer: &BoxedLayer<f64>) {
        check_backward_twice(layer, &random_sequences(3, &ragged_layout(), &mut generator(4)));
    }
    every_layer().iter().for_each(check);
}

/// The weight gradients sum over more columns than the product kernel processes at a time (256).
#[test]
fn backward_twice_doubles_exactly_over_long_sequences() {
    let g = &mut generator(5);
    for (steps, batch) in [(256, 1), (257, 1), (100, 3), (700, 1), (90, 30)] {
        let mut layer = elman(3, 20, g);
        layer.weight_hh_l0 *= 0.3;
        check_backward_twice(&boxed(&layer), &random_sequences(3, &Layout::new(steps, batch), g));
        check_backward_twice(&boxed(&layer), &random_sequences(3, &random_layout(steps, batch, g), g));
        let (mut lstm, mut gru) = (lstm(3, 12, g), gru(3, 12, g));
        lstm.weight_hh_l0 *= 0.5;
        gru.weight_hh_l0 *= 0.5;
        check_backward_twice(&boxed(&lstm), &random_sequences(3, &random_layout(steps, batch, g), g));
        check_backward_twice(&boxed(&gru), &random_sequences(3, &random_layout(steps, batch, g), g));
        check_backward_twice(&boxed(&linear(5, 21, g)), &random_sequences(5, &Layout::new(steps, batch), g));
    }
}

#[test]
fn backward_twice_doubles_exactly_at_f32() {
    let g = &mut generator(6);
    let mut wide = elman(3, 50, g);
    wide.weight_hh_l0 *= 0.2;
    let layer = ChangeScalar::map(&wide, &mut |w| w as f32);
    let x = ChangeScalar::map(&random_sequences(3, &Layout::new(150, 5), g), &mut |x| x as f32);
    let mut cache = RecurrentCache::default();
    let (mut gradients, mut once) = (Tensors::<f32>::zeros(&layer), None);
    let carry = || DMatrix::<f32>::zeros(50, 5);
    let y = layer.forward(&x, &mut carry(), &mut cache, &mut longhand::Pass::Infer).clone();
    for _ in 0..2 {
        layer.backward(&x, &mut cache, Some(&y), &mut carry(), ParameterGradients::Add(&mut gradients), None);
        once.get_or_insert_with(|| gradients.clone());
    }
    let mut doubled = once.expect("the loop ran");
    doubled.visit_mut(&Path::ROOT, &mut |_, _, values| values.iter_mut().for_each(|g| *g *= 2.0));
    assert_eq!(gradients, doubled);
}

/// `a + factor * b`.
fn combined<P: Tensors<f64>>(a: &P, factor: f64, b: &P) -> P {
    let mut sum = a.clone();
    sum.visit_pair(&Path::ROOT, b, &mut |_, a, b| a.iter_mut().zip(b).for_each(|(a, b)| *a += factor * b));
    sum
}

#[test]
fn backward_is_linear_in_its_cotangents() {
    fn check<M: SequenceLayer>(layer: &M) {
        let g = &mut generator(7);
        let x = random_sequences(3, &ragged_layout(), g);
        let (carry, u_output, u_carry) = random_carry_and_cotangents(layer, &x, g);
        let (v_output, v_carry) = (random_like(&u_output, g), random_like(&u_carry, g));
        let back = |d_output: &_, d_carry: &_| passes(layer, &x, &carry, d_output, d_carry, &mut M::Cache::default());
        let (u, v) = (back(&u_output, &u_carry), back(&v_output, &v_carry));
        let sum = back(&combined(&u_output, -2.5, &v_output), &combined(&u_carry, -2.5, &v_carry));
        assert_close("gradient of parameter", &sum.gradients, &combined(&u.gradients, -2.5, &v.gradients), 1e-13);
        assert_close("gradient of the input", &sum.d_input, &combined(&u.d_input, -2.5, &v.d_input), 1e-13);
        assert_close("gradient of the carry", &sum.d_carry, &combined(&u.d_carry, -2.5, &v.d_carry), 1e-13);
    }
    every_layer().iter().for_each(check);
}

/// Passes each sequence of a batch separately. The outputs must be those of the batch, and the gradients must add up.
fn check_batch_against_single_sequences<M: SequenceLayer>(layer: &M, layout: &Layout) {
    let layer = &boxed(layer);
    let x = random_sequences(3, layout, &mut generator(8));
    let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(9));
    let together = passes(layer, &x, &carry, &d_output, &d_carry, &mut BoxedCache::default());
    let mut sum = layer.zeros();
    for b in 0..layout.batch() {
        let (d_y, from, back) = (single(&d_output, b), column(layer, &carry, b), column(layer, &d_carry, b));
        let Passes { output, carry, gradients, d_input, d_carry } =
            passes(layer, &single(&x, b), &from, &d_y, &back, &mut BoxedCache::default());
        sum = combined(&sum, 1.0, &gradients);
        assert_close("output", &output, &single(&together.output, b), 1e-13);
        assert_close("gradient of the input", &d_input, &single(&together.d_input, b), 1e-13);
        assert_close("carry", &carry, &column(layer, &together.carry, b), 1e-13);
        assert_close("gradient of the carry", &d_carry, &column(layer, &together.d_carry, b), 1e-13);
    }
    assert_close("gradient of parameter", &together.gradients, &sum, 1e-12);
}

/// Column `b` of each tensor of a carry.
fn column(layer: &BoxedLayer<f64>, carry: &BoxedCarry<f64>, b: usize) -> BoxedCarry<f64> {
    let mut columns = Vec::new();
    let rows = |values: &[f64], shape: Shape| values[b * shape.rows..(b + 1) * shape.rows].to_vec();
    carry.visit(&Path::ROOT, &mut |_, shape, values| columns.push(rows(values, shape)));
    let (mut alone, mut columns) = (layer.carry(1), columns.into_iter());
    alone.visit_mut(&Path::ROOT, &mut |_, _, values| {
        values.copy_from_slice(&columns.next().expect("both carries have the same tensors"));
    });
    alone
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn batch_gradients_are_the_sum_over_sequences(
        steps in 1usize..9, batch in 1usize..8, units in 1usize..20, seed: u64,
    ) {
        let g = &mut generator(seed);
        let layout = random_layout(steps, batch, g);
        check_batch_against_single_sequences(&elman(3, units, g), &layout);
        check_batch_against_single_sequences(&lstm(3, units, g), &layout);
        check_batch_against_single_sequences(&gru(3, units, g), &layout);
        check_batch_against_single_sequences(&linear(3, units, g), &layout);
        let stack = elman(3, units, g).then(elman(units, 4, g)).expect("the features match");
        check_batch_against_single_sequences(&stack, &layout);
        let classifier = elman(3, units, g).then(longhand::MeanOverTime).and_then(|a| a.then(linear(units, 2, g)));
        let classifier = classifier.expect("the features match");
        check_batch_against_single_sequences(&classifier, &layout);
    }
}

#[test]
fn gradients_are_added_to_the_existing_values() {
    let g = &mut generator(10);
    let (layer, x) = (linear(3, 4, g), random_sequences(3, &ragged_layout(), g));
    let ((), d_output, ()) = random_carry_and_cotangents(&layer, &x, g);
    let mut cache = LinearCache::default();
    let given = passes(&layer, &x, &(), &d_output, &(), &mut cache).gradients;
    let before = random_like(&layer, g);
    let mut gradients = before.clone();
    layer.backward(&x, &mut cache, Some(&d_output), &mut (), ParameterGradients::Add(&mut gradients), None);
    assert_eq!(bits(&gradients), bits(&combined(&before, 1.0, &given)));
}

/// One step of more sequences than a product of the backward pass has columns, so that the gradient is a sum of two
/// products.
#[test]
fn backward_twice_doubles_exactly_in_a_wide_batch() {
    const BATCH: usize = 200;
    let x = Sequences::from_fn(3, 1, BATCH, |feature, _, sequence| ((5 * sequence + feature) as f64).sin());
    check_backward_twice(&boxed(&elman(3, 4, &mut generator(1))), &x);
}
