//! The passes over the steps, forward and back.

use super::cell::{Carry, Cell};
use super::recurrence::{self, Recurrence, States, step_of};
use super::{Recurrent, RecurrentCache, RecurrentPrepared, streaming};
use crate::kernel::{self, Accumulate, BackwardStep, ForwardStep};
use crate::layers::shapes;
use crate::scalar::compiled;
use crate::sequences::reshape;
use crate::{Layer, ParameterGradients, Path, Scalar, Sequences, Tensors};
use alloc::{format, vec::Vec};

type Forward<T, C> = fn(&Recurrent<T, C>, &Sequences<T>, &mut <C as Cell>::Carry<T>, &mut RecurrentCache<T>);

type Backward<T, C> = fn(
    &Recurrent<T, C>,
    &Sequences<T>,
    &mut RecurrentCache<T>,
    Option<&Sequences<T>>,
    &mut <C as Cell>::Carry<T>,
    ParameterGradients<'_, Recurrent<T, C>>,
    Option<&mut Sequences<T>>,
);

type Step<T, C> = fn(&mut RecurrentPrepared<T, C>, &[T], &mut <C as Cell>::Carry<T>, &mut [T]);

/// The functions that run the passes of a layer.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Passes<T: Scalar, C: Cell> {
    pub(super) forward: Forward<T, C>,
    pub(super) backward: Backward<T, C>,
    pub(super) step: Step<T, C>,
}

impl<T: Scalar, C: Cell> Passes<T, C> {
    /// Compiled in the crate that uses the layer.
    pub(super) const GENERIC: Passes<T, C> = Passes { forward, backward, step: streaming::step };

    /// From functions that a crate has compiled.
    pub(crate) const fn new(forward: Forward<T, C>, backward: Backward<T, C>, step: Step<T, C>) -> Self {
        Passes { forward, backward, step }
    }
}

/// The passes that are compiled with the cell for `f32` and `f64`, or generic ones for any other scalar.
#[inline]
pub(super) fn passes<T: Scalar, C: Cell>() -> Passes<T, C> {
    compiled([&C::SINGLE, &C::DOUBLE], Passes::GENERIC)
}

/// Compiles the passes of a cell for `f32` and `f64` in the crate where the macro stands, and not again in every crate that
/// uses the layer: `compiled_passes!(LstmCell);` inside of `impl Cell`.
macro_rules! compiled_passes {
    ($cell:ty) => {
        const SINGLE: $crate::layers::recurrent::Passes<f32, $cell> =
    $crate::layers::recurrent::compiled_passes!(@ $cell, f32);
        const DOUBLE: $crate::layers::recurrent::Passes<f64, $cell> =
    $crate::layers::recurrent::compiled_passes!(@ $cell, f64);
    };
    (@ $cell:ty, $scalar:ty) => {{
        use $crate::layers::recurrent::{Cell, Recurrent, RecurrentCache, RecurrentPrepared, passes, streaming};
        fn forward(
            layer: &Recurrent<$scalar, $cell>,
            input: &$crate::Sequences<$scalar>,
            carry: &mut <$cell as Cell>::Carry<$scalar>,
            cache: &mut RecurrentCache<$scalar>,
        ) {
            passes::forward(layer, input, carry, cache);
        }
        fn backward(
            layer: &Recurrent<$scalar, $cell>,
            input: &$crate::Sequences<$scalar>,
            cache: &mut RecurrentCache<$scalar>,
            d_output: Option<&$crate::Sequences<$scalar>>,
            d_carry: &mut <$cell as Cell>::Carry<$scalar>,
            gradients: $crate::ParameterGradients<'_, Recurrent<$scalar, $cell>>,
            d_input: Option<&mut $crate::Sequences<$scalar>>,
        ) {
            passes::backward(layer, input, cache, d_output, d_carry, gradients, d_input);
        }
        fn step(
            prepared: &mut RecurrentPrepared<$scalar, $cell>,
            input: &[$scalar],
            carry: &mut <$cell as Cell>::Carry<$scalar>,
            output: &mut [$scalar],
        ) {
            streaming::step(prepared, input, carry, output);
        }
        $crate::layers::recurrent::Passes::new(forward, backward, step)
    }};
}
pub(crate) use compiled_passes;

