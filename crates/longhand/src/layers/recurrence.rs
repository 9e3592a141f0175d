//! What the recurrent layers share: where a step and a sequence lie in the buffers, resets, the product that needs no
//! step before it, and the gradients that are sums over all steps.
//!
//! The equations of a step are not here: each layer writes its own.
//!
//! Products that need not wait for the step before are done for a *block* of steps at once: as many as have
//! [`BLOCK_COLUMNS`] columns together. That is enough for a product of matrices to be fast, even with one sequence, and
//! few enough for all of them to be in the cache still when the steps come to use them. Of the gradients `d_z` of the
//! pre-activations no more than a block is ever kept.

use crate::kernel::{self, Accumulate, Operand, Packed, Workspace};
use crate::sequences::{reshape, without_padding};
use crate::{Layer, Layout, Scalar, Sequences};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::DMatrix;

/// Columns in a block of steps, as long as a step does not have more.
const BLOCK_COLUMNS: usize = 128;

/// What the cache of every recurrent layer has.
#[derive(Debug)]
pub(crate) struct Recurrence<T: Scalar> {
    /// `h`, the output, zero at invalid steps.
    pub(crate) hidden: Sequences<T>,
    /// `h[t-1]`: the state that each step starts from, after a reset.
    pub(crate) previous: DMatrix<T>,
    /// `W_hh`, as the kernels want it: packed once a window, used at each of its steps.
    pub(crate) weight_hh: Packed<T>,
    /// `W_hh'`, likewise.
    pub(crate) weight_hh_transposed: Packed<T>,
    /// `W_ih`, likewise.
    pub(crate) weight_ih: Packed<T>,
    /// `W_ih'`, likewise, if anybody wants the gradient of the input.
    weight_ih_transposed: Packed<T>,
    /// The input without its padding, where it has any.
    cleared_input: Sequences<T>,
    /// The gradients of the parameters, summed over blocks, in the parameters' order.
    sums: [Vec<T>; 4],
    workspace: Workspace<T>,
}

impl<T: Scalar> Default for Recurrence<T> {
    fn default() -> Self {
        Recurrence {
            hidden: Sequences::default(),
            previous: empty(),
            weight_hh: Packed::default(),
            weight_hh_transposed: Packed::default(),
            weight_ih: Packed::default(),
            weight_ih_transposed: Packed::default(),
            cleared_input: Sequences::default(),
            sums: [const { Vec::new() }; 4],
            workspace: Workspace::default(),
        }
    }
}

/// A matrix without elements, for a buffer that grows at its first use.
pub(crate) fn empty<T: Scalar>() -> DMatrix<T> {
    DMatrix::from_vec(0, 0, Vec::new())
}

/// Steps in a block, never more than there are.
pub(crate) fn block_steps(layout: &Layout) -> usize {
    (BLOCK_COLUMNS / layout.batch().max(1)).clamp(1, layout.steps().max(1))
}

/// The elements of one step of all sequences in a buffer with so many rows.
pub(crate) fn step_of(step: usize, layout: &Layout, rows: usize) -> Range<usize> {
    let length = layout.batch() * rows;
    step * length..(step + 1) * length
}

/// The same in a buffer that holds one block of steps.
pub(crate) fn step_of_block(step: usize, layout: &Layout, rows: usize) -> Range<usize> {
    step_of(step % block_steps(layout), layout, rows)
}

/// The elements of one sequence in one step of a buffer with so many rows.
pub(crate) fn column_of(sequence: usize, rows: usize) -> Range<usize> {
    sequence * rows..(sequence + 1) * rows
}

/// The gates of one column, which lie one after the other, each with so many units.
pub(crate) fn gates<const GATES: usize, T>(column: &[T], units: usize) -> [&[T]; GATES] {
    // Cut so that the compiler sees the length, and leaves out checks of indices below it.
    core::array::from_fn(|gate| &column[gate * units..][..units])
}

/// The gates of one column, to be written.
pub(crate) fn gates_mut<const GATES: usize, T>(mut column: &mut [T], units: usize) -> [&mut [T]; GATES] {
    core::array::from_fn(|_| {
        let (gate, rest) = core::mem::take(&mut column).split_at_mut(units);
        column = rest;
        gate
    })
}

/// Sets the carry of the sequences that are reset before `step` to zero. Backward, the same cuts its gradient.
pub(crate) fn reset<T: Scalar>(carry: &mut [T], layout: &Layout, step: usize) {
    for sequence in layout.resets_at(step) {
        let units = carry.len() / layout.batch();
        carry[column_of(sequence, units)].fill(T::zero());
    }
}

/// `out = W_ih x + bias` for the block of steps that begins with `step`; nothing if none does.
pub(crate) fn input_product<T: Scalar>(
    out: &mut [T],
    step: usize,
    weight_ih: &Packed<T>,
    bias: &[T],
    input: &Sequences<T>,
) {
    let (layout, features) = (input.layout(), input.features());
    let steps = block_steps(layout);
    if step.is_multiple_of(steps) {
        let (first, last) = (step * layout.batch(), layout.steps().min(step + steps) * layout.batch());
        let (out, x) = (&mut out[first * bias.len()..last * bias.len()], Operand::from(input.values()));
        kernel::fill_columns(out, bias);
        if features > 0 {
            weight_ih.product_with(out, Accumulate::Add, x.columns_from(first, last - first));
        }
    }
}

