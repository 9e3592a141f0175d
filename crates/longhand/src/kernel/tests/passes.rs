//! Passes over slices, element by element.

use super::{bits, reals, whole};
use crate::Scalar;
use crate::kernel::{self, AdamStep};
use crate::scalar::real;
use alloc::vec::Vec;
use nalgebra::ComplexField;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The passes over slices mean the same as these loops, bit for bit, at every length.
fn check_passes<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(4);
    let (zero, one) = (T::zero(), T::one());
    for length in (0..70).chain([128, 129, 1000]) {
        let [a, b, c, d] = [0; 4].map(|_| reals::<T>(length, g));
        let each = |f: &dyn Fn(usize) -> T| bits(&(0..length).map(f).collect::<Vec<T>>());
        let half = real::<T>(0.5);

        let mut out = a.clone();
        kernel::add_scaled(&mut out, half, &b);
        assert_eq!(bits(&out), each(&|i| a[i] + half * b[i]));
        let mut out = a.clone();
        kernel::add(&mut out, &b);
        assert_eq!(bits(&out), each(&|i| a[i] + b[i]));
        let mut out = a.clone();
        kernel::multiply(&mut out, &b);
        assert_eq!(bits(&out), each(&|i| a[i] * b[i]));
        let mut out = a.clone();
        kernel::scale(&mut out, real(0.3));
        assert_eq!(bits(&out), each(&|i| a[i] * real(0.3)));
        let mut out = a.clone();
        kernel::clamp(&mut out, half);
        assert_eq!(bits(&out), each(&|i| a[i].clamp(-half, half)));
        let mut out = a.clone();
        kernel::relu(&mut out);
        assert_eq!(bits(&out), each(&|i| if a[i] < zero { zero } else { a[i] }));
        let mut out = a.clone();
        kernel::tanh_backward(&mut out, &b, &c, &d);
        assert_eq!(bits(&out), each(&|i| (c[i] + d[i]) * (one - b[i] * b[i])));
        let mut out = a.clone();
        kernel::relu_backward(&mut out, &b, &c, &d);
        assert_eq!(bits(&out), each(&|i| if b[i] > zero { c[i] + d[i] } else { zero }));
        let mut out = a.clone();
        kernel::fill_columns(&mut out, &b[..length.min(1)]);
        assert_eq!(bits(&out), each(&|_| b[0]));

        let norm: f64 = a.iter().map(|a| a.to_subset().unwrap_or(f64::NAN)).map(|a| a * a).sum();
        let given = kernel::sum_of_squares(&a).to_subset().unwrap_or(f64::NAN);
        assert!((given - norm).abs() <= 1e-5 * norm, "{given} against {norm}");

        let step = AdamStep {
            beta1: real(0.9),
            beta2: real(0.99),
            epsilon: real(1e-8),
            weight_decay: real(0.1),
            kept: real(0.98),
            step_size: real(0.01),
            second_scale: real(1.5),
        };
        let (mut w, mut m, mut v) = (a.clone(), c.clone(), d.iter().map(|&d| ComplexField::abs(d)).collect::<Vec<T>>());
        kernel::adam(&mut w, &b, &mut m, &mut v, &step);
        let gradient = |i: usize| b[i] + step.weight_decay * a[i];
        let first = |i: usize| step.beta1 * c[i] + (one - step.beta1) * gradient(i);
        let second = |i: usize| step.beta2 * d[i].abs() + (one - step.beta2) * (gradient(i) * gradient(i));
        let denominator = |i: usize| (second(i) * step.second_scale).sqrt() + step.epsilon;
        assert_eq!(bits(&m), each(&first));
        assert_eq!(bits(&v), each(&second));
        assert_eq!(bits(&w), each(&|i| step.kept * a[i] - step.step_size * first(i) / denominator(i)));
    }
}

#[test]
fn passes_over_slices() {
    check_passes::<f32>();
    check_passes::<f64>();
}

#[test]
fn sums_of_columns_and_columns_everywhere() {
    let g = &mut ChaCha8Rng::seed_from_u64(5);
    for rows in [1, 2, 7, 50, 63, 64, 65, 128, 130] {
        for columns in [0, 1, 2, 150] {
            let (before, matrix) = (whole::<f32>(rows, g), whole::<f32>(rows * columns, g));
            let mut sum = before.clone();
            kernel::add_columns(&mut sum, &matrix);
            for row in 0..rows {
                let expected = (0..columns).fold(before[row], |sum, column| sum + matrix[column * rows + row]);
                assert_eq!(sum[row].to_bits(), expected.to_bits(), "{rows} x {columns}, row {row}");
            }
            let mut filled = matrix.clone();
            kernel::fill_columns(&mut filled, &before);
            assert!(filled.chunks(rows).all(|column| column == before));
        }
    }
    kernel::add_columns::<f64>(&mut [], &[]);
    kernel::fill_columns::<f64>(&mut [], &[]);
}

#[test]
fn not_a_number_stays_not_a_number() {
    let mut values = [f64::NAN; 9];
    kernel::relu(&mut values);
    kernel::clamp(&mut values, 1.0);
    assert!(values.iter().all(|value| value.is_nan()));
    assert!(kernel::sum_of_squares(&values).is_nan());
}
