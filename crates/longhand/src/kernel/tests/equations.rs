//! Equations on every instruction set, against scalar code.

use super::{bits, integers, reals};
use crate::Scalar;
use crate::kernel::equations::{Equations, bands, bands_mut, compiled_here, each_column};
use crate::kernel::instruction_set::InstructionSet;
use crate::kernel::{self, Real, each};
use crate::scalar::real;
use alloc::vec::Vec;
use core::marker::PhantomData;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// All operations whose rounding does not depend on the width of the vector.
#[derive(Clone, Copy)]
struct ExactOperations<T>(T);

compiled_here!(ExactOperations<T>, 2, 3);

impl<T: Scalar> Equations<T, 2, 3> for ExactOperations<T> {
    fn apply<V: Real<Scalar = T>>(self, [a, b]: [V; 2], [x, y, z]: [V; 3]) -> [V; 3] {
        let constant = a.constant(self.0);
        [a * b + constant / (x - constant), (a * a + y).sqrt().min(b.max(constant)), z.where_positive(a - z)]
    }
}

/// Scalar code for `ExactOperations`.
fn expected<T: Scalar>(constant: T, [a, b]: [T; 2], [x, y, z]: [T; 3]) -> [T; 3] {
    let root = (a * a + y).sqrt();
    let largest = if b > constant { b } else { constant };
    let smallest = if root < largest { root } else { largest };
    [a * b + constant / (x - constant), smallest, if z > T::zero() { a - z } else { T::zero() }]
}

#[derive(Clone, Copy)]
struct Flushes;

compiled_here!(Flushes, 1, 3);

impl<T: Scalar> Equations<T, 1, 3> for Flushes {
    fn apply<V: Real<Scalar = T>>(self, [x]: [V; 1], _: [V; 3]) -> [V; 3] {
        [x.flush_to_zero(), x.flush_subnormal(), x.with_finite_square()]
    }
}

fn check_flushes<T: Scalar>(smallest_kept: f64, smallest_normal: f64) {
    let as_real = |x: T| -> f64 { x.to_subset().unwrap_or(f64::NAN) };
    let largest = 1.0 / smallest_kept;
    let mut magnitudes = alloc::vec![0.0, 1.0, 1e-30, largest, largest * 0.99, largest * 1.5, largest * 1e10];
    for threshold in [smallest_kept, smallest_normal] {
        magnitudes.extend([1.0, 0.999_999, 1.000_001, 0.5, 0.25, 2.0, 3.0].map(|factor| factor * threshold));
    }
    for set in InstructionSet::available() {
        for x in magnitudes.iter().flat_map(|&x| [x, -x]).map(real::<T>) {
            let (magnitude, mut given) = (as_real(x.abs()), [[x; 19], [x; 19], [x; 19]]);
            let [[kept], [normal], [clamped]] = given.each_mut().map(|given| bands_mut(given, 19, 1));
            each_column(set, &[], Flushes, bands::<1, _>(&[x; 19], 19, 1), [kept, normal, clamped]);
            for lane in 0..19 {
                let expected = [
                    if magnitude < smallest_kept { 0.0 } else { as_real(x) },
                    if magnitude < smallest_normal { 0.0 } else { as_real(x) },
                    as_real(x).clamp(-largest, largest),
                ];
                for (given, expected) in given.iter().zip(expected) {
                    // Adding zero turns minus zero into zero, because the sign of a flushed number does not matter.
                    let (given, expected) = (as_real(given[lane]) + 0.0, expected + 0.0);
                    assert_eq!(given.to_bits(), expected.to_bits(), "{set:?}: {x}, lane {lane}");
                }
            }
        }
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(real::<T>) {
            let mut given = [[x], [x], [x]];
            let [[kept], [normal], [clamped]] = given.each_mut().map(|given| bands_mut(given, 1, 1));
            each_column(set, &[], Flushes, bands::<1, _>(&[x], 1, 1), [kept, normal, clamped]);
            let [[kept], [normal], [clamped]] = given;
            assert_eq!(bits(&[kept, normal]), bits(&[x, x]), "{set:?}: {x} must be unchanged");
            assert!(as_real(clamped).is_nan(), "{set:?}: {x} must become NaN");
        }
    }
}

/// The square of the smallest number that is kept is the smallest normal number.
#[test]
fn flushes_keep_numbers_with_a_normal_square() {
    check_flushes::<f32>(f64::from(f32::from_bits((127 - 63) << 23)), f64::from(f32::MIN_POSITIVE));
    check_flushes::<f64>(f64::from_bits((1023 - 511) << 52), f64::MIN_POSITIVE);
}

