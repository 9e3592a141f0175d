//! Counts subnormal numbers where values vanish: in states, deltas, gradients, moments and parameters.
//!
//! Time is not measured here: some processors handle subnormal numbers at full speed.

use crate::chain::ChainCache;
use crate::layers::recurrent::RecurrentCache;
use crate::scalar::real;
use crate::{
    Activation, Adam, AdamW, Elman, Gradients, Gru, LastStep, Layer, Layout, Linear, Loss, Lstm, Nonlinearity,
    Optimizer, ParameterGradients, Pass, Path, Reduction, Scalar, Sequences, Sgd, SigmoidCrossEntropy, Stream,
    Streaming, Tensors, initialise,
};
use alloc::{format, string::String, vec, vec::Vec};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

fn is_subnormal<T: Scalar>(value: T) -> bool {
    // Every f32 is an f64, and a subnormal f32 a normal one.
    let smallest_normal = if size_of::<T>() == 4 { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
    let magnitude: f64 = value.abs().to_subset().expect("f32 and f64 are reals");
    magnitude > 0.0 && magnitude < smallest_normal
}

/// Fails if any element of any tensor is subnormal.
fn assert_no_subnormal<T: Scalar, P: Tensors<T>>(what: &str, value: &P) {
    value.visit(&Path::ROOT, &mut |path, shape, values| {
        let count = values.iter().filter(|&&value| is_subnormal(value)).count();
        assert!(count == 0, "{what}: {count} of {} elements of {path} ({shape}) are subnormal", values.len());
    });
}

fn assert_none<T: Scalar>(what: &str, values: &[T]) {
    let count = values.iter().filter(|&&value| is_subnormal(value)).count();
    assert!(count == 0, "{what}: {count} of {} elements are subnormal", values.len());
}

/// The delta buffers of a recurrent layer's cache, which hold the last block of steps that was gone back through.
trait Deltas<T> {
    fn deltas(&self) -> Vec<&[T]>;
}

impl<T: Scalar> Deltas<T> for RecurrentCache<T> {
    fn deltas(&self) -> Vec<&[T]> {
        vec![self.d_input_part.as_slice(), self.d_state_part.as_slice(), self.gates.as_slice()]
    }
}

fn noise<T: Scalar>(features: usize, steps: usize, batch: usize) -> Sequences<T> {
    let mut noise = Sequences::zeros(features, Layout::new(steps, batch));
    initialise::uniform(&mut noise, -1.0, 1.0, &mut ChaCha8Rng::seed_from_u64(5)).expect("the bounds are ordered");
    noise
}

/// One loss at the last step only: runs forward window by window, then backward with the carry's gradient passed on, and
/// looks at every value of every window. Fails too if nothing vanished, since the test would then show nothing.
fn check_one_loss_at_the_end<T, L>(layer: &L, batch: usize, steps: usize)
where
    T: Scalar,
    L: Layer<T, Input = Sequences<T>, Output = Sequences<T>>,
    L::Cache: Deltas<T>,
{
    let about = format!("{} over {steps} steps of {batch} sequences at {}", layer.name(), core::any::type_name::<T>());
    // As many steps as the delta buffers hold.
    let window = (128 / batch).max(1).min(steps);
    let x = noise::<T>(layer_inputs(layer), steps, batch);
    let mut carry = layer.carry(batch);
    let mut windows = Vec::new();
    for first in (0..steps).step_by(window) {
        let (mut inputs, mut cache) = (Sequences::default(), L::Cache::default());
        inputs.copy_steps(&x, first, window.min(steps - first));
        layer.forward(&inputs, &mut carry, &mut cache, &mut Pass::Infer);
        assert_no_subnormal(&format!("{about}, output"), L::output(&cache));
        assert_no_subnormal(&format!("{about}, carry"), &carry);
        windows.push((inputs, cache));
    }
    let (mut d_carry, mut gradients) = (layer.carry(batch), layer.zeros());
    let (mut is_last, mut vanished) = (true, false);
    for (inputs, cache) in windows.iter_mut().rev() {
        let mut d_output = Sequences::zeros(L::output(cache).features(), inputs.layout().clone());
        if is_last {
            d_output.step_mut(inputs.steps() - 1).fill(real(1e-3));
            is_last = false;
        }
        let mut d_inputs = Sequences::default();
        layer.backward(
            inputs,
            cache,
            Some(&d_output),
            &mut d_carry,
            ParameterGradients::Add(&mut gradients),
            Some(&mut d_inputs),
        );
        for deltas in cache.deltas() {
            assert_none(&format!("{about}, deltas"), deltas);
        }
        assert_no_subnormal(&format!("{about}, d_input"), &d_inputs);
        assert_no_subnormal(&format!("{about}, d_carry"), &d_carry);
        assert_no_subnormal(&format!("{about}, gradients"), &gradients);
        vanished |= cache.deltas()[0].iter().all(|&delta| delta == T::zero());
    }
    assert!(vanished, "{about}: the gradient did not vanish");
}

fn layer_inputs<T: Scalar, L: Layer<T>>(layer: &L) -> usize {
    match layer.features() {
        crate::Features::Fixed { input, .. } => input,
        crate::Features::Any => 3,
    }
}

#[test]
fn no_subnormals_behind_one_loss_at_the_last_step() {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    check_one_loss_at_the_end(&Elman::<f32>::new(3, 128, g), 64, 150);
    check_one_loss_at_the_end(&Elman::<f32>::new(3, 50, g), 1, 400);
    check_one_loss_at_the_end(&Elman::<f32>::new(3, 50, g).with_nonlinearity(Nonlinearity::Relu), 2, 400);
    check_one_loss_at_the_end(&Lstm::<f32>::new(3, 64, g), 16, 1000);
    check_one_loss_at_the_end(&Lstm::<f32>::new(3, 64, g), 1, 1000);
    check_one_loss_at_the_end(&Gru::<f32>::new(3, 64, g), 16, 1000);
    check_one_loss_at_the_end(&Gru::<f32>::new(3, 33, g), 1, 1000);
}

#[test]
fn no_subnormals_behind_one_loss_at_f64() {
    let g = &mut ChaCha8Rng::seed_from_u64(2);
    check_one_loss_at_the_end(&Elman::<f64>::new(3, 32, g), 4, 2000);
    check_one_loss_at_the_end(&Lstm::<f64>::new(3, 16, g), 4, 5000);
    check_one_loss_at_the_end(&Gru::<f64>::new(3, 16, g), 4, 5000);
}

/// The study's loop: one sequence at a time, an update after each window of 30 steps, first weights within 0.01. With
/// weights so small, a delta shrinks about twentyfold per step back.
#[test]
fn no_subnormals_in_the_loop_of_the_study() {
    let g = &mut ChaCha8Rng::seed_from_u64(3);
    let layer = Elman::<f32>::zeros(3, 50);
    let mut model =
        layer.then(LastStep).and_then(|chain| chain.then(Linear::zeros(50, 6))).expect("the features agree");
    initialise::uniform(&mut model, -0.01, 0.01, g).expect("the bounds are ordered");
    let loss = SigmoidCrossEntropy::new(Reduction::Sum);
    let mut optimizer = Sgd::new().with_value_clipping(1.0).expect("the limit is positive");
    let (mut cache, mut gradients) = (ChainCache::default(), Gradients::zeros::<f32>(&model));
    let (whole, mut x, mut d_output) = (noise::<f32>(3, 150, 60), Sequences::default(), Sequences::default());
    let mut vanished = false;
    for sequence in (0..60).cycle().take(600) {
        let target = SigmoidCrossEntropy::one_hot(6, &[sequence % 6]);
        let mut carry = model.carry(1);
        for first in (0..150).step_by(30) {
            x.copy_part(&whole, first..first + 30, sequence..sequence + 1);
            let output = model.forward(&x, &mut carry, &mut cache, &mut Pass::Infer);
            assert_no_subnormal("output", output);
            assert_no_subnormal("carry", &carry);
            loss.evaluate(output, &target, Some(&mut d_output));
            let mut d_carry = model.carry(1);
            model.backward(&x, &mut cache, Some(&d_output), &mut d_carry, gradients.replace(), None);
            let deltas = cache.first.first.deltas()[0];
            assert_none("deltas", deltas);
            vanished |= deltas[..50].iter().all(|&delta| delta == 0.0);
            assert_no_subnormal("d_carry", &d_carry);
            assert_no_subnormal("gradients", gradients.values());
            optimizer.step(&mut model, &gradients, 0.1);
            assert_no_subnormal("parameters", &model);
        }
    }
    assert!(vanished, "no delta vanished, so the test shows nothing");
}

/// An impulse, then silence: the state decays to exactly zero.
fn check_silence<T: Scalar, L: Streaming<T, Step = [T]>>(layer: &L, steps: usize) {
    let mut stream = Stream::with_features(layer, 1);
    let mut carry = layer.carry(1);
    let mut output: Vec<T> = stream.step(&[T::one()], &mut carry).to_vec();
    assert!(output.iter().any(|&h| h != T::zero()), "{}: the impulse has no effect", layer.name());
    for _ in 0..steps {
        output.copy_from_slice(stream.step(&[T::zero()], &mut carry));
        assert_none(&layer.name(), &output);
        assert_no_subnormal(&layer.name(), &carry);
    }
    assert!(output.iter().all(|&h| h == T::zero()), "{}: the state is stuck", layer.name());
}

fn silent_layers<T: Scalar>(units: usize, steps: usize) {
    let g = &mut ChaCha8Rng::seed_from_u64(5);
    let mut gru = Gru::<T>::new(1, units, g);
    gru.bias_hh_l0.fill(T::zero());
    gru.bias_ih_l0.fill(T::zero());
    gru.bias_ih_l0.rows_mut(units, units).fill(real(2.0));
    check_silence(&gru, steps);
    let mut relu = Elman::<T>::zeros(1, units).with_nonlinearity(Nonlinearity::Relu);
    relu.weight_hh_l0.fill(real(0.9 / units as f64));
    relu.weight_ih_l0.fill(T::one());
    check_silence(&relu, steps);
    let mut tanh = Elman::<T>::new(1, units, g);
    tanh.bias_hh_l0.fill(T::zero());
    tanh.bias_ih_l0.fill(T::zero());
    check_silence(&tanh, steps);
    let mut lstm = Lstm::<T>::new(1, units, g);
    lstm.bias_hh_l0.fill(T::zero());
    lstm.bias_ih_l0.fill(T::zero());
    // An LSTM keeps a cell in silence if its forget gate does: this one forgets a quarter at each step.
    lstm.weight_hh_l0.fill(T::zero());
    lstm.bias_ih_l0.rows_mut(units, units).fill(real(1.1));
    check_silence(&lstm, steps);
    check_silence(&tanh.then(Activation::Tanh).expect("an activation accepts any features"), steps);
}

#[test]
fn no_subnormals_in_a_silent_stream() {
    silent_layers::<f32>(128, 10_000);
    silent_layers::<f32>(5, 100_000);
    silent_layers::<f64>(5, 100_000);
}

/// 20 steps with ordinary gradients, then 100,000 with the gradient `small`.
fn check_optimizer<T: Scalar, O: Optimizer<T>>(
    name: &str,
    mut optimizer: O,
    small: f64,
    state: impl Fn(&O) -> Vec<&[T]>,
) {
    let about = format!("{name} at {}, gradient {small:e}", core::any::type_name::<T>());
    let mut layer = Linear::<T>::new(3, 2, &mut ChaCha8Rng::seed_from_u64(4));
    // A parameter without any gradient, and one that only weight decay changes.
    layer.bias.fill(T::zero());
    let mut gradients = Gradients::zeros(&layer);
    for step in 0..100_020 {
        gradients.values_mut().visit_mut(&Path::ROOT, &mut |_, _, values| {
            for (index, gradient) in values.iter_mut().enumerate() {
                let ordinary = if index == 0 { 0.0 } else { 1e-3 * index as f64 };
                *gradient = real(if step < 20 { ordinary } else { small });
            }
        });
        optimizer.step(&mut layer, &gradients, real(1e-2));
        // Looking at every step of 100,000 would take longer than making it.
        if step < 2_000 || step % 97 == 0 {
            assert_no_subnormal(&format!("{about}, step {step}"), &layer);
            for values in state(&optimizer) {
                assert_none(&format!("{about}, step {step}, state"), values);
            }
        }
    }
}

fn check_optimizers<T: Scalar>(smallest: &[f64]) {
    fn with_hyperparameters<O, E: core::fmt::Debug>(built: Result<O, E>) -> O {
        built.expect("the hyperparameters are sensible")
    }
    for &small in smallest {
        fn of_adam<T>(optimizer: &Adam<T>) -> Vec<&[T]> {
            vec![&optimizer.moments.first, &optimizer.moments.second]
        }
        fn of_adamw<T>(optimizer: &AdamW<T>) -> Vec<&[T]> {
            vec![&optimizer.moments.first, &optimizer.moments.second]
        }
        fn of_sgd<T>(optimizer: &Sgd<T>) -> Vec<&[T]> {
            vec![&optimizer.velocity]
        }
        check_optimizer::<T, _>("Adam", Adam::new(), small, of_adam);
        check_optimizer::<T, _>("AdamW", with_hyperparameters(AdamW::new().with_weight_decay(0.5)), small, of_adamw);
        check_optimizer::<T, _>("SGD", Sgd::new(), small, of_sgd);
        check_optimizer::<T, _>("momentum", with_hyperparameters(Sgd::new().with_momentum(0.9)), small, of_sgd);
        let nesterov = Sgd::new().with_nesterov_momentum(0.99).and_then(|sgd| sgd.with_weight_decay(0.5));
        check_optimizer::<T, _>("Nesterov with weight decay", with_hyperparameters(nesterov), small, of_sgd);
    }
}

#[test]
fn no_subnormals_in_optimizers() {
    check_optimizers::<f32>(&[0.0, 1e-20, 1e-30, 1e-37]);
    check_optimizers::<f64>(&[0.0, 1e-20, 1e-160, 1e-300]);
}

/// One gradient of 1e20 does not stop Adam for good, and what is not finite stays visible.
#[test]
fn adam_survives_a_huge_gradient() {
    let mut messages: Vec<String> = Vec::new();
    for huge in [1e20_f32, -3e38] {
        let mut layer = Linear::<f32>::zeros(1, 1);
        let mut gradient = Gradients::zeros(&layer);
        let mut optimizer = Adam::new();
        gradient.values_mut().weight[(0, 0)] = huge;
        optimizer.step(&mut layer, &gradient, 0.1);
        let first = layer.weight[(0, 0)];
        if (first + 0.1 * huge.signum()).abs() > 1e-6 {
            messages.push(format!("{huge:e}: the first step has the length {first}, not the learning rate"));
        }
        optimizer.step(&mut layer, &gradient, 0.1);
        let second = layer.weight[(0, 0)] - first;
        if (second + 0.1 * huge.signum()).abs() > 1e-5 {
            messages.push(format!("{huge:e}: the second step has the length {second}"));
        }
    }
    for invisible in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        let mut layer = Linear::<f32>::zeros(1, 1);
        let mut gradient = Gradients::zeros(&layer);
        gradient.values_mut().weight[(0, 0)] = invisible;
        Adam::new().step(&mut layer, &gradient, 0.1);
        if layer.weight[(0, 0)].is_finite() {
            messages.push(format!("a gradient of {invisible} is hidden"));
        }
    }
    assert!(messages.is_empty(), "{messages:?}");
}
