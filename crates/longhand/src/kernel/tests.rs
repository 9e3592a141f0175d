//! The kernels against plain loops, on every instruction set that this processor has.

use super::exponential::{Function, Sigmoid, Tanh, each_for};
use super::instruction_set::InstructionSet;
use super::product::plain;
use super::{Accumulate, AdamStep, Operand, Packed, Workspace};
use crate::Scalar;
use crate::scalar::{real, square_root};
use alloc::vec;
use alloc::vec::Vec;
use nalgebra::ComplexField;
use rand::Rng;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Whole numbers from -4 to 4, so that every sum is exact in any order, whatever is fused.
fn whole<T: Scalar>(count: usize, generator: &mut ChaCha8Rng) -> Vec<T> {
    (0..count).map(|_| real(f64::from(generator.next_u32() % 9) - 4.0)).collect()
}

/// Numbers in `[-1, 1)`.
fn reals<T: Scalar>(count: usize, generator: &mut ChaCha8Rng) -> Vec<T> {
    (0..count).map(|_| real(f64::from(generator.next_u32()) / 2_147_483_648.0 - 1.0)).collect()
}

fn bits<T: Scalar>(values: &[T]) -> Vec<u64> {
    values.iter().map(|value| value.to_subset().unwrap_or(f64::NAN).to_bits()).collect()
}

/// A matrix stored column by column, or the transpose of one that is stored so.
fn operand<T>(values: &[T], rows: usize, columns: usize, transposed: bool) -> Operand<'_, T> {
    if transposed { Operand::new(values, columns, rows).transposed() } else { Operand::new(values, rows, columns) }
}

const OPERANDS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];
const MODES: [Accumulate; 2] = [Accumulate::Replace, Accumulate::Add];

/// One shape on one instruction set, with whatever an earlier product left in `packed`. NaN stands behind the operands
/// and a mark behind the result: neither must be met.
fn check_product<T: Scalar>(set: InstructionSet, [m, n, k]: [usize; 3], packed: &mut Packed<T>) {
    const GUARD: usize = 40;
    let g = &mut ChaCha8Rng::seed_from_u64((m * 10_000 + n * 100 + k) as u64);
    let guarded = |mut values: Vec<T>| {
        values.resize(values.len() + GUARD, real(f64::NAN));
        values
    };
    let (a, b) = (guarded(whole(m * k, g)), guarded(whole(k * n, g)));
    let before = whole::<T>(m * n + GUARD, g);
    for (a_transposed, b_transposed) in OPERANDS {
        let (a, b) = (operand(&a, m, k, a_transposed), operand(&b, k, n, b_transposed));
        packed.pack_for(a, set);
        for mode in MODES {
            let (mut given, mut expected) = (before.clone(), before.clone());
            plain(&mut expected, mode, a, b);
            packed.product_with(&mut given, mode, b);
            assert!(given == expected, "{set:?} {m} x {n} x {k} {mode:?}, transposed: {a_transposed} {b_transposed}");
            assert!(given[m * n..] == before[m * n..]);
        }
    }
}

fn check_products<T: Scalar>() {
    // Around multiples of the vectors (2, 4, 8, 16) and of the tiles (up to 64 rows, 4 or 6 columns).
    const ROWS: [usize; 22] = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70];
    const COLUMNS: [usize; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 25, 70];
    const DEPTHS: [usize; 9] = [0, 1, 2, 3, 4, 5, 7, 33, 70];
    for set in InstructionSet::available() {
        let mut packed = Packed::default();
        for m in ROWS {
            for n in COLUMNS {
                for k in DEPTHS {
                    check_product::<T>(set, [m, n, k], &mut packed);
                }
            }
        }
        for shape in [[5, 3, 257], [64, 1, 300], [130, 7, 20], [200, 13, 3], [1, 1, 1000], [129, 2, 129]] {
            check_product::<T>(set, shape, &mut packed);
        }
    }
}

#[test]
fn products_at_f32() {
    check_products::<f32>();
}

#[test]
fn products_at_f64() {
    check_products::<f64>();
}

