//! Nonlinearities, normalisation and pooling at extreme values: no overflow, no NaN that the input does not have.

#![allow(
    clippy::float_cmp,
    clippy::default_trait_access,
    reason = "limits are exact; the types of caches would distract"
)]

use crate::common::generator;
use longhand::{
    Activation, AttentionPooling, HyperparameterError, Layer, LayerNorm, MaxOverTime, ParameterGradients, Pass,
    RmsNorm, Scalar, Sequences,
};

/// The outputs for `x`, one feature after the other, and the gradients of the input for `d_y = 1`.
fn passes<T: Scalar, L>(layer: &L, x: &[T]) -> (Vec<T>, Vec<T>)
where
    L: Layer<T, Input = Sequences<T>, Output = Sequences<T>, Carry = ()>,
{
    let x = Sequences::from_fn(x.len(), 1, 1, |feature, _, _| x[feature]);
    let (mut cache, mut d_x) = (L::Cache::default(), Sequences::default());
    let mut y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    let outputs = y.at(0, 0).to_vec();
    y.values_mut().fill(T::one());
    layer.backward(&x, &mut cache, Some(&y), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    (outputs, d_x.at(0, 0).to_vec())
}

#[test]
fn nonlinearities_have_their_limits_at_infinity() {
    fn check<T: Scalar>(infinity: T, large: T) {
        let [zero, one] = [T::zero(), T::one()];
        let elu = Activation::elu(1.0).expect("positive");
        let limits = [
            (Activation::Gelu, zero, None),
            (Activation::Silu, zero, None),
            (Activation::Softplus, zero, None),
            (elu, -one, None),
            (Activation::HardSwish, zero, None),
            (Activation::HardSigmoid, zero, Some(one)),
            (Activation::HardTanh, -one, Some(one)),
        ];
        for (activation, below, above) in limits {
            for x in [infinity, large] {
                let (y, d_x) = passes(&activation, &[-x, x]);
                assert_eq!(y, [below, above.unwrap_or(x)], "{activation:?}");
                let slope = if above.is_some() { zero } else { one };
                assert_eq!(d_x, [zero, slope], "{activation:?}");
            }
        }
    }
    check(f32::INFINITY, 3e38);
    check(f64::INFINITY, 1e300);
}

#[test]
fn nan_stays_nan() {
    let leaky = Activation::leaky_relu(0.1).expect("finite");
    let smooth = [Activation::Gelu, Activation::Silu, Activation::Softplus, Activation::HardSwish, leaky];
    for activation in [smooth.as_slice(), &[Activation::HardSigmoid, Activation::HardTanh, Activation::Relu]].concat() {
        assert!(passes(&activation, &[f32::NAN]).0[0].is_nan(), "{activation:?}");
        assert!(passes(&activation, &[f64::NAN]).0[0].is_nan(), "{activation:?}");
    }
}

/// Against double precision: far below zero the outputs are small, and relative errors show.
#[test]
fn nonlinearities_in_single_precision_are_those_in_double_precision() {
    let x: Vec<f32> = (-4_000..4_000).map(|i| i as f32 / 400.0).collect();
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let elu = Activation::elu(1.0).expect("positive");
    for (activation, bound) in [
        (Activation::Gelu, 5e-6),
        (Activation::Silu, 5e-7),
        (Activation::Softplus, 5e-7),
        (elu, 5e-7),
        (Activation::HardSwish, 5e-7),
    ] {
        let ((y, d_x), (expected_y, expected_d_x)) = (passes(&activation, &x), passes(&activation, &wide));
        for i in 0..x.len() {
            let error = (f64::from(y[i]) - expected_y[i]).abs();
            // Far below zero, results are flushed to zero.
            assert!(error <= bound * expected_y[i].abs() + 2e-18, "{activation:?}: {} at {}", y[i], x[i]);
            let error = (f64::from(d_x[i]) - expected_d_x[i]).abs();
            assert!(error <= 5e-7, "{activation:?}: derivative {} at {}", d_x[i], x[i]);
        }
    }
}

#[test]
fn coefficients_are_checked() {
    let error = |activation: Result<Activation, HyperparameterError>| activation.expect_err("checked").to_string();
    assert!(error(Activation::leaky_relu(f64::NAN)).contains("slope is NaN"));
    assert!(error(Activation::leaky_relu(1e39)).contains("finite"));
    assert!(error(Activation::elu(-0.5)).contains("not negative"));
    let error = LayerNorm::<f32>::new(2).with_epsilon(1e-50).expect_err("zero in single precision").to_string();
    assert!(error.contains("epsilon is"), "{error}");
    assert!(RmsNorm::<f64>::new(2).with_epsilon(0.0).is_err());
}

/// Equal outputs, and gradients of almost zero, as the outputs hardly depend on an input that is so large.
fn assert_equal_outputs(single: &(Vec<f32>, Vec<f32>), double: &(Vec<f64>, Vec<f64>)) {
    for (single, double) in single.0.iter().zip(&double.0) {
        assert!((f64::from(*single) - double).abs() < 1e-6, "{single}, expected {double}");
    }
    assert!(single.1.iter().all(|d_x| d_x.abs() < 1e-30), "{:?}", single.1);
}

/// Squares, and the sum of the features, overflow in single precision.
#[test]
fn normalising_layers_do_not_overflow() {
    let x = [1.5e38_f32, -0.5e38, 1.0e38, 1.2e38];
    let wide = x.map(f64::from);
    assert_equal_outputs(&passes(&LayerNorm::new(4), &x), &passes(&LayerNorm::new(4), &wide));
    assert_equal_outputs(&passes(&RmsNorm::new(4), &x), &passes(&RmsNorm::new(4), &wide));
}

/// The mean is large compared with the deviation.
#[test]
fn layer_norm_does_not_cancel() {
    let x: Vec<f32> = (0..64).map(|i| 4096.0 + (i % 7) as f32 / 256.0).collect();
    let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let (single, double) = (passes(&LayerNorm::new(64), &x).0, passes(&LayerNorm::new(64), &wide).0);
    for (single, double) in single.iter().zip(&double) {
        assert!((f64::from(*single) - double).abs() < 0.1, "{single}, expected {double}");
    }
}

#[test]
fn constant_features_are_normalised_to_the_bias() {
    let mut layer = LayerNorm::<f32>::new(3);
    layer.bias.copy_from_slice(&[1.0, 2.0, 3.0]);
    let (y, d_x) = passes(&layer, &[7.0; 3]);
    assert_eq!(y, [1.0, 2.0, 3.0]);
    assert!(d_x.iter().all(|d_x| d_x.abs() < 1e-3), "{d_x:?}");
    assert_eq!(passes(&RmsNorm::<f32>::new(3), &[0.0; 3]).0, [0.0; 3]);
}

#[test]
fn attention_does_not_overflow() {
    let mut layer = AttentionPooling::<f32>::new(2, 3, &mut generator(1));
    layer.weight.fill(1e20);
    layer.query.fill(1e30);
    let x = Sequences::from_fn(2, 4, 1, |_, step, _| [-1.0, 3.0, 2.0, -5.0][step]);
    let (mut cache, mut d_x) = (Default::default(), Sequences::default());
    let y = layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    // The two positive steps have the same score.
    assert_eq!(y.at(0, 0), [2.5, 2.5]);
    layer.backward(&x, &mut cache, Some(&y), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert!(d_x.values().iter().all(|d_x| d_x.is_finite()));
}

#[test]
fn the_maximum_over_nan_is_nan_and_that_over_minus_infinity_is_minus_infinity() {
    let x = Sequences::from_fn(2, 3, 1, |feature, step, _| {
        [[1.0, f64::NEG_INFINITY], [f64::NAN, f64::NEG_INFINITY], [2.0, f64::NEG_INFINITY]][step][feature]
    });
    let (mut cache, mut d_x) = (Default::default(), Sequences::default());
    let mut y = MaxOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer).clone();
    assert!(y.at(0, 0)[0].is_nan() && y.at(0, 0)[1] == f64::NEG_INFINITY);
    y.values_mut().fill(1.0);
    MaxOverTime.backward(&x, &mut cache, Some(&y), &mut (), ParameterGradients::Skip, Some(&mut d_x));
    assert_eq!(d_x.values().as_slice(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
}
