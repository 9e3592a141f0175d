//! Products of many shapes and strides, in one block and in several.

use super::{integers, reals};
use crate::Scalar;
use crate::kernel::column::product_once_for;
use crate::kernel::instruction_set::InstructionSet;
use crate::kernel::product::plain;
use crate::kernel::{self, Accumulate, Operand, Packed, PackedForColumn, Workspace};
use crate::scalar::real;
use alloc::vec;
use alloc::vec::Vec;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// A matrix that is stored column by column, or the transpose of such a matrix.
fn operand<T>(values: &[T], rows: usize, columns: usize, transposed: bool) -> Operand<'_, T> {
    if transposed { Operand::new(values, columns, rows).transposed() } else { Operand::new(values, rows, columns) }
}

/// Whether the left and the right operand are transposed.
const OPERANDS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Checks one shape on one instruction set, with the contents of an earlier product in `packed`. The operands are
/// followed by NaN, which must not be read. The result is followed by elements that must not change.
fn check_product<T: Scalar>(set: InstructionSet, [m, n, k]: [usize; 3], packed: &mut Packed<T>) {
    const GUARD: usize = 40;
    let g = &mut ChaCha8Rng::seed_from_u64((m * 10_000 + n * 100 + k) as u64);
    let guarded = |mut values: Vec<T>| {
        values.resize(values.len() + GUARD, real(f64::NAN));
        values
    };
    let (a, b) = (guarded(integers(m * k, g)), guarded(integers(k * n, g)));
    let (before, bias) = (integers::<T>(m * n + GUARD, g), integers::<T>(m, g));
    for (a_transposed, b_transposed) in OPERANDS {
        let (a, b) = (operand(&a, m, k, a_transposed), operand(&b, k, n, b_transposed));
        packed.pack_for(a, set);
        for mode in [Accumulate::Replace, Accumulate::Add, Accumulate::Bias(&bias)] {
            let (mut given, mut expected) = (before.clone(), before.clone());
            plain(&mut expected, mode, a, b);
            packed.product_with(&mut given, mode, b);
            assert!(given == expected, "{set:?} {m} x {n} x {k} {mode:?}, transposed: {a_transposed} {b_transposed}");
            assert!(given[m * n..] == before[m * n..]);
        }
    }
}

/// Returns the sizes `some`, and with `LONGHAND_ALL_SHAPES=1` also all sizes up to 70.
fn sizes(some: &[usize]) -> Vec<usize> {
    let mut sizes = some.to_vec();
    if std::env::var_os("LONGHAND_ALL_SHAPES").is_some() {
        sizes.extend((0..=70).filter(|size| !some.contains(size)));
    }
    sizes
}

fn check_products<T: Scalar>() {
    // Sizes around multiples of the vectors (2, 4, 8, 16) and of the tiles (up to 64 rows, 4 or 6 columns).
    const ROWS: [usize; 25] =
        [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 70, 81, 97, 128];
    const COLUMNS: [usize; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 25, 70];
    const DEPTHS: [usize; 9] = [0, 1, 2, 3, 4, 5, 7, 33, 70];
    for set in InstructionSet::available() {
        let mut packed = Packed::default();
        for m in sizes(&ROWS) {
            for n in sizes(&COLUMNS) {
                for k in sizes(&DEPTHS) {
                    check_product::<T>(set, [m, n, k], &mut packed);
                }
            }
        }
        for shape in [[5, 3, 257], [64, 1, 300], [130, 7, 20], [200, 13, 3], [1, 1, 1000], [129, 2, 129]] {
            check_product::<T>(set, shape, &mut packed);
        }
    }
}

