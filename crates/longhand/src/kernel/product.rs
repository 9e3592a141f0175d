//! Products of matrices: `out = A B` or `out += A B`.
//!
//! `A` is packed into panels ([`Packed`]). For each panel and each few columns of `B`, a *tile* of the result stays in
//! registers during the loop over the inner dimension. Each iteration adds an outer product: `tile += a[:, p] * b[p,
//! :]`. Products with one column, which the steps of a single sequence need, are in [`column`](super::column).

use super::column::product_once;
use super::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision, run};
use super::pack::{Operand, Packed, size};
use super::precision::Precision;
use super::vector::Vector;
use crate::Scalar;
use alloc::vec::Vec;
use core::marker::PhantomData;

/// How a product is combined with the result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Accumulate<'a, T> {
    /// The product replaces the result.
    Replace,
    /// The product is added to the result.
    Add,
    /// The product plus this bias, which is added to each column, replaces the result.
    Bias(&'a [T]),
}

impl<T> Accumulate<'_, T> {
    /// Initial values of the first column of a result with `rows` rows, to which the product is added.
    #[inline(always)]
    pub(super) fn start(self, out: *mut T, rows: usize) -> Option<*const T> {
        match self {
            Accumulate::Replace => None,
            Accumulate::Add => Some(out.cast_const()),
            Accumulate::Bias(bias) => Some(bias[..rows].as_ptr()),
        }
    }
}

/// Buffers of a product, allocated in the first call.
#[derive(Debug)]
pub struct Workspace<T> {
    packed: Packed<T>,
    sum: Vec<T>,
}

impl<T: Scalar> Default for Workspace<T> {
    fn default() -> Self {
        Workspace { packed: Packed::default(), sum: Vec::new() }
    }
}

/// Number of columns of `A` that are packed at a time, so that a panel fits in the first-level cache.
const DEPTH: usize = 256;

/// Computes `out = a b`, `out += a b` or `out = a b + bias`, with `out` stored column by column.
///
/// [`Accumulate::Add`] computes the whole product first and adds it once. So adding the same product to a zero gradient
/// twice doubles the gradient exactly.
///
/// # Panics
/// If the sizes do not match: `a` is `m x k`, `b` is `k x n`, `out` has `m * n` elements, and a bias has `m`.
pub fn product<T: Scalar>(
    out: &mut [T],
    accumulate: Accumulate<'_, T>,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    workspace: &mut Workspace<T>,
) {
    assert_eq!(a.columns, b.rows, "the inner dimensions of a product must be equal");
    let out = &mut out[..size(a.rows, b.columns)];
    let Workspace { packed, sum } = workspace;
    if a.row_stride == 1 && b.columns == 1 && b.row_stride == 1 {
        product_once(out, accumulate, a, &b.values[..b.rows]);
        return;
    }
    if a.columns <= DEPTH {
        packed.pack(a);
        packed.product_with(out, accumulate, b);
        return;
    }
    let adds = accumulate == Accumulate::Add;
    let total = if adds {
        sum.resize(out.len(), T::zero());
        &mut sum[..]
    } else {
        &mut *out
    };
    for first in (0..a.columns).step_by(DEPTH) {
        let depth = DEPTH.min(a.columns - first);
        packed.pack(a.columns_from(first, depth));
        let mode = match accumulate {
            Accumulate::Bias(_) if first == 0 => accumulate,
            _ if first == 0 => Accumulate::Replace,
            _ => Accumulate::Add,
        };
        packed.product_with(total, mode, b.transposed().columns_from(first, depth).transposed());
    }
    if adds {
        super::add(out, &sum[..out.len()]);
    }
}

impl<T: Scalar> Packed<T> {
    /// Computes `out = self * b` or `out += self * b`, with `out` and `b` stored column by column.
    pub(crate) fn product(&self, out: &mut [T], accumulate: Accumulate<'_, T>, b: &[T]) {
        let columns = b.len().checked_div(self.columns).unwrap_or(0);
        assert_eq!(columns * self.columns, b.len(), "the length of an operand must be a multiple of its rows");
        self.product_with(out, accumulate, Operand::new(b, self.columns, columns));
    }

