//! The passes over the steps of an LSTM with projection, forward and back.

use super::{GATES, NAMES, ProjectedLstm, ProjectedLstmCache};
use crate::kernel::{
    self, Accumulate, BackwardStep, Equations, ForwardStep, Operand, Packed, Real, band, band_mut, compiled_here, each,
    each_row,
};
use crate::layers::lstm::{LstmCarry, LstmCell};
use crate::layers::recurrent::Connections;
use crate::layers::recurrent::recurrence::{self, Recurrence, step_of};
use crate::layers::shapes::check_gradients;
use crate::sequences::reshape;
use crate::{Layer, Layout, ParameterGradients, Scalar, Sequences};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::DMatrix;

/// Sets the output where it is too small to matter to zero, and copies it to the state.
#[derive(Clone, Copy)]
pub(super) struct Output;

compiled_here!(Output, 0, 2);

impl<T: Scalar> Equations<T, 0, 2> for Output {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, []: [V; 0], [h, _]: [V; 2]) -> [V; 2] {
        let h = h.flush_to_zero();
        [h, h]
    }
}

/// `d_h = d_output + d_carry_h`, and zero in place of `d_carry_h`.
#[derive(Clone, Copy)]
struct AddCarry;

compiled_here!(AddCarry, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for AddCarry {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [d_output]: [V; 1], [_, d_carry_h]: [V; 2]) -> [V; 2] {
        [(d_output + d_carry_h).flush_to_zero(), d_carry_h.number(0.0)]
    }
}

pub(super) type Forward<T> = fn(&ProjectedLstm<T>, &Sequences<T>, &mut LstmCarry<T>, &mut ProjectedLstmCache<T>);

pub(super) fn forward_f32(
    l: &ProjectedLstm<f32>,
    x: &Sequences<f32>,
    s: &mut LstmCarry<f32>,
    c: &mut ProjectedLstmCache<f32>,
) {
    forward(l, x, s, c);
}

pub(super) fn forward_f64(
    l: &ProjectedLstm<f64>,
    x: &Sequences<f64>,
    s: &mut LstmCarry<f64>,
    c: &mut ProjectedLstmCache<f64>,
) {
    forward(l, x, s, c);
}

/// The forward pass. It stores the output in the cache.
pub(super) fn forward<T: Scalar>(
    layer: &ProjectedLstm<T>,
    input: &Sequences<T>,
    carry: &mut LstmCarry<T>,
    cache: &mut ProjectedLstmCache<T>,
) {
    let (units, outputs, layout) = (layer.units(), layer.outputs(), input.layout());
    let batch = layout.batch();
    let ProjectedLstmCache { recurrence, weight_hr, h, c, bias, gates, unprojected, unread, .. } = cache;
    recurrence.begin(layer, [&layer.weight_ih_l0, &layer.weight_hh_l0], Connections::Full, input, outputs);
    weight_hr.pack(&layer.weight_hr_l0, Connections::Full, batch);
    h.begin(&carry.h, layout);
    c.begin(&carry.c, layout);
    layer.add_biases(bias);
    reshape(gates, GATES * units, layout.columns());
    reshape(unprojected, units, layout.columns());
    unread.resize(units * batch, T::zero());
    let Recurrence { hidden, weight_ih, weight_hh, .. } = recurrence;
    let (hidden, gates, unprojected) =
        (hidden.values_mut().as_mut_slice(), gates.as_mut_slice(), unprojected.as_mut_slice());
    for block in recurrence::blocks(layout) {
        recurrence::input_product(gates, &block, weight_ih, bias, input);
        for step in block {
            let z = &mut gates[step_of(step, layout, GATES * units)];
            let m = &mut unprojected[step_of(step, layout, units)];
            let output = &mut hidden[step_of(step, layout, outputs)];
            h.reset(step, layout);
            c.reset(step, layout);
            weight_hh.product(z, Accumulate::Add, h.before(step, layout));
            let valid = layout.valid_at(step);
            let mut cell = ForwardStep::new(LstmCell, (units, batch), valid, z, &[], &mut [], Some(&mut *m));
            cell.state_in_place(unread);
            let (before, after) = c.step(step, layout);
            cell.state(before, after);
            cell.run();
            recurrence::zero_invalid_steps(m, layout, step);
            weight_hr.product(output, Accumulate::Replace, m);
            let (_, after) = h.step(step, layout);
            each(Output, [], [&mut *output, after]);
            if layout.has_padding() {
                h.keep_state(step, layout);
                c.keep_state(step, layout);
                recurrence::zero_invalid_steps(output, layout, step);
            }
        }
    }
    h.end(&mut carry.h, layout);
    c.end(&mut carry.c, layout);
}

pub(super) type Backward<T> = fn(
    &ProjectedLstm<T>,
    &Sequences<T>,
    &mut ProjectedLstmCache<T>,
    Option<&Sequences<T>>,
    &mut LstmCarry<T>,
    ParameterGradients<'_, ProjectedLstm<T>>,
    Option<&mut Sequences<T>>,
);

pub(super) fn backward_f32(
    layer: &ProjectedLstm<f32>,
    input: &Sequences<f32>,
    cache: &mut ProjectedLstmCache<f32>,
    d_output: Option<&Sequences<f32>>,
    d_carry: &mut LstmCarry<f32>,
    gradients: ParameterGradients<'_, ProjectedLstm<f32>>,
    d_input: Option<&mut Sequences<f32>>,
) {
    backward(layer, input, cache, d_output, d_carry, gradients, d_input);
}

