//! State passes between windows only through the carry, and a used cache does not change results.

use crate::common;
use crate::common::boxed;
use crate::common::{
    SequenceLayer, assert_close, bits, elements, elman, every_layer, generator, gru, linear, lstm, passes,
    ragged_layout,
};
use crate::common::{random_carry_and_cotangents, random_layout, random_like, random_sequences};
use longhand::layers::recurrent::RecurrentCache;
use longhand::{BoxedCache, BoxedLayer};
use longhand::{ChangeScalar, Layer, Layout, ParameterGradients, Pass, Path, Sequences, Tensors};

fn window(x: &Sequences<f64>, start: usize, steps: usize) -> Sequences<f64> {
    let mut window = Sequences::default();
    window.copy_steps(x, start, steps);
    window
}

/// Runs windows forward in order and backward in reverse, passing back the carry's gradient. The result must be full
/// backpropagation.
fn check_windows_against_full_bptt(layer: &BoxedLayer<f64>, x: &Sequences<f64>, lengths: &[usize]) {
    let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, x, &mut generator(1));
    let full = passes(layer, x, &carry, &d_output, &d_carry, &mut BoxedCache::default());
    let (mut caches, mut inputs, mut start, mut flowing) = (Vec::new(), Vec::new(), 0, carry);
    for &steps in lengths {
        let (mut cache, input) = (BoxedCache::default(), window(x, start, steps));
        let y = layer.forward(&input, &mut flowing, &mut cache, &mut Pass::Infer);
        assert_close("output", y, &window(&full.output, start, steps), 1e-13);
        caches.push(cache);
        inputs.push((start, input));
        start += steps;
    }
    assert_eq!(start, x.steps());
    assert_close("carry", &flowing, &full.carry, 1e-13);
    let (mut gradients, mut back) = (layer.zeros(), d_carry);
    for ((start, input), mut cache) in inputs.into_iter().zip(caches).rev() {
        let d_y = window(&d_output, start, input.steps());
        let mut d_x = Sequences::default();
        layer.backward(
            &input,
            &mut cache,
            Some(&d_y),
            &mut back,
            ParameterGradients::Add(&mut gradients),
            Some(&mut d_x),
        );
        assert_close("gradient of the input", &d_x, &window(&full.d_input, start, input.steps()), 1e-12);
    }
    assert_close("gradient of parameter", &gradients, &full.gradients, 1e-12);
    assert_close("gradient of the carry", &back, &full.d_carry, 1e-12);
}

#[test]
fn windows_with_the_carry_gradient_passed_back_equal_full_bptt() {
    fn check(layer: &BoxedLayer<f64>) {
        let layout = random_layout(11, 3, &mut generator(2));
        let x = random_sequences(3, &layout, &mut generator(3));
        // Skip reductions over time: with one output per window, they compute another function.
        if common::forward(layer, &x, &layer.carry(3)).0.steps() == 11 {
            for lengths in [&[11][..], &[4, 4, 3], &[1; 11], &[1, 9, 1]] {
                check_windows_against_full_bptt(layer, &x, lengths);
            }
        }
    }
    every_layer().iter().for_each(check);
}

/// The sequences have more columns than the recurrent layers multiply at a time (128). The position of window
/// boundaries must not matter.
#[test]
fn windows_of_long_sequences_equal_full_bptt() {
    let g = &mut generator(21);
    for (steps, batch) in [(140, 3), (129, 1), (3, 130)] {
        let x = random_sequences(3, &random_layout(steps, batch, g), g);
        let lengths = [steps / 2, 1, steps - steps / 2 - 1];
        check_windows_against_full_bptt(&boxed(&elman(3, 4, g)), &x, &lengths);
        check_windows_against_full_bptt(&boxed(&lstm(3, 4, g)), &x, &lengths);
        check_windows_against_full_bptt(&boxed(&gru(3, 4, g)), &x, &lengths);
    }
}