/// Real numbers, in blocks of depth: within the rounding of `k` products, and adding twice doubles exactly.
fn check_blocks<T: Scalar>(epsilon: f64) {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    let mut workspace = Workspace::default();
    for [m, n, k] in [[50, 50, 256], [50, 50, 257], [7, 5, 512], [33, 3, 513], [50, 1, 700], [3, 50, 4500], [2, 2, 0]] {
        let (a, b, before) = (reals::<T>(m * k, g), reals::<T>(k * n, g), whole::<T>(m * n + 9, g));
        for (a_transposed, b_transposed) in OPERANDS {
            let (a, b) = (operand(&a, m, k, a_transposed), operand(&b, k, n, b_transposed));
            for mode in MODES {
                let (mut given, mut expected) = (before.clone(), before.clone());
                plain(&mut expected, mode, a, b);
                super::product(&mut given, mode, a, b, &mut workspace);
                for (&given, &expected) in given.iter().zip(&expected) {
                    // Errors add up like a random walk; `k` of them never exceed `k epsilon`, and 6 sqrt(k) is far out.
                    let bound = real::<T>(6.0 * epsilon * square_root(1.0 + k as f64) * 4.0);
                    assert!((given - expected).abs() <= bound, "{m} x {n} x {k}: {given} against {expected}");
                }
                assert!(given[m * n..] == before[m * n..], "beyond the result");
            }
            let mut sum = vec![T::zero(); m * n];
            super::product(&mut sum, Accumulate::Add, a, b, &mut workspace);
            let once = sum.clone();
            super::product(&mut sum, Accumulate::Add, a, b, &mut workspace);
            assert!(sum.iter().zip(&once).all(|(&twice, &once)| twice == once + once), "{m} x {n} x {k}");
        }
    }
}

#[test]
fn products_in_blocks() {
    check_blocks::<f32>(f64::from(f32::EPSILON));
    check_blocks::<f64>(f64::EPSILON);
}

#[test]
fn columns_of_an_operand() {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    for whole in [Operand::new(&values, 3, 4), Operand::new(&values, 4, 3).transposed()] {
        let part = whole.columns_from(1, 2);
        let mut identity = vec![0.0; 16];
        (0..4).for_each(|i| identity[5 * i] = 1.0);
        let (mut all, mut some) = (vec![0.0; 12], vec![0.0; 6]);
        plain(&mut all, Accumulate::Replace, whole, Operand::new(&identity, 4, 4));
        plain(&mut some, Accumulate::Replace, part, Operand::new(&[1.0, 0.0, 0.0, 1.0], 2, 2));
        assert_eq!(some, all[3..9]);
    }
}

/// Distance in units in the last place of `expected`, subnormal numbers too.
fn ulps32(given: f32, expected: f64) -> f64 {
    let size = (expected.abs() as f32).to_bits();
    let unit = f64::from(f32::from_bits(size + 1)) - f64::from(f32::from_bits(size));
    (f64::from(given) - expected).abs() / unit
}

fn all_of<F: Function, T: Scalar>(set: InstructionSet, values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    each_for::<F, T>(set, &mut values);
    values
}

/// Every 997th bit pattern, so every exponent; the largest error that was found is 2.4 units in the last place.
#[test]
fn tanh_at_f32() {
    let all: Vec<f32> = (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(|&x| f32::is_finite(x)).collect();
    let expected: Vec<f64> = all.iter().map(|&x| ComplexField::tanh(f64::from(x))).collect();
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for ((&x, &expected), given) in all.iter().zip(&expected).zip(all_of::<Tanh, _>(set, &all)) {
            assert!(given.abs() <= 1.0 && given.is_sign_negative() == x.is_sign_negative(), "tanh({x}) = {given}");
            let error = ulps32(given, expected);
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} units in the last place at {at:e}");
    }
}

/// An unevaluated sum of two numbers: about 106 bits.
#[derive(Clone, Copy)]
struct Double(f64, f64);

impl Double {
    fn sum(a: f64, b: f64) -> Double {
        let s = a + b;
        let t = s - a;
        Double(s, (a - (s - t)) + (b - t))
    }