    /// Computes `out = self * b` or `out += self * b`, with any strides of `b`.
    pub(crate) fn product_with(&self, out: &mut [T], accumulate: Accumulate<'_, T>, b: Operand<'_, T>) {
        assert_eq!(self.columns, b.rows, "the inner dimensions of a product must be equal");
        assert!(out.len() >= size(self.rows, b.columns), "the result is too short for the product");
        let values = self.panels();
        let product = Product::new(out, accumulate, values, self.rows, b);
        if !by_precision(self.instruction_set, &product, product_f32, product_f64) {
            let a = Operand { values, rows: self.rows, columns: self.columns, row_stride: 1, column_stride: self.rows };
            plain(out, accumulate, a, b);
        }
    }
}

/// The product in plain loops, for any scalar type.
pub(crate) fn plain<T: Scalar>(out: &mut [T], accumulate: Accumulate<'_, T>, a: Operand<'_, T>, b: Operand<'_, T>) {
    for j in 0..b.columns {
        for i in 0..a.rows {
            let mut sum = T::zero();
            for p in 0..a.columns {
                sum +=
                    a.values[i * a.row_stride + p * a.column_stride] * b.values[p * b.row_stride + j * b.column_stride];
            }
            let out = &mut out[i + j * a.rows];
            *out = match accumulate {
                Accumulate::Replace => sum,
                Accumulate::Add => *out + sum,
                Accumulate::Bias(bias) => bias[i] + sum,
            };
        }
    }
}

/// The operands of a product, as pointers with checked bounds.
struct Product<'a, T> {
    out: *mut T,
    /// Initial values of the first column of the result, and their stride from column to column.
    start: Option<(*const T, usize)>,
    a: *const T,
    /// Number of elements of all panels.
    a_length: usize,
    rows: usize,
    depth: usize,
    b: *const T,
    b_row_stride: usize,
    b_column_stride: usize,
    columns: usize,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

impl<'a, T: Scalar> Product<'a, T> {
    #[inline(always)]
    fn new(out: &'a mut [T], accumulate: Accumulate<'a, T>, a: &'a [T], rows: usize, b: Operand<'a, T>) -> Self {
        assert!(out.len() >= size(rows, b.columns), "the result is too short for the product");
        b.assert_whole();
        let out_pointer = out.as_mut_ptr();
        Product {
            out: out_pointer,
            start: match accumulate {
                Accumulate::Replace => None,
                Accumulate::Add => Some((out_pointer.cast_const(), rows)),
                Accumulate::Bias(bias) => Some((bias[..rows].as_ptr(), 0)),
            },
            a: a.as_ptr(),
            a_length: a.len(),
            rows,
            depth: b.rows,
            b: b.values.as_ptr(),
            b_row_stride: b.row_stride,
            b_column_stride: b.column_stride,
            columns: b.columns,
            borrowed: PhantomData,
        }
    }
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
    /// Computes all tiles of the result.
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        let vectors = self.rows.div_ceil(V::LANES);
        assert!(self.a_length >= size(vectors * V::LANES, self.depth), "the panels are too short for the product");
        let mut panel = self.a;
        let mut vector = 0;
        while vector < vectors {
            let height = V::TILE_VECTORS.min(vectors - vector);
            let first_row = vector * V::LANES;
            let mut column = 0;
            for tiles in (1..=self.columns.div_ceil(V::TILE_COLUMNS)).rev() {
                // Tiles of nearly equal width, because a narrow last tile would have too few independent sums to hide
                // the latency of the multiply-adds.
                let width = (self.columns - column).div_ceil(tiles);
                // SAFETY: the tile lies inside the result, and the panel holds `height` vectors for each `p`.
                unsafe { self.tile::<V>(token, panel, height, width, first_row, column) };
                column += width;
            }
            panel = panel.wrapping_add(height * V::LANES * self.depth);
            vector += height;
        }
    }
}

