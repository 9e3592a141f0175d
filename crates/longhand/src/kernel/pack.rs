//! The operands of a product, and the packing of the left operand for the kernels.

use super::aligned::Aligned;
use super::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use crate::scalar::is;
use core::marker::PhantomData;
use nalgebra::DMatrix;

/// The product of two sizes.
///
/// # Panics
/// If it does not fit in `usize`. A product that wraps around could pass a check of lengths.
#[inline(always)]
pub(super) fn size(a: usize, b: usize) -> usize {
    a.checked_mul(b).expect("the size of an operand must fit in usize")
}

/// A read-only matrix with its strides: element `(i, j)` is at `i * row_stride + j * column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a, T> Operand<'a, T> {
    /// A matrix stored column by column.
    ///
    /// # Panics
    /// If `values` has fewer than `rows * columns` elements.
    #[track_caller]
    pub fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= size(rows, columns), "a matrix must have `rows * columns` values");
        Operand { values, rows, columns, row_stride: 1, column_stride: rows }
    }

    /// One column of `rows` elements, all equal to the element of `value`. With a column of ones as right operand, the
    /// product is the sum over the columns of the left operand.
    pub fn repeated(value: &'a [T; 1], rows: usize) -> Self {
        Operand { values: value, rows, columns: 1, row_stride: 0, column_stride: 0 }
    }

    /// Checks that every element lies within the values.
    ///
    /// # Panics
    /// If an element lies beyond them.
    #[inline(always)]
    pub(super) fn assert_whole(&self) {
        let last = size(self.rows.max(1) - 1, self.row_stride)
            .checked_add(size(self.columns.max(1) - 1, self.column_stride))
            .expect("the size of an operand must fit in usize");
        let is_empty = self.rows == 0 || self.columns == 0;
        assert!(is_empty || last < self.values.len(), "all elements of an operand must lie within its values");
    }

    /// The transpose: the same elements with exchanged strides.
    #[must_use]
    pub fn transposed(self) -> Self {
        Operand {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// The elements, column by column.
    ///
    /// # Panics
    /// If the columns are not contiguous.
    pub(crate) fn whole_columns(self) -> &'a [T] {
        assert!(self.row_stride == 1 && self.column_stride == self.rows, "the columns of a matrix must be contiguous");
        &self.values[..size(self.rows, self.columns)]
    }

    /// The columns `start..start + columns`.
    pub(crate) fn columns_from(self, start: usize, columns: usize) -> Self {
        assert!(start + columns <= self.columns, "the columns must be in the matrix");
        let skipped = if columns == 0 || self.rows == 0 { 0 } else { start * self.column_stride };
        Operand { values: &self.values[skipped..], columns, ..self }
    }
}

impl<'a, T> From<&'a DMatrix<T>> for Operand<'a, T>
where
    T: Scalar,
{
    fn from(matrix: &'a DMatrix<T>) -> Self {
        Operand::new(matrix.as_slice(), matrix.nrows(), matrix.ncols())
    }
}

/// A left operand packed into panels with as many rows as a tile. Each panel is read from front to back in whole
/// vectors. The rows below the last row are padding (zeros or, in a transpose, copies of the last row). A product does
/// not write them. Weights are packed once per window and used at each of its steps.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    values: Aligned<T>,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) instruction_set: InstructionSet,
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Packed { values: Aligned::default(), rows: 0, columns: 0, instruction_set: InstructionSet::default() }
    }
}

impl<T: Scalar> Packed<T> {
    /// Packs the elements of `a`.
    pub(crate) fn pack(&mut self, a: Operand<'_, T>) {
        self.pack_for(a, InstructionSet::best());
    }

    /// Packs the elements of `a` for `instruction_set`, which this processor must support.
    pub(crate) fn pack_for(&mut self, a: Operand<'_, T>, instruction_set: InstructionSet) {
        (self.rows, self.columns, self.instruction_set) = (a.rows, a.columns, instruction_set);
        let to = self.values.take(size(a.rows.next_multiple_of(lanes::<T>(instruction_set)), a.columns));
        let packing = Packing::new(&a, to);
        if !by_precision(instruction_set, &packing, pack_f32, pack_f64) {
            pack_plain(to, a);
        }
    }

    /// The panels, one after the other.
    pub(super) fn panels(&self) -> &[T] {
        self.values.values()
    }
}

/// Copies the elements column by column, for scalar types without vectors.
pub(super) fn pack_plain<T: Scalar>(to: &mut [T], a: Operand<'_, T>) {
    for (to, (column, row)) in to.iter_mut().zip((0..a.columns).flat_map(|j| (0..a.rows).map(move |i| (j, i)))) {
        *to = a.values[row * a.row_stride + column * a.column_stride];
    }
}

/// A matrix with checked bounds, and the destination of its elements.
pub(super) struct Packing<'a, T> {
    pub(super) to: *mut T,
    /// Number of elements that can be written at the destination.
    pub(super) room: usize,
    pub(super) from: *const T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

impl<'a, T> Packing<'a, T> {
    pub(super) fn new(a: &Operand<'a, T>, to: &'a mut [T]) -> Self {
        a.assert_whole();
        Packing {
            room: to.len(),
            to: to.as_mut_ptr(),
            from: a.values.as_ptr(),
            rows: a.rows,
            columns: a.columns,
            row_stride: a.row_stride,
            column_stride: a.column_stride,
            borrowed: PhantomData,
        }
    }
}