/// Without the carry's gradient, the result must differ. Otherwise the tests above would prove nothing.
#[test]
fn windows_without_the_carry_gradient_differ_from_full_bptt() {
    let g = &mut generator(4);
    let (layer, x) = (elman(3, 4, g), random_sequences(3, &Layout::new(6, 2), g));
    let (carry, d_output, d_carry) = random_carry_and_cotangents(&layer, &x, g);
    let full = passes(&layer, &x, &carry, &d_output, &d_carry, &mut RecurrentCache::default());
    let first = passes(&layer, &window(&x, 0, 3), &carry, &window(&d_output, 0, 3), &d_carry.zeros(), &mut {
        RecurrentCache::default()
    });
    let second = passes(
        &layer,
        &window(&x, 3, 3),
        &first.carry,
        &window(&d_output, 3, 3),
        &d_carry,
        &mut RecurrentCache::default(),
    );
    let difference =
        (first.gradients.weight_hh_l0 + second.gradients.weight_hh_l0 - full.gradients.weight_hh_l0).norm();
    assert!(difference > 1e-3, "{difference}");
}

/// A sequence with a reset before step 4 must equal two sequences: steps 0 to 3, and the rest with a zero carry.
#[test]
fn a_reset_splits_a_sequence_in_two() {
    fn check<M: SequenceLayer>(layer: &M) {
        let x = random_sequences(3, &Layout::new(9, 1).with_reset(4, 0), &mut generator(5));
        let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(6));
        if d_output.steps() == 1 {
            return;
        }
        let whole = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        let unmarked = |x: &Sequences<f64>, start, steps| {
            window(x, start, steps).with_layout(Layout::new(steps, 1)).expect("the layout has as many columns")
        };
        let (d_first, d_second) = (unmarked(&d_output, 0, 4), unmarked(&d_output, 4, 5));
        let zero = d_carry.zeros();
        let first = passes(layer, &unmarked(&x, 0, 4), &carry, &d_first, &zero, &mut M::Cache::default());
        let second = passes(layer, &unmarked(&x, 4, 5), &zero, &d_second, &d_carry, &mut M::Cache::default());
        let mut sum = first.gradients.clone();
        sum.visit_pair(&Path::ROOT, &second.gradients, &mut |_, a, b| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        assert_close("gradient of parameter", &whole.gradients, &sum, 1e-13);
        assert_close("gradient of the carry", &whole.d_carry, &first.d_carry, 1e-13);
        assert_close("carry", &whole.carry, &second.carry, 1e-13);
        assert_close("output", &window(&whole.output, 0, 4), &first.output, 1e-13);
        assert_close("output", &window(&whole.output, 4, 5), &second.output, 1e-13);
        assert_close("gradient of the input", &window(&whole.d_input, 0, 4), &first.d_input, 1e-13);
        assert_close("gradient of the input", &window(&whole.d_input, 4, 5), &second.d_input, 1e-13);
    }
    every_layer().iter().for_each(check);
}

/// After a reset before the first step, the incoming carry must not matter, even if it is NaN, and its gradient is
/// zero.
#[test]
fn a_reset_before_the_first_step_ignores_the_carry() {
    fn check<M: SequenceLayer>(layer: &M) {
        let g = &mut generator(7);
        let x = random_sequences(3, &Layout::new(3, 2).with_reset(0, 1), g);
        let (mut carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, g);
        let clean = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        // In each tensor of these carries, the columns are the two sequences.
        carry.visit_mut(&Path::ROOT, &mut |_, _, values| {
            let half = values.len() / 2;
            values[half..].fill(f64::NAN);
        });
        let given = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        assert_eq!(given.bits(), clean.bits());
        given.d_carry.visit(&Path::ROOT, &mut |_, _, values| {
            let (first, second) = values.split_at(values.len() / 2);
            assert!(second.iter().all(|&d| d == 0.0));
            assert!(first.iter().all(|&d| d != 0.0));
        });
    }
    let g = &mut generator(17);
    check(&boxed(&elman(3, 4, g)));
    check(&boxed(&lstm(3, 4, g)));
    check(&boxed(&gru(3, 4, g)));
}

/// The cell state of an LSTM must be kept like its hidden state.
#[test]
fn an_invalid_step_keeps_the_cell_state() {
    let g = &mut generator(18);
    let layout = Layout::new(3, 2).with_lengths(&[3, 0]).expect("the lengths fit").with_reset(1, 0);
    let (layer, x) = (lstm(3, 4, g), random_sequences(3, &layout, g));
    let (carry, d_output, d_carry) = random_carry_and_cotangents(&layer, &x, g);
    let given = passes(&layer, &x, &carry, &d_output, &d_carry, &mut RecurrentCache::default());
    assert_eq!(given.carry.c.column(1), carry.c.column(1));
    assert_eq!(given.carry.h.column(1), carry.h.column(1));
    assert_eq!(given.d_carry.c.column(1), d_carry.c.column(1));
    assert_eq!(given.d_carry.h.column(1), d_carry.h.column(1));
    // The first sequence has one step before its reset, so the gradient of its initial cell state is not zero.
    assert!(given.d_carry.c.column(0).iter().all(|&d| d != 0.0));
    assert!(given.carry.c.column(0).iter().zip(carry.c.column(0).iter()).all(|(a, b)| (a - b).abs() > 1e-6));
}

