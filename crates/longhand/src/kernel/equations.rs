//! Element-wise equations, each written once for the vectors of all instruction sets and for all other scalar types.
//!
//! A layer defines a step as [`Equations`], in the symbols of its derivation, and passes the bands of rows that they
//! read and change. All equations are computed in one pass, so intermediate results stay in registers.

use super::instruction_set::{InstructionSet, Kernel, OverScalar, by_precision};
use super::pack::size;
use super::precision::Precision;
use super::real::{Lanes, Real, Single};
use super::vector::Vector;
use crate::Scalar;
use core::marker::PhantomData;

/// Equations for one element. They compute the results from `READ` values, which are only read, and `CHANGED` values,
/// which the results replace.
///
/// `apply` must be `#[inline(always)]`, because it is compiled with an instruction set only if it is inlined into a
/// kernel.
pub(crate) trait Equations<T, const READ: usize, const CHANGED: usize>: CompiledHere<T, READ, CHANGED> {
    /// Returns the results, in the order of `changed`.
    fn apply<V: Real<Scalar = T>>(self, read: [V; READ], changed: [V; CHANGED]) -> [V; CHANGED];
}

/// The functions that run equations on `f32` and on `f64`. They are not generic, so they are compiled once, in this
/// crate. Generic functions would be compiled again, for each instruction set, in every crate that uses a layer. The
/// macro [`compiled_here`] implements this trait.
pub(crate) trait CompiledHere<T, const READ: usize, const CHANGED: usize>: Copy {
    /// The same equations over another scalar type.
    type Over<S: Scalar>: Equations<S, READ, CHANGED>;
    /// Runs a pass on `f32`.
    const SINGLE: fn(InstructionSet, &Pass<'_, Self::Over<f32>, f32, READ, CHANGED>);
    /// Runs a pass on `f64`.
    const DOUBLE: fn(InstructionSet, &Pass<'_, Self::Over<f64>, f64, READ, CHANGED>);
}

/// Implements [`CompiledHere`] for equations, given their name and the numbers of values that they read and change:
/// `compiled_here!(Forward, 1, 7)`, or `compiled_here!(Step<T>, 1, 2)` if the struct contains scalars.
macro_rules! compiled_here {
    ($equations:ident, $read:literal, $changed:literal) => {
        $crate::kernel::compiled_here!($equations, $equations, $equations, $equations, $equations, $read, $changed);
    };
    ($equations:ident<T>, $read:literal, $changed:literal) => {
        $crate::kernel::compiled_here!(
            $equations<T>, $equations<S>, $equations<f32>, $equations<f64>, $equations, $read, $changed
        );
    };
    ($over_t:ty, $over_s:ty, $single:ty, $double:ty, $equations:ident, $read:literal, $changed:literal) => {
        impl<T: $crate::Scalar> $crate::kernel::CompiledHere<T, $read, $changed> for $over_t {
            type Over<S: $crate::Scalar> = $over_s;
            const SINGLE: fn($crate::kernel::InstructionSet, &$crate::kernel::Pass<'_, $single, f32, $read, $changed>) = {
                fn single(
                    instruction_set: $crate::kernel::InstructionSet,
                    pass: &$crate::kernel::Pass<'_, $single, f32, $read, $changed>,
                ) {
                    $crate::kernel::run::<f32>(instruction_set, pass);
                }
                single
            };
            const DOUBLE: fn($crate::kernel::InstructionSet, &$crate::kernel::Pass<'_, $double, f64, $read, $changed>) = {
                fn double(
                    instruction_set: $crate::kernel::InstructionSet,
                    pass: &$crate::kernel::Pass<'_, $double, f64, $read, $changed>,
                ) {
                    $crate::kernel::run::<f64>(instruction_set, pass);
                }
                double
            };
        }
    };
}
pub(crate) use compiled_here;

/// A band of adjacent rows of a matrix that is stored column by column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a, T> {
    pub(super) first: *const T,
    pub(super) height: usize,
    pub(super) columns: usize,
    pub(super) column_stride: usize,
    matrix: PhantomData<&'a [T]>,
}

/// A mutable band of rows.
#[derive(Debug)]
pub(crate) struct RowsMut<'a, T> {
    pub(super) first: *mut T,
    pub(super) height: usize,
    pub(super) columns: usize,
    pub(super) column_stride: usize,
    matrix: PhantomData<&'a mut [T]>,
}