/// Bands of a matrix and whole matrices, with and without marks, with 0 to 70 rows. Every row of every valid column
/// must equal the scalar result, and no other element may change.
fn check_bands<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(4);
    let constant = real::<T>(-2.5);
    for rows in 0..=70 {
        for (columns, valid) in [(1, Vec::new()), (3, Vec::new()), (3, alloc::vec![true, false, true])] {
            let (a, x) = (reals::<T>(rows * columns, g), reals::<T>(rows * columns, g));
            // The band b is the second of three. The band z is below the band y.
            let (b, yz) = (reals::<T>(3 * rows * columns, g), reals::<T>(2 * rows * columns, g));
            let yz: Vec<T> = yz.into_iter().map(|y| y + T::one()).collect();
            for set in InstructionSet::available() {
                let (mut new_x, mut new_yz) = (x.clone(), yz.clone());
                let ([of_a], [_, of_b, _]) = (bands(&a, rows, columns), bands(&b, rows, columns));
                let ([of_x], [of_y, of_z]) =
                    (bands_mut(&mut new_x, rows, columns), bands_mut(&mut new_yz, rows, columns));
                each_column(set, &valid, ExactOperations(constant), [of_a, of_b], [of_x, of_y, of_z]);
                for (column, row) in (0..columns).flat_map(|column| (0..rows).map(move |row| (column, row))) {
                    let (i, y) = (column * rows + row, 2 * column * rows + row);
                    let before = [x[i], yz[y], yz[y + rows]];
                    let is_valid = valid.is_empty() || valid[column];
                    let read = [a[i], b[(3 * column + 1) * rows + row]];
                    let expected = if is_valid { expected(constant, read, before) } else { before };
                    let given = [new_x[i], new_yz[y], new_yz[y + rows]];
                    assert_eq!(bits(&given), bits(&expected), "{set:?} {rows} x {columns}, {valid:?}, {column} {row}");
                }
            }
        }
    }
}

#[test]
fn equations_on_bands_equal_scalar_code() {
    check_bands::<f32>();
    check_bands::<f64>();
}

/// Every element of a slice must change, and no element beyond its end.
#[test]
fn elements_beyond_a_slice_are_unchanged() {
    #[derive(Clone, Copy)]
    struct One;
    compiled_here!(One, 1, 1);
    impl<T: Scalar> Equations<T, 1, 1> for One {
        fn apply<V: Real<Scalar = T>>(self, [x]: [V; 1], _: [V; 1]) -> [V; 1] {
            [x.constant(T::one())]
        }
    }
    fn check<T: Scalar>() {
        let (seven, one, nan) = (real::<T>(7.0), T::one(), real::<T>(f64::NAN));
        for length in 0..70 {
            let mut values = [seven; 140];
            each(One, [&[nan; 70][..length]], [&mut values[..length]]);
            assert!(values[..length].iter().all(|&x| x == one) && values[length..].iter().all(|&x| x == seven));
        }
    }
    check::<f32>();
    check::<f64>();
}

fn check_nan<T: Scalar>() {
    #[derive(Clone, Copy)]
    struct Clamped<T>(PhantomData<T>);
    compiled_here!(Clamped<T>, 0, 2);
    impl<T: Scalar> Equations<T, 0, 2> for Clamped<T> {
        fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [x, y]: [V; 2]) -> [V; 2] {
            [x.constant(T::zero()).max(x), y.constant(real(-1.0)).max(y.constant(T::one()).min(y))]
        }
    }
    let nan = real::<T>(f64::NAN);
    for set in InstructionSet::available() {
        let mut values = [nan; 38];
        each_column(set, &[], Clamped(PhantomData), [], bands_mut(&mut values, 19, 1));
        assert!(values.iter().all(|value| value.to_subset().is_none_or(f64::is_nan)), "{set:?}");
    }
}

#[test]
fn nan_stays_nan() {
    check_nan::<f32>();
    check_nan::<f64>();
    assert!(kernel::sum_of_squares(&[f64::NAN; 9], |x| x).is_nan());
}

fn check_sums<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(5);
    for length in (0..70).chain([128, 129, 1000]) {
        let (a, b) = (integers::<T>(length, g), integers::<T>(length, g));
        let mut sum = a.clone();
        kernel::add(&mut sum, &b);
        assert!(sum.iter().zip(a.iter().zip(&b)).all(|(&sum, (&a, &b))| sum == a + b));
        let squares = a.iter().fold(T::zero(), |sum, &a| sum + a * a);
        assert!(kernel::sum_of_squares(&a, |x| x) == squares, "{length}");
    }
}

#[test]
fn sums_over_slices_equal_plain_loops() {
    check_sums::<f32>();
    check_sums::<f64>();
}
