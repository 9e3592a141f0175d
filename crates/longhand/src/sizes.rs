//! Products of sizes, checked before memory is allocated: a product that overflows would give a matrix fewer elements than its
//! shape says.

use crate::Scalar;
use alloc::{vec, vec::Vec};
use nalgebra::{DMatrix, DVector};

/// The number of elements of a matrix.
///
/// # Panics
/// If no matrix of this shape fits in the address space; the message names the sizes.
#[track_caller]
pub(crate) fn elements<T>(rows: usize, columns: usize) -> usize {
    rows.checked_mul(columns)
        .filter(|count| count.checked_mul(size_of::<T>()).is_some_and(|bytes| isize::try_from(bytes).is_ok()))
        .unwrap_or_else(|| panic!("a matrix of {rows} x {columns} elements does not fit in the address space"))
}

/// The number of columns of `steps` steps of `batch` sequences.
///
/// # Panics
/// If `usize` cannot represent it; the message names the sizes.
#[track_caller]
pub(crate) fn columns(steps: usize, batch: usize) -> usize {
    steps.checked_mul(batch).unwrap_or_else(|| panic!("{steps} steps of {batch} sequences are more columns than fit"))
}

/// The number of rows of `gates` gates of `units` units.
///
/// # Panics
/// If `usize` cannot represent it; the message names the sizes.
#[track_caller]
pub(crate) fn gate_rows(gates: usize, units: usize) -> usize {
    gates.checked_mul(units).unwrap_or_else(|| panic!("{gates} gates of {units} units are more rows than fit"))
}

/// A matrix of zeros.
///
/// # Panics
/// As [`elements`].
#[track_caller]
pub(crate) fn zero_matrix<T: Scalar>(rows: usize, columns: usize) -> DMatrix<T> {
    DMatrix::from_vec(rows, columns, vec![T::zero(); elements::<T>(rows, columns)])
}

/// A vector of zeros.
///
/// # Panics
/// As [`elements`].
#[track_caller]
pub(crate) fn zero_vector<T: Scalar>(length: usize) -> DVector<T> {
    DVector::from_vec(vec![T::zero(); elements::<T>(length, 1)])
}

/// Changes the shape of a matrix, reusing its memory; the values are unspecified afterwards.
///
/// # Panics
/// As [`elements`].
#[track_caller]
pub(crate) fn reshape<T: Scalar>(matrix: &mut DMatrix<T>, rows: usize, columns: usize) {
    if matrix.shape() != (rows, columns) {
        let count = elements::<T>(rows, columns);
        let empty = DMatrix::from_vec(0, 0, Vec::new());
        let mut values: Vec<T> = core::mem::replace(matrix, empty).data.into();
        values.resize(count, T::zero());
        *matrix = DMatrix::from_vec(rows, columns, values);
    }
}
