//! The global norm with squares that overflow or underflow, norms beyond the scalar's range, and many elements.

#![allow(clippy::float_cmp, reason = "exact results are expected")]

use longhand::nalgebra::{DMatrix, DVector};
use longhand::{Linear, Scalar, clip_by_global_norm, global_norm};

/// Distributes elements over two tensors.
fn value<T: Scalar>(elements: &[T]) -> Linear<T> {
    let (weight, bias) = elements.split_at(elements.len() / 2);
    Linear { weight: DMatrix::from_column_slice(1, weight.len(), weight), bias: DVector::from_column_slice(bias) }
}

#[test]
fn large_and_small_f32_elements_are_clipped_to_the_norm() {
    for size in [2e19_f32, 3e38, 1e-25, 1e-44, 1.0] {
        let mut gradients = value(&[size, size]);
        let norm = f64::from(size) * 2.0_f64.sqrt();
        let limit = if size < 1e-30 { 1e-45 } else { (0.5 * norm) as f32 };
        let returned = clip_by_global_norm(&mut gradients, limit);
        let expected = norm.min(f64::from(f32::MAX));
        assert!((f64::from(returned) - expected).abs() <= 1e-6 * expected + 1e-45, "{size:e}: norm {returned:e}");
        let (given, expected) = (f64::from(gradients.bias[0]), f64::from(limit) / 2.0_f64.sqrt());
        assert!((given - expected).abs() <= 1e-6 * expected + 1e-45, "{size:e}: got {given:e}, expected {expected:e}");
    }
    let mut gradients = value(&[2e19_f32, 2e19]);
    assert!((clip_by_global_norm(&mut gradients, 1.0) / 2.828_427e19 - 1.0).abs() < 1e-6);
    assert!((gradients.weight[0] - 0.707_106_77).abs() < 1e-7 && gradients.weight[0] == gradients.bias[0]);
}

#[test]
fn large_and_small_f64_elements_are_clipped_to_the_norm() {
    for size in [1e200_f64, 1.5e308, 1e160, 1e-200, 1e-160, 1e-300, 1.0] {
        for limit in [1.0_f64, 1e-10, 1e-305].into_iter().filter(|&limit| limit < size) {
            let mut gradients = value(&[size, -size, size, size]);
            let returned = clip_by_global_norm(&mut gradients, limit);
            let expected = if size > 1e308 { f64::MAX } else { 2.0 * size };
            assert!((returned / expected - 1.0).abs() < 1e-15, "{size:e}: norm {returned:e}");
            let given = gradients.weight[0];
            assert!((given / (limit / 2.0) - 1.0).abs() < 1e-14, "{size:e} to {limit:e}: {given:e}");
            assert_eq!(gradients.weight[1], -given);
        }
    }
}

/// If an element is not finite, the norm must not be finite either, and the gradients must not be clipped.
#[test]
fn non_finite_elements_give_a_non_finite_norm_and_change_nothing() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut gradients = value(&[3e38, bad, 1.0, 3e38]);
        assert!(!clip_by_global_norm(&mut gradients, 1.0).is_finite());
        assert_eq!((gradients.weight[0], gradients.bias[0]), (3e38, 1.0));
        let mut gradients = value(&[1.5e308, f64::from(bad), 1.0, 1e-300]);
        assert!(!clip_by_global_norm(&mut gradients, 1.0).is_finite());
        assert_eq!((gradients.weight[0], gradients.bias[0]), (1.5e308, 1.0));
    }
}

#[test]
fn the_norm_of_many_f32_elements_is_accurate() {
    let norm = global_norm(&value(&vec![0.1_f32; 10_000_000]));
    assert!((norm - 316.227_77).abs() < 1e-4, "{norm}");
    assert_eq!(global_norm(&value::<f32>(&[])), 0.0);
}
