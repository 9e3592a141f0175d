//! The recurrent layers, one step at a time: the equations are the layers' own.

use super::Streaming;
use crate::kernel::{Accumulate, Operand, PackedForColumn, bands, bands_mut, each_row};
use crate::layers::{elman, gru, lstm};
use crate::{Elman, Gru, Lstm, LstmCarry, Nonlinearity, Scalar};
use alloc::{vec, vec::Vec};
use nalgebra::{DMatrix, DVector};

/// `W_ih` and `W_hh` side by side, so that a step has one product: `z = [W_ih W_hh] [x; h] + b_ih + b_hh`.
#[derive(Debug)]
pub struct Joined<T> {
    weights: PackedForColumn<T>,
    bias: Vec<T>,
    input_and_state: Vec<T>,
    units: usize,
}

impl<T: Scalar> Joined<T> {
    fn new([weight_ih, weight_hh]: [&DMatrix<T>; 2], [bias_ih, bias_hh]: [&DVector<T>; 2]) -> Self {
        let (rows, columns) = (weight_hh.nrows(), weight_ih.ncols() + weight_hh.ncols());
        let side_by_side = [weight_ih.as_slice(), weight_hh.as_slice()].concat();
        let mut weights = PackedForColumn::default();
        weights.pack(Operand::new(&side_by_side, rows, columns));
        Joined {
            weights,
            bias: (bias_ih + bias_hh).as_slice().to_vec(),
            input_and_state: vec![T::zero(); columns],
            units: weight_hh.ncols(),
        }
    }

    /// The pre-activations `z` of one step.
    fn pre_activations(&mut self, z: &mut [T], input: &[T], state: &DMatrix<T>) {
        check_carry(state, self.units);
        let inputs = self.input_and_state.len() - self.units;
        let (of_input, of_state) = self.input_and_state.split_at_mut(inputs);
        of_input.copy_from_slice(input);
        of_state.copy_from_slice(state.as_slice());
        self.weights.product(z, Accumulate::Bias(&self.bias), &self.input_and_state);
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

impl<T: Scalar> Streaming<T> for Elman<T> {
    type Prepared = (Joined<T>, Nonlinearity);

    fn prepare(&self, _: usize) -> Self::Prepared {
        self.check_parameters();
        let weights = [&self.weight_ih_l0, &self.weight_hh_l0];
        (Joined::new(weights, [&self.bias_ih_l0, &self.bias_hh_l0]), self.nonlinearity)
    }

    fn step((joined, nonlinearity): &mut Self::Prepared, input: &[T], carry: &mut DMatrix<T>, output: &mut [T]) {
        let units = joined.units;
        joined.pre_activations(output, input, carry);
        let ([h], [next]) = (bands_mut(output, units, 1), bands_mut(carry.as_mut_slice(), units, 1));
        each_row(&[], elman::Forward(*nonlinearity), [], [h, next]);
    }
}

/// The parameters of an [`Lstm`], and buffers for one step.
#[derive(Debug)]
pub struct LstmPrepared<T> {
    joined: Joined<T>,
    z: Vec<T>,
    previous_c: Vec<T>,
}

impl<T: Scalar> Streaming<T> for Lstm<T> {
    type Prepared = LstmPrepared<T>;

    fn prepare(&self, _: usize) -> LstmPrepared<T> {
        self.check_parameters();
        let weights = [&self.weight_ih_l0, &self.weight_hh_l0];
        LstmPrepared {
            joined: Joined::new(weights, [&self.bias_ih_l0, &self.bias_hh_l0]),
            z: vec![T::zero(); 4 * self.units()],
            previous_c: vec![T::zero(); self.units()],
        }
    }

    fn step(prepared: &mut LstmPrepared<T>, input: &[T], carry: &mut LstmCarry<T>, output: &mut [T]) {
        let LstmPrepared { joined, z, previous_c } = prepared;
        let units = joined.units;
        check_carry(&carry.c, units);
        joined.pre_activations(z, input, &carry.h);
        previous_c.copy_from_slice(carry.c.as_slice());
        let [z_i, z_f, z_g, z_o] = bands_mut(z, units, 1);
        let [c] = bands_mut(carry.c.as_mut_slice(), units, 1);
        let ([h], [next_h]) = (bands_mut(output, units, 1), bands_mut(carry.h.as_mut_slice(), units, 1));
        each_row(&[], lstm::Forward, bands(previous_c, units, 1), [z_i, z_f, z_g, z_o, c, h, next_h]);
    }
}

/// The two products of a [`Gru`], whose reset gate stands between them.
#[derive(Debug)]
pub struct GruPrepared<T> {
    weight_ih: PackedForColumn<T>,
    weight_hh: PackedForColumn<T>,
    bias_ih: Vec<T>,
    bias_hh: Vec<T>,
    a: Vec<T>,
    u: Vec<T>,
    previous: Vec<T>,
    recurrent_n: Vec<T>,
}

impl<T: Scalar> Streaming<T> for Gru<T> {
    type Prepared = GruPrepared<T>;

    fn prepare(&self, _: usize) -> GruPrepared<T> {
        self.check_parameters();
        let (units, zeros) = (self.units(), |length| vec![T::zero(); length]);
        let mut prepared = GruPrepared {
            weight_ih: PackedForColumn::default(),
            weight_hh: PackedForColumn::default(),
            bias_ih: self.bias_ih_l0.as_slice().to_vec(),
            bias_hh: self.bias_hh_l0.as_slice().to_vec(),
            a: zeros(3 * units),
            u: zeros(3 * units),
            previous: zeros(units),
            recurrent_n: zeros(units),
        };
        prepared.weight_ih.pack((&self.weight_ih_l0).into());
        prepared.weight_hh.pack((&self.weight_hh_l0).into());
        prepared
    }

    fn step(prepared: &mut GruPrepared<T>, input: &[T], carry: &mut DMatrix<T>, output: &mut [T]) {
        let GruPrepared { weight_ih, weight_hh, bias_ih, bias_hh, a, u, previous, recurrent_n } = prepared;
        let units = previous.len();
        check_carry(carry, units);
        previous.copy_from_slice(carry.as_slice());
        weight_ih.product(a, Accumulate::Bias(bias_ih), input);
        weight_hh.product(u, Accumulate::Bias(bias_hh), previous);
        let ([u_r, u_z, u_n], [previous_h]) = (bands(u, units, 1), bands(previous, units, 1));
        let ([a_r, a_z, a_n], [n]) = (bands_mut(a, units, 1), bands_mut(recurrent_n, units, 1));
        let ([h], [next]) = (bands_mut(output, units, 1), bands_mut(carry.as_mut_slice(), units, 1));
        each_row(&[], gru::Forward, [u_r, u_z, u_n, previous_h], [a_r, a_z, a_n, n, h, next]);
    }
}
