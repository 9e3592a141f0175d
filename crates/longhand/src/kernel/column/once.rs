//! `out = A b` for weights that are read once. Reads the weights in place, because packing would cost more than a
//! single product.
//!
//! If another column follows in memory, the last rows of a column are read as a whole vector. The lanes that belong to
//! the next column are not written to the result.

use super::product::sums_a_row;
use crate::Scalar;
use crate::kernel::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use crate::kernel::pack::{Operand, size};
use crate::kernel::precision::Precision;
use crate::kernel::product::{Accumulate, plain, put_rows};
use crate::kernel::vector::Vector;
use core::marker::PhantomData;

/// Computes `out = a b` or `out += a b` for one column `b`. The columns of `a` must be contiguous.
pub(crate) fn product_once<T: Scalar>(out: &mut [T], accumulate: Accumulate<'_, T>, a: Operand<'_, T>, b: &[T]) {
    product_once_for(InstructionSet::best(), out, accumulate, a, b);
}

/// Computes the product on `instruction_set`, which this processor must support.
pub(in crate::kernel) fn product_once_for<T: Scalar>(
    instruction_set: InstructionSet,
    out: &mut [T],
    accumulate: Accumulate<'_, T>,
    a: Operand<'_, T>,
    b: &[T],
) {
    assert_eq!(a.columns, b.len(), "the inner dimensions of a product must be equal");
    assert_eq!(a.row_stride, 1, "each column must be contiguous");
    if a.columns == 0 {
        // The matrix has no elements to read.
        plain(out, accumulate, a, Operand::new(b, 0, 1));
        return;
    }
    let length =
        size(a.columns - 1, a.column_stride).checked_add(a.rows).expect("the size of an operand must fit in usize");
    assert!(out.len() >= a.rows && a.values.len() >= length, "an operand is too short for the product");
    let out_pointer = out.as_mut_ptr();
    let product = Once {
        out: out_pointer,
        start: accumulate.start(out_pointer, a.rows),
        a: a.values.as_ptr(),
        length,
        rows: a.rows,
        columns: a.columns,
        column_stride: a.column_stride,
        b: b.as_ptr(),
        borrowed: PhantomData,
    };
    if !by_precision(instruction_set, &product, once_f32, once_f64) {
        plain(out, accumulate, a, Operand::new(b, b.len(), 1));
    }
}

/// The operands, as pointers with checked bounds.
struct Once<'a, T> {
    out: *mut T,
    /// Initial values of the result, to which the product is added.
    start: Option<*const T>,
    a: *const T,
    /// Number of elements in memory from the first to the last one of the matrix.
    length: usize,
    rows: usize,
    columns: usize,
    column_stride: usize,
    b: *const T,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

// SAFETY: `Over<T>` is the type itself.
unsafe impl<'a, T: Scalar> OverScalar for Once<'a, T> {
    type Scalar = T;
    type Over<S: Scalar> = Once<'a, S>;
}

fn once_f32(instruction_set: InstructionSet, product: &Once<'_, f32>) {
    run(instruction_set, product);
}

fn once_f64(instruction_set: InstructionSet, product: &Once<'_, f64>) {
    run(instruction_set, product);
}

/// Largest number of vectors of rows that are summed at a time.
const MOST_VECTORS: usize = 4;

impl<T: Precision> Kernel<T> for Once<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let mut row = 0;
        while row < self.rows {
            let vectors = (self.rows - row).div_ceil(V::LANES).min(MOST_VECTORS);
            // SAFETY: `product_once_for` checked the bounds of the operands.
            unsafe {
                match vectors {
                    1 => self.down_columns::<V, 1, { sums_a_row(1) }>(token, row),
                    2 => self.down_columns::<V, 2, { sums_a_row(2) }>(token, row),
                    3 => self.down_columns::<V, 3, { sums_a_row(3) }>(token, row),
                    _ => self.down_columns::<V, MOST_VECTORS, { sums_a_row(MOST_VECTORS) }>(token, row),
                }
            }
            row += vectors * V::LANES;
        }
    }
}

impl<T: Precision> Once<'_, T> {
    /// Computes `HEIGHT` vectors of rows, starting at `row`. Each row is a lane.
    ///
    /// # Safety
    /// The last of these vectors must have at least one row, and the operands' bounds must have been checked.
    #[inline(always)]
    unsafe fn down_columns<V: Vector<T>, const HEIGHT: usize, const SETS: usize>(&self, token: V::Token, row: usize) {
        // SAFETY: in the first `within` columns, whole vectors lie inside the matrix. In the others, only the matrix's
        // rows are read.
        unsafe {
            let mut sums = [[V::splat(token, T::default()); HEIGHT]; SETS];
            let (rows, last) = (self.rows - row, (HEIGHT - 1) * V::LANES);
            let (mut a, mut b) = (self.a.add(row), self.b);
            let within = match self.length.checked_sub(row + HEIGHT * V::LANES) {
                Some(behind) => self.columns.min(behind / self.column_stride.max(1) + 1),
                None => 0,
            };
            for _ in 0..within / SETS {
                for set in 0..SETS {
                    let factor = V::splat(token, *b);
                    for i in 0..HEIGHT {
                        sums[set][i] = V::load(token, a.add(i * V::LANES)).mul_add(factor, sums[set][i]);
                    }
                    a = a.wrapping_add(self.column_stride);
                    b = b.add(1);
                }
            }
            for _ in within / SETS * SETS..self.columns {
                let factor = V::splat(token, *b);
                for i in 0..HEIGHT {
                    let from = a.add(i * V::LANES);
                    let of_rows =
                        if i + 1 < HEIGHT { V::load(token, from) } else { V::load_up_to(token, from, rows - last) };
                    sums[0][i] = of_rows.mul_add(factor, sums[0][i]);
                }
                a = a.wrapping_add(self.column_stride);
                b = b.add(1);
            }
            let mut total = sums[0];
            for set in 1..SETS {
                for i in 0..HEIGHT {
                    total[i] = total[i].add(sums[set][i]);
                }
            }
            put_rows::<T, V, HEIGHT>(token, total, self.start.map(|start| start.add(row)), self.out.add(row), rows);
        }
    }
}
