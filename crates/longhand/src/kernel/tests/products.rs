//! Products, on every shape, stride and block.

use super::{reals, whole};
use crate::Scalar;
use crate::kernel::column::product_once_for;
use crate::kernel::instruction_set::InstructionSet;
use crate::kernel::product::plain;
use crate::kernel::{self, Accumulate, Operand, Packed, PackedForColumn, Workspace};
use crate::scalar::real;
use alloc::vec;
use alloc::vec::Vec;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// A matrix stored column by column, or the transpose of one that is stored so.
fn operand<T>(values: &[T], rows: usize, columns: usize, transposed: bool) -> Operand<'_, T> {
    if transposed { Operand::new(values, columns, rows).transposed() } else { Operand::new(values, rows, columns) }
}

const OPERANDS: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];
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
    let (before, bias) = (whole::<T>(m * n + GUARD, g), whole::<T>(m, g));
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

/// Some sizes around multiples of the vectors and of the tiles, or with `LONGHAND_ALL_SHAPES=1` every one to 70 too.
fn sizes(some: &[usize]) -> Vec<usize> {
    let mut sizes = some.to_vec();
    if std::env::var_os("LONGHAND_ALL_SHAPES").is_some() {
        sizes.extend((0..=70).filter(|size| !some.contains(size)));
    }
    sizes
}

fn check_products<T: Scalar>() {
    // Around multiples of the vectors (2, 4, 8, 16) and of the tiles (up to 64 rows, 4 or 6 columns).
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

/// Products with one column, forward and backward, from the same panels.
fn check_columns<T: Scalar>() {
    let g = &mut ChaCha8Rng::seed_from_u64(7);
    for set in InstructionSet::available() {
        for rows in (0..=70).chain([81, 97, 100, 128, 129, 200, 300]) {
            for columns in sizes(&[0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 21, 37, 50]) {
                // Its own buffer for each shape, so that a sanitizer of memory sees what is read beyond it.
                let mut packed = PackedForColumn::default();
                for transposed in [false, true] {
                    let values = whole::<T>(rows * columns, g);
                    let a = operand(&values, rows, columns, transposed);
                    let and_nan = [&values[..], &[real(f64::NAN); 40]].concat();
                    let a_and_nan = operand(&and_nan, rows, columns, transposed);
                    packed.pack_for(a, set);
                    let (of_columns, of_rows) = (whole::<T>(columns, g), whole::<T>(rows, g));
                    let (before, bias) = (whole::<T>(rows.max(columns) + 9, g), whole::<T>(rows, g));
                    for mode in [Accumulate::Replace, Accumulate::Add, Accumulate::Bias(&bias)] {
                        let (mut given, mut expected) = (before.clone(), before.clone());
                        plain(&mut expected, mode, a, Operand::new(&of_columns, columns, 1));
                        packed.product(&mut given, mode, &of_columns);
                        assert!(given == expected, "{set:?} {rows} x {columns} {mode:?}, transposed: {transposed}");
                        if !transposed {
                            // The same where it stands, with NaN behind it: it must not be met.
                            let mut given = before.clone();
                            product_once_for(set, &mut given, mode, a_and_nan, &of_columns);
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

/// What is not a number spoils its own row only, though vectors reach into the next column.
#[test]
fn not_a_number_stays_in_its_row() {
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

/// An infinite weight gives an infinite sum in its row, not NaN, whichever way the row is stored.
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

/// Sizes whose product wraps around are refused before anything is read or written.
#[test]
#[should_panic(expected = "fits in usize")]
fn sizes_that_wrap_around_are_refused() {
    let one = [1.0_f32];
    let huge = Operand::repeated(&one, usize::MAX / 2 + 1).transposed();
    Packed::default().pack(huge);
}

/// Without columns there is nothing to pack, and a product is its bias.
#[test]
fn products_without_columns() {
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
fn products_of_one_column() {
    check_columns::<f32>();
    check_columns::<f64>();
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
        let bias = whole::<T>(m, g);
        for (a_transposed, b_transposed) in OPERANDS {
            let (a, b) = (operand(&a, m, k, a_transposed), operand(&b, k, n, b_transposed));
            for mode in [Accumulate::Replace, Accumulate::Add, Accumulate::Bias(&bias)] {
                let (mut given, mut expected) = (before.clone(), before.clone());
                plain(&mut expected, mode, a, b);
                kernel::product(&mut given, mode, a, b, &mut workspace);
                for (&given, &expected) in given.iter().zip(&expected) {
                    // Errors add up like a random walk; `k` of them never exceed `k epsilon`, and 6 sqrt(k) is far out.
                    let bound = real::<T>(6.0 * epsilon * num_traits::Float::sqrt(1.0 + k as f64) * 4.0);
                    assert!((given - expected).abs() <= bound, "{m} x {n} x {k}: {given} against {expected}");
                }
                assert!(given[m * n..] == before[m * n..], "beyond the result");
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
