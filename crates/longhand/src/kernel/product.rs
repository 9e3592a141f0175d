//! Products of matrices: `out = A B` or `out += A B`.
//!
//! `A` is packed into panels ([`Packed`]). For each panel and each few columns of `B`, a *tile* of the result is kept
//! in registers while the inner dimension runs: `tile += a[:, p] * b[p, :]`, an outer product at a time. A product with
//! one column has too few independent sums for that and keeps several sets of them, one for every other `p`.

use super::instruction_set::InstructionSet;
use super::pack::{Operand, Packed};
use super::vector::{Lanes, Vector};
use crate::Scalar;
use alloc::vec::Vec;
use core::any::TypeId;

/// Whether a product replaces what stands in the result or is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accumulate {
    Replace,
    Add,
}

/// Buffers of a product, grown once.
#[derive(Debug)]
pub(crate) struct Workspace<T> {
    packed: Packed<T>,
    sum: Vec<T>,
}

impl<T: Scalar> Default for Workspace<T> {
    fn default() -> Self {
        Workspace { packed: Packed::default(), sum: Vec::new() }
    }
}

/// Columns of `A` packed at a time, so that a panel stays in the first-level cache.
const DEPTH: usize = 256;

/// `out = a b` or `out += a b`, with `out` stored column by column.
///
/// When adding, the whole product is worked out first and added once, so that adding it a second time to a gradient
/// doubles that gradient exactly.
pub(crate) fn product<T: Scalar>(
    out: &mut [T],
    accumulate: Accumulate,
    a: Operand<'_, T>,
    b: Operand<'_, T>,
    workspace: &mut Workspace<T>,
) {
    assert_eq!(a.columns, b.rows, "the inner dimensions of a product differ");
    let out = &mut out[..a.rows * b.columns];
    let Workspace { packed, sum } = workspace;
    if a.columns <= DEPTH {
        packed.pack(a);
        packed.product_with(out, accumulate, b);
        return;
    }
    let total = match accumulate {
        Accumulate::Replace => &mut *out,
        Accumulate::Add => {
            sum.resize(out.len(), T::zero());
            &mut sum[..]
        }
    };
    for first in (0..a.columns).step_by(DEPTH) {
        let depth = DEPTH.min(a.columns - first);
        packed.pack(a.columns_from(first, depth));
        let mode = if first == 0 { Accumulate::Replace } else { Accumulate::Add };
        packed.product_with(total, mode, b.transposed().columns_from(first, depth).transposed());
    }
    if accumulate == Accumulate::Add {
        for (out, &sum) in out.iter_mut().zip(sum.iter()) {
            *out += sum;
        }
    }
}

impl<T: Scalar> Packed<T> {
    /// `out = self * b` or `out += self * b`, with `out` and `b` stored column by column.
    pub(crate) fn product(&self, out: &mut [T], accumulate: Accumulate, b: &[T]) {
        let columns = b.len().checked_div(self.columns).unwrap_or(0);
        self.product_with(out, accumulate, Operand::new(b, self.columns, columns));
    }

    /// The same with any strides of `b`.
    pub(crate) fn product_with(&self, out: &mut [T], accumulate: Accumulate, b: Operand<'_, T>) {
        assert_eq!(self.columns, b.rows, "the inner dimensions of a product differ");
        assert!(out.len() >= self.rows * b.columns, "the result of a product does not fit");
        let values = self.panels();
        if !fast(self.instruction_set, out, accumulate, values, self.rows, b) {
            let a = Operand { values, rows: self.rows, columns: self.columns, row_stride: 1, column_stride: self.rows };
            plain(out, accumulate, a, b);
        }
    }
}

/// The product on plain loops, for every scalar.
pub(crate) fn plain<T: Scalar>(out: &mut [T], accumulate: Accumulate, a: Operand<'_, T>, b: Operand<'_, T>) {
    for j in 0..b.columns {
        for i in 0..a.rows {
            let mut sum = T::zero();
            for p in 0..a.columns {
                sum +=
                    a.values[i * a.row_stride + p * a.column_stride] * b.values[p * b.row_stride + j * b.column_stride];
            }
            let out = &mut out[i + j * a.rows];
            *out = if accumulate == Accumulate::Add { *out + sum } else { sum };
        }
    }
}