    fn product(a: f64, b: f64) -> Double {
        // Halves of 26 bits each, whose products are exact.
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

/// `tanh |x|` to about 30 digits: `e = exp(2|x|) - 1` of a small part by its series, then doubled by `e (e + 2)`.
fn tanh_reference(x: f64) -> Double {
    const DOUBLINGS: i32 = 9;
    // A power of two, so exact.
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

/// From 1e-100 to 25: the largest error that was found is 2.4 units in the last place.
#[test]
fn tanh_at_f64() {
    let g = &mut ChaCha8Rng::seed_from_u64(2);
    let mut all: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.0006 + 1e-9).collect();
    all.extend(reals::<f64>(20_000, g));
    all.extend((0..1000).map(|i| 1.3 * ComplexField::powi(10.0_f64, -(i / 10))));
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for (&x, given) in all.iter().zip(all_of::<Tanh, _>(set, &all)) {
            let Double(high, low) = tanh_reference(x);
            let unit = f64::from_bits(high.to_bits() + 1) - high;
            let error = ((given.abs() - high) - low).abs() / unit;
            assert!(given.abs() <= 1.0 && given.is_sign_negative() == x.is_sign_negative(), "tanh({x}) = {given}");
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} units in the last place at {at:e}");
    }
}

/// Every 997th bit pattern; the largest error that was found is 2.3 units in the last place, subnormal results
/// included.
#[test]
fn sigmoid_at_f32() {
    let mut all: Vec<f32> = (0..=u32::MAX).step_by(997).map(f32::from_bits).filter(|&x| f32::is_finite(x)).collect();
    // Most of what matters lies between -110 and 25.
    all.extend((0..2_000_000).map(|i| (f64::from(i) * 67.5e-6 - 110.0) as f32));
    let expected: Vec<f64> = all.iter().map(|&x| 1.0 / (1.0 + ComplexField::exp(-f64::from(x)))).collect();
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for ((&x, &expected), given) in all.iter().zip(&expected).zip(all_of::<Sigmoid, _>(set, &all)) {
            assert!((0.0..=1.0).contains(&given), "sigmoid({x}) = {given}");
            let error = ulps32(given, expected);
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} units in the last place at {at:e}");
    }
}

/// `sigmoid(x)` to about 30 digits from `exp(-|x|)`, which is a small power's by its series, squared.
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

/// From -700 to 45, and near zero: the largest error that was found is 2.0 units in the last place.
#[test]
fn sigmoid_at_f64() {
    let g = &mut ChaCha8Rng::seed_from_u64(6);
    let mut all: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.002 - 40.0).collect();
    all.extend((0..40_000).map(|i| -f64::from(i) * 0.0165 - 40.0));
    all.extend(reals::<f64>(20_000, g));
    all.extend((0..1000).map(|i| 1.3 * ComplexField::powi(10.0_f64, -(i / 10))));
    for set in InstructionSet::available() {
        let (mut worst, mut at) = (0.0, 0.0);
        for (&x, given) in all.iter().zip(all_of::<Sigmoid, _>(set, &all)) {
            let Double(high, low) = sigmoid_reference(x);
            let unit = f64::from_bits(high.to_bits() + 1) - high;
            let error = ((given - high) - low).abs() / unit;
            assert!((0.0..=1.0).contains(&given), "sigmoid({x}) = {given}");
            if error > worst {
                (worst, at) = (error, x);
            }
        }
        assert!(worst <= 3.0, "{set:?}: off by {worst} units in the last place at {at:e}");
    }
}

