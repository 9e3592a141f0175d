//! Hyperparameters are checked as the numbers that the model's scalar type makes of them.

#![allow(clippy::float_cmp, reason = "what is compared exactly is meant to be exact")]

use longhand::{Adam, AdamW, Gradients, HyperparameterError, Linear, Optimizer, Sgd};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn refused<O>(name: &str, says: &str, result: Result<O, HyperparameterError>) {
    let error = result.err().unwrap_or_else(|| panic!("{name} was taken"));
    assert_eq!(error.name, name);
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn numbers_that_f32_rounds_to_one_zero_or_infinity_are_refused() {
    let near_one = 0.999_999_99;
    refused("beta2", "below 1 after rounding to f32", Adam::<f32>::new().with_betas(0.9, near_one));
    refused("beta1", "below 1 after rounding to f32", AdamW::<f32>::new().with_betas(near_one, 0.9));
    refused("momentum", "below 1 after rounding to f32", Sgd::<f32>::new().with_momentum(near_one));
    refused("momentum", "below 1 after rounding to f32", Sgd::<f32>::new().with_nesterov_momentum(near_one));
    refused("momentum", "f32", Sgd::<f32>::new().with_momentum(1e-50));
    for bad in [1e300, 1e-50, 1e-40] {
        refused("weight decay", "normal numbers of f32", Sgd::<f32>::new().with_weight_decay(bad));
        refused("weight decay", "normal numbers of f32", Adam::<f32>::new().with_weight_decay(bad));
        refused("weight decay", "normal numbers of f32", AdamW::<f32>::new().with_weight_decay(bad));
        refused("value clipping", "normal numbers of f32", Sgd::<f32>::new().with_value_clipping(bad));
    }
    for fine in [near_one, 1e-50] {
        Adam::<f64>::new().with_betas(fine, fine).expect("f64 represents it");
        Sgd::<f64>::new().with_momentum(fine).expect("f64 represents it");
        Sgd::<f64>::new().with_weight_decay(fine).expect("f64 represents it");
    }
    Sgd::<f32>::new().with_value_clipping(f64::INFINITY).expect("no clipping");
    Sgd::<f32>::new().with_weight_decay(0.0).expect("no weight decay");
}

#[test]
fn an_epsilon_below_which_moments_are_lost_is_refused() {
    for bad in [1e-37, 1e-17] {
        refused("epsilon", "at least 1.1102230246251565e-16 for f32", Adam::<f32>::new().with_epsilon(bad));
    }
    refused("epsilon", "normal numbers of f32", Adam::<f32>::new().with_epsilon(1e-50));
    refused("epsilon", "for f64", AdamW::<f64>::new().with_epsilon(1e-151));
    refused("epsilon", "normal numbers of f32", Adam::<f32>::new().with_epsilon(1e39));
    Adam::<f32>::new().with_epsilon(1.2e-16).expect("above 2^-53");
    Adam::<f64>::new().with_epsilon(1e-150).expect("above 2^-500");
}

/// The correction of the moments is that of the decay rate in use: the first step has the length of the learning rate.
#[test]
fn decay_rates_near_one_are_corrected_as_they_are_used() {
    let mut layer = Linear::<f32>::zeros(1, 1);
    let mut gradients = Gradients::zeros(&layer);
    gradients.values_mut().weight[0] = 3.0;
    let mut adam = Adam::new().with_betas(0.999_999_9, 0.999_999_9).expect("below 1 in f32");
    adam.step(&mut layer, &gradients, 0.1);
    assert!((layer.weight[0] + 0.1).abs() < 1e-6, "{}", layer.weight[0]);
}

#[test]
fn learning_rates_that_make_no_sense_panic_and_change_nothing() {
    fn check(optimizer: &mut impl Optimizer<f32>) {
        for bad in [f32::NAN, f32::INFINITY, -0.1] {
            let mut layer = Linear::<f32>::zeros(2, 2);
            let gradients = Gradients::zeros(&layer);
            layer.weight.fill(1.0);
            let panic = catch_unwind(AssertUnwindSafe(|| optimizer.step(&mut layer, &gradients, bad)));
            let message = panic.expect_err("a bad learning rate").downcast::<String>().expect("a message");
            assert!(message.contains("the learning rate is") && message.contains("must be"), "{message}");
            assert!(layer.weight.iter().all(|&w| w == 1.0));
        }
        let mut layer = Linear::<f32>::zeros(2, 2);
        let gradients = Gradients::zeros(&layer);
        optimizer.step(&mut layer, &gradients, 0.0);
    }
    check(&mut Sgd::new());
    check(&mut Sgd::new().with_momentum(0.9).expect("in range"));
    check(&mut Adam::new());
    check(&mut AdamW::new());
}