/// Without steps or sequences, the carry and its gradient must be unchanged, and all gradients must be zero.
#[test]
fn empty_inputs_keep_the_carry_and_give_zero_gradients() {
    fn check<M: SequenceLayer>(layer: &M) {
        for (steps, batch) in [(0, 2), (3, 0), (0, 0)] {
            let x = random_sequences(3, &Layout::new(steps, batch), &mut generator(15));
            let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(16));
            let mut cache = M::Cache::default();
            let given = passes(layer, &x, &carry, &d_output, &d_carry, &mut cache);
            assert!(elements(&given.gradients).iter().all(|&g| g == 0.0), "{} at {steps} x {batch}", layer.name());
            assert_eq!(bits(&given.carry), bits(&carry), "{}", layer.name());
            assert_eq!(bits(&given.d_carry), bits(&d_carry), "{}", layer.name());
            // Replaced gradients must be zero too.
            let (mut gradients, mut d_carry) = (given.gradients, d_carry);
            gradients.visit_mut(&Path::ROOT, &mut |_, _, values| values.fill(1.0));
            layer.backward(
                &x,
                &mut cache,
                Some(&d_output),
                &mut d_carry,
                ParameterGradients::Replace(&mut gradients),
                None,
            );
            assert!(elements(&gradients).iter().all(|&g| g == 0.0), "{} at {steps} x {batch}", layer.name());
        }
    }
    every_layer().iter().for_each(check);
}

#[test]
fn a_repeated_forward_pass_is_bit_identical() {
    fn check<M: SequenceLayer>(layer: &M) {
        let x = random_sequences(3, &ragged_layout(), &mut generator(8));
        let carry = random_like(&layer.carry(3), &mut generator(9));
        let mut cache = M::Cache::default();
        let mut run = || {
            let mut carry = carry.clone();
            let y = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
            (bits(y), bits(&carry))
        };
        assert_eq!(run(), run(), "{}", layer.name());
    }
    every_layer().iter().for_each(check);
}

