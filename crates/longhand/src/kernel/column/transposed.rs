//! `out += A' b`, from the panels of `A`.
//!
//! Element `j` of the result is the dot product of column `j` of the matrix and the right operand. The right operand
//! stays in registers, and each column of a panel is read once. The lanes of `LANES` columns are summed together.
//! Packing the transpose would cost more than it saves, because a window has few steps and the panels are already in
//! the cache.

use super::{Layout, PackedForColumn, by_height, most_vectors};
use crate::Scalar;
use crate::kernel::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use crate::kernel::pack::Operand;
use crate::kernel::precision::Precision;
use crate::kernel::product::{Accumulate, plain};
use crate::kernel::vector::{MOST_LANES, Vector};
use core::marker::PhantomData;

impl<T: Scalar> PackedForColumn<T> {
    /// Computes `out += self' * b` for one column `b`. The panels' padding below the last row is multiplied by zero.
    pub(crate) fn add_transposed_product(&self, out: &mut [T], b: &[T]) {
        assert_eq!((self.columns, self.rows), (out.len(), b.len()), "the dimensions of a product must be equal");
        let values = self.values.values();
        let product = Transposed {
            out: out.as_mut_ptr(),
            a: values.as_ptr(),
            a_length: values.len(),
            rows: self.rows,
            columns: self.columns,
            b: b.as_ptr(),
            borrowed: PhantomData,
        };
        if !by_precision(self.instruction_set, &product, transposed_f32, transposed_f64) {
            let a = Operand::new(values, self.rows, self.columns).transposed();
            plain(out, Accumulate::Add, a, Operand::new(b, self.rows, 1));
        }
    }
}

/// The operands, as pointers with checked bounds.
struct Transposed<'a, T> {
    out: *mut T,
    a: *const T,
    /// Number of elements of the packed matrix.
    a_length: usize,
    rows: usize,
    columns: usize,
    b: *const T,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

// SAFETY: `Over<T>` is the type itself.
unsafe impl<'a, T: Scalar> OverScalar for Transposed<'a, T> {
    type Scalar = T;
    type Over<S: Scalar> = Transposed<'a, S>;
}

fn transposed_f32(instruction_set: InstructionSet, product: &Transposed<'_, f32>) {
    run(instruction_set, product);
}

fn transposed_f64(instruction_set: InstructionSet, product: &Transposed<'_, f64>) {
    run(instruction_set, product);
}

impl<T: Precision> Kernel<T> for Transposed<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let layout = Layout::new(self.rows, self.columns, V::LANES);
        assert!(self.a_length >= layout.length, "the panels are too short for the product");
        let mut vector = 0;
        // SAFETY: `add_transposed_product` checked the bounds of the operands, and panels are padded to whole vectors.
        unsafe {
            if layout.lone_rows > 0 {
                self.lone_rows::<V>(token, &layout);
            }
            while vector < layout.vectors {
                let vectors = most_vectors::<T, V>(self.rows, self.columns).min(layout.vectors - vector);
                by_height!(V, vectors, HEIGHT => self.panel::<V, HEIGHT>(token, vector * V::LANES));
                vector += vectors;
            }
        }
    }
}

impl<T: Precision> Transposed<'_, T> {
    /// Adds the contribution of the panel of `HEIGHT` vectors that starts at `row` to the result.
    ///
    /// # Safety
    /// There must be such a panel, and its last vector must have at least one row.
    #[inline(always)]
    unsafe fn panel<V: Vector<T>, const HEIGHT: usize>(&self, token: V::Token, row: usize) {
        // SAFETY: a panel has `HEIGHT` vectors for each column. After its last column, the buffer continues for a
        // vector of columns (`Layout::length`). Only elements of the right operand and of the result are accessed.
        unsafe {
            let zero = V::splat(token, T::default());
            let (panel, mut b) = (self.a.add(row * self.columns), [zero; HEIGHT]);
            for i in 0..HEIGHT {
                let row = row + i * V::LANES;
                b[i] = V::load_up_to(token, self.b.add(row), self.rows - row);
            }
            // Multiplies column `column + j` of the panel by the right operand, and sums over vectors. Results of
            // columns beyond the last one are discarded.
            macro_rules! down {
                ($from:ident + $j:literal) => {{
                    let from = $from.add($j * HEIGHT * V::LANES);
                    let mut sum = V::load(token, from).mul(b[0]);
                    for i in 1..HEIGHT {
                        sum = V::load(token, from.add(i * V::LANES)).mul_add(b[i], sum);
                    }
                    sum
                }};
            }
            // Not a loop, because only sums with constant indices stay in registers.
            macro_rules! each {
                ($from:ident, $sums:ident: $($j:literal)*) => {
                    $(if $j < V::LANES {
                        $sums[$j] = down!($from + $j);
                    })*
                };
            }
            let (mut column, mut from) = (0, panel);
            while column < self.columns {
                let (count, out) = (self.columns - column, self.out.add(column));
                if count <= 4 {
                    let sums = [down!(from + 0), down!(from + 1), down!(from + 2), down!(from + 3)];
                    V::put_sums(sums, Some(out.cast_const()), out, count);
                    return;
                }
                let mut sums = [zero; MOST_LANES];
                each!(from, sums: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
                let sums = V::sums(sums);
                if count >= V::LANES {
                    V::load(token, out).add(sums).store(out);
                } else {
                    V::load_first(token, out, count).add(sums).store_first(out, count);
                }
                column += V::LANES;
                from = from.wrapping_add(V::LANES * HEIGHT * V::LANES);
            }
        }
    }

    /// Adds the contribution of the rows that are stored separately.
    ///
    /// # Safety
    /// The packed matrix must have this layout.
    #[inline(always)]
    unsafe fn lone_rows<V: Vector<T>>(&self, token: V::Token, layout: &Layout) {
        // SAFETY: these rows are padded to whole vectors, and only elements of the right operand and of the result are
        // accessed.
        unsafe {
            let lone = self.a.add(layout.lone_start);
            let b = self.b.add(self.rows - layout.lone_rows);
            let mut column = 0;
            while column < self.columns {
                let (count, out) = (self.columns - column, self.out.add(column));
                let mut sum = V::load_up_to(token, out, count);
                for row in 0..layout.lone_rows {
                    sum = V::load(token, lone.add(row * layout.lone_length + column))
                        .mul_add(V::splat(token, *b.add(row)), sum);
                }
                if count >= V::LANES {
                    sum.store(out);
                } else {
                    sum.store_first(out, count);
                }
                column += V::LANES;
            }
        }
    }
}
