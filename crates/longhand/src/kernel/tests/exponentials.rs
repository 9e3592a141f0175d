//! The errors of tanh and sigmoid, in units in the last place (ulp).

use super::{bits, reals};
use crate::Scalar;
use crate::kernel::Real;
use crate::kernel::equations::{Equations, bands_mut, compiled_here, each_column};
use crate::kernel::instruction_set::InstructionSet;
use crate::scalar::real;
use alloc::vec::Vec;
use nalgebra::ComplexField;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The error in units in the last place of `expected`, also if it is subnormal.
fn ulps32(given: f32, expected: f64) -> f64 {
    let size = (expected.abs() as f32).to_bits();
    let unit = f64::from(f32::from_bits(size + 1)) - f64::from(f32::from_bits(size));
    (f64::from(given) - expected).abs() / unit
}

#[derive(Clone, Copy, Default)]
struct Tanh;

compiled_here!(Tanh, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Tanh {
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [x]: [V; 1]) -> [V; 1] {
        [x.tanh()]
    }
}

#[derive(Clone, Copy, Default)]
struct Sigmoid;

compiled_here!(Sigmoid, 0, 1);

impl<T: Scalar> Equations<T, 0, 1> for Sigmoid {
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [x]: [V; 1]) -> [V; 1] {
        [x.sigmoid()]
    }
}

fn apply_to<F: Equations<T, 0, 1> + Default, T: Scalar>(set: InstructionSet, values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    let length = values.len();
    each_column(set, &[], F::default(), [], bands_mut(&mut values, length, 1));
    values
}

/// Number of bit patterns per chunk.
const CHUNK: u64 = 1 << 22;

/// The tested bit patterns, in chunks. By default every 997th, which includes every exponent, and all of them with
/// `LONGHAND_ALL_F32=1`.
fn patterns() -> impl Iterator<Item = Vec<f32>> {
    let step = if std::env::var_os("LONGHAND_ALL_F32").is_some() { 1 } else { 997 };
    (0..(1_u64 << 32)).step_by(CHUNK as usize).map(move |first| {
        let inside = (first.next_multiple_of(step)..first + CHUNK).step_by(step as usize);
        inside.map(|pattern| f32::from_bits(pattern as u32)).filter(|x| f32::is_finite(*x)).collect()
    })
}

/// Compares an `f32` function on each instruction set with the same function at `f64`, whose error the tests below
/// limit to 3 units in its own last place. `bound` is the largest allowed error. `check` gets the argument, the
/// expected value and the given value.
fn check_all_f32<F>(bound: f64, check: impl Fn(f32, f64, f32) -> bool)
where
    F: Equations<f32, 0, 1> + Equations<f64, 0, 1> + Default,
{
    for chunk in patterns() {
        let wide: Vec<f64> = chunk.iter().map(|&x| f64::from(x)).collect();
        let expected = apply_to::<F, f64>(InstructionSet::best(), &wide);
        for set in InstructionSet::available() {
            for ((&x, &expected), given) in chunk.iter().zip(&expected).zip(apply_to::<F, f32>(set, &chunk)) {
                let error = if given == 0.0 { 0.0 } else { ulps32(given, expected) };
                assert!(error <= bound && check(x, expected, given), "{set:?}: {given:e} at {x:e}, off by {error} ulp");
            }
        }
    }
}

/// The largest error over all numbers is 5.59 units in the last place, or 6.27 without fused multiply-add.
#[test]
fn tanh_at_f32_is_within_6_5_ulp() {
    check_all_f32::<Tanh>(6.5, |x, _, given| {
        given.abs() <= 1.0 && given.is_sign_negative() == x.is_sign_negative() && (given == 0.0) == (x == 0.0)
    });
}

/// An unevaluated sum of two numbers, with about 106 bits of precision.
#[derive(Clone, Copy)]
struct Double(f64, f64);

impl Double {
    fn sum(a: f64, b: f64) -> Double {
        let s = a + b;
        let t = s - a;
        Double(s, (a - (s - t)) + (b - t))
    }

    fn product(a: f64, b: f64) -> Double {
        // Splits a number into halves of 26 bits, whose products are exact.
        let split = |x: f64| {
            let t = 134_217_729.0 * x;
            let high = t - (t - x);
            (high, x - high)
        };
        let ((a1, a2), (b1, b2), p) = (split(a), split(b), a * b);
        Double(p, ((a1 * b1 - p) + a1 * b2 + a2 * b1) + a2 * b2)
    }

    fn add(self, other: Double) -> Double {
        let s = Double::sum(self.0, other.0);
        Double::sum(s.0, s.1 + self.1 + other.1)
    }