/// Panics unless each state of a carry is `units x batch`.
fn check_carry<T: Scalar, C: Cell>(layer: &Recurrent<T, C>, what: &str, carry: &C::Carry<T>, batch: usize) {
    carry.visit(&Path::ROOT, &mut |path, shape, _| {
        if (shape.rows, shape.columns) != (layer.units(), batch) {
            let state = if Recurrent::<T, C>::STATES > 1 { format!("{what}'s {path}") } else { what.into() };
            shapes::check_tensor(|| layer.name(), &state, (shape.rows, shape.columns), (layer.units(), batch));
        }
    });
}

impl<T: Scalar, C: Cell> Recurrent<T, C> {
    /// The bias of the product with the input: `b_ih`, or `b_ih + b_hh` if the product with the state is added to it.
    pub(super) fn bias_of_products(&self, bias: &mut Vec<T>) {
        bias.clear();
        bias.extend_from_slice(self.bias_ih_l0.as_slice());
        if Self::HAS_STATE_PART && !Self::APART {
            kernel::add(bias, self.bias_hh_l0.as_slice());
        }
    }
}

/// The forward pass. It stores the output in the cache.
pub(crate) fn forward<T: Scalar, C: Cell>(
    layer: &Recurrent<T, C>,
    input: &Sequences<T>,
    carry: &mut C::Carry<T>,
    cache: &mut RecurrentCache<T>,
) {
    let (gates_per_unit, extra_per_unit) = (Recurrent::<T, C>::GATES, Recurrent::<T, C>::EXTRA);
    let (units, layout) = (layer.units(), input.layout());
    let batch = layout.batch();
    let RecurrentCache { recurrence, states, bias, gates, state_part, extra, .. } = cache;
    layer.check_parameters();
    check_carry(layer, "the carry", carry, batch);
    recurrence.begin(layer, [&layer.weight_ih_l0, &layer.weight_hh_l0], C::CONNECTIONS, input, units);
    states.resize_with(Recurrent::<T, C>::STATES, States::default);
    let mut index = 0;
    carry.each_state(|state| {
        states[index].begin(state, layout);
        index += 1;
    });
    layer.bias_of_products(bias);
    if Recurrent::<T, C>::APART {
        reshape(state_part, gates_per_unit * units, batch);
    }
    if !C::KEEPS_OUTPUT {
        reshape(gates, gates_per_unit * units, layout.columns());
    }
    reshape(extra, extra_per_unit * units, layout.columns());
    let Recurrence { hidden, weight_ih, weight_hh, .. } = recurrence;
    let (gates, extra, state_part) = (gates.as_mut_slice(), extra.as_mut_slice(), state_part.as_mut_slice());
    let hidden = hidden.values_mut().as_mut_slice();

    for block in recurrence::blocks(layout) {
        let z = if C::KEEPS_OUTPUT { &mut *hidden } else { &mut *gates };
        recurrence::input_product(z, &block, weight_ih, bias, input);
        for step in block {
            let output = &mut hidden[step_of(step, layout, units)];
            let (z, mut output) = if C::KEEPS_OUTPUT {
                (output, None)
            } else {
                (&mut gates[step_of(step, layout, gates_per_unit * units)], Some(output))
            };
            let extra = &mut extra[step_of(step, layout, extra_per_unit * units)];
            for state in states.iter_mut() {
                state.reset(step, layout);
            }
            let h = states[0].before(step, layout);
            if Recurrent::<T, C>::APART {
                weight_hh.product(state_part, Accumulate::Bias(layer.bias_hh_l0.as_slice()), h);
            } else {
                weight_hh.product(z, Accumulate::Add, h);
            }
            let valid = layout.valid_at(step);
            let mut pass =
                ForwardStep::new(layer.cell, (units, batch), valid, z, state_part, extra, output.as_deref_mut());
            for state in states.iter_mut() {
                let (before, after) = state.step(step, layout);
                pass.state(before, after);
            }
            pass.run();
            if layout.has_padding() {
                for state in states.iter_mut() {
                    state.keep_state(step, layout);
                }
                recurrence::zero_invalid_steps(output.unwrap_or(z), layout, step);
            }
        }
    }
    let mut index = 0;
    carry.each_state(|state| {
        states[index].end(state, layout);
        index += 1;
    });
}

