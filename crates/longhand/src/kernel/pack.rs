//! Operands of a product, and the left one as the kernels want it.

use super::instruction_set::InstructionSet;
use super::vector::{Lanes, Vector};
use crate::Scalar;
use alloc::vec::Vec;
use core::any::TypeId;
use core::ops::Range;
use nalgebra::DMatrix;

/// A matrix to read, with its strides: element `(i, j)` stands at `i * row_stride + j * column_stride`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operand<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a, T> Operand<'a, T> {
    /// A matrix stored column by column.
    pub(crate) fn new(values: &'a [T], rows: usize, columns: usize) -> Self {
        assert!(values.len() >= rows * columns, "a matrix is not whole");
        Operand { values, rows, columns, row_stride: 1, column_stride: rows }
    }

    /// Its transpose: the same elements, strides exchanged.
    pub(crate) fn transposed(self) -> Self {
        Operand {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Some of its columns.
    pub(crate) fn columns_from(self, start: usize, columns: usize) -> Self {
        assert!(start + columns <= self.columns, "no such columns");
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

/// A left operand in panels of as many rows as a tile has, zeros below the last: each panel is then read from front to
/// back, in whole vectors. Weights are packed once a window and used at each of its steps.
#[derive(Debug)]
pub(crate) struct Packed<T> {
    values: Vec<T>,
    /// Elements before the first one that begins a cache line.
    offset: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) instruction_set: InstructionSet,
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Packed { values: Vec::new(), offset: 0, rows: 0, columns: 0, instruction_set: InstructionSet::default() }
    }
}

/// Bytes in a cache line, and in the widest vector.
const LINE: usize = 64;

impl<T: Scalar> Packed<T> {
    /// Takes over the elements of `a`.
    pub(crate) fn pack(&mut self, a: Operand<'_, T>) {
        self.pack_for(a, InstructionSet::best());
    }

    /// The same for one instruction set, which this processor must have.
    pub(crate) fn pack_for(&mut self, a: Operand<'_, T>, instruction_set: InstructionSet) {
        (self.rows, self.columns, self.instruction_set) = (a.rows, a.columns, instruction_set);
        let lanes = lanes::<T>(instruction_set);
        let padded_rows = a.rows.div_ceil(lanes) * lanes;
        let length = padded_rows * a.columns + LINE / size_of::<T>().max(1);
        if self.values.len() < length {
            self.values.resize(length, T::zero());
        }
        let misaligned = self.values.as_ptr().addr() % LINE;
        self.offset = if misaligned == 0 { 0 } else { (LINE - misaligned) / size_of::<T>() };
        let panel_rows = lanes * tile_vectors::<T>(instruction_set);
        let mut to = self.offset;
        for first in (0..padded_rows).step_by(panel_rows) {
            let height = panel_rows.min(padded_rows - first);
            let rows = height.min(a.rows - first);
            let panel = &mut self.values[to..to + height * a.columns];
            to += panel.len();
            if a.column_stride == 1 {
                pack_transposed(panel, height, a, first..first + rows);
                continue;
            }
            for (column, target) in panel.chunks_exact_mut(height).enumerate() {
                let from = first * a.row_stride + column * a.column_stride;
                if a.row_stride == 1 {
                    target[..rows].copy_from_slice(&a.values[from..from + rows]);
                } else {
                    for (row, value) in target[..rows].iter_mut().enumerate() {
                        *value = a.values[from + row * a.row_stride];
                    }
                }
                target[rows..].fill(T::zero());
            }
        }
    }

    /// The panels, one after the other.
    pub(super) fn panels(&self) -> &[T] {
        &self.values[self.offset..]
    }
}

/// Fills a panel of `height` rows from rows that lie contiguously, several of them at a time, so that each read goes
/// along a row and each write fills part of a column.
fn pack_transposed<T: Scalar>(panel: &mut [T], height: usize, a: Operand<'_, T>, rows: Range<usize>) {
    const TOGETHER: usize = 8;
    let row = |row: usize| &a.values[row * a.row_stride..][..a.columns];
    let mut done = 0;
    while done + TOGETHER <= rows.len() {
        let sources: [&[T]; TOGETHER] = core::array::from_fn(|i| row(rows.start + done + i));
        for (column, target) in panel.chunks_exact_mut(height).enumerate() {
            let target = &mut target[done..done + TOGETHER];
            for (target, source) in target.iter_mut().zip(&sources) {
                *target = source[column];
            }
        }
        done += TOGETHER;
    }
    for i in done..height {
        let source = if i < rows.len() { Some(row(rows.start + i)) } else { None };
        for (column, target) in panel.chunks_exact_mut(height).enumerate() {
            target[i] = source.map_or(T::zero(), |source| source[column]);
        }
    }
}

/// Scalars in one vector; 1 for scalars that have no vectors, which packs them as they are.
fn lanes<T: Scalar>(instruction_set: InstructionSet) -> usize {
    widths::<T>(instruction_set).0
}

/// Vectors of rows in one tile.
fn tile_vectors<T: Scalar>(instruction_set: InstructionSet) -> usize {
    widths::<T>(instruction_set).1
}

fn widths<T: Scalar>(instruction_set: InstructionSet) -> (usize, usize) {
    const fn of<S, V: Vector<S>>() -> (usize, usize) {
        (V::LANES, V::TILE_VECTORS)
    }
    #[cfg(target_arch = "x86_64")]
    use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};
    let single = TypeId::of::<T>() == TypeId::of::<f32>();
    if !single && TypeId::of::<T>() != TypeId::of::<f64>() {
        return (1, usize::MAX);
    }
    match instruction_set {
        InstructionSet::Plain if single => of::<f32, Lanes<f32, 4>>(),
        InstructionSet::Plain => of::<f64, Lanes<f64, 2>>(),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 if single => of::<f32, __m256>(),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => of::<f64, __m256d>(),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 if single => of::<f32, __m512>(),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => of::<f64, __m512d>(),
    }
}