    fn mul(self, other: Double) -> Double {
        let p = Double::product(self.0, other.0);
        Double::sum(p.0, p.1 + self.0 * other.1 + self.1 * other.0)
    }

    fn div(self, other: Double) -> Double {
        let q = self.0 / other.0;
        let rest = self.add(other.mul(Double(-q, 0.0)));
        Double::sum(q, rest.0 / other.0)
    }
}

/// `tanh |x|` to about 30 digits. `e = exp(2|x|) - 1` is computed by its series for the argument divided by a power of
/// two. Then each `e (e + 2)` doubles the argument.
fn tanh_reference(x: f64) -> Double {
    const DOUBLINGS: i32 = 9;
    // Exact, because the divisor is a power of two.
    let r = Double(2.0 * x.abs() / f64::from(1 << DOUBLINGS), 0.0);
    let (mut term, mut e) = (r, r);
    for k in 2..=24 {
        term = term.mul(r).div(Double(f64::from(k), 0.0));
        e = e.add(term);
    }
    for _ in 0..DOUBLINGS {
        e = e.mul(e.add(Double(2.0, 0.0)));
    }
    e.div(e.add(Double(2.0, 0.0)))
}

/// From 1e-100 to 25. The largest observed error is 2.4 units in the last place.
#[test]
fn tanh_at_f64_is_within_3_ulp() {
    let g = &mut ChaCha8Rng::seed_from_u64(2);
    let mut all: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.0006 + 1e-9).collect();
    all.extend(reals::<f64>(20_000, g));
    all.extend((0..1000).map(|i| 1.3 * ComplexField::powi(10.0_f64, -(i / 10))));
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for (&x, given) in all.iter().zip(apply_to::<Tanh, _>(set, &all)) {
            let Double(high, low) = tanh_reference(x);
            let unit = f64::from_bits(high.to_bits() + 1) - high;
            let error = ((given.abs() - high) - low).abs() / unit;
            assert!(given.abs() <= 1.0 && given.is_sign_negative() == x.is_sign_negative(), "tanh({x}) = {given}");
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} ulp at {at:e}");
    }
}

/// Half a power of two above the threshold of flushing. Larger results are never flushed.
const FLUSHED_F32: f64 = 1.534e-19;
/// The same bound at `f64`.
const FLUSHED_F64: f64 = 2.109e-154;

/// The largest error over all results that are not flushed is 2.3 units in the last place.
#[test]
fn sigmoid_at_f32_is_within_3_ulp() {
    check_all_f32::<Sigmoid>(3.0, |_, expected, given| {
        (0.0..=1.0).contains(&given) && (given > 0.0 || expected < FLUSHED_F32)
    });
}

/// A dense sample of the arguments from -110 to 25, where the function is neither 0 nor 1.
#[test]
fn sigmoid_at_f32_is_within_3_ulp_on_a_dense_sample() {
    let all: Vec<f32> = (0..2_000_000).map(|i| (f64::from(i) * 67.5e-6 - 110.0) as f32).collect();
    for set in InstructionSet::available() {
        for (&x, given) in all.iter().zip(apply_to::<Sigmoid, _>(set, &all)) {
            let expected = 1.0 / (1.0 + ComplexField::exp(-f64::from(x)));
            if given == 0.0 {
                assert!(expected < FLUSHED_F32, "{set:?}: {x:e} must not be flushed");
                continue;
            }
            assert!(given >= f32::MIN_POSITIVE.sqrt(), "{set:?}: {x:e} must be flushed");
            let error = ulps32(given, expected);
            assert!(error <= 3.0, "{set:?}: off by {error} ulp at {x:e}");
        }
    }
}

/// `sigmoid(x)` to about 30 digits from `e = exp(-|x|)`. `e` is computed by its series for the argument divided by a
/// power of two. Then each squaring doubles the argument.
fn sigmoid_reference(x: f64) -> Double {
    const SQUARINGS: i32 = 12;
    let (one, r) = (Double(1.0, 0.0), Double(-x.abs() / f64::from(1 << SQUARINGS), 0.0));
    let (mut term, mut e) = (r, one.add(r));
    for k in 2..=24 {
        term = term.mul(r).div(Double(f64::from(k), 0.0));
        e = e.add(term);
    }
    for _ in 0..SQUARINGS {
        e = e.mul(e);
    }
    if x < 0.0 { e.div(one.add(e)) } else { one.div(one.add(e)) }
}