/// The backward pass.
pub(crate) fn backward<T: Scalar, C: Cell>(
    layer: &Recurrent<T, C>,
    input: &Sequences<T>,
    cache: &mut RecurrentCache<T>,
    d_output: Option<&Sequences<T>>,
    d_carry: &mut C::Carry<T>,
    gradients: ParameterGradients<'_, Recurrent<T, C>>,
    mut d_input: Option<&mut Sequences<T>>,
) {
    layer.check_parameters();
    let mut gradients = gradients.accumulated();
    if let Some((gradients, _)) = &gradients {
        shapes::check_recurrent_gradients(|| layer.name(), layer.shapes(), gradients.shapes());
    }
    let (gates_per_unit, extra_per_unit) = (Recurrent::<T, C>::GATES, Recurrent::<T, C>::EXTRA);
    let apart = Recurrent::<T, C>::APART;
    let (units, layout) = (layer.units(), input.layout());
    let batch = layout.batch();
    let RecurrentCache { recurrence, states, gates, extra, d_input_part, d_state_part, no_d_output, .. } = cache;
    let weights = [&layer.weight_ih_l0, &layer.weight_hh_l0];
    recurrence.begin_backward(layer, weights, input, d_output, units, d_input.as_deref_mut());
    check_carry(layer, "d_carry", d_carry, batch);
    let block_columns = recurrence::block_steps(layout) * batch;
    reshape(d_input_part, gates_per_unit * units, block_columns);
    if apart {
        reshape(d_state_part, gates_per_unit * units, block_columns);
    }
    if d_output.is_none() {
        no_d_output.resize(units * batch, T::zero());
    }

    for block in recurrence::blocks(layout).rev() {
        for step in block.clone().rev() {
            let columns = step_of(step, layout, units);
            let kept = if C::KEEPS_OUTPUT {
                &recurrence.hidden.values().as_slice()[columns.clone()]
            } else {
                &gates.as_slice()[step_of(step, layout, gates_per_unit * units)]
            };
            let extra = &extra.as_slice()[step_of(step, layout, extra_per_unit * units)];
            let d_output = match d_output {
                Some(d_output) => &d_output.values().as_slice()[columns],
                None => &no_d_output[..units * batch],
            };
            let in_block = step_of(step - block.start, layout, gates_per_unit * units);
            let d_input_part = &mut d_input_part.as_mut_slice()[in_block.clone()];
            let d_state_part: &mut [T] =
                if apart { &mut d_state_part.as_mut_slice()[in_block] } else { Default::default() };
            let mut pass = BackwardStep::new(
                layer.cell,
                (units, batch),
                layout.valid_at(step),
                [kept, extra, d_output],
                [&mut *d_input_part, &mut *d_state_part],
            );
            let mut index = 0;
            d_carry.each_state(|d_state| {
                pass.state(states[index].before(step, layout), d_state.as_mut_slice());
                index += 1;
            });
            pass.run();
            recurrence::zero_invalid_steps(d_input_part, layout, step);
            if apart {
                recurrence::zero_invalid_steps(d_state_part, layout, step);
            }
            let d_hh = if apart { d_state_part } else { d_input_part };
            let mut is_hidden = true;
            d_carry.each_state(|d_state| {
                if core::mem::take(&mut is_hidden) {
                    // Added to the part of the gradient that the cell's equations have computed.
                    recurrence.weight_hh.add_transposed_product(d_state.as_mut_slice(), d_hh);
                }
                recurrence::reset(d_state.as_mut_slice(), layout, step);
            });
        }
        let gradients = gradients.as_mut().map(|(gradients, accumulate)| {
            let tensors = [
                gradients.weight_ih_l0.as_mut_slice(),
                gradients.weight_hh_l0.as_mut_slice(),
                gradients.bias_ih_l0.as_mut_slice(),
                gradients.bias_hh_l0.as_mut_slice(),
            ];
            (tensors, *accumulate)
        });
        let d_parts = (&*d_input_part, apart.then_some(&*d_state_part));
        recurrence.block_backward(block, input, &states[0], d_parts, gradients, d_input.as_deref_mut());
    }
}