/// The product on vectors, if this scalar has them; `values` is packed for `instruction_set`. Says whether it was done.
pub(crate) fn fast<T: Scalar>(
    instruction_set: InstructionSet,
    out: &mut [T],
    accumulate: Accumulate,
    values: &[T],
    rows: usize,
    b: Operand<'_, T>,
) -> bool {
    if TypeId::of::<T>() == TypeId::of::<f32>() {
        let product = Product::<f32>::new(out, accumulate, values, rows, b);
        match instruction_set {
            // SAFETY: `Product::new` checked the lengths; each set was found before anything was packed for it.
            InstructionSet::Plain => unsafe { product.run::<Lanes<f32, 4>>() },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f32(&product) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f32(&product) },
        }
        true
    } else if TypeId::of::<T>() == TypeId::of::<f64>() {
        let product = Product::<f64>::new(out, accumulate, values, rows, b);
        match instruction_set {
            // SAFETY: as above.
            InstructionSet::Plain => unsafe { product.run::<Lanes<f64, 2>>() },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::avx2_f64(&product) },
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::avx512_f64(&product) },
        }
        true
    } else {
        false
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Product;
    use core::arch::x86_64::{__m256, __m256d, __m512, __m512d};

    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f32(product: &Product<f32>) {
        unsafe { product.run::<__m512>() }
    }
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512_f64(product: &Product<f64>) {
        unsafe { product.run::<__m512d>() }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f32(product: &Product<f32>) {
        unsafe { product.run::<__m256>() }
    }
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2_f64(product: &Product<f64>) {
        unsafe { product.run::<__m256d>() }
    }
}

/// The operands of one product, as pointers whose reach was checked.
struct Product<T> {
    out: *mut T,
    accumulate: Accumulate,
    a: *const T,
    rows: usize,
    depth: usize,
    b: *const T,
    b_row_stride: usize,
    b_column_stride: usize,
    columns: usize,
}

impl<T: Copy + Default + core::ops::Add<Output = T>> Product<T> {
    /// `S` is `T` under the name that the compiler knows it by.
    fn new<S: Scalar>(out: &mut [S], accumulate: Accumulate, a: &[S], rows: usize, b: Operand<'_, S>) -> Self {
        assert!(out.len() >= rows * b.columns && a.len() >= rows * b.rows, "an operand is not whole");
        let last = (b.rows.max(1) - 1) * b.row_stride + (b.columns.max(1) - 1) * b.column_stride;
        assert!(b.rows == 0 || b.columns == 0 || last < b.values.len(), "an operand is not whole");
        Product {
            out: out.as_mut_ptr().cast(),
            accumulate,
            a: a.as_ptr().cast(),
            rows,
            depth: b.rows,
            b: b.values.as_ptr().cast(),
            b_row_stride: b.row_stride,
            b_column_stride: b.column_stride,
            columns: b.columns,
        }
    }

    /// All tiles of the result.
    #[inline(always)]
    unsafe fn run<V: Vector<T>>(&self) {
        let vectors = self.rows.div_ceil(V::LANES);
        let mut panel = self.a;
        let mut vector = 0;
        while vector < vectors {
            let height = V::TILE_VECTORS.min(vectors - vector);
            let first_row = vector * V::LANES;
            let mut column = 0;
            while column < self.columns {
                let width = V::TILE_COLUMNS.min(self.columns - column);
                // SAFETY: the tile lies inside the result, and the panel holds `height` vectors for each `p`.
                unsafe { self.tile::<V>(panel, height, width, first_row, column) };
                column += width;
            }
            panel = unsafe { panel.add(height * V::LANES * self.depth) };
            vector += height;
        }
    }

    /// One tile, by its size. The conditions are constants: sizes that a vector does not use are not compiled.
    #[inline(always)]
    unsafe fn tile<V: Vector<T>>(&self, panel: *const T, height: usize, width: usize, row: usize, column: usize) {
        macro_rules! sizes {
            ($($height:literal: $($width:literal)*;)*) => {
                match (height, width) {
                    $(($height, 1) if $height <= V::TILE_VECTORS => unsafe {
                        self.single_column::<V, $height>(panel, row, column);
                    },)*
                    $($(($height, $width) if $height <= V::TILE_VECTORS && $width <= V::TILE_COLUMNS => unsafe {
                        self.outer_products::<V, $height, $width>(panel, row, column);
                    },)*)*
                    _ => unreachable!("no tile of {height} vectors and {width} columns"),
                }
            };
        }
        sizes! { 1: 2 3 4 5 6; 2: 2 3 4 5 6; 3: 2 3 4 5 6; 4: 2 3 4 5 6; }
    }

    #[inline(always)]
    unsafe fn outer_products<V: Vector<T>, const HEIGHT: usize, const WIDTH: usize>(
        &self,
        panel: *const T,
        row: usize,
        column: usize,
    ) {
        unsafe {
            let mut sums = [[V::splat(T::default()); HEIGHT]; WIDTH];
            let mut a = panel;
            let mut b = self.b.wrapping_add(column * self.b_column_stride);
            for _ in 0..self.depth {
                for j in 0..WIDTH {
                    let b = V::splat(*b.add(j * self.b_column_stride));
                    for i in 0..HEIGHT {
                        sums[j][i] = V::load(a.add(i * V::LANES)).mul_add(b, sums[j][i]);
                    }
                }
                a = a.add(HEIGHT * V::LANES);
                b = b.wrapping_add(self.b_row_stride);
            }
            for (j, sums) in sums.iter().enumerate() {
                self.put::<V, HEIGHT>(sums, row, column + j);
            }
        }
    }

    #[inline(always)]
    unsafe fn single_column<V: Vector<T>, const HEIGHT: usize>(&self, panel: *const T, row: usize, column: usize) {
        /// Sets of sums: enough of them to keep the multipliers busy with a panel of any height.
        const SETS: usize = 4;
        unsafe {
            let mut sums = [[V::splat(T::default()); HEIGHT]; SETS];
            let mut a = panel;
            let mut b = self.b.wrapping_add(column * self.b_column_stride);
            for _ in 0..self.depth / SETS {
                for set in &mut sums {
                    let factor = V::splat(*b);
                    for i in 0..HEIGHT {
                        set[i] = V::load(a.add(i * V::LANES)).mul_add(factor, set[i]);
                    }
                    a = a.add(HEIGHT * V::LANES);
                    b = b.wrapping_add(self.b_row_stride);
                }
            }
            for _ in 0..self.depth % SETS {
                let factor = V::splat(*b);
                for i in 0..HEIGHT {
                    sums[0][i] = V::load(a.add(i * V::LANES)).mul_add(factor, sums[0][i]);
                }
                a = a.add(HEIGHT * V::LANES);
                b = b.wrapping_add(self.b_row_stride);
            }
            let mut total = sums[0];
            for i in 0..HEIGHT {
                total[i] = sums[0][i].add(sums[1][i]).add(sums[2][i].add(sums[3][i]));
            }
            self.put::<V, HEIGHT>(&total, row, column);
        }
    }

    /// Writes one column of a tile; rows beyond the result's last are left out.
    #[inline(always)]
    unsafe fn put<V: Vector<T>, const HEIGHT: usize>(&self, sums: &[V; HEIGHT], row: usize, column: usize) {
        unsafe {
            let out = self.out.add(column * self.rows);
            for (i, &sum) in sums.iter().enumerate() {
                let row = row + i * V::LANES;
                if row + V::LANES <= self.rows {
                    let out = out.add(row);
                    let sum = if self.accumulate == Accumulate::Add { V::load(out).add(sum) } else { sum };
                    sum.store(out);
                } else {
                    let mut lanes = [T::default(); 16];
                    sum.store(lanes.as_mut_ptr());
                    for (row, &lane) in (row..self.rows).zip(&lanes) {
                        let out = out.add(row);
                        *out = if self.accumulate == Accumulate::Add { *out + lane } else { lane };
                    }
                }
            }
        }
    }
}