/// From -354 to 45, and near zero. The largest observed error is 2.0 units in the last place.
#[test]
fn sigmoid_at_f64_is_within_3_ulp() {
    let g = &mut ChaCha8Rng::seed_from_u64(6);
    let mut all: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.002 - 40.0).collect();
    all.extend((0..40_000).map(|i| -f64::from(i) * 0.00784 - 40.0));
    all.extend(reals::<f64>(20_000, g));
    all.extend((0..1000).map(|i| 1.3 * ComplexField::powi(10.0_f64, -(i / 10))));
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for (&x, given) in all.iter().zip(apply_to::<Sigmoid, _>(set, &all)) {
            let Double(high, low) = sigmoid_reference(x);
            assert!(given > 0.0 || high < FLUSHED_F64, "{set:?}: {x:e} must not be flushed");
            let unit = f64::from_bits(high.to_bits() + 1) - high;
            let error = ((given - high) - low).abs() / unit;
            assert!((0.0..=1.0).contains(&given), "sigmoid({x}) = {given}");
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} ulp at {at:e}");
    }
}

fn check_special_values_of_sigmoid<T: Scalar>(lowest: &[f64], highest: &[f64]) {
    for set in InstructionSet::available() {
        let given = |x: f64| apply_to::<Sigmoid, T>(set, &[real(x)])[0].to_subset().unwrap_or(f64::NAN);
        assert!(given(f64::NAN).is_nan() && given(-f64::NAN).is_nan(), "{set:?}");
        for (x, expected) in [(f64::INFINITY, 1.0), (f64::NEG_INFINITY, 0.0), (0.0, 0.5), (-0.0, 0.5), (1e-40, 0.5)] {
            assert_eq!(given(x).to_bits(), f64::to_bits(expected), "{set:?}: sigmoid({x})");
        }
        for &x in lowest {
            assert_eq!(given(x).to_bits(), 0, "{set:?}: sigmoid({x})");
        }
        for &x in highest {
            assert_eq!(given(x).to_bits(), f64::to_bits(1.0), "{set:?}: sigmoid({x})");
        }
    }
}

#[test]
fn sigmoid_of_special_values() {
    check_special_values_of_sigmoid::<f32>(&[-43.7, -50.0, -104.0, -200.0, -3e38], &[18.0, 20.0, 25.0, 3e38]);
    check_special_values_of_sigmoid::<f64>(&[-354.3, -400.0, -746.0, -1000.0, -1e300], &[38.0, 40.0, 45.0, 1e300]);
}

fn check_special_values<T: Scalar>(tiny: &[f64]) {
    for set in InstructionSet::available() {
        let given = |x: f64| apply_to::<Tanh, T>(set, &[real(x)])[0].to_subset().unwrap_or(f64::NAN);
        assert!(given(f64::NAN).is_nan() && given(-f64::NAN).is_nan(), "{set:?}");
        for (x, expected) in [(f64::INFINITY, 1.0), (f64::NEG_INFINITY, -1.0), (0.0, 0.0), (-0.0, -0.0)] {
            assert_eq!(given(x).to_bits(), f64::to_bits(expected), "{set:?}: tanh({x})");
        }
        // tanh x is x where x^3 / 3 is far below a unit in the last place, also for subnormal numbers.
        for &x in tiny {
            assert_eq!(given(x).to_bits(), x.to_bits(), "{set:?}: tanh({x:e})");
            assert_eq!(given(-x).to_bits(), (-x).to_bits(), "{set:?}: tanh(-{x:e})");
        }
        for x in [20.0, 25.0, 1e3, 1e30] {
            assert_eq!((given(x), given(-x)), (1.0, -1.0), "{set:?}: tanh({x})");
        }
    }
}

#[test]
fn tanh_of_special_values() {
    check_special_values::<f32>(&[1e-10, 1e-30].map(|x: f32| f64::from(x)));
    check_special_values::<f32>(&[f32::MIN_POSITIVE, 1e-40, f32::from_bits(1)].map(f64::from));
    check_special_values::<f64>(&[1e-20, 1e-300, f64::MIN_POSITIVE, 1e-310, f64::from_bits(1)]);
}

fn check_positions<F: Equations<T, 0, 1> + Default, T: Scalar>() {
    let values = reals::<T>(67, &mut ChaCha8Rng::seed_from_u64(3));
    for set in InstructionSet::available() {
        let alone: Vec<T> = values.iter().map(|&x| apply_to::<F, _>(set, &[x])[0]).collect();
        for first in 0..values.len() {
            for last in first..=values.len() {
                let given = apply_to::<F, _>(set, &values[first..last]);
                assert_eq!(bits(&given), bits(&alone[first..last]), "{set:?}: {first}..{last}");
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_position_in_the_slice() {
    check_positions::<Tanh, f32>();
    check_positions::<Tanh, f64>();
    check_positions::<Sigmoid, f32>();
    check_positions::<Sigmoid, f64>();
}
