//! Products with one column, which each step of a single sequence needs, forward and backward.
//!
//! Each weight is used once, so loading the weights determines the time. They are stored in whole vectors, in the order
//! in which they are read. Most rows are stored in panels of several vectors, limited by the registers for their sums.
//! If only a few rows remain below the last whole vector, they are stored separately, row by row: of 50 rows, the last
//! 2 would need a vector of 16 lanes for each column.
//!
//! The forward and the backward product read the same weights. In the forward product, each row of a panel is a lane,
//! and the lanes of a separate row are summed at the end. In the backward product, the lanes of a panel are summed, and
//! those of a separate row are elements of the result.

mod once;
mod product;
mod transposed;

pub(crate) use once::product_once;
#[cfg(test)]
pub(super) use once::product_once_for;

use super::aligned::Aligned;
use super::instruction_set::{InstructionSet, Kernel, by_precision, run};
use super::pack::{Operand, Packing, Panel, lanes, pack_plain, size};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;

/// A left operand, packed for products with one column.
#[derive(Debug)]
pub(crate) struct PackedForColumn<T> {
    values: Aligned<T>,
    rows: usize,
    columns: usize,
    instruction_set: InstructionSet,
}

impl<T> Default for PackedForColumn<T> {
    fn default() -> Self {
        PackedForColumn { values: Aligned::default(), rows: 0, columns: 0, instruction_set: InstructionSet::default() }
    }
}

impl<T: Scalar> PackedForColumn<T> {
    /// Packs the elements of `a`.
    pub(crate) fn pack(&mut self, a: Operand<'_, T>) {
        self.pack_for(a, InstructionSet::best());
    }

    /// Packs the elements of `a` for `instruction_set`, which this processor must support.
    pub(super) fn pack_for(&mut self, a: Operand<'_, T>, instruction_set: InstructionSet) {
        (self.rows, self.columns, self.instruction_set) = (a.rows, a.columns, instruction_set);
        let layout = Layout::new(a.rows, a.columns, lanes::<T>(instruction_set));
        let to = self.values.take(layout.length);
        let packing = Packing::new(&a, to);
        if !by_precision(instruction_set, &packing, pack_f32, pack_f64) {
            pack_plain(to, a);
        }
    }
}

/// The order of the elements: first the panels, then the separate rows, each padded to whole vectors.
#[derive(Clone, Copy)]
struct Layout {
    /// Number of vectors of rows in all panels.
    vectors: usize,
    /// Number of separate rows, which are the last ones.
    lone_rows: usize,
    /// Number of elements from one separate row to the next.
    lone_length: usize,
    /// Number of elements before the first separate row.
    lone_start: usize,
    /// Number of elements, including those beyond the last column that may be read.
    length: usize,
}

/// Largest number of separate rows: their sums over lanes are computed four at a time.
const LONE_ROWS: usize = 4;

impl Layout {
    #[inline(always)]
    fn new(rows: usize, columns: usize, lanes: usize) -> Layout {
        let rest = rows % lanes;
        let lone_rows = if rest <= LONE_ROWS.min(lanes / 4) { rest } else { 0 };
        let vectors = (rows - lone_rows).div_ceil(lanes);
        let (lone_length, lone_start) = (columns.next_multiple_of(lanes), size(vectors * lanes, columns));
        // The last columns of a panel are read as a whole vector of columns, or as four.
        let beyond = lanes * lanes.max(4) * vectors.min(MOST_VECTORS);
        Layout { vectors, lone_rows, lone_length, lone_start, length: lone_start + lone_rows * lone_length + beyond }
    }
}

/// Largest number of vectors of rows in a panel of any instruction set.
const MOST_VECTORS: usize = 8;