impl<T: Precision> Product<'_, T> {
    /// Computes a tile of the given size. The conditions are constants, so sizes that a vector type does not use are
    /// not compiled.
    ///
    /// # Safety
    /// The panel must have `height` vectors for each `p`, and the tile must lie inside the result.
    #[inline(always)]
    unsafe fn tile<V: Vector<T>>(
        &self,
        token: V::Token,
        panel: *const T,
        height: usize,
        width: usize,
        row: usize,
        column: usize,
    ) {
        macro_rules! sizes {
            ($($height:literal: $($width:literal)*;)*) => {
                match (height, width) {
                    // SAFETY: the caller's tile has this size.
                    $($(($height, $width) if $height <= V::TILE_VECTORS && $width <= V::TILE_COLUMNS => unsafe {
                        self.outer_products::<V, $height, $width>(token, panel, row, column);
                    },)*)*
                    _ => unreachable!("no tile of {height} vectors and {width} columns"),
                }
            };
        }
        sizes! { 1: 1 2 3 4 5 6; 2: 1 2 3 4 5 6; 3: 1 2 3 4 5 6; 4: 1 2 3 4 5 6; }
    }

    /// Computes a tile of `HEIGHT` vectors of rows and `WIDTH` columns.
    ///
    /// # Safety
    /// The requirements of [`tile`](Self::tile).
    #[inline(always)]
    unsafe fn outer_products<V: Vector<T>, const HEIGHT: usize, const WIDTH: usize>(
        &self,
        token: V::Token,
        panel: *const T,
        row: usize,
        column: usize,
    ) {
        // SAFETY: the panel has `HEIGHT` vectors for each `p`, the bounds of the right operand and of the result were
        // checked, and `put_rows` accesses no row beyond the last one.
        unsafe {
            let mut sums = [[V::splat(token, T::default()); HEIGHT]; WIDTH];
            let mut a = panel;
            let mut b = self.b.wrapping_add(column * self.b_column_stride);
            for _ in 0..self.depth {
                for j in 0..WIDTH {
                    let b = V::splat(token, *b.add(j * self.b_column_stride));
                    for i in 0..HEIGHT {
                        sums[j][i] = V::load(token, a.add(i * V::LANES)).mul_add(b, sums[j][i]);
                    }
                }
                a = a.add(HEIGHT * V::LANES);
                b = b.wrapping_add(self.b_row_stride);
            }
            // Not a loop, because only sums with constant indices stay in registers.
            macro_rules! put {
                ($($j:literal)*) => {
                    $(if $j < WIDTH {
                        let start = self.start.map(|(start, stride)| start.add((column + $j) * stride + row));
                        let out = self.out.add((column + $j) * self.rows + row);
                        put_rows::<T, V, HEIGHT>(token, sums[$j % WIDTH], start, out, self.rows - row);
                    })*
                };
            }
            put!(0 1 2 3 4 5);
        }
    }
}

/// Writes at most `rows` rows from `HEIGHT` vectors, added to the values at `start`.
///
/// # Safety
/// `rows` elements, or `HEIGHT` vectors if that is less, must be readable at `start` and writable at `out`. The last
/// vector must have at least one row.
#[inline(always)]
pub(super) unsafe fn put_rows<T: Precision, V: Vector<T>, const HEIGHT: usize>(
    token: V::Token,
    sums: [V; HEIGHT],
    start: Option<*const T>,
    out: *mut T,
    rows: usize,
) {
    // SAFETY: only the last vector may reach beyond the last row, and only its first `rest` lanes are accessed.
    unsafe {
        let whole = rows >= HEIGHT * V::LANES;
        let last = (HEIGHT - 1) * V::LANES;
        let rest = rows - last;
        if let Some(start) = start {
            for i in 0..HEIGHT {
                if i + 1 < HEIGHT || whole {
                    V::load(token, start.add(i * V::LANES)).add(sums[i]).store(out.add(i * V::LANES));
                }
            }
            if !whole {
                V::load_first(token, start.add(last), rest).add(sums[HEIGHT - 1]).store_first(out.add(last), rest);
            }
        } else {
            for i in 0..HEIGHT {
                if i + 1 < HEIGHT || whole {
                    sums[i].store(out.add(i * V::LANES));
                }
            }
            if !whole {
                sums[HEIGHT - 1].store_first(out.add(last), rest);
            }
        }
    }
}
