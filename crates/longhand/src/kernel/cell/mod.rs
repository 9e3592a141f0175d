//! One step of a cell over the units of a batch: loads, the cell's equations and stores.
//!
//! A buffer with several values per unit stores them in bands, one below the other in each column: for an LSTM's gates,
//! `units` rows of `i`, then `units` rows of `f`, and so on.

mod backward;
mod forward;

pub(crate) use backward::BackwardStep;
pub(crate) use forward::ForwardStep;

use super::group::Group;
use super::pack::size;
use super::precision::Precision;
use super::real::{Lanes, Real, Single};
use super::vector::Vector;
use crate::Scalar;
use crate::layers::recurrent::{Cell, PreActivations};
use core::marker::PhantomData;

/// The gates of a cell's pre-activations.
type Gates<C, V> = <<C as Cell>::PreActivations<V> as PreActivations<V>>::Gates;

/// The buffers of a step that both directions use, as pointers with checked bounds.
struct Buffers<'a, C: Cell, T: Copy> {
    cell: C,
    /// One validity mark per column, or none if all are valid.
    valid: &'a [bool],
    units: usize,
    columns: usize,
    /// The states before the step.
    before: C::States<*const T>,
    /// The states after the step. In the backward direction, their gradients, which the step replaces by the gradients
    /// of the states before it.
    after: C::States<*mut T>,
    /// Number of states whose pointers are set.
    states: usize,
    borrowed: PhantomData<(&'a [T], &'a mut [T])>,
}

impl<'a, C: Cell, T: Copy> Buffers<'a, C, T> {
    const GATES: usize = <Gates<C, T> as Group<T>>::COUNT;
    const KEPT: usize = <C::Kept<T> as Group<T>>::COUNT;
    const STATES: usize = <C::States<T> as Group<T>>::COUNT;
    const EXTRA: usize = Self::KEPT.saturating_sub(Self::GATES);
    const APART: bool = <C::PreActivations<T> as PreActivations<T>>::APART;

    fn new(cell: C, (units, columns): (usize, usize), valid: &'a [bool]) -> Self {
        assert!(valid.is_empty() || valid.len() == columns, "there must be one mark for each column");
        Buffers {
            cell,
            valid,
            units,
            columns,
            before: Group::filled(core::ptr::null()),
            after: Group::filled(core::ptr::null_mut()),
            states: 0,
            borrowed: PhantomData,
        }
    }

    /// Adds the pointers of a state.
    fn state(&mut self, before: *const T, after: *mut T) {
        self.before.set(self.states, before);
        self.after.set(self.states, after);
        self.states += 1;
    }

    /// Rows and columns of the pass. If each value of a unit has its own buffer, the pass is one long column.
    #[inline(always)]
    fn shape(&self) -> (usize, usize) {
        let contiguous = Self::GATES == 1 && Self::EXTRA <= 1 && self.valid.is_empty();
        if contiguous { (self.units * self.columns, 1) } else { (self.units, self.columns) }
    }

    #[inline(always)]
    fn is_valid(&self, column: usize) -> bool {
        self.valid.is_empty() || self.valid[column]
    }

    /// Panics unless a buffer has `bands` values for each unit of each column.
    #[inline(always)]
    fn check(&self, length: usize, bands: usize) {
        assert_eq!(
            length,
            size(size(bands, self.units), self.columns),
            "a buffer of a step must have one value per band, unit and column"
        );
    }
}

/// A step that can be run on any part of a column.
trait UnitStep<T: Scalar> {
    /// Rows and columns of the pass.
    fn shape(&self) -> (usize, usize);
    /// Whether a column is valid. The other columns are skipped.
    fn is_valid(&self, column: usize) -> bool;
    /// Computes the equations for the units of a column, starting at `row`.
    ///
    /// # Safety
    /// The rows that `access` loads and stores, starting at `row`, must exist.
    unsafe fn equations<A: Access<T>>(&self, column: usize, row: usize, access: A);
}

/// Loads and stores the values of some rows.
trait Access<T: Scalar>: Copy {
    type Value: Real<Scalar = T>;
    fn zero(self) -> Self::Value;
    /// # Safety
    /// The rows must be readable.
    unsafe fn load(self, from: *const T) -> Self::Value;
    /// # Safety
    /// The rows must be writable.
    unsafe fn store(self, to: *mut T, value: Self::Value);
}

/// One row.
#[derive(Clone, Copy)]
struct OneRow;

impl<T: Scalar> Access<T> for OneRow {
    type Value = Single<T>;
    fn zero(self) -> Single<T> {
        Single(T::zero())
    }
    unsafe fn load(self, from: *const T) -> Single<T> {
        // SAFETY: the caller's row can be read.
        Single(unsafe { *from })
    }
    unsafe fn store(self, to: *mut T, value: Single<T>) {
        // SAFETY: the caller's row can be written.
        unsafe { *to = value.0 }
    }
}

/// A whole vector of rows.
#[derive(Clone, Copy)]
struct WholeVector<K>(K);

impl<T: Scalar + Precision, V: Vector<T>> Access<T> for WholeVector<(V::Token, PhantomData<V>)> {
    type Value = Lanes<T, V>;
    #[inline(always)]
    fn zero(self) -> Lanes<T, V> {
        Lanes::new(V::splat(self.0.0, T::default()))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> Lanes<T, V> {
        // SAFETY: the caller's rows can be read.
        Lanes::new(unsafe { V::load(self.0.0, from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T, value: Lanes<T, V>) {
        // SAFETY: the caller's rows can be written.
        unsafe { value.vector.store(to) }
    }
}

/// The first rows of a vector.
#[derive(Clone, Copy)]
struct FirstRows<K>(K, usize);

impl<T: Scalar + Precision, V: Vector<T>> Access<T> for FirstRows<(V::Token, PhantomData<V>)> {
    type Value = Lanes<T, V>;
    #[inline(always)]
    fn zero(self) -> Lanes<T, V> {
        Lanes::new(V::splat(self.0.0, T::default()))
    }
    #[inline(always)]
    unsafe fn load(self, from: *const T) -> Lanes<T, V> {
        // SAFETY: the caller's rows can be read.
        Lanes::new(unsafe { V::load_first(self.0.0, from, self.1) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut T, value: Lanes<T, V>) {
        // SAFETY: the caller's rows can be written.
        unsafe { value.vector.store_first(to, self.1) }
    }
}

/// Runs a step on plain scalars of any type.
fn each_scalar<T: Scalar>(step: &impl UnitStep<T>) {
    let (rows, columns) = step.shape();
    for column in (0..columns).filter(|&column| step.is_valid(column)) {
        for row in 0..rows {
            // SAFETY: the row exists.
            unsafe { step.equations(column, row, OneRow) }
        }
    }
}

/// Runs a step on vectors.
#[inline(always)]
fn each_vector<T: Scalar + Precision, V: Vector<T>>(step: &impl UnitStep<T>, token: V::Token) {
    let (rows, columns) = step.shape();
    for column in 0..columns {
        if !step.is_valid(column) {
            continue;
        }
        let mut row = 0;
        // SAFETY: the rows of whole vectors exist, and so do the first rows of the last vector.
        unsafe {
            while row + V::LANES <= rows {
                step.equations(column, row, WholeVector((token, PhantomData::<V>)));
                row += V::LANES;
            }
            if row < rows {
                step.equations(column, row, FirstRows((token, PhantomData::<V>), rows - row));
            }
        }
    }
}
