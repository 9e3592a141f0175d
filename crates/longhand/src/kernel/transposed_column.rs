//! The product of a transposed matrix and one column, from the panels of the matrix as it is: what each step of a
//! single sequence waits for on its way back.
//!
//! Element `j` of the result is the sum down column `j` of the matrix, element by element with the right operand. The
//! right operand stays in registers, each column of a panel is read once, and four columns are added up together. To
//! pack the transpose would cost more than it saves: a window has few steps, and the panels are in the cache already.

use super::instruction_set::{Cast, InstructionSet, Kernel, by_precision, run};
use super::pack::{Operand, Packed};
use super::precision::Precision;
use super::product::{Accumulate, plain};
use super::single_column::{by_height, vectors_together};
use super::vector::Vector;
use crate::Scalar;

impl<T: Scalar> Packed<T> {
    /// `out += self' * b` for one column `b`. The matrix was packed as it stood, not as a transpose: below its last row
    /// there are zeros.
    pub(crate) fn add_transposed_product(&self, out: &mut [T], b: &[T]) {
        assert_eq!((self.columns, self.rows), (out.len(), b.len()), "the dimensions of a product differ");
        let values = self.panels();
        assert!(values.len() >= self.rows * self.columns, "an operand is not whole");
        let product = TransposedColumn {
            out: out.as_mut_ptr(),
            a: values.as_ptr(),
            rows: self.rows,
            columns: self.columns,
            b: b.as_ptr(),
        };
        if !by_precision::<T, _>(self.instruction_set, product, transposed_f32, transposed_f64) {
            let a = Operand::new(values, self.rows, self.columns).transposed();
            plain(out, Accumulate::Add, a, Operand::new(b, self.rows, 1));
        }
    }
}

impl<T> Cast for TransposedColumn<T> {
    type To<S> = TransposedColumn<S>;

    #[inline(always)]
    fn cast<S>(self) -> TransposedColumn<S> {
        let TransposedColumn { out, a, rows, columns, b } = self;
        TransposedColumn { out: out.cast(), a: a.cast(), rows, columns, b: b.cast() }
    }
}

fn transposed_f32(instruction_set: InstructionSet, product: &TransposedColumn<f32>) {
    run(instruction_set, product);
}

fn transposed_f64(instruction_set: InstructionSet, product: &TransposedColumn<f64>) {
    run(instruction_set, product);
}

/// The operands of `out += A' b`, as pointers whose reach was checked.
struct TransposedColumn<T> {
    out: *mut T,
    /// Panels of `rows` rows and `columns` columns.
    a: *const T,
    rows: usize,
    columns: usize,
    b: *const T,
}

impl<T: Precision> Kernel<T> for TransposedColumn<T> {
    #[inline(always)]
    unsafe fn run<V: Vector<T>>(&self) {
        let mut panel = self.a;
        let mut row = 0;
        // SAFETY: `add_transposed_product` checked how far the operands reach; panels are padded to whole vectors.
        unsafe {
            while row < self.rows {
                let most = vectors_together::<T, V>(self.rows, self.columns);
                let vectors = (self.rows - row).div_ceil(V::LANES).min(most);
                by_height!(V, vectors, HEIGHT, BELOW => self.panels::<V, HEIGHT, BELOW>(panel, row));
                panel = panel.add(vectors * V::LANES * self.columns);
                row += vectors * V::LANES;
            }
        }
    }
}

impl<T: Precision> TransposedColumn<T> {
    /// What a panel of `HEIGHT` vectors and `BELOW` vectors of the panel after it, from `row` on, add to the result.
    #[inline(always)]
    unsafe fn panels<V: Vector<T>, const HEIGHT: usize, const BELOW: usize>(&self, panel: *const T, row: usize) {
        unsafe {
            let zero = V::splat(T::default());
            let (mut b, mut b_below) = ([zero; HEIGHT], [zero; BELOW]);
            for i in 0..HEIGHT {
                b[i] = self.load_b(row + i * V::LANES);
            }
            for i in 0..BELOW {
                b_below[i] = self.load_b(row + (HEIGHT + i) * V::LANES);
            }
            let below = panel.add(HEIGHT * V::LANES * self.columns);
            let mut column = 0;
            while column < self.columns {
                let count = 4.min(self.columns - column);
                let mut sums = [zero; 4];
                for j in 0..4 {
                    let from = column + j.min(count - 1);
                    for i in 0..HEIGHT {
                        sums[j] = V::load(panel.add((from * HEIGHT + i) * V::LANES)).mul_add(b[i], sums[j]);
                    }
                    for i in 0..BELOW {
                        sums[j] = V::load(below.add((from * BELOW + i) * V::LANES)).mul_add(b_below[i], sums[j]);
                    }
                }
                V::add_sums(sums, self.out.add(column), count);
                column += 4;
            }
        }
    }

    /// The elements of the right operand from `row` on, and zero beyond its last.
    #[inline(always)]
    unsafe fn load_b<V: Vector<T>>(&self, row: usize) -> V {
        let rest = self.rows - row;
        unsafe { if rest >= V::LANES { V::load(self.b.add(row)) } else { V::load_first(self.b.add(row), rest) } }
    }
}
