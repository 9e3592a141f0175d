//! Recurrent layers, one step at a time.

use super::Recurrent;
use super::cell::{Carry, Cell, Connections};
use super::passes::passes;
use super::recurrent_weight::RecurrentWeight;
use crate::Scalar;
use crate::kernel::{Accumulate, ForwardStep, Operand, PackedForColumn};
use crate::streaming::Streaming;
use alloc::{vec, vec::Vec};
use nalgebra::DMatrix;

/// The parameters of a [`Recurrent`] layer, and buffers for one step.
#[derive(Debug)]
pub struct RecurrentPrepared<T, C> {
    cell: C,
    units: usize,
    weights: Weights<T>,
    bias: Vec<T>,
    /// The pre-activations, and in their place the first kept values.
    gates: Vec<T>,
    /// The state's part of the pre-activations, if it is apart.
    state_part: Vec<T>,
    /// The other kept values.
    extra: Vec<T>,
}

#[derive(Debug)]
enum Weights<T> {
    /// `W_ih` and `W_hh` side by side, so that a step has one product: `z = [W_ih W_hh] [x; h] + b_ih + b_hh`.
    Joined { weights: PackedForColumn<T>, input_and_state: Vec<T> },
    /// Two products: `a = W_ih x + b_ih`, and `u = W_hh h + b_hh` apart from it or added to it.
    Two { weight_ih: PackedForColumn<T>, weight_hh: RecurrentWeight<T>, bias_hh: Vec<T> },
}

impl<T: Scalar, C: Cell> Streaming<T> for Recurrent<T, C> {
    type Step = [T];
    type Prepared = RecurrentPrepared<T, C>;

    fn prepare(&self, _: usize) -> RecurrentPrepared<T, C> {
        self.check_parameters();
        let (units, rows) = (self.units(), self.weight_ih_l0.nrows());
        let zeros = |length| vec![T::zero(); length];
        let mut bias = Vec::new();
        self.bias_of_products(&mut bias);
        let weights = if Self::APART || C::CONNECTIONS != Connections::Full {
            let (mut weight_ih, mut weight_hh) = (PackedForColumn::default(), RecurrentWeight::default());
            weight_ih.pack((&self.weight_ih_l0).into());
            weight_hh.pack(&self.weight_hh_l0, C::CONNECTIONS, 1);
            Weights::Two { weight_ih, weight_hh, bias_hh: self.bias_hh_l0.as_slice().to_vec() }
        } else {
            let side_by_side = [self.weight_ih_l0.as_slice(), self.weight_hh_l0.as_slice()].concat();
            let columns = self.inputs() + units;
            let mut weights = PackedForColumn::default();
            weights.pack(Operand::new(&side_by_side, rows, columns));
            Weights::Joined { weights, input_and_state: zeros(columns) }
        };
        RecurrentPrepared {
            cell: self.cell,
            units,
            weights,
            bias,
            gates: zeros(if C::KEEPS_OUTPUT { 0 } else { rows }),
            state_part: zeros(if Self::APART { rows } else { 0 }),
            extra: zeros(Self::EXTRA * units),
        }
    }

    fn step(prepared: &mut RecurrentPrepared<T, C>, input: &[T], carry: &mut C::Carry<T>, output: &mut [T]) {
        (passes::<T, C>().step)(prepared, input, carry, output);
    }
}

/// One step of one sequence.
pub(crate) fn step<T: Scalar, C: Cell>(
    prepared: &mut RecurrentPrepared<T, C>,
    input: &[T],
    carry: &mut C::Carry<T>,
    output: &mut [T],
) {
    let RecurrentPrepared { cell, units, weights, bias, gates, state_part, extra } = prepared;
    let (z, output) = if C::KEEPS_OUTPUT { (output, None) } else { (gates.as_mut_slice(), Some(output)) };
    let mut is_hidden = true;
    carry.each_state(|state| {
        check_carry(state, *units);
        if core::mem::take(&mut is_hidden) {
            pre_activations::<T, C>(weights, bias, z, state_part, input, state.as_slice());
        }
    });
    let mut step = ForwardStep::new(*cell, (*units, 1), &[], z, state_part, extra, output);
    carry.each_state(|state| step.state_in_place(state.as_mut_slice()));
    step.run();
}

/// The pre-activations of one step.
fn pre_activations<T: Scalar, C: Cell>(
    weights: &mut Weights<T>,
    bias: &[T],
    z: &mut [T],
    state_part: &mut [T],
    input: &[T],
    h: &[T],
) {
    match weights {
        Weights::Joined { weights, input_and_state } => {
            let (of_input, of_state) = input_and_state.split_at_mut(input.len());
            of_input.copy_from_slice(input);
            of_state.copy_from_slice(h);
            weights.product(z, Accumulate::Bias(bias), input_and_state);
        }
        Weights::Two { weight_ih, weight_hh, bias_hh } => {
            weight_ih.product(z, Accumulate::Bias(bias), input);
            if Recurrent::<T, C>::APART {
                weight_hh.product(state_part, Accumulate::Bias(bias_hh), h);
            } else {
                weight_hh.product(z, Accumulate::Add, h);
            }
        }
    }
}

/// Panics unless a state is that of one sequence.
#[track_caller]
fn check_carry<T: Scalar>(state: &DMatrix<T>, units: usize) {
    let (rows, sequences) = state.shape();
    assert!(
        (rows, sequences) == (units, 1),
        "the carry is for {sequences} sequences of {rows} units; `Stream` needs that of one sequence of {units} units: \
         `model.carry(1)`"
    );
}