/// Checks forward and backward products with one column, from the same panels.
fn check_columns<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(7);
    for set in InstructionSet::available() {
        for rows in (0..=70).chain([81, 97, 100, 128, 129, 200, 300]) {
            for columns in sizes(&[0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 21, 37, 50]) {
                // A new buffer for each shape, so that a memory sanitizer detects reads beyond it.
                let mut packed = PackedForColumn::default();
                for transposed in [false, true] {
                    let values = integers::<T>(rows * columns, g);
                    let a = operand(&values, rows, columns, transposed);
                    let followed_by_nan = [&values[..], &[real(f64::NAN); 40]].concat();
                    let a_followed_by_nan = operand(&followed_by_nan, rows, columns, transposed);
                    packed.pack_for(a, set);
                    let (of_columns, of_rows) = (integers::<T>(columns, g), integers::<T>(rows, g));
                    let (before, bias) = (integers::<T>(rows.max(columns) + 9, g), integers::<T>(rows, g));
                    for mode in [Accumulate::Replace, Accumulate::Add, Accumulate::Bias(&bias)] {
                        let (mut given, mut expected) = (before.clone(), before.clone());
                        plain(&mut expected, mode, a, Operand::new(&of_columns, columns, 1));
                        packed.product(&mut given, mode, &of_columns);
                        assert!(given == expected, "{set:?} {rows} x {columns} {mode:?}, transposed: {transposed}");
                        if !transposed {
                            // The same product in place. The matrix is followed by NaN, which must not change the
                            // result.
                            let mut given = before.clone();
                            product_once_for(set, &mut given, mode, a_followed_by_nan, &of_columns);
                            assert!(given == expected, "{set:?} {rows} x {columns} {mode:?} once");
                        }
                    }
                    let (mut given, mut expected) = (before.clone(), before.clone());
                    plain(&mut expected, Accumulate::Add, a.transposed(), Operand::new(&of_rows, rows, 1));
                    packed.add_transposed_product(&mut given[..columns], &of_rows);
                    assert!(given == expected, "{set:?} ({rows} x {columns})', transposed: {transposed}");
                }
            }
        }
    }
}

/// A NaN changes its own row only, although vectors reach into the next column.
#[test]
fn nan_stays_in_its_row() {
    for set in InstructionSet::available() {
        for (rows, columns) in [(50, 6), (6, 50), (16, 3), (40, 17), (3, 2)] {
            for place in (0..rows * columns).step_by(7) {
                let mut values = vec![1.0_f32; rows * columns];
                values[place] = f32::NAN;
                let (a, mut given) = (Operand::new(&values, rows, columns), vec![0.0; rows]);
                product_once_for(set, &mut given, Accumulate::Replace, a, &vec![1.0; columns]);
                let right = |(row, &sum): (usize, &f32)| {
                    if row == place % rows { sum.is_nan() } else { sum.to_bits() == (columns as f32).to_bits() }
                };
                assert!(given.iter().enumerate().all(right), "{set:?} {rows} x {columns} at {place}");
            }
        }
    }
}

/// An infinite weight must give an infinite sum in its row, not NaN, in a panel and in a separate row.
#[test]
fn an_infinite_weight_gives_an_infinite_sum() {
    for set in InstructionSet::available() {
        for (rows, columns) in [(50, 6), (9, 5), (16, 3), (17, 50), (1, 1)] {
            for transposed in [false, true] {
                let mut values = vec![1.0_f32; rows * columns];
                // The last column of the last row.
                *values.last_mut().expect("not empty") = f32::INFINITY;
                let (a, mut given) = (operand(&values, rows, columns, transposed), vec![0.0; rows]);
                let mut packed = PackedForColumn::default();
                packed.pack_for(a, set);
                packed.product(&mut given, Accumulate::Replace, &vec![1.0; columns]);
                assert!(given[rows - 1] == f32::INFINITY, "{set:?} {rows} x {columns}: {}", given[rows - 1]);
                assert!(given[..rows - 1].iter().all(|sum| sum.is_finite()), "{set:?} {rows} x {columns}");
            }
        }
    }
}

/// Sizes whose product overflows `usize` panic before any element is read or written.
#[test]
#[should_panic(expected = "must fit in usize")]
fn sizes_that_overflow_panic() {
    let one = [1.0_f32];
    let huge = Operand::repeated(&one, usize::MAX / 2 + 1).transposed();
    Packed::default().pack(huge);
}