/// Splits a matrix of `BANDS * rows` rows into bands of `rows` rows each, from top to bottom.
#[inline]
pub(crate) fn bands<const BANDS: usize, T>(matrix: &[T], rows: usize, columns: usize) -> [Rows<'_, T>; BANDS] {
    assert_eq!(matrix.len(), size(BANDS * rows, columns), "a matrix must have `rows * columns` values");
    core::array::from_fn(|band| Rows {
        first: matrix.as_ptr().wrapping_add(band * rows),
        height: rows,
        columns,
        column_stride: BANDS * rows,
        matrix: PhantomData,
    })
}

/// Like [`bands`], but mutable. No two bands share an element.
#[inline]
pub(crate) fn bands_mut<const BANDS: usize, T>(
    matrix: &mut [T],
    rows: usize,
    columns: usize,
) -> [RowsMut<'_, T>; BANDS] {
    assert_eq!(matrix.len(), size(BANDS * rows, columns), "a matrix must have `rows * columns` values");
    let first = matrix.as_mut_ptr();
    core::array::from_fn(|band| RowsMut {
        first: first.wrapping_add(band * rows),
        height: rows,
        columns,
        column_stride: BANDS * rows,
        matrix: PhantomData,
    })
}

/// Returns one band of a matrix, given the number of bands and the band's index.
#[inline]
pub(crate) fn band<T>(matrix: &[T], (bands, index): (usize, usize), rows: usize, columns: usize) -> Rows<'_, T> {
    assert_eq!(matrix.len(), size(size(bands, rows), columns), "a matrix must have `rows * columns` values");
    assert!(index < bands, "the index must be less than the number of bands");
    let first = matrix.as_ptr().wrapping_add(index * rows);
    Rows { first, height: rows, columns, column_stride: bands * rows, matrix: PhantomData }
}

/// Like [`band`], but mutable.
#[inline]
pub(crate) fn band_mut<T>(
    matrix: &mut [T],
    (bands, index): (usize, usize),
    rows: usize,
    columns: usize,
) -> RowsMut<'_, T> {
    assert_eq!(matrix.len(), size(size(bands, rows), columns), "a matrix must have `rows * columns` values");
    assert!(index < bands, "the index must be less than the number of bands");
    let first = matrix.as_mut_ptr().wrapping_add(index * rows);
    RowsMut { first, height: rows, columns, column_stride: bands * rows, matrix: PhantomData }
}

/// Repeats a column `columns` times.
#[inline]
pub(crate) fn repeated<T>(column: &[T], columns: usize) -> Rows<'_, T> {
    Rows { first: column.as_ptr(), height: column.len(), columns, column_stride: 0, matrix: PhantomData }
}

/// Computes the equations for each element of slices of equal length.
pub(crate) fn each<T: Scalar, const READ: usize, const CHANGED: usize>(
    equations: impl Equations<T, READ, CHANGED>,
    read: [&[T]; READ],
    changed: [&mut [T]; CHANGED],
) {
    let read = read.map(|values| {
        let [whole] = bands(values, values.len(), 1);
        whole
    });
    let changed = changed.map(|values| {
        let length = values.len();
        let [whole] = bands_mut(values, length, 1);
        whole
    });
    each_column(InstructionSet::best(), &[], equations, read, changed);
}

