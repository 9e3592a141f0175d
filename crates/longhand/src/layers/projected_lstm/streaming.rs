//! An LSTM with projection, one step at a time.

use super::passes::Output;
use super::{GATES, ProjectedLstm};
use crate::Scalar;
use crate::kernel::{Accumulate, ForwardStep, Operand, PackedForColumn, each};
use crate::layers::lstm::{LstmCarry, LstmCell};
use crate::scalar::compiled;
use crate::streaming::Streaming;
use alloc::{vec, vec::Vec};

/// The parameters of a [`ProjectedLstm`], and buffers for one step.
#[derive(Debug)]
pub struct ProjectedLstmPrepared<T> {
    units: usize,
    outputs: usize,
    /// `W_ih` and `W_hh` side by side, so that a step has one product for the gates.
    weights: PackedForColumn<T>,
    /// `b_ih + b_hh`.
    bias: Vec<T>,
    weight_hr: PackedForColumn<T>,
    input_and_state: Vec<T>,
    gates: Vec<T>,
    /// `m` as a state of the cell, which does not read it.
    unread: Vec<T>,
    unprojected: Vec<T>,
}

impl<T: Scalar> Streaming<T> for ProjectedLstm<T> {
    type Step = [T];
    type Prepared = ProjectedLstmPrepared<T>;

    fn prepare(&self, _: usize) -> ProjectedLstmPrepared<T> {
        self.check_parameters();
        let (units, outputs) = (self.units(), self.outputs());
        let (rows, columns) = (GATES * units, self.inputs() + outputs);
        let side_by_side = [self.weight_ih_l0.as_slice(), self.weight_hh_l0.as_slice()].concat();
        let (mut weights, mut weight_hr) = (PackedForColumn::default(), PackedForColumn::default());
        weights.pack(Operand::new(&side_by_side, rows, columns));
        weight_hr.pack((&self.weight_hr_l0).into());
        let mut bias = Vec::new();
        self.add_biases(&mut bias);
        let zeros = |length| vec![T::zero(); length];
        ProjectedLstmPrepared {
            units,
            outputs,
            weights,
            bias,
            weight_hr,
            input_and_state: zeros(columns),
            gates: zeros(rows),
            unread: zeros(units),
            unprojected: zeros(units),
        }
    }

    fn step(prepared: &mut ProjectedLstmPrepared<T>, input: &[T], carry: &mut LstmCarry<T>, output: &mut [T]) {
        let function = compiled([&(step_f32 as Step<f32>), &(step_f64 as Step<f64>)], step as Step<T>);
        function(prepared, input, carry, output);
    }
}

type Step<T> = fn(&mut ProjectedLstmPrepared<T>, &[T], &mut LstmCarry<T>, &mut [T]);

fn step_f32(prepared: &mut ProjectedLstmPrepared<f32>, x: &[f32], carry: &mut LstmCarry<f32>, output: &mut [f32]) {
    step(prepared, x, carry, output);
}

fn step_f64(prepared: &mut ProjectedLstmPrepared<f64>, x: &[f64], carry: &mut LstmCarry<f64>, output: &mut [f64]) {
    step(prepared, x, carry, output);
}

/// One step of one sequence.
fn step<T: Scalar>(prepared: &mut ProjectedLstmPrepared<T>, input: &[T], carry: &mut LstmCarry<T>, output: &mut [T]) {
    let ProjectedLstmPrepared { units, outputs, weights, bias, weight_hr, input_and_state, gates, unread, unprojected } =
        prepared;
    for (state, rows) in [(&carry.h, *outputs), (&carry.c, *units)] {
        assert!(
            state.shape() == (rows, 1),
            "the carry is for {} sequences of {} units; `Stream` needs that of one sequence of {rows} units: `model.carry(1)`",
            state.ncols(),
            state.nrows()
        );
    }
    let (of_input, of_state) = input_and_state.split_at_mut(input.len());
    of_input.copy_from_slice(input);
    of_state.copy_from_slice(carry.h.as_slice());
    weights.product(gates, Accumulate::Bias(bias), input_and_state);
    let mut cell = ForwardStep::new(LstmCell, (*units, 1), &[], gates, &[], &mut [], Some(&mut *unprojected));
    cell.state_in_place(unread);
    cell.state_in_place(carry.c.as_mut_slice());
    cell.run();
    weight_hr.product(output, Accumulate::Replace, unprojected);
    each(Output, [], [output, carry.h.as_mut_slice()]);
}
