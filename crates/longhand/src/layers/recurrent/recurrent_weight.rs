//! `W_hh`, packed for the kernels once per window and used at each of its steps.

use super::Connections;
use crate::Scalar;
use crate::kernel::{
    Accumulate, Equations, Operand, Packed, PackedForColumn, Real, band, band_mut, compiled_here, each, each_row,
    repeated,
};
use alloc::vec::Vec;
use nalgebra::DMatrix;

/// `W_hh`, for one sequence or for a batch. For a batch, the backward pass uses a packed transpose. For one sequence, packing the
/// transpose costs more than it saves, so the backward pass reads the packed weight of the forward pass. A diagonal `W_hh` is one
/// vector per gate. Without connections, the products are zero.
#[derive(Debug)]
pub(crate) struct RecurrentWeight<T> {
    kind: Kind,
    diagonal: Vec<T>,
    for_column: PackedForColumn<T>,
    packed: Packed<T>,
    transposed: Packed<T>,
}

impl<T> Default for RecurrentWeight<T> {
    fn default() -> Self {
        RecurrentWeight {
            kind: Kind::OneSequence,
            diagonal: Vec::new(),
            for_column: PackedForColumn::default(),
            packed: Packed::default(),
            transposed: Packed::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    OneSequence,
    Batch,
    Diagonal,
    None,
}

impl<T: Scalar> RecurrentWeight<T> {
    /// Before the steps of a forward pass.
    pub(crate) fn pack(&mut self, weight: &DMatrix<T>, connections: Connections, batch: usize) {
        if connections == Connections::None {
            self.kind = Kind::None;
        } else if connections == Connections::Diagonal {
            self.kind = Kind::Diagonal;
            self.diagonal.clear();
            self.diagonal.extend_from_slice(weight.as_slice());
        } else if batch == 1 {
            self.kind = Kind::OneSequence;
            self.for_column.pack(weight.into());
        } else {
            self.kind = Kind::Batch;
            self.packed.pack(weight.into());
        }
    }

    /// Before the steps of a backward pass, after [`pack`](Self::pack) with the same weight.
    pub(crate) fn pack_transposed(&mut self, weight: &DMatrix<T>) {
        if self.kind == Kind::Batch {
            self.transposed.pack(Operand::from(weight).transposed());
        }
    }

    /// `out = W_hh states` or `out += W_hh states`.
    pub(crate) fn product(&self, out: &mut [T], accumulate: Accumulate<'_, T>, states: &[T]) {
        match self.kind {
            Kind::OneSequence => self.for_column.product(out, accumulate, states),
            Kind::Batch => self.packed.product(out, accumulate, states),
            Kind::Diagonal => self.diagonal_product(out, accumulate, states),
            Kind::None if accumulate == Accumulate::Add => {}
            Kind::None => out.fill(T::zero()),
        }
    }

    /// `d_states += W_hh' d_hh`.
    pub(crate) fn add_transposed_product(&self, d_states: &mut [T], d_hh: &[T]) {
        match self.kind {
            Kind::OneSequence => self.for_column.add_transposed_product(d_states, d_hh),
            Kind::Batch => self.transposed.product(d_states, Accumulate::Add, d_hh),
            Kind::Diagonal => self.add_diagonal_transposed(d_states, d_hh),
            Kind::None => {}
        }
    }

    /// Gates, units and columns of a product with a diagonal `W_hh`.
    fn diagonal_sizes(&self, gates_in_columns: usize, states: usize) -> (usize, usize, usize) {
        let gates = gates_in_columns.checked_div(states).unwrap_or(1).max(1);
        let units = self.diagonal.len() / gates;
        (gates, units, states.checked_div(units).unwrap_or(0))
    }

    fn diagonal_product(&self, out: &mut [T], accumulate: Accumulate<'_, T>, states: &[T]) {
        let (gates, units, columns) = self.diagonal_sizes(out.len(), states.len());
        match accumulate {
            Accumulate::Replace => out.fill(T::zero()),
            Accumulate::Add => {}
            Accumulate::Bias(bias) => {
                for column in out.chunks_exact_mut(bias.len().max(1)) {
                    column.copy_from_slice(bias);
                }
            }
        }
        for gate in 0..gates {
            let weight = repeated(&self.diagonal[gate * units..(gate + 1) * units], columns);
            let read = [weight, band(states, (1, 0), units, columns)];
            each_row(&[], AddProduct, read, [band_mut(out, (gates, gate), units, columns)]);
        }
    }

    fn add_diagonal_transposed(&self, d_states: &mut [T], d_hh: &[T]) {
        let (gates, units, columns) = self.diagonal_sizes(d_hh.len(), d_states.len());
        for gate in 0..gates {
            let weight = repeated(&self.diagonal[gate * units..(gate + 1) * units], columns);
            let read = [weight, band(d_hh, (gates, gate), units, columns)];
            each_row(&[], AddProduct, read, [band_mut(d_states, (1, 0), units, columns)]);
        }
    }

    /// The connections of the packed weight.
    pub(crate) fn connections(&self) -> Connections {
        match self.kind {
            Kind::OneSequence | Kind::Batch => Connections::Full,
            Kind::Diagonal => Connections::Diagonal,
            Kind::None => Connections::None,
        }
    }
}

/// The gradient of a diagonal `W_hh`: `d_w = sum d_hh * h` over the columns, element by element, which replaces what is in
/// `gradient` or is added to it. `states` are the states of the columns.
pub(crate) fn diagonal_gradient<T: Scalar>(
    gradient: &mut [T],
    accumulate: Accumulate<'_, T>,
    d_hh: &[T],
    states: &[T],
    units: usize,
) {
    if accumulate == Accumulate::Replace {
        gradient.fill(T::zero());
    }
    let rows = gradient.len();
    if units == 0 {
        return;
    }
    for (d_hh, states) in d_hh.chunks_exact(rows).zip(states.chunks_exact(units)) {
        for (d_hh, gradient) in d_hh.chunks_exact(units).zip(gradient.chunks_exact_mut(units)) {
            each(AddProduct, [d_hh, states], [gradient]);
        }
    }
}

/// `out + a b`.
#[derive(Clone, Copy)]
struct AddProduct;

compiled_here!(AddProduct, 2, 1);

impl<T: Scalar> Equations<T, 2, 1> for AddProduct {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [a, b]: [V; 2], [out]: [V; 1]) -> [V; 1] {
        [out + a * b]
    }
}