/// Computes the equations for each row of bands of equal shape. `valid` has one mark per column, or none if all columns
/// are valid. Invalid columns are unchanged.
pub(crate) fn each_row<T: Scalar, const READ: usize, const CHANGED: usize>(
    valid: &[bool],
    equations: impl Equations<T, READ, CHANGED>,
    read: [Rows<'_, T>; READ],
    changed: [RowsMut<'_, T>; CHANGED],
) {
    each_column(InstructionSet::best(), valid, equations, read, changed);
}

/// Like [`each_row`], on an instruction set that this processor must support.
#[inline]
pub(super) fn each_column<T: Scalar, E: Equations<T, READ, CHANGED>, const READ: usize, const CHANGED: usize>(
    instruction_set: InstructionSet,
    valid: &[bool],
    equations: E,
    read: [Rows<'_, T>; READ],
    changed: [RowsMut<'_, T>; CHANGED],
) {
    let (mut rows, mut columns) = (changed[0].height, changed[0].columns);
    let (mut one_shape, mut contiguous) = (true, valid.is_empty());
    for band in &read {
        one_shape &= band.height == rows && band.columns == columns;
        contiguous &= band.column_stride == rows;
    }
    for band in &changed {
        one_shape &= band.height == rows && band.columns == columns;
        contiguous &= band.column_stride == rows;
    }
    assert!(one_shape, "the bands of an equation must have the same shape");
    assert!(valid.is_empty() || valid.len() == columns, "there must be one mark per column");
    if contiguous {
        // One long column has only one partial vector, instead of one per column.
        (rows, columns) = (rows * columns, 1);
    }
    let pass = Pass {
        equations,
        valid,
        rows,
        columns,
        read: read.map(|band| (band.first, band.column_stride)),
        changed: changed.map(|band| (band.first, band.column_stride)),
    };
    if !by_precision(instruction_set, &pass, E::SINGLE, E::DOUBLE) {
        pass.one_at_a_time();
    }
}

/// A pass of equations over bands, as pointers and column strides. [`each_column`] checked that every element lies in
/// its band, and that there is no other reference to a changed element.
pub(crate) struct Pass<'a, E, T, const READ: usize, const CHANGED: usize> {
    equations: E,
    valid: &'a [bool],
    rows: usize,
    columns: usize,
    read: [(*const T, usize); READ],
    changed: [(*mut T, usize); CHANGED],
}

// SAFETY: `Over` is the same type over another scalar type. So is the `Over` of the equations, by the macro.
unsafe impl<'a, T, E, const READ: usize, const CHANGED: usize> OverScalar for Pass<'a, E, T, READ, CHANGED>
where
    T: Scalar,
    E: Equations<T, READ, CHANGED>,
{
    type Scalar = T;
    type Over<S: Scalar> = Pass<'a, E::Over<S>, S, READ, CHANGED>;
}

impl<T, E, const READ: usize, const CHANGED: usize> Pass<'_, E, T, READ, CHANGED>
where
    T: Scalar,
    E: Equations<T, READ, CHANGED>,
{
    #[inline(always)]
    fn is_valid(&self, column: usize) -> bool {
        self.valid.is_empty() || self.valid[column]
    }

    /// The first elements of a column.
    #[inline(always)]
    fn column(&self, column: usize) -> ([*const T; READ], [*mut T; CHANGED]) {
        let (mut read, mut changed) = ([core::ptr::null(); READ], [core::ptr::null_mut(); CHANGED]);
        for i in 0..READ {
            let (first, stride) = self.read[i];
            read[i] = first.wrapping_add(column * stride);
        }
        for i in 0..CHANGED {
            let (first, stride) = self.changed[i];
            changed[i] = first.wrapping_add(column * stride);
        }
        (read, changed)
    }

    /// Runs the pass on plain scalars of any type.
    fn one_at_a_time(&self) {
        for column in (0..self.columns).filter(|&column| self.is_valid(column)) {
            let (read, changed) = self.column(column);
            for row in 0..self.rows {
                // SAFETY: the row lies in each band.
                unsafe {
                    let from = read.map(|from| Single(*from.add(row)));
                    let results = self.equations.apply(from, changed.map(|from| Single(*from.add(row))));
                    for (to, Single(result)) in changed.into_iter().zip(results) {
                        *to.add(row) = result;
                    }
                }
            }
        }
    }
}

impl<T, E, const READ: usize, const CHANGED: usize> Kernel<T> for Pass<'_, E, T, READ, CHANGED>
where
    T: Scalar + Precision,
    E: Equations<T, READ, CHANGED>,
{
    #[inline(always)]
    fn run<V: Vector<T>>(&self, token: V::Token) {
        // A copy, so that the compiler knows that writes to the results do not change its constants.
        let equations = self.equations;
        // SAFETY: the rows of whole vectors lie in each band, and so do the first rows of the last vector.
        unsafe {
            for column in 0..self.columns {
                if !self.is_valid(column) {
                    continue;
                }
                let (read, changed) = self.column(column);
                let zero = Lanes::<T, V>::new(V::splat(token, T::default()));
                let whole = self.rows - self.rows % V::LANES;
                let mut row = 0;
                while row < whole {
                    let (mut from, mut before) = ([zero; READ], [zero; CHANGED]);
                    for i in 0..READ {
                        from[i].vector = V::load(token, read[i].add(row));
                    }
                    for i in 0..CHANGED {
                        before[i].vector = V::load(token, changed[i].add(row));
                    }
                    let results = equations.apply(from, before);
                    for i in 0..CHANGED {
                        results[i].vector.store(changed[i].add(row));
                    }
                    row += V::LANES;
                }
                let rest = self.rows - whole;
                if rest > 0 {
                    let (mut from, mut before) = ([zero; READ], [zero; CHANGED]);
                    for i in 0..READ {
                        from[i].vector = V::load_first(token, read[i].add(row), rest);
                    }
                    for i in 0..CHANGED {
                        before[i].vector = V::load_first(token, changed[i].add(row), rest);
                    }
                    let results = equations.apply(from, before);
                    for i in 0..CHANGED {
                        results[i].vector.store_first(changed[i].add(row), rest);
                    }
                }
            }
        }
    }
}