/// Largest number of vectors of rows in a panel. Their sums fill half of the registers. Panels of weights that exceed
/// the first-level cache have half as many vectors, which is a few per cent faster.
#[inline(always)]
fn most_vectors<T: Precision, V: Vector<T>>(rows: usize, columns: usize) -> usize {
    const FIRST_LEVEL_CACHE: usize = 48 * 1024;
    if rows * columns * size_of::<T>() > FIRST_LEVEL_CACHE { V::TILE_VECTORS } else { 2 * V::TILE_VECTORS }
}

/// Runs code with the number of vectors in a panel as a constant. The conditions are constants, so sizes that a vector
/// type does not use are not compiled.
macro_rules! by_height {
    ($vector:ident, $vectors:expr, $height:ident => $work:expr) => {
        by_height!(@ $vector, $vectors, $height, $work, 1 2 3 4 5 6 7 8)
    };
    (@ $vector:ident, $vectors:expr, $height:ident, $work:expr, $($h:literal)*) => {
        match $vectors {
            $($h if $h <= 2 * $vector::TILE_VECTORS => {
                const $height: usize = $h;
                $work
            })*
            vectors => unreachable!("no panel of {vectors} vectors"),
        }
    };
}
use by_height;

fn pack_f32(instruction_set: InstructionSet, packing: &Packing<'_, f32>) {
    run(instruction_set, &PanelsAndRows(packing));
}

fn pack_f64(instruction_set: InstructionSet, packing: &Packing<'_, f64>) {
    run(instruction_set, &PanelsAndRows(packing));
}

/// Packing with separate last rows.
struct PanelsAndRows<'a, T>(&'a Packing<'a, T>);

impl<T: Precision> Kernel<T> for PanelsAndRows<'_, T> {
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let &PanelsAndRows(&Packing { to, room, from, rows, columns, row_stride, column_stride, .. }) = self;
        let layout = Layout::new(rows, columns, V::LANES);
        assert!(room >= layout.length, "the buffer is too short for the panels of a matrix");
        // SAFETY: the whole layout fits, and the operand's bounds were checked. Four rows are read at once only if
        // there are four, and columns beyond the last one read the last one.
        unsafe {
            let mut vector = 0;
            while vector < layout.vectors {
                let height = V::LANES * most_vectors::<T, V>(rows, columns).min(layout.vectors - vector);
                let first = vector * V::LANES;
                Panel {
                    from: from.wrapping_add(first * row_stride),
                    rows: height.min(rows - first),
                    columns,
                    height,
                    to: to.add(first * columns),
                }
                .copy::<V>(token, row_stride, column_stride);
                vector += height / V::LANES;
            }
            let (lone, first) = (to.add(layout.lone_start), rows - layout.lone_rows);
            if layout.lone_rows == 0 || columns == 0 {
                return;
            }
            if row_stride == 1 && rows >= LONE_ROWS {
                // Loads the last four rows as columns of the transpose, and stores the separate ones.
                let last = from.add(rows - LONE_ROWS);
                for column in (0..columns).step_by(V::LANES) {
                    let count = V::LANES.min(columns - column);
                    let four = V::load_columns(token, last.add(column * column_stride), column_stride, count);
                    for of_four in 0..LONE_ROWS {
                        if let Some(row) = (of_four + layout.lone_rows).checked_sub(LONE_ROWS) {
                            four[of_four].store(lone.add(row * layout.lone_length + column));
                        }
                    }
                }
            } else {
                for row in 0..layout.lone_rows {
                    for column in 0..layout.lone_length {
                        let of_column = column.min(columns - 1) * column_stride;
                        let element = *from.wrapping_add((first + row) * row_stride + of_column);
                        *lone.add(row * layout.lone_length + column) = element;
                    }
                }
            }
            // Zeros beyond the last column, because the product multiplies these elements by zero, and infinity times
            // zero is NaN.
            for row in 0..layout.lone_rows {
                for column in columns..layout.lone_length {
                    *lone.add(row * layout.lone_length + column) = T::default();
                }
            }
        }
    }
}