pub(super) fn backward_f64(
    layer: &ProjectedLstm<f64>,
    input: &Sequences<f64>,
    cache: &mut ProjectedLstmCache<f64>,
    d_output: Option<&Sequences<f64>>,
    d_carry: &mut LstmCarry<f64>,
    gradients: ParameterGradients<'_, ProjectedLstm<f64>>,
    d_input: Option<&mut Sequences<f64>>,
) {
    backward(layer, input, cache, d_output, d_carry, gradients, d_input);
}

/// The backward pass.
pub(super) fn backward<T: Scalar>(
    layer: &ProjectedLstm<T>,
    input: &Sequences<T>,
    cache: &mut ProjectedLstmCache<T>,
    d_output: Option<&Sequences<T>>,
    d_carry: &mut LstmCarry<T>,
    gradients: ParameterGradients<'_, ProjectedLstm<T>>,
    mut d_input: Option<&mut Sequences<T>>,
) {
    let mut gradients = gradients.accumulated();
    if let Some((gradients, _)) = &gradients {
        check_gradients(|| layer.name(), NAMES, layer.shapes(), gradients.shapes());
    }
    let (units, outputs, layout) = (layer.units(), layer.outputs(), input.layout());
    let batch = layout.batch();
    let ProjectedLstmCache {
        recurrence,
        weight_hr,
        h,
        c,
        gates,
        unprojected,
        unread,
        d_z,
        d_h,
        d_m,
        sum,
        packed,
        no_d_output,
        ..
    } = cache;
    let weights = [&layer.weight_ih_l0, &layer.weight_hh_l0];
    recurrence.begin_backward(layer, weights, input, d_output, outputs, d_input.as_deref_mut());
    layer.check_carry(["d_carry's h", "d_carry's c"], d_carry, batch);
    weight_hr.pack_transposed(&layer.weight_hr_l0);
    let block_columns = recurrence::block_steps(layout) * batch;
    reshape(d_z, GATES * units, block_columns);
    reshape(d_h, outputs, block_columns);
    d_m.resize(units * batch, T::zero());
    no_d_output.resize(outputs * batch, T::zero());
    kernel::set_zero(unread);

    for block in recurrence::blocks(layout).rev() {
        for step in block.clone().rev() {
            let d_output = match d_output {
                Some(d_output) => &d_output.values().as_slice()[step_of(step, layout, outputs)],
                None => &no_d_output[..],
            };
            let valid = layout.valid_at(step);
            let d_h = &mut d_h.as_mut_slice()[step_of(step - block.start, layout, outputs)];
            let whole = |values| band_mut(values, (1, 0), outputs, batch);
            let changed = [whole(&mut *d_h), whole(d_carry.h.as_mut_slice())];
            each_row(valid, AddCarry, [band(d_output, (1, 0), outputs, batch)], changed);
            recurrence::zero_invalid_steps(d_h, layout, step);
            kernel::set_zero(d_m);
            weight_hr.add_transposed_product(d_m, d_h);

            let d_z = &mut d_z.as_mut_slice()[step_of(step - block.start, layout, GATES * units)];
            let gates = &gates.as_slice()[step_of(step, layout, GATES * units)];
            let mut cell = BackwardStep::new(LstmCell, (units, batch), valid, [gates, &[], d_m], [&mut *d_z, &mut []]);
            // The LSTM's `h` is `m`, whose gradient is `d_m` alone: no step reads the previous `m`.
            cell.state(&unprojected.as_slice()[step_of(step, layout, units)], unread);
            cell.state(c.before(step, layout), d_carry.c.as_mut_slice());
            cell.run();
            recurrence::zero_invalid_steps(d_z, layout, step);
            // Added to zero, or at an invalid step to the gradient that passes through.
            recurrence.weight_hh.add_transposed_product(d_carry.h.as_mut_slice(), d_z);
            recurrence::reset(d_carry.h.as_mut_slice(), layout, step);
            recurrence::reset(d_carry.c.as_mut_slice(), layout, step);
        }
        let of_gates = gradients.as_mut().map(|(gradients, accumulate)| {
            let d_w_hr = gradients.weight_hr_l0.as_mut_slice();
            packed.pack(Operand::from(&*d_h).columns_from(0, block.len() * batch));
            add_block(d_w_hr, *accumulate, (sum, packed), unprojected, &block, layout);
            let tensors = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            (tensors, *accumulate)
        });
        recurrence.block_backward(block, input, h, (&*d_z, None), of_gates, d_input.as_deref_mut());
    }
}

/// `d_W_hr += D_h M'` over the steps of a block, with `D_h` packed. The sum over all blocks replaces the gradient, or is added to it
/// once, so that a second backward pass doubles the gradient exactly.
fn add_block<T: Scalar>(
    gradient: &mut [T],
    accumulate: Accumulate<'_, T>,
    (sum, packed): (&mut Vec<T>, &Packed<T>),
    unprojected: &DMatrix<T>,
    block: &Range<usize>,
    layout: &Layout,
) {
    let replaces = accumulate == Accumulate::Replace;
    sum.resize(gradient.len(), T::zero());
    let batch = layout.batch();
    let m = Operand::from(unprojected).columns_from(block.start * batch, block.len() * batch).transposed();
    // The last block is the first one of a backward pass.
    let into = if block.end == layout.steps() { Accumulate::Replace } else { Accumulate::Add };
    packed.product_with(if replaces { &mut *gradient } else { sum }, into, m);
    if !replaces && block.start == 0 {
        kernel::add(gradient, sum);
    }
}
