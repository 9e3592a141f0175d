//! Averages of weights: bias correction, exactness, precision and restored states. Values of PyTorch are in `optimizers/pytorch`.

use crate::common::{assert_close, bits, elements, elman, generator, linear, random_like};
use longhand::nalgebra::DVector;
use longhand::{ExponentialMovingAverage, Frozen, Layer, Linear, StochasticWeightAverage, Tensors};

fn exponential<M: Tensors<f64>>(model: &M, decay: f64) -> ExponentialMovingAverage<M> {
    ExponentialMovingAverage::new(model, decay).expect("the decay is in range")
}

fn scalar(value: f64) -> DVector<f64> {
    DVector::from_element(1, value)
}

/// The parts of all updates, from the newest to the first, decrease by `decay`, and their sum is 1.
#[test]
fn bias_correction_divides_by_the_sum_of_the_parts() {
    for decay in [0.0, 0.3, 0.9, 0.999, 1.0 - 1e-12] {
        let mut average = exponential(&scalar(0.0), decay).with_bias_correction();
        let weights: Vec<f64> = (0..20).map(|t| f64::from(t * t % 7) - 1.5).collect();
        for (t, w) in weights.iter().enumerate() {
            average.update(&scalar(*w));
            let part = |i: usize| decay.powi(i32::try_from(t - i).expect("few updates"));
            let (sum, parts) =
                (0..=t).fold((0.0, 0.0), |(sum, parts), i| (sum + part(i) * weights[i], parts + part(i)));
            let error = (average.model()[0] - sum / parts).abs();
            assert!(error < 1e-14, "decay {decay}, update {}: an error of {error:e}", t + 1);
        }
    }
}

/// With a decay near 1 the corrected average is the equal average, as long as there are few updates.
#[test]
fn the_corrected_average_starts_as_the_equal_average() {
    let model = linear(3, 2, &mut generator(1));
    let mut corrected = exponential(&model, 1.0 - 1e-13).with_bias_correction();
    let mut equal = StochasticWeightAverage::new(&model);
    for seed in 0..30 {
        let model = random_like(&model, &mut generator(seed));
        corrected.update(&model);
        equal.update(&model);
    }
    assert_close("average", corrected.model(), equal.model(), 1e-11);
}

#[test]
fn the_first_update_replaces_the_initial_model() {
    let g = &mut generator(2);
    let (start, first) = (linear(3, 2, g), linear(3, 2, g));
    let (mut exponential, mut equal) = (exponential(&start, 0.99), StochasticWeightAverage::new(&start));
    assert_eq!((exponential.model(), equal.model()), (&start, &start));
    exponential.update(&first);
    equal.update(&first);
    assert_eq!((exponential.model(), equal.model()), (&first, &first));
}

/// Frozen parameters, for example: no rounding, however often.
#[test]
fn the_average_of_equal_weights_is_exact() {
    let g = &mut generator(3);
    let model = Frozen::new(elman(3, 5, g)).then(linear(5, 2, g)).expect("the features match");
    let mut averages = (
        exponential(&model, 0.9),
        exponential(&model, 0.99).with_bias_correction(),
        StochasticWeightAverage::new(&model),
    );
    for _ in 0..50 {
        averages.0.update(&model);
        averages.1.update(&model);
        averages.2.update(&model);
    }
    for average in [averages.0.model(), averages.1.model(), averages.2.model()] {
        assert_eq!(bits(average), bits(&model));
    }
}

#[test]
fn restored_averages_continue_with_the_same_bits() {
    let start = linear(3, 2, &mut generator(4));
    let other = linear(3, 2, &mut generator(5));
    let models: Vec<Linear<f64>> = (0..8).map(|seed| random_like(&start, &mut generator(seed))).collect();
    let make = |start| (exponential(start, 0.9).with_bias_correction(), StochasticWeightAverage::new(start));
    let (mut uninterrupted, mut resumed) = (make(&start), make(&other));
    for (t, model) in models.iter().enumerate() {
        if t == 3 {
            resumed.0.restore(uninterrupted.0.model(), uninterrupted.0.updates());
            resumed.1.restore(uninterrupted.1.model(), uninterrupted.1.updates());
        }
        uninterrupted.0.update(model);
        uninterrupted.1.update(model);
        if t >= 3 {
            resumed.0.update(model);
            resumed.1.update(model);
        }
    }
    assert_eq!(uninterrupted, resumed);
    assert_eq!(bits(uninterrupted.0.model()), bits(resumed.0.model()));
}

/// Sums of large numbers of `f32` weights would lose digits; a running average does not.
#[test]
fn an_equal_average_of_many_models_is_accurate_in_f32() {
    let weight = |t: usize| 1.0 + 0.1 * (0.7 * t as f64).sin();
    let mut average = StochasticWeightAverage::new(&DVector::from_element(1, 0.0_f32));
    let updates = 20_000;
    for t in 0..updates {
        average.update(&DVector::from_element(1, weight(t) as f32));
    }
    let exact = (0..updates).map(weight).sum::<f64>() / updates as f64;
    let error = (f64::from(average.model()[0]) - exact).abs();
    assert!(error < 2e-5, "{error:e}");
}

/// An average that decays to zero must get there: subnormal numbers are slow.
#[test]
fn averages_of_zero_become_zero() {
    let mut average = ExponentialMovingAverage::new(&DVector::from_element(1, 1.0_f32), 0.6).expect("in range");
    average.update(&DVector::from_element(1, 1.0_f32));
    for _ in 0..100 {
        average.update(&DVector::from_element(1, 0.0_f32));
    }
    assert_eq!(average.model()[0].to_bits(), 0);
}

#[test]
fn decays_out_of_range_are_errors() {
    for bad in [-0.1, 1.0, 1.5, f64::NAN, f64::INFINITY] {
        let error = ExponentialMovingAverage::new(&scalar(0.0), bad).expect_err("the decay is out of range");
        assert_eq!(error.name, "decay");
    }
    let error = ExponentialMovingAverage::new(&DVector::from_element(1, 0.0_f32), 0.999_999_99);
    assert!(error.expect_err("it is 1 in f32").to_string().contains("below 1 after rounding to f32"));
}

#[test]
#[should_panic(expected = "different shapes")]
fn models_of_another_shape_panic() {
    let g = &mut generator(6);
    StochasticWeightAverage::new(&linear(3, 2, g)).update(&linear(2, 3, g));
}

#[test]
fn a_model_without_parameters_has_an_average() {
    let mut average = StochasticWeightAverage::new::<f64>(&());
    average.update::<f64>(&());
    assert!(elements::<()>(average.model()).is_empty());
}