fn check_special_values_of_sigmoid<T: Scalar>(lowest: &[f64], highest: &[f64]) {
    for set in InstructionSet::available() {
        let given = |x: f64| all_of::<Sigmoid, T>(set, &[real(x)])[0].to_subset().unwrap_or(f64::NAN);
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
    check_special_values_of_sigmoid::<f32>(&[-104.0, -105.0, -200.0, -3e38], &[18.0, 20.0, 25.0, 3e38]);
    check_special_values_of_sigmoid::<f64>(&[-746.0, -747.0, -1000.0, -1e300], &[38.0, 40.0, 45.0, 1e300]);
    // Subnormal results: exp(-740) to about five digits, all that they hold.
    for set in InstructionSet::available() {
        let given = all_of::<Sigmoid, f64>(set, &[-740.0])[0];
        assert!((given / 4.199_558_2e-322 - 1.0).abs() < 0.02, "{set:?}: {given:e}");
    }
}

fn check_special_values<T: Scalar>(tiny: &[f64]) {
    for set in InstructionSet::available() {
        let given = |x: f64| all_of::<Tanh, T>(set, &[real(x)])[0].to_subset().unwrap_or(f64::NAN);
        assert!(given(f64::NAN).is_nan() && given(-f64::NAN).is_nan(), "{set:?}");
        for (x, expected) in [(f64::INFINITY, 1.0), (f64::NEG_INFINITY, -1.0), (0.0, 0.0), (-0.0, -0.0)] {
            assert_eq!(given(x).to_bits(), f64::to_bits(expected), "{set:?}: tanh({x})");
        }
        // Where x^3 / 3 is far below the last place, subnormal numbers too, tanh x is x.
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

fn check_places<F: Function, T: Scalar>() {
    let values = reals::<T>(67, &mut ChaCha8Rng::seed_from_u64(3));
    for set in InstructionSet::available() {
        let alone: Vec<T> = values.iter().map(|&x| all_of::<F, _>(set, &[x])[0]).collect();
        for first in 0..values.len() {
            for last in first..=values.len() {
                let given = all_of::<F, _>(set, &values[first..last]);
                assert_eq!(bits(&given), bits(&alone[first..last]), "{set:?}: {first}..{last}");
            }
        }
    }
}

#[test]
fn functions_do_not_depend_on_the_place_in_the_slice() {
    check_places::<Tanh, f32>();
    check_places::<Tanh, f64>();
    check_places::<Sigmoid, f32>();
    check_places::<Sigmoid, f64>();
}

/// The passes over slices mean the same as these loops, bit for bit, at every length.
fn check_passes<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(4);
    let (zero, one) = (T::zero(), T::one());
    for length in (0..70).chain([128, 129, 1000]) {
        let [a, b, c, d] = [0; 4].map(|_| reals::<T>(length, g));
        let each = |f: &dyn Fn(usize) -> T| bits(&(0..length).map(f).collect::<Vec<T>>());
        let half = real::<T>(0.5);

        let mut out = a.clone();
        super::add_scaled(&mut out, half, &b);
        assert_eq!(bits(&out), each(&|i| a[i] + half * b[i]));
        let mut out = a.clone();
        super::add(&mut out, &b);
        assert_eq!(bits(&out), each(&|i| a[i] + b[i]));
        let mut out = a.clone();
        super::multiply(&mut out, &b);
        assert_eq!(bits(&out), each(&|i| a[i] * b[i]));
        let mut out = a.clone();
        super::scale(&mut out, real(0.3));
        assert_eq!(bits(&out), each(&|i| a[i] * real(0.3)));
        let mut out = a.clone();
        super::clamp(&mut out, half);
        assert_eq!(bits(&out), each(&|i| a[i].clamp(-half, half)));
        let mut out = a.clone();
        super::relu(&mut out);
        assert_eq!(bits(&out), each(&|i| if a[i] < zero { zero } else { a[i] }));
        let mut out = a.clone();
        super::tanh_backward(&mut out, &b, &c, &d);
        assert_eq!(bits(&out), each(&|i| (c[i] + d[i]) * (one - b[i] * b[i])));
        let mut out = a.clone();
        super::relu_backward(&mut out, &b, &c, &d);
        assert_eq!(bits(&out), each(&|i| if b[i] > zero { c[i] + d[i] } else { zero }));
        let mut out = a.clone();
        super::fill_columns(&mut out, &b[..length.min(1)]);
        assert_eq!(bits(&out), each(&|_| b[0]));

        let norm: f64 = a.iter().map(|a| a.to_subset().unwrap_or(f64::NAN)).map(|a| a * a).sum();
        let given = super::sum_of_squares(&a).to_subset().unwrap_or(f64::NAN);
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
        super::adam(&mut w, &b, &mut m, &mut v, &step);
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
            super::add_columns(&mut sum, &matrix);
            for row in 0..rows {
                let expected = (0..columns).fold(before[row], |sum, column| sum + matrix[column * rows + row]);
                assert_eq!(sum[row].to_bits(), expected.to_bits(), "{rows} x {columns}, row {row}");
            }
            let mut filled = matrix.clone();
            super::fill_columns(&mut filled, &before);
            assert!(filled.chunks(rows).all(|column| column == before));
        }
    }
    super::add_columns::<f64>(&mut [], &[]);
    super::fill_columns::<f64>(&mut [], &[]);
}

#[test]
fn not_a_number_stays_not_a_number() {
    let mut values = [f64::NAN; 9];
    super::relu(&mut values);
    super::clamp(&mut values, 1.0);
    assert!(values.iter().all(|value| value.is_nan()));
    assert!(super::sum_of_squares(&values).is_nan());
}
