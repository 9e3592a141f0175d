//! Initialisers: bounds, variances, orthogonality and reproducibility.

use crate::common::{bits, elements, elman, generator};
use longhand::HyperparameterError;
use longhand::initialise::{self, kaiming_normal, kaiming_uniform, orthogonal, xavier_normal, xavier_uniform};
use longhand::nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;

type Initialiser = fn(&mut DMatrix<f64>, f64, &mut ChaCha8Rng) -> Result<(), HyperparameterError>;

/// Mean, variance and largest magnitude of a 200 x 50 weight.
fn statistics(initialiser: Initialiser, gain: f64) -> (f64, f64, f64) {
    let mut weight = DMatrix::zeros(200, 50);
    initialiser(&mut weight, gain, &mut generator(1)).expect("the gain is valid");
    let n = weight.len() as f64;
    let mean = weight.sum() / n;
    (mean, weight.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / n, weight.amax())
}

/// Checks mean and variance. Returns the largest magnitude in standard deviations. With 10,000 draws, the standard
/// error is 1 % of the standard deviation for the mean and 1.4 % for the variance. The tolerances are five times as
/// large.
fn check_moments(initialiser: Initialiser, gain: f64, expected: f64) -> f64 {
    let (mean, variance, largest) = statistics(initialiser, gain);
    assert!(mean.abs() < 0.05 * expected.sqrt(), "mean {mean}");
    assert!((variance / expected - 1.0).abs() < 0.07, "variance {variance}, expected {expected}");
    largest / expected.sqrt()
}

#[test]
fn variances_and_bounds_are_those_of_the_distributions() {
    for gain in [1.0, 2.0_f64.sqrt(), 0.1] {
        let xavier = gain * gain * 2.0 / (200.0 + 50.0);
        let kaiming = gain * gain / 50.0;
        // A uniform distribution ends at sqrt(3) standard deviations. The largest of 10,000 normal draws is between 3
        // and 6.
        for (initialiser, variance) in [(xavier_uniform as Initialiser, xavier), (kaiming_uniform, kaiming)] {
            let largest = check_moments(initialiser, gain, variance);
            assert!(largest <= 3.0_f64.sqrt() * (1.0 + 1e-12) && largest > 1.72, "{largest}");
        }
        for (initialiser, variance) in [(xavier_normal as Initialiser, xavier), (kaiming_normal, kaiming)] {
            let largest = check_moments(initialiser, gain, variance);
            assert!((3.0..6.0).contains(&largest), "{largest}");
        }
    }
}

#[test]
fn uniform_fills_every_tensor_within_its_bounds() {
    let mut layer = elman(3, 40, &mut generator(2));
    initialise::uniform(&mut layer, -0.01, 0.02, &mut generator(3)).expect("the bounds are ordered");
    let all = elements(&layer);
    assert!(all.iter().all(|w| (-0.01..0.02).contains(w)));
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    assert!((mean - 0.005).abs() < 0.001, "{mean}");
    assert!(layer.bias_hh_l0.iter().all(|&b| b != 0.0));
    for (low, high) in [(1.0, 1.0), (1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY)] {
        let before = bits(&layer);
        let error = initialise::uniform(&mut layer, low, high, &mut generator(4)).expect_err("the bounds are invalid");
        assert_eq!(error.name, if low.is_nan() { "low" } else { "high" });
        assert_eq!(bits(&layer), before);
    }
}

/// The columns, or the rows if there are fewer rows, must be orthogonal and have norm `gain`.
#[test]
fn orthogonal_matrices_are_orthogonal() {
    for (rows, columns) in [(50, 50), (60, 20), (20, 60), (1, 1), (1, 7), (7, 1)] {
        for gain in [1.0, 1.7] {
            let mut weight = DMatrix::<f64>::zeros(rows, columns);
            orthogonal(&mut weight, gain, &mut generator(5)).expect("the gain is valid");
            let product = if rows >= columns { weight.tr_mul(&weight) } else { &weight * weight.transpose() };
            let expected = DMatrix::identity(rows.min(columns), rows.min(columns)) * (gain * gain);
            let error = (product - expected).amax();
            assert!(error < 1e-13, "{rows} x {columns}: off by {error:e}");
        }
    }
}