impl<T: Scalar> Recurrence<T> {
    /// Checks the shapes of a forward pass, gives the buffers theirs and packs the weights.
    pub(crate) fn begin<L>(&mut self, layer: &L, weights: [&DMatrix<T>; 2], input: &Sequences<T>, carry: &DMatrix<T>)
    where
        L: Layer<T>,
    {
        let [weight_ih, weight_hh] = weights;
        let (units, layout) = (weight_hh.ncols(), input.layout());
        assert_eq!(input.features(), weight_ih.ncols(), "{} was given {} features", layer.name(), input.features());
        assert_eq!(carry.shape(), (units, layout.batch()), "{} was given the carry of another shape", layer.name());
        self.hidden.reshape(units, layout);
        reshape(&mut self.previous, units, layout.columns());
        self.weight_ih.pack(weight_ih.into());
        self.weight_hh.pack(weight_hh.into());
    }

    /// Checks the shapes of a backward pass, gives `d_input` its own and packs the transposed weights.
    pub(crate) fn begin_backward(
        &mut self,
        weights: [&DMatrix<T>; 2],
        input: &Sequences<T>,
        d_output: &Sequences<T>,
        d_carry: &DMatrix<T>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let [weight_ih, weight_hh] = weights;
        let (units, layout) = (weight_hh.ncols(), input.layout());
        let shape = self.hidden.values().shape();
        assert_eq!(shape, (units, layout.columns()), "backward follows a forward of this shape");
        assert_eq!(d_output.values().shape(), shape, "d_output has the shape of the output");
        assert_eq!(d_carry.shape(), (units, layout.batch()), "d_carry has the shape of the carry");
        self.weight_hh_transposed.pack(Operand::from(weight_hh).transposed());
        without_padding(input, layout, &mut self.cleared_input);
        if let Some(d_input) = d_input {
            d_input.reshape(weight_ih.ncols(), layout);
            self.weight_ih_transposed.pack(Operand::from(weight_ih).transposed());
        }
    }

    /// After `step` of a backward pass, if a block begins with it and so is done:
    ///
    /// ```text
    /// d_W_ih += D_ih X'            d_b_ih += sum of the columns of D_ih         d_X = W_ih' D_ih
    /// d_W_hh += D_hh Previous'     d_b_hh += sum of the columns of D_hh
    /// ```
    ///
    /// over the steps of the block, where `D_ih` and `D_hh` are the gradients of `W_ih x + b_ih` and of
    /// `W_hh h + b_hh`, zero at invalid steps. `gradients` are `d_W_ih`, `d_W_hh`, `d_b_ih` and `d_b_hh`.
    ///
    /// They are added once, as the sum over all blocks, so that a second backward pass doubles them exactly.
    pub(crate) fn block_backward(
        &mut self,
        step: usize,
        input: &Sequences<T>,
        [d_ih, d_hh]: [&DMatrix<T>; 2],
        gradients: [&mut [T]; 4],
        d_input: Option<&mut Sequences<T>>,
    ) {
        let layout = input.layout();
        let steps = block_steps(layout);
        if !step.is_multiple_of(steps) {
            return;
        }
        let last = layout.steps().min(step + steps);
        let (start, columns) = (step * layout.batch(), (last - step) * layout.batch());
        let x = if layout.has_padding() { &self.cleared_input } else { input };
        let x = Operand::from(x.values()).columns_from(start, columns).transposed();
        let previous = Operand::from(&self.previous).columns_from(start, columns).transposed();
        let (d_ih, d_hh) = (Operand::from(d_ih).columns_from(0, columns), Operand::from(d_hh).columns_from(0, columns));
        let workspace = &mut self.workspace;
        let mut sum_up = |[weight_ih, weight_hh, bias_ih, bias_hh]: [&mut [T]; 4], accumulate| {
            kernel::product(weight_ih, accumulate, d_ih, x, workspace);
            kernel::product(weight_hh, accumulate, d_hh, previous, workspace);
            for (bias, d) in [(bias_ih, d_ih), (bias_hh, d_hh)] {
                if accumulate == Accumulate::Replace {
                    bias.fill(T::zero());
                }
                kernel::add_columns(bias, &d.values[..d.rows * columns]);
            }
        };
        if steps == layout.steps() {
            sum_up(gradients, Accumulate::Add);
        } else {
            for (sum, gradient) in self.sums.iter_mut().zip(&gradients) {
                sum.resize(gradient.len(), T::zero());
            }
            let first = last == layout.steps();
            sum_up(
                self.sums.each_mut().map(Vec::as_mut_slice),
                if first { Accumulate::Replace } else { Accumulate::Add },
            );
            if step == 0 {
                for (gradient, sum) in gradients.into_iter().zip(&self.sums) {
                    kernel::add(gradient, sum);
                }
            }
        }
        if let Some(d_input) = d_input {
            let features = d_input.features();
            let d_x = &mut d_input.values_mut().as_mut_slice()[start * features..(start + columns) * features];
            self.weight_ih_transposed.product_with(d_x, Accumulate::Replace, d_ih);
        }
    }
}