/// A cache that was used for larger and smaller batches, with other marks and with NaN, must give the results of a new
/// cache.
#[test]
fn a_cache_used_at_other_shapes_does_not_change_results() {
    fn check<M: SequenceLayer>(layer: &M) {
        let mut cache = M::Cache::default();
        for (seed, layout) in [
            random_layout(12, 5, &mut generator(10)),
            Layout::new(2, 1),
            ragged_layout(),
            Layout::new(3, 7),
            Layout::new(7, 3),
            Layout::new(1, 1),
            Layout::new(320, 2),
            random_layout(4, 4, &mut generator(11)),
        ]
        .into_iter()
        .enumerate()
        {
            let x = random_sequences(3, &layout, &mut generator(seed as u64));
            let (carry, d_output, d_carry) = random_carry_and_cotangents(layer, &x, &mut generator(12));
            let fresh = passes(layer, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
            let used = passes(layer, &x, &carry, &d_output, &d_carry, &mut cache);
            assert_eq!(used.bits(), fresh.bits(), "{} at {layout:?}", layer.name());
            assert_eq!(used.output.layout(), fresh.output.layout(), "{}", layer.name());
            let nan = Sequences::from_fn(3, 9, 6, |_, _, _| f64::NAN);
            let d_nan = common::forward(layer, &nan, &layer.carry(6)).0;
            passes_unchecked(layer, &nan, &d_nan, &mut cache);
        }
    }
    fn passes_unchecked<M: SequenceLayer>(layer: &M, x: &Sequences<f64>, d_y: &Sequences<f64>, cache: &mut M::Cache) {
        layer.forward(x, &mut layer.carry(x.batch()), cache, &mut Pass::Infer);
        layer.backward(
            x,
            cache,
            Some(d_y),
            &mut layer.carry(x.batch()),
            ParameterGradients::Add(&mut layer.zeros()),
            Some(&mut x.clone()),
        );
    }
    every_layer().iter().for_each(check);
}

#[test]
fn a_cache_used_with_other_weights_does_not_change_results() {
    fn check<M: SequenceLayer>(a: &M, b: &M) {
        let g = &mut generator(19);
        let x = random_sequences(3, &ragged_layout(), g);
        let (carry, d_output, d_carry) = random_carry_and_cotangents(a, &x, g);
        let fresh = passes(a, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());
        let mut cache = M::Cache::default();
        passes(b, &x, &carry, &d_output, &d_carry, &mut cache);
        assert_eq!(passes(a, &x, &carry, &d_output, &d_carry, &mut cache).bits(), fresh.bits());
    }
    let g = &mut generator(13);
    check(&boxed(&elman(3, 5, g)), &boxed(&elman(3, 5, g)));
    check(&boxed(&lstm(3, 5, g)), &boxed(&lstm(3, 5, g)));
    check(&boxed(&gru(3, 5, g)), &boxed(&gru(3, 5, g)));
}

#[test]
fn f32_agrees_with_f64() {
    fn narrow<P: ChangeScalar<f64>>(value: &P) -> P::Over<f32> {
        value.map(&mut |x| x as f32)
    }
    fn widened<P: Tensors<f32>>(value: &P) -> Vec<f64> {
        let mut all = Vec::new();
        value.visit(&Path::ROOT, &mut |_, _, values| all.extend(values.iter().map(|&x| f64::from(x))));
        all
    }
    fn close(what: &str, narrow: &[f64], wide: &[f64]) {
        let size = wide.iter().fold(1.0_f64, |a, b| a.max(b.abs()));
        assert_eq!(narrow.len(), wide.len());
        for (a, b) in narrow.iter().zip(wide) {
            assert!((a - b).abs() < 1e-5 * size, "{what}: {a} at f32, {b} at f64");
        }
    }
    fn check<M, N>(model: &M)
    where
        M: SequenceLayer + Layer<f64, Carry: ChangeScalar<f64>> + ChangeScalar<f64, Over<f32> = N>,
        N: Layer<
                f32,
                Input = Sequences<f32>,
                Output = Sequences<f32>,
                Carry = <M::Carry as ChangeScalar<f64>>::Over<f32>,
            >,
    {
        let g = &mut generator(20);
        let x = random_sequences(3, &random_layout(30, 4, g), g);
        let (carry, d_output, d_carry) = random_carry_and_cotangents(model, &x, g);
        let wide = passes(model, &x, &carry, &d_output, &d_carry, &mut M::Cache::default());

        let (small, x, d_output) = (narrow(model), narrow(&x), narrow(&d_output));
        let (mut carry, mut d_carry, mut cache) = (narrow(&carry), narrow(&d_carry), N::Cache::default());
        let y = small.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
        let (mut gradients, mut d_input) = (small.zeros(), Sequences::default());
        small.backward(
            &x,
            &mut cache,
            Some(&d_output),
            &mut d_carry,
            ParameterGradients::Add(&mut gradients),
            Some(&mut d_input),
        );

        let name = model.name();
        close(&format!("{name}: output"), &widened(&y), &elements(&wide.output));
        close(&format!("{name}: carry"), &widened(&carry), &elements(&wide.carry));
        close(&format!("{name}: gradient of the input"), &widened(&d_input), &elements(&wide.d_input));
        close(&format!("{name}: gradient of the carry"), &widened(&d_carry), &elements(&wide.d_carry));
        close(&format!("{name}: gradients"), &widened(&gradients), &elements(&wide.gradients));
    }
    let g = &mut generator(14);
    let (mut a, mut b, mut c) = (elman(3, 20, g), lstm(3, 20, g), gru(3, 20, g));
    // The spectral radius is about 1, so that gradients neither vanish nor explode.
    for weight in [&mut a.weight_hh_l0, &mut b.weight_hh_l0, &mut c.weight_hh_l0] {
        *weight *= 0.4;
    }
    check(&a.then(linear(20, 4, g)).expect("the features match"));
    check(&b.then(linear(20, 4, g)).expect("the features match"));
    check(&c.then(linear(20, 4, g)).expect("the features match"));
}
