//! Hyperparameters are checked after rounding to the model's scalar type.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use longhand::nalgebra::DVector;
use longhand::{
    Adagrad, Adam, AdamW, Gradients, HyperparameterError, Linear, Lion, Lookahead, Optimizer, RmsProp, Sgd,
};
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
    assert_rejected("alpha", "below 1 after rounding to f32", RmsProp::<f32>::new().with_alpha(near_one));
    assert_rejected("momentum", "below 1 after rounding to f32", RmsProp::<f32>::new().with_momentum(near_one));
    assert_rejected("beta1", "below 1 after rounding to f32", Lion::<f32>::new().with_betas(near_one, 0.9));
    assert_rejected("beta2", "below 1 after rounding to f32", Lion::<f32>::new().with_betas(0.9, near_one));
    assert_rejected("alpha", "f32", Lookahead::new(Sgd::<f32>::new()).with_alpha(1e-50));
    for bad in [1e300, 1e-50, 1e-40] {
        assert_rejected("weight decay", "normal numbers of f32", Sgd::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", Adam::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", AdamW::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", RmsProp::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", Adagrad::<f32>::new().with_weight_decay(bad));
        assert_rejected("weight decay", "normal numbers of f32", Lion::<f32>::new().with_weight_decay(bad));
        let adagrad = Adagrad::<f32>::new;
        assert_rejected("learning rate decay", "normal numbers of f32", adagrad().with_learning_rate_decay(bad));
        assert_rejected("initial accumulator", "normal numbers of f32", adagrad().with_initial_accumulator(bad));
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
    assert_rejected("epsilon", "for f32", RmsProp::<f32>::new().with_epsilon(1e-17));
    assert_rejected("epsilon", "for f32", Adagrad::<f32>::new().with_epsilon(1e-17));
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
    check(&mut RmsProp::new());
    check(&mut Adagrad::new());
    check(&mut Lion::new());
    check(&mut Lookahead::new(Adam::new()));
}

/// A step with these gradients of one weight each, from weights of 1, in `f32`.
fn step(optimizer: &mut impl Optimizer<f32>, weights: &mut DVector<f32>, gradients: &[f32], learning_rate: f32) {
    let mut values = Gradients::zeros(weights);
    values.values_mut().copy_from_slice(gradients);
    optimizer.step(weights, &values, learning_rate);
}

/// The largest gradients of `f32`, whose squares overflow, and gradients whose squares underflow.
#[test]
fn extreme_gradients_keep_parameters_and_state_finite() {
    fn check(mut optimizer: impl Optimizer<f32>) {
        let mut weights = DVector::from_element(6, 1.0);
        for sign in [1.0, -1.0, 1.0] {
            let gradients = [f32::MAX, -f32::MAX, 1e25, 1e-25, f32::MIN_POSITIVE, 1e-45].map(|g| sign * g);
            step(&mut optimizer, &mut weights, &gradients, 1e-3);
        }
        let moved: Vec<f32> = weights.iter().map(|w| (w - 1.0).abs()).collect();
        assert!(moved[..3].iter().all(|&moved| moved < 0.1), "{moved:?}");
        assert_eq!(moved[3..], [0.0; 3], "squares that underflow must not be divided by");
        for (name, values) in optimizer.state().moments {
            let right = values.iter().all(|x| x.is_finite() && (*x == 0.0 || x.is_normal()));
            assert!(right, "{name} is {values:?}");
        }
    }
    check(RmsProp::new());
    check(RmsProp::new().with_momentum(0.9).expect("the value is in range"));
    check(RmsProp::new().centred());
    check(Adagrad::new());
    check(Lookahead::new(RmsProp::new()).with_period(2).expect("the value is in range"));
    check(Lion::new());
}

/// After the largest gradients the sum of squares is the largest number, and not infinite.
#[test]
fn the_sum_of_adagrad_stays_finite() {
    let (mut adagrad, mut weights) = (Adagrad::new(), DVector::from_element(1, 1.0));
    for _ in 0..20 {
        step(&mut adagrad, &mut weights, &[f32::MAX], 0.0);
    }
    assert_eq!(adagrad.state().moments[0].1, [f32::MAX]);
}

#[test]
fn gradients_that_are_not_finite_are_not_hidden() {
    fn check<O: Optimizer<f32>>(optimizer: impl Fn() -> O) {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut weights = DVector::from_element(1, 1.0);
            step(&mut optimizer(), &mut weights, &[bad], 0.1);
            assert!(weights[0].is_nan(), "{} after a gradient of {bad}", weights[0]);
        }
    }
    check(RmsProp::new);
    check(|| RmsProp::new().centred());
    check(Adagrad::new);
    check(Lion::new);
    check(|| Lookahead::new(Lion::new()).with_period(1).expect("the value is in range"));
}

/// With a constant gradient the mean of the squares minus the square of the mean cancels. In `f32` the difference is rounding errors, of
/// both signs, so its root would be NaN.
#[test]
fn the_variance_of_a_constant_gradient_is_not_negative() {
    let epsilon = 1e-2;
    let optimizer =
        || RmsProp::<f32>::new().with_alpha(0.9).and_then(|o| o.with_epsilon(epsilon)).map(RmsProp::centred);
    let gradients: Vec<f32> = (1..=40).map(|i| 0.37 * i as f32).collect();
    let (mut narrow, mut weights) = (optimizer().expect("in range"), DVector::from_element(40, 0.0));
    for _ in 0..400 {
        step(&mut narrow, &mut weights, &gradients, 1e-6);
    }
    let variance = &narrow.state().moments[0];
    assert_eq!(variance.0, "variance");
    assert!(variance.1.iter().all(|&s| (0.0..1e-9).contains(&s)), "{variance:?}");
    for (w, g) in weights.iter().zip(&gradients) {
        assert!(w.is_finite() && *w < 0.0 && w.abs() <= 400.0 * 1e-6 * g / epsilon as f32 * 1.001, "{w}");
    }
}
