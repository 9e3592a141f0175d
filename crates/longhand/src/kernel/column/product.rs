//! `out = A b` or `out += A b`.
//!
//! A panel has few rows, so each row has several independent sums, to which the columns contribute in turn. These sums
//! are added at the end.

use super::{Layout, PackedForColumn, by_height, most_vectors};
use crate::Scalar;
use crate::kernel::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use crate::kernel::pack::Operand;
use crate::kernel::precision::Precision;
use crate::kernel::product::{Accumulate, plain, put_rows};
use crate::kernel::vector::Vector;
use core::marker::PhantomData;

impl<T: Scalar> PackedForColumn<T> {
    /// Computes `out = self * b` or `out += self * b` for one column `b`. If `b` has no elements, the product is zero.
    pub(crate) fn product(&self, out: &mut [T], accumulate: Accumulate<'_, T>, b: &[T]) {
        assert_eq!(self.columns, b.len(), "the inner dimensions of a product must be equal");
        assert!(out.len() >= self.rows, "the result is too short for the product");
        let values = self.values.values();
        let out_pointer = out.as_mut_ptr();
        let product = Product {
            out: out_pointer,
            start: accumulate.start(out_pointer, self.rows),
            a: values.as_ptr(),
            a_length: values.len(),
            rows: self.rows,
            columns: self.columns,
            b: b.as_ptr(),
            borrowed: PhantomData,
        };
        if !by_precision(self.instruction_set, &product, product_f32, product_f64) {
            plain(out, accumulate, Operand::new(values, self.rows, self.columns), Operand::new(b, self.columns, 1));
        }
    }
}

/// The operands, as pointers with checked bounds.
struct Product<'a, T> {
    out: *mut T,
    /// Initial values of the result, to which the product is added.
    start: Option<*const T>,
    a: *const T,
    /// Number of elements of the packed matrix.
    a_length: usize,
    rows: usize,
    columns: usize,
    b: *const T,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

// SAFETY: `Over<T>` is the type itself.
unsafe impl<'a, T: Scalar> OverScalar for Product<'a, T> {
    type Scalar = T;
    type Over<S: Scalar> = Product<'a, S>;
}

fn product_f32(instruction_set: InstructionSet, product: &Product<'_, f32>) {
    run(instruction_set, product);
}

fn product_f64(instruction_set: InstructionSet, product: &Product<'_, f64>) {
    run(instruction_set, product);
}

impl<T: Precision> Kernel<T> for Product<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let layout = Layout::new(self.rows, self.columns, V::LANES);
        assert!(self.a_length >= layout.length, "the panels are too short for the product");
        let mut vector = 0;
        // SAFETY: `PackedForColumn::product` checked the bounds of the operands, and panels are padded to whole
        // vectors.
        unsafe {
            if layout.lone_rows > 0 {
                self.lone_rows::<V>(token, &layout);
            }
            while vector < layout.vectors {
                let vectors = most_vectors::<T, V>(self.rows, self.columns).min(layout.vectors - vector);
                by_height!(V, vectors, HEIGHT => {
                    self.panel::<V, HEIGHT, { sums_a_row(HEIGHT) }>(token, vector * V::LANES);
                });
                vector += vectors;
            }
        }
    }
}

/// Number of sums for each row: enough to hide the latency of an addition with this many vectors of rows.
pub(super) const fn sums_a_row(vectors: usize) -> usize {
    match vectors {
        1 | 2 => 4,
        3 => 3,
        _ => 2,
    }
}

impl<T: Precision> Product<'_, T> {
    /// Computes the rows of the panel of `HEIGHT` vectors that starts at `row`, with `SETS` sums per row.
    ///
    /// # Safety
    /// There must be such a panel, and its last vector must have at least one row.
    #[inline(always)]
    unsafe fn panel<V: Vector<T>, const HEIGHT: usize, const SETS: usize>(&self, token: V::Token, row: usize) {
        // SAFETY: a panel has `HEIGHT` vectors for each column, and the right operand has one element for each column.
        unsafe {
            let mut sums = [[V::splat(token, T::default()); HEIGHT]; SETS];
            let (mut a, mut b) = (self.a.add(row * self.columns), self.b);
            for _ in 0..self.columns / SETS {
                for set in 0..SETS {
                    let factor = V::splat(token, *b);
                    for i in 0..HEIGHT {
                        sums[set][i] = V::load(token, a.add(i * V::LANES)).mul_add(factor, sums[set][i]);
                    }
                    a = a.add(HEIGHT * V::LANES);
                    b = b.add(1);
                }
            }
            for _ in 0..self.columns % SETS {
                let factor = V::splat(token, *b);
                for i in 0..HEIGHT {
                    sums[0][i] = V::load(token, a.add(i * V::LANES)).mul_add(factor, sums[0][i]);
                }
                a = a.add(HEIGHT * V::LANES);
                b = b.add(1);
            }
            let mut total = sums[0];
            for set in 1..SETS {
                for i in 0..HEIGHT {
                    total[i] = total[i].add(sums[set][i]);
                }
            }
            let start = self.start.map(|start| start.add(row));
            put_rows::<T, V, HEIGHT>(token, total, start, self.out.add(row), self.rows - row);
        }
    }

    /// Computes the rows that are stored separately.
    ///
    /// # Safety
    /// The packed matrix must have this layout.
    #[inline(always)]
    unsafe fn lone_rows<V: Vector<T>>(&self, token: V::Token, layout: &Layout) {
        // SAFETY: these rows are padded to whole vectors, and only elements of the right operand and of the result are
        // accessed.
        unsafe {
            let mut sums = [V::splat(token, T::default()); super::LONE_ROWS];
            let lone = self.a.add(layout.lone_start);
            let mut column = 0;
            while column < self.columns {
                let b = V::load_up_to(token, self.b.add(column), self.columns - column);
                for row in 0..super::LONE_ROWS {
                    if row < layout.lone_rows {
                        sums[row] = V::load(token, lone.add(row * layout.lone_length + column)).mul_add(b, sums[row]);
                    }
                }
                column += V::LANES;
            }
            let first = self.rows - layout.lone_rows;
            // Accumulate in registers: a wide load that follows narrow stores to the same bytes stalls (no store
            // forwarding).
            V::put_sums(sums, self.start.map(|start| start.add(first)), self.out.add(first), layout.lone_rows);
        }
    }
}
