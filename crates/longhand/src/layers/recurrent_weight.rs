//! `W_hh` as the products of a step want it: packed once a window, used at each of its steps.

use crate::Scalar;
use crate::kernel::{Accumulate, Operand, Packed, PackedForColumn};
use nalgebra::DMatrix;

/// `W_hh`, for one sequence or for a batch. A batch goes back through the transpose, packed for itself; one sequence
/// has too few columns in a window for that to pay, and goes back through what it went forward through.
#[derive(Debug)]
pub(crate) struct RecurrentWeight<T> {
    one_sequence: bool,
    for_column: PackedForColumn<T>,
    packed: Packed<T>,
    transposed: Packed<T>,
}

impl<T> Default for RecurrentWeight<T> {
    fn default() -> Self {
        RecurrentWeight {
            one_sequence: false,
            for_column: PackedForColumn::default(),
            packed: Packed::default(),
            transposed: Packed::default(),
        }
    }
}

impl<T: Scalar> RecurrentWeight<T> {
    /// Before the steps of a forward pass.
    pub(crate) fn pack(&mut self, weight: &DMatrix<T>, batch: usize) {
        self.one_sequence = batch == 1;
        if self.one_sequence {
            self.for_column.pack(weight.into());
        } else {
            self.packed.pack(weight.into());
        }
    }

    /// Before the steps of a backward pass, after [`pack`](Self::pack) with the same weight.
    pub(crate) fn pack_transposed(&mut self, weight: &DMatrix<T>) {
        if !self.one_sequence {
            self.transposed.pack(Operand::from(weight).transposed());
        }
    }

    /// `out = W_hh states` or `out += W_hh states`.
    pub(crate) fn product(&self, out: &mut [T], accumulate: Accumulate<'_, T>, states: &[T]) {
        if self.one_sequence {
            self.for_column.product(out, accumulate, states);
        } else {
            self.packed.product(out, accumulate, states);
        }
    }

    /// `d_states += W_hh' d_hh`.
    pub(crate) fn add_transposed_product(&self, d_states: &mut [T], d_hh: &[T]) {
        if self.one_sequence {
            self.for_column.add_transposed_product(d_states, d_hh);
        } else {
            self.transposed.product(d_states, Accumulate::Add, d_hh);
        }
    }
}