// SAFETY: `Over<T>` is the type itself.
unsafe impl<'a, T: Scalar> OverScalar for Packing<'a, T> {
    type Scalar = T;
    type Over<S: Scalar> = Packing<'a, S>;
}

fn pack_f32(instruction_set: InstructionSet, packing: &Packing<'_, f32>) {
    run(instruction_set, packing);
}

fn pack_f64(instruction_set: InstructionSet, packing: &Packing<'_, f64>) {
    run(instruction_set, packing);
}

impl<T: Precision> Kernel<T> for Packing<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let &Packing { mut to, room, from, rows, columns, row_stride, column_stride, .. } = self;
        let padded_rows = rows.next_multiple_of(V::LANES);
        assert!(room >= size(padded_rows, columns), "the buffer is too short for the panels of a matrix");
        if columns == 0 {
            return;
        }
        for first in (0..padded_rows).step_by(V::LANES * V::TILE_VECTORS) {
            let height = (V::LANES * V::TILE_VECTORS).min(padded_rows - first);
            let panel = Panel {
                from: from.wrapping_add(first * row_stride),
                rows: height.min(rows - first),
                columns,
                height,
                to,
            };
            // SAFETY: the panels together have `padded_rows` rows, which fit, and the operand's bounds were checked.
            unsafe {
                panel.copy::<V>(token, row_stride, column_stride);
                to = to.add(height * columns);
            }
        }
    }
}

/// A panel of `height` rows, of which the first `rows` are rows of a matrix.
pub(super) struct Panel<T> {
    pub(super) from: *const T,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) to: *mut T,
    pub(super) height: usize,
}

impl<T: Precision> Panel<T> {
    /// Copies the rows of the matrix into the panel.
    ///
    /// # Safety
    /// The matrix must have these rows and columns, and the panel must fit its destination.
    #[inline(always)]
    pub(super) unsafe fn copy<V: Vector<T>>(&self, token: V::Token, row_stride: usize, column_stride: usize) {
        // SAFETY: both functions have the requirements of this one.
        unsafe {
            if row_stride == 1 {
                self.copy_columns::<V>(token, column_stride);
            } else {
                self.copy_rows::<V>(token, row_stride, column_stride);
            }
        }
    }

    /// Copies from a matrix with contiguous columns.
    ///
    /// # Safety
    /// The requirements of [`copy`](Self::copy).
    #[inline(always)]
    unsafe fn copy_columns<V: Vector<T>>(&self, token: V::Token, column_stride: usize) {
        // SAFETY: column `column` has `rows` elements from `column * column_stride` on, and no others are read. The
        // panel has `height` rows, a multiple of `LANES`.
        unsafe {
            for column in 0..self.columns {
                let (from, to) = (self.from.add(column * column_stride), self.to.add(column * self.height));
                for row in (0..self.height).step_by(V::LANES) {
                    V::load_up_to(token, from.add(row), self.rows - row).store(to.add(row));
                }
            }
        }
    }

    /// Copies from a matrix with any strides. If rows are contiguous, copies four columns of a vector's rows at a time.
    ///
    /// # Safety
    /// The requirements of [`copy`](Self::copy).
    #[inline(always)]
    unsafe fn copy_rows<V: Vector<T>>(&self, token: V::Token, row_stride: usize, column_stride: usize) {
        // SAFETY: rows beyond the last one read the last one, and four columns are read only if there are four. The
        // panel has `height` rows, a multiple of `LANES`.
        unsafe {
            for row in (0..self.height).step_by(V::LANES) {
                let (from, to) = (self.from.wrapping_add(row * row_stride), self.to.add(row));
                let rows = V::LANES.min(self.rows - row);
                if column_stride == 1 && self.columns >= 4 {
                    let mut column = 0;
                    while column < self.columns {
                        // The last four columns may overlap the four before them.
                        column = column.min(self.columns - 4);
                        let columns = if rows == V::LANES {
                            V::load_columns(token, from.add(column), row_stride, V::LANES)
                        } else {
                            V::load_columns(token, from.add(column), row_stride, rows)
                        };
                        // Not an iterator: its functions are compiled without the instruction set.
                        for j in 0..4 {
                            columns[j].store(to.add((column + j) * self.height));
                        }
                        column += 4;
                    }
                } else {
                    for column in 0..self.columns {
                        for i in 0..V::LANES {
                            let element = *from.add(i.min(rows - 1) * row_stride + column * column_stride);
                            *to.add(column * self.height + i) = element;
                        }
                    }
                }
            }
        }
    }
}

/// Number of scalars in a vector, or 1 for scalar types without vectors, which are packed without padding.
pub(super) fn lanes<T: Scalar>(instruction_set: InstructionSet) -> usize {
    fn of<S: Precision>(instruction_set: InstructionSet) -> usize {
        match instruction_set {
            InstructionSet::Plain(_) => S::Plain::LANES,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2(_) => S::Avx2::LANES,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512(_) => S::Avx512::LANES,
            #[cfg(all(target_arch = "aarch64", target_feature = "neon"))]
            InstructionSet::Neon(_) => S::Neon::LANES,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            InstructionSet::Simd128(_) => S::Simd128::LANES,
        }
    }
    if is::<T, f32>() {
        of::<f32>(instruction_set)
    } else if is::<T, f64>() {
        of::<f64>(instruction_set)
    } else {
        1
    }
}