/// For a uniform distribution over the orthogonal matrices, elements of the diagonal are positive in half of the draws.
#[test]
fn orthogonal_matrices_have_no_preferred_sign() {
    let g = &mut generator(6);
    let mut positive = 0;
    for _ in 0..400 {
        let mut weight = DMatrix::<f64>::zeros(3, 3);
        orthogonal(&mut weight, 1.0, g).expect("the gain is valid");
        positive += weight.diagonal().iter().filter(|&&w| w > 0.0).count();
    }
    // 600 of 1,200 are expected, with a standard deviation of 17.
    assert!((500..700).contains(&positive), "{positive} of 1,200");
}

#[test]
fn equal_seeds_give_equal_bits_and_other_seeds_other_bits() {
    for initialiser in [xavier_uniform as Initialiser, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal] {
        let draw = |seed| {
            let mut weight = DMatrix::zeros(4, 6);
            initialiser(&mut weight, 1.0, &mut generator(seed)).expect("the gain is valid");
            bits(&weight)
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}

#[test]
fn f32_weights_are_the_rounded_f64_weights() {
    let (mut narrow, mut wide) = (DMatrix::<f32>::zeros(5, 4), DMatrix::<f64>::zeros(5, 4));
    xavier_normal(&mut narrow, 1.0, &mut generator(9)).expect("the gain is valid");
    xavier_normal(&mut wide, 1.0, &mut generator(9)).expect("the gain is valid");
    assert!(narrow.iter().zip(wide.iter()).all(|(n, w)| n.to_bits() == (*w as f32).to_bits()));
}

#[test]
fn a_gain_of_zero_gives_zeros() {
    for initialiser in [xavier_uniform as Initialiser, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal] {
        let mut weight = DMatrix::from_element(3, 2, 1.0);
        initialiser(&mut weight, 0.0, &mut generator(10)).expect("the gain is valid");
        assert!(weight.iter().all(|&w| w == 0.0));
    }
}

#[test]
fn invalid_gains_are_errors_and_weights_are_unchanged() {
    for initialiser in [xavier_uniform as Initialiser, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal] {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 5e-324] {
            let mut weight = DMatrix::from_element(3, 2, 1.0);
            let error = initialiser(&mut weight, bad, &mut generator(11)).expect_err("the gain is invalid");
            assert!(error.to_string().starts_with("gain is "), "{error}");
            assert_eq!(bits(&weight), [1.0_f64.to_bits(); 6]);
        }
    }
}

/// Gains and bounds are checked after rounding to the model's scalar type.
#[test]
fn gains_and_bounds_that_f32_cannot_represent_are_errors() {
    let mut weight = DMatrix::<f32>::zeros(3, 2);
    let g = &mut generator(12);
    for bad in [1e300, 3e38, 1e-60] {
        let error = kaiming_normal(&mut weight, bad, g).expect_err("f32 cannot represent the gain");
        assert!(error.to_string().contains("normal numbers of f32"), "{error}");
    }
    assert!(orthogonal(&mut weight, 1e39, g).is_err() && xavier_uniform(&mut weight, 1e39, g).is_err());
    for (low, high) in [(-1e300, 1.0), (0.0, 1e300), (1.0, 1.0 + 1e-12)] {
        assert!(initialise::uniform(&mut weight, low, high, g).is_err(), "{low} to {high}");
    }
    let lstm = longhand::Lstm::<f32>::zeros(2, 3);
    for bad in [f64::NAN, f64::NEG_INFINITY, 1e300] {
        let error = lstm.clone().with_forget_bias(bad).expect_err("the forget bias is not finite in f32");
        assert!(error.to_string().starts_with("forget bias is "), "{error}");
    }
}

#[test]
fn weights_without_elements_are_initialised() {
    for initialiser in [xavier_uniform as Initialiser, xavier_normal, kaiming_uniform, kaiming_normal, orthogonal] {
        for (rows, columns) in [(0, 0), (0, 3), (3, 0)] {
            initialiser(&mut DMatrix::zeros(rows, columns), 1.0, &mut generator(13)).expect("the gain is valid");
        }
    }
}