#[test]
fn the_product_of_a_matrix_without_columns_is_the_bias() {
    for set in InstructionSet::available() {
        for rows in [1, 9, 17, 40, 70] {
            let (empty, bias) = ([0.0_f32; 0], vec![2.0_f32; rows]);
            let mut packed = PackedForColumn::default();
            packed.pack_for(Operand::new(&empty, rows, 0), set);
            let mut given = vec![f32::NAN; rows];
            packed.product(&mut given, Accumulate::Bias(&bias), &[]);
            assert!(given == bias, "{set:?} {rows}");
            Packed::default().pack_for(Operand::repeated(&[1.0_f32], rows).columns_from(0, 0), set);
        }
    }
}

#[test]
fn products_with_one_column_equal_plain_loops() {
    check_columns::<f32>();
    check_columns::<f64>();
}

#[test]
fn products_at_f32_equal_plain_loops() {
    check_products::<f32>();
}

#[test]
fn products_at_f64_equal_plain_loops() {
    check_products::<f64>();
}

/// Checks products of real numbers whose inner dimension needs several blocks. The error must be within the rounding of
/// `k` products, and adding the product twice must double it exactly.
fn check_blocks<T: Scalar>(epsilon: f64) {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    let mut workspace = Workspace::default();
    for [m, n, k] in [[50, 50, 256], [50, 50, 257], [7, 5, 512], [33, 3, 513], [50, 1, 700], [3, 50, 4500], [2, 2, 0]] {
        let (a, b, before) = (reals::<T>(m * k, g), reals::<T>(k * n, g), integers::<T>(m * n + 9, g));
        let bias = integers::<T>(m, g);
        for (a_transposed, b_transposed) in OPERANDS {
            let (a, b) = (operand(&a, m, k, a_transposed), operand(&b, k, n, b_transposed));
            for mode in [Accumulate::Replace, Accumulate::Add, Accumulate::Bias(&bias)] {
                let (mut given, mut expected) = (before.clone(), before.clone());
                plain(&mut expected, mode, a, b);
                kernel::product(&mut given, mode, a, b, &mut workspace);
                for (&given, &expected) in given.iter().zip(&expected) {
                    // Rounding errors add up like a random walk, so `6 sqrt(k) epsilon` is far in the tail.
                    let bound = real::<T>(6.0 * epsilon * num_traits::Float::sqrt(1.0 + k as f64) * 4.0);
                    assert!((given - expected).abs() <= bound, "{m} x {n} x {k}: {given} against {expected}");
                }
                assert!(given[m * n..] == before[m * n..], "elements beyond the result must not change");
            }
            let mut sum = vec![T::zero(); m * n];
            kernel::product(&mut sum, Accumulate::Add, a, b, &mut workspace);
            let once = sum.clone();
            kernel::product(&mut sum, Accumulate::Add, a, b, &mut workspace);
            assert!(sum.iter().zip(&once).all(|(&twice, &once)| twice == once + once), "{m} x {n} x {k}");
        }
    }
}

#[test]
fn products_in_several_blocks_are_accurate() {
    check_blocks::<f32>(f64::from(f32::EPSILON));
    check_blocks::<f64>(f64::EPSILON);
}

#[test]
fn columns_from_selects_columns() {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    for matrix in [Operand::new(&values, 3, 4), Operand::new(&values, 4, 3).transposed()] {
        let part = matrix.columns_from(1, 2);
        let mut identity = vec![0.0; 16];
        (0..4).for_each(|i| identity[5 * i] = 1.0);
        let (mut all, mut some) = (vec![0.0; 12], vec![0.0; 6]);
        plain(&mut all, Accumulate::Replace, matrix, Operand::new(&identity, 4, 4));
        plain(&mut some, Accumulate::Replace, part, Operand::new(&[1.0, 0.0, 0.0, 1.0], 2, 2));
        assert_eq!(some, all[3..9]);
    }
}
