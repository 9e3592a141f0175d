//! Layers reject parameters, gradients and cotangents with a wrong shape before they compute anything. The message
//! names the layer, the tensor, its shape and the expected shape.

use crate::common::{elman, generator, gru, linear, lstm, random_like};
use longhand::layers::linear::LinearCache;
use longhand::layers::recurrent::RecurrentCache;
use longhand::nalgebra::{DMatrix, DVector};
use longhand::{
    Activation, Elman, Gru, LastStep, Layer, Layout, Linear, Lstm, MeanOverTime, MinGru, ParameterGradients, Pass,
    Sequences, Stream, Streaming, Tensors,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn assert_panics<R>(expected: &str, f: impl FnOnce() -> R) {
    let message =
        catch_unwind(AssertUnwindSafe(f)).err().unwrap_or_else(|| panic!("there must be a panic: {expected}"));
    let message = message.downcast::<String>().expect("the panic message is a string");
    assert!(message.contains(expected), "expected `{expected}`, got `{message}`");
}

fn zeros(features: usize, steps: usize, batch: usize) -> Sequences<f64> {
    Sequences::zeros(features, Layout::new(steps, batch))
}

/// Checks that forward, backward after a forward pass of `good`, and streaming reject the parameters `bad`, and that
/// `good` rejects gradients of these shapes.
#[track_caller]
fn check_bad_parameters<L>(good: &L, bad: &L, expected: &str)
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>> + Streaming<f64, Step = [f64]>,
{
    let (x, mut carry, mut cache) = (zeros(3, 2, 2), good.carry(2), L::Cache::default());
    assert_panics(expected, || bad.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone());
    let output = good.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let mut gradients = good.zeros();
    assert_panics(expected, || {
        bad.backward(&x, &mut cache, Some(&output), &mut carry, ParameterGradients::Add(&mut gradients), None);
    });
    assert_panics(expected, || {
        bad.backward(&x, &mut cache, Some(&output), &mut carry, ParameterGradients::Replace(&mut gradients), None);
    });
    assert_panics(expected, || Stream::with_features(bad, 3));
    // Gradients of these shapes.
    let expected = expected.replace(": ", ": the gradient of ");
    let mut gradients = bad.zeros();
    assert_panics(&expected, || {
        good.backward(&x, &mut cache, Some(&output), &mut carry, ParameterGradients::Add(&mut gradients), None);
    });
    assert_panics(&expected, || {
        good.backward(&x, &mut cache, Some(&output), &mut carry, ParameterGradients::Replace(&mut gradients), None);
    });
}

#[test]
fn parameters_with_a_wrong_shape_are_rejected_by_name() {
    let g = &mut generator(20);
    let good = gru(3, 4, g);
    check_bad_parameters(
        &good,
        &Gru { weight_hh_l0: DMatrix::zeros(12, 5), ..good.clone() },
        "Gru(3 -> 4): weight_hh_l0 is 12 x 5, but it must be 12 x 4",
    );
    check_bad_parameters(
        &good,
        &Gru { bias_hh_l0: DVector::zeros(11), ..good.clone() },
        "Gru(3 -> 4): bias_hh_l0 is 11 x 1, but it must be 12 x 1",
    );
    let good = lstm(3, 4, g);
    check_bad_parameters(
        &good,
        &Lstm { weight_ih_l0: DMatrix::zeros(17, 3), ..good.clone() },
        "Lstm(3 -> 4): weight_ih_l0 is 17 x 3, but it must be 16 x 3",
    );
    check_bad_parameters(
        &good,
        &Lstm { bias_ih_l0: DVector::zeros(20), ..good.clone() },
        "Lstm(3 -> 4): bias_ih_l0 is 20 x 1, but it must be 16 x 1",
    );
    let good = elman(3, 4, g);
    check_bad_parameters(
        &good,
        &Elman { weight_hh_l0: DMatrix::zeros(5, 4), ..good.clone() },
        "Elman(3 -> 4): weight_hh_l0 is 5 x 4, but it must be 4 x 4",
    );
    let good = MinGru::new(3, 4, g);
    check_bad_parameters(
        &good,
        &MinGru { weight_hh_l0: DMatrix::zeros(8, 4), ..good.clone() },
        "MinGru(3 -> 4): weight_hh_l0 is 8 x 4, but it must be 0 x 0",
    );
    check_bad_parameters(
        &good,
        &MinGru { bias_ih_l0: DVector::zeros(10), ..good.clone() },
        "MinGru(3 -> 4): bias_ih_l0 is 10 x 1, but it must be 8 x 1",
    );
    let good = linear(3, 4, g);
    check_bad_parameters(
        &good,
        &Linear { bias: DVector::zeros(5), ..good.clone() },
        "Linear(3 -> 4): bias is 5 x 1, but it must be 4 x 1",
    );
}

#[test]
fn gradients_with_a_wrong_shape_are_rejected_by_name() {
    let g = &mut generator(21);
    let (layer, x) = (linear(3, 4, g), zeros(3, 2, 2));
    let (mut cache, mut gradients) = (LinearCache::default(), Linear::zeros(5, 4));
    let output = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    assert_panics("Linear(3 -> 4): the gradient of weight is 4 x 5, but it must be 4 x 3", || {
        layer.backward(&x, &mut cache, Some(&output), &mut (), ParameterGradients::Add(&mut gradients), None);
    });
}

/// Runs forward on 2 steps of 3 sequences. Then backward must reject inputs and cotangents of other sizes.
fn check_bad_cotangents<L>(layer: &L)
where
    L: Layer<f64, Input = Sequences<f64>, Output = Sequences<f64>>,
{
    let (x, mut carry, mut cache) = (zeros(3, 2, 3), layer.carry(3), L::Cache::default());
    let mut gradients = layer.zeros();
    assert_panics("call `forward` with this input and cache before `backward`", || {
        layer.backward(
            &x,
            &mut cache,
            Some(&zeros(4, 2, 3)),
            &mut layer.carry(3),
            ParameterGradients::Add(&mut gradients),
            None,
        );
    });
    let output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let (features, steps) = (output.features(), output.steps());
    let mut backward = |x: &Sequences<f64>, d_output: &Sequences<f64>, d_carry: &mut L::Carry| {
        for with_d_input in [false, true] {
            let mut d_x = Sequences::default();
            let d_input = with_d_input.then_some(&mut d_x);
            layer.backward(x, &mut cache, Some(d_output), d_carry, ParameterGradients::Add(&mut gradients), d_input);
        }
    };
    backward(&x, &output, &mut layer.carry(3));
    let wrong = [zeros(features, steps, 1), zeros(features, steps, 5), zeros(features, steps + 1, 3)];
    for d_output in wrong.into_iter().chain([zeros(features + 1, steps, 3), zeros(features, 3 * steps, 1)]) {
        let expected =
            format!("expected {features} features at {steps} steps of 3 sequences, got {}", d_output.features());
        assert_panics(&expected, || backward(&x, &d_output, &mut layer.carry(3)));
    }
    // The same number of columns, but other steps. The last layer of a chain detects that its `d_output` does not
    // belong to the forward pass.
    let steps = if steps == 1 { 1 } else { 3 };
    assert_panics(&format!("{features} features at {steps} steps of 2 sequences"), || {
        backward(&zeros(3, 3, 2), &zeros(features, steps, 2), &mut layer.carry(2));
    });
}

#[test]
fn backward_rejects_cotangents_with_a_wrong_shape() {
    let g = &mut generator(22);
    check_bad_cotangents(&elman(3, 4, g));
    check_bad_cotangents(&lstm(3, 4, g));
    check_bad_cotangents(&gru(3, 4, g));
    check_bad_cotangents(&linear(3, 4, g));
    check_bad_cotangents(&Activation::Tanh);
    check_bad_cotangents(&MeanOverTime);
    check_bad_cotangents(&LastStep);
    check_bad_cotangents(
        &elman(3, 4, g)
            .then(Activation::Relu)
            .and_then(|chain| chain.then(linear(4, 2, g)))
            .expect("the features match"),
    );
    check_bad_cotangents(
        &elman(3, 4, g).then(LastStep).and_then(|chain| chain.then(linear(4, 2, g))).expect("the features match"),
    );
    check_bad_cotangents(&linear(3, 4, g).then(MeanOverTime).expect("the features match"));
}

#[test]
fn a_carry_gradient_with_a_wrong_shape_is_rejected() {
    let g = &mut generator(23);
    let (layer, x) = (lstm(3, 4, g), zeros(3, 2, 3));
    let (mut carry, mut cache, mut gradients) = (layer.carry(3), RecurrentCache::default(), layer.zeros());
    let output = layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone();
    let mut d_carry = random_like(&carry, g);
    d_carry.c = DMatrix::zeros(4, 2);
    assert_panics("Lstm(3 -> 4): d_carry's c is 4 x 2, but it must be 4 x 3", || {
        layer.backward(&x, &mut cache, Some(&output), &mut d_carry, ParameterGradients::Add(&mut gradients), None);
    });
    carry.c = DMatrix::zeros(5, 3);
    assert_panics("Lstm(3 -> 4): the carry's c is 5 x 3, but it must be 4 x 3", || {
        layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer).clone()
    });
}

#[test]
fn values_that_do_not_match_their_layout_are_rejected() {
    let mut x = zeros(3, 2, 3);
    *x.values_mut() = DMatrix::zeros(3, 4);
    assert_panics("must have 6 columns", || {
        linear(3, 4, &mut generator(24)).forward(&x, &mut (), &mut LinearCache::default(), &mut Pass::Infer).clone()
    });
}
