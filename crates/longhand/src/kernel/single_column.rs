//! The product of a matrix and one column: what each step of a single sequence waits for.
//!
//! A tile of one column has too few independent sums to keep the multipliers busy, so each row has several, one for
//! every other element of the inner dimension, which are added at the end.

use super::instruction_set::Kernel;
use super::precision::Precision;
use super::product::{Product, put_rows};
use super::vector::Vector;

/// Sums for each row: enough that, with so many vectors of rows, the multipliers need not wait for the sum before.
const fn sums_a_row(vectors: usize) -> usize {
    match vectors {
        1 | 2 => 4,
        3 => 3,
        _ => 2,
    }
}

/// Does something with the number of vectors as constants: those of a panel, and those of the panel after it that are
/// taken together with it, which is whole then. The conditions are constants: sizes that a vector does not use are not
/// compiled.
macro_rules! by_height {
    ($vector:ident, $vectors:expr, $height:ident, $below:ident => $work:expr) => {
        by_height!(@ $vector, $vectors, $height, $below, $work,
            (1, 0) (2, 0) (3, 0) (4, 0) (2, 1) (2, 2) (4, 1) (4, 2) (4, 3) (4, 4))
    };
    (@ $vector:ident, $vectors:expr, $height:ident, $below:ident, $work:expr, $(($h:literal, $b:literal))*) => {
        match $vectors {
            $(vectors if vectors == $h + $b
                && $h <= $vector::TILE_VECTORS
                && ($b == 0 || $h == $vector::TILE_VECTORS) =>
            {
                const $height: usize = $h;
                const $below: usize = $b;
                $work
            })*
            vectors => unreachable!("no panel of {vectors} vectors"),
        }
    };
}
pub(super) use by_height;

/// A product whose right operand has one column.
pub(super) struct SingleColumn<'a, T>(pub(super) &'a Product<T>);

impl<T: Precision> Kernel<T> for SingleColumn<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Vector<T>>(&self) {
        let SingleColumn(product) = self;
        let column = Column {
            depth: product.depth,
            b: product.b,
            b_stride: product.b_row_stride,
            start: product.start.map(|(start, _)| start),
            out: product.out,
        };
        let mut panel = product.a;
        let mut row = 0;
        // SAFETY: `Product::new` checked how far the operands reach; panels are padded to whole vectors.
        unsafe {
            while row < product.rows {
                let rows = product.rows - row;
                let vectors = rows.div_ceil(V::LANES).min(vectors_together::<T, V>(product.rows, product.depth));
                by_height!(V, vectors, HEIGHT, BELOW => {
                    column.panels::<V, HEIGHT, BELOW, { sums_a_row(HEIGHT + BELOW) }>(panel, row, rows);
                });
                panel = panel.add(vectors * V::LANES * product.depth);
                row += vectors * V::LANES;
            }
        }
    }
}

/// Vectors of rows that a product of one column takes together: those of two panels, whose elements of the right operand
/// are then read once for both; but of one if the matrix does not fit into the first-level cache, since two streams from
/// the second come slower than one.
#[inline(always)]
pub(super) fn vectors_together<T, V: Vector<T>>(rows: usize, columns: usize) -> usize {
    const FIRST_LEVEL_CACHE: usize = 48 * 1024;
    if rows * columns * size_of::<T>() > FIRST_LEVEL_CACHE { V::TILE_VECTORS } else { 2 * V::TILE_VECTORS }
}

/// The right operand, and where the result starts from and goes.
struct Column<T> {
    depth: usize,
    b: *const T,
    b_stride: usize,
    start: Option<*const T>,
    out: *mut T,
}

impl<T: Precision> Column<T> {
    /// The rows of a panel of `HEIGHT` vectors and of `BELOW` vectors of the panel after it, from `row` on, of which there
    /// are `rows`, with `SETS` sums each.
    #[inline(always)]
    unsafe fn panels<V: Vector<T>, const HEIGHT: usize, const BELOW: usize, const SETS: usize>(
        &self,
        panel: *const T,
        row: usize,
        rows: usize,
    ) {
        unsafe {
            let zero = V::splat(T::default());
            let (mut sums, mut sums_below) = ([[zero; HEIGHT]; SETS], [[zero; BELOW]; SETS]);
            let (mut a, mut below, mut b) = (panel, panel.add(HEIGHT * V::LANES * self.depth), self.b);
            for _ in 0..self.depth / SETS {
                for set in 0..SETS {
                    let factor = V::splat(*b);
                    for i in 0..HEIGHT {
                        sums[set][i] = V::load(a.add(i * V::LANES)).mul_add(factor, sums[set][i]);
                    }
                    for i in 0..BELOW {
                        sums_below[set][i] = V::load(below.add(i * V::LANES)).mul_add(factor, sums_below[set][i]);
                    }
                    a = a.add(HEIGHT * V::LANES);
                    below = below.wrapping_add(BELOW * V::LANES);
                    b = b.wrapping_add(self.b_stride);
                }
            }
            for _ in 0..self.depth % SETS {
                let factor = V::splat(*b);
                for i in 0..HEIGHT {
                    sums[0][i] = V::load(a.add(i * V::LANES)).mul_add(factor, sums[0][i]);
                }
                for i in 0..BELOW {
                    sums_below[0][i] = V::load(below.add(i * V::LANES)).mul_add(factor, sums_below[0][i]);
                }
                a = a.add(HEIGHT * V::LANES);
                below = below.wrapping_add(BELOW * V::LANES);
                b = b.wrapping_add(self.b_stride);
            }
            let (mut total, mut total_below) = (sums[0], sums_below[0]);
            for set in 1..SETS {
                for i in 0..HEIGHT {
                    total[i] = total[i].add(sums[set][i]);
                }
                for i in 0..BELOW {
                    total_below[i] = total_below[i].add(sums_below[set][i]);
                }
            }
            let (out, start) = (self.out.add(row), self.start.map(|start| start.add(row)));
            put_rows::<T, V, HEIGHT>(total, start, out, rows);
            if BELOW > 0 {
                let above = HEIGHT * V::LANES;
                let start = start.map(|start| start.add(above));
                put_rows::<T, V, BELOW>(total_below, start, out.add(above), rows - above);
            }
        }
    }
}
