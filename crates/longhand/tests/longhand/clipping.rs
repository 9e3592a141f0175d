//! Clipping by value and by the global norm.

mod range;

use crate::common::{bits, cases, elements, elman, generator, linear, randomise};
use longhand::{Chain, Elman, Gradients, Layer, Linear, Tensors, clip_by_global_norm, clip_by_value, global_norm};
use proptest::prelude::proptest;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn gradients(seed: u64, size: f64) -> Chain<Elman<f64>, Linear<f64>> {
    let g = &mut generator(seed);
    let mut gradients = elman(3, 5, g).then(linear(5, 2, g)).expect("the features match");
    randomise(&mut gradients, size, g);
    gradients
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|g| g * g).sum::<f64>().sqrt()
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn clipping_by_global_norm_limits_the_norm_and_keeps_the_direction(
        seed: u64, size in 0.01f64..10.0, limit in 0.01f64..10.0,
    ) {
        let mut clipped = gradients(seed, size);
        let before = elements(&clipped);
        let returned = clip_by_global_norm(&mut clipped, limit);
        assert!((returned - norm(&before)).abs() < 1e-13 * returned, "the norm before clipping must be returned");
        assert!((global_norm(&clipped) - returned.min(limit)).abs() < 1e-13 * returned);
        // All tensors are scaled by the same factor.
        let factor = (limit / returned).min(1.0);
        for (given, g) in elements(&clipped).iter().zip(&before) {
            assert!((given - factor * g).abs() < 1e-14 * size, "got {given}, expected {}", factor * g);
        }
    }

    #[test]
    fn clipping_by_value_clamps_each_element(seed: u64, size in 0.01f64..10.0, limit in 0.01f64..10.0) {
        let mut clipped = gradients(seed, size);
        let before = elements(&clipped);
        clip_by_value(&mut clipped, limit);
        for (given, g) in elements(&clipped).iter().zip(&before) {
            assert_eq!(given.to_bits(), g.clamp(-limit, limit).to_bits());
        }
    }
}

#[test]
fn gradients_within_the_limit_are_unchanged() {
    let mut clipped = gradients(1, 1.0);
    let before = bits(&clipped);
    let norm = global_norm(&clipped);
    clip_by_global_norm(&mut clipped, norm);
    clip_by_global_norm(&mut clipped, f64::INFINITY);
    clip_by_value(&mut clipped, 1.0);
    clip_by_value(&mut clipped, f64::INFINITY);
    assert_eq!(bits(&clipped), before);
}

#[test]
fn a_non_finite_norm_is_returned_and_gradients_are_unchanged() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut clipped = gradients(2, 5.0);
        clipped.first_mut().bias_ih_l0[2] = bad;
        let before = bits(&clipped);
        let norm = clip_by_global_norm(&mut clipped, 1.0);
        assert!(!norm.is_finite());
        assert_eq!(bits(&clipped), before);
    }
}

#[test]
fn clipping_by_value_clamps_infinity_and_keeps_nan() {
    let mut clipped = Linear::<f64>::zeros(2, 2);
    clipped.weight.copy_from_slice(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]);
    clip_by_value(&mut clipped, 0.5);
    let given = clipped.weight.as_slice();
    assert!(given[0].is_nan());
    assert_eq!(given[1..].iter().map(|g| g.to_bits()).collect::<Vec<_>>(), [0.5, -0.5, -0.0_f64].map(f64::to_bits));
}

#[test]
fn zero_gradients_have_norm_zero() {
    let mut zero = gradients(3, 1.0).zeros();
    let norm = clip_by_global_norm(&mut zero, 1.0);
    assert_eq!(norm.to_bits(), 0.0_f64.to_bits());
    assert!(elements(&zero).iter().all(|&g| g == 0.0));
}

#[test]
fn non_positive_limits_panic_and_gradients_are_unchanged() {
    for bad in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        let mut unclipped = gradients(4, 5.0);
        let before = bits(&unclipped);
        let by_value = catch_unwind(AssertUnwindSafe(|| clip_by_value(&mut unclipped, bad)));
        let by_norm = catch_unwind(AssertUnwindSafe(|| clip_by_global_norm(&mut unclipped, bad)));
        assert!(by_value.is_err() && by_norm.is_err(), "the limit {bad} must panic");
        assert_eq!(bits(&unclipped), before);
    }
}

#[test]
fn scaling_multiplies_every_gradient() {
    let mut gradients = Gradients::zeros(&Linear::<f64>::zeros(2, 1));
    gradients.values_mut().weight.copy_from_slice(&[3.0, -4.0]);
    gradients.values_mut().bias[0] = 0.5;
    gradients.scale(2.0);
    assert_eq!(elements(gradients.values()), [6.0, -8.0, 1.0]);
}
