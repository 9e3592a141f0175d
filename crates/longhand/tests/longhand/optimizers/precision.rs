//! Hyperparameters are checked after rounding to the model's scalar type.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use longhand::{Adam, AdamW, Gradients, HyperparameterError, Linear, Optimizer, Sgd};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn assert_rejected<O>(name: &str, expected: &str, result: Result<O, HyperparameterError>) {
    let error = result.err().unwrap_or_else(|| panic!("{name} must be rejected"));
    assert_eq!(error.name, name);
    assert!(error.to_string().contains(expected), "expected `{expected}`, got `{error}`");
}

#[test]
fn numbers_that_f32_rounds_to_one_zero_or_infinity_are_rejected() {
    let near_one = 0.999_999_99;
    assert_rejected("beta2", "below 1 after rounding to f32", Adam::<f32>::new().with_betas(0.9, near_one));
    assert_rejected("beta1", "below 1 after rounding to f32", AdamW::<f32>::new().with_betas(near_one, 0.9));
    assert_rejected("momentum", "below 1 after rounding to f32", Sgd::<f32>::new().with_momentum(near_one));
    assert_rejected("momentum", "below 1 after rounding to f32", Sgd::<f32>::new().with_nesterov_momentum(near_one));
    assert_rejected("momentum", "f32", Sgd::<f32>::new().with_momentum(1e-50));
    for bad in [1e300, 1e-50, 1e-40] {
        assert_rejected("weight decay", "normal numbers of f32", Sgd::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", Adam::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", AdamW::<f32>::new().with_weight_decay(bad));
        assert_rejected("value clipping", "normal numbers of f32", Sgd::<f32>::new().with_value_clipping(bad));
    }
    for valid in [near_one, 1e-50] {
        Adam::<f64>::new().with_betas(valid, valid).expect("f64 represents it");
        Sgd::<f64>::new().with_momentum(valid).expect("f64 represents it");
        Sgd::<f64>::new().with_weight_decay(valid).expect("f64 represents it");
    }
    Sgd::<f32>::new().with_value_clipping(f64::INFINITY).expect("infinity means no clipping");
    Sgd::<f32>::new().with_weight_decay(0.0).expect("zero means no weight decay");
}

#[test]
fn a_too_small_epsilon_is_rejected() {
    for bad in [1e-37, 1e-17] {
        assert_rejected("epsilon", "at least 1.1102230246251565e-16 for f32", Adam::<f32>::new().with_epsilon(bad));
    }
    assert_rejected("epsilon", "normal numbers of f32", Adam::<f32>::new().with_epsilon(1e-50));
    assert_rejected("epsilon", "for f64", AdamW::<f64>::new().with_epsilon(1e-151));
    assert_rejected("epsilon", "normal numbers of f32", Adam::<f32>::new().with_epsilon(1e39));
    Adam::<f32>::new().with_epsilon(1.2e-16).expect("above 2^-53");
    Adam::<f64>::new().with_epsilon(1e-150).expect("above 2^-500");
}

/// The bias correction must use the rounded decay rates. Then the first step is as long as the learning rate.
#[test]
fn bias_correction_uses_the_rounded_decay_rates() {
    let mut layer = Linear::<f32>::zeros(1, 1);
    let mut gradients = Gradients::zeros(&layer);
    gradients.values_mut().weight[0] = 3.0;
    let mut adam = Adam::new().with_betas(0.999_999_9, 0.999_999_9).expect("both are below 1 in f32");
    adam.step(&mut layer, &gradients, 0.1);
    assert!((layer.weight[0] + 0.1).abs() < 1e-6, "{}", layer.weight[0]);
}

#[test]
fn invalid_learning_rates_panic_and_parameters_are_unchanged() {
    fn check(optimizer: &mut impl Optimizer<f32>) {
        for bad in [f32::NAN, f32::INFINITY, -0.1] {
            let mut layer = Linear::<f32>::zeros(2, 2);
            let gradients = Gradients::zeros(&layer);
            layer.weight.fill(1.0);
            let panic = catch_unwind(AssertUnwindSafe(|| optimizer.step(&mut layer, &gradients, bad)));
            let message = panic
                .expect_err("the learning rate is invalid")
                .downcast::<String>()
                .expect("the panic message is a string");
            assert!(message.contains("the learning rate is") && message.contains("must be"), "{message}");
            assert!(layer.weight.iter().all(|&w| w == 1.0));
        }
        let mut layer = Linear::<f32>::zeros(2, 2);
        let gradients = Gradients::zeros(&layer);
        optimizer.step(&mut layer, &gradients, 0.0);
    }
    check(&mut Sgd::new());
    check(&mut Sgd::new().with_momentum(0.9).expect("the value is in range"));
    check(&mut Adam::new());
    check(&mut AdamW::new());
}
