//! The parts of a recurrent layer that do not depend on its cell: the position of a step and a sequence in the buffers, resets, the
//! product with the input, and the gradients that are sums over all steps.
//!
//! Products that do not depend on the previous step are computed for a *block* of steps at once: as many steps as have
//! [`BLOCK_COLUMNS`] columns together. A block is large enough for a fast matrix product, even with one sequence, and small enough to
//! stay in the processor's cache until its steps are computed. The gradients `d_z` of the pre-activations are kept for one block only.

use super::Connections;
use super::recurrent_weight::{self, RecurrentWeight};
use crate::kernel::{self, Accumulate, Operand, Packed};
use crate::layers::shapes::{check_backward, check_input};
use crate::sequences::{reshape, without_padding};
use crate::{Layer, Layout, Scalar, Sequences};
use alloc::vec::Vec;
use core::ops::Range;
use nalgebra::DMatrix;

/// Number of columns in a block of steps, unless a single step has more.
const BLOCK_COLUMNS: usize = 128;

/// The part of the cache that is the same for every cell.
#[derive(Debug)]
pub(crate) struct Recurrence<T: Scalar> {
    /// `h`, the output, zero at invalid steps.
    pub(crate) hidden: Sequences<T>,
    /// `W_hh`, packed for the kernels once per window and used at each of its steps.
    pub(crate) weight_hh: RecurrentWeight<T>,
    /// `W_ih`, packed for the kernels.
    pub(crate) weight_ih: Packed<T>,
    /// `W_ih'`, packed for the kernels, if the gradient of the input is wanted.
    weight_ih_transposed: Packed<T>,
    /// The input with zeros as padding, if it has any padding.
    cleared_input: Sequences<T>,
    /// The gradients of the parameters, summed over blocks, in the parameters' order.
    sums: [Vec<T>; 4],
    /// `d_z` of some columns, as the left operand of the gradients' products.
    packed: Packed<T>,
}

impl<T: Scalar> Default for Recurrence<T> {
    fn default() -> Self {
        Recurrence {
            hidden: Sequences::default(),
            weight_hh: RecurrentWeight::default(),
            weight_ih: Packed::default(),
            weight_ih_transposed: Packed::default(),
            cleared_input: Sequences::default(),
            sums: [const { Vec::new() }; 4],
            packed: Packed::default(),
        }
    }
}

/// A matrix without elements, for a buffer that grows at its first use.
pub(crate) fn empty<T: Scalar>() -> DMatrix<T> {
    DMatrix::from_vec(0, 0, Vec::new())
}

/// Number of steps in a block, at most the number of all steps.
pub(crate) fn block_steps(layout: &Layout) -> usize {
    (BLOCK_COLUMNS / layout.batch().max(1)).clamp(1, layout.steps().max(1))
}

/// The blocks of steps in order; the last one may be shorter. There is at least one block, which may be empty.
pub(crate) fn blocks(layout: &Layout) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
    let (length, steps) = (block_steps(layout), layout.steps());
    (0..steps.max(1)).step_by(length).map(move |first| first..steps.min(first + length))
}

/// The elements of one step of all sequences in a buffer with `rows` rows.
pub(crate) fn step_of(step: usize, layout: &Layout, rows: usize) -> Range<usize> {
    let length = layout.batch() * rows;
    step * length..(step + 1) * length
}

/// The elements of one sequence in one step of a buffer with `rows` rows.
fn column_of(sequence: usize, rows: usize) -> Range<usize> {
    sequence * rows..(sequence + 1) * rows
}

/// Sets the state of the sequences that are reset before `step` to zero. In the backward pass, the same cuts the gradient.
pub(crate) fn reset<T: Scalar>(carry: &mut [T], layout: &Layout, step: usize) {
    // Skip the scan when there are no resets: at 50 units the empty loop is measurable.
    if !layout.has_resets() {
        return;
    }
    for sequence in layout.resets_at(step) {
        let units = carry.len() / layout.batch();
        carry[column_of(sequence, units)].fill(T::zero());
    }
}

/// One state, `units x batch` per step: the state before every step (after a reset), and then the state after the last step.
#[derive(Debug)]
pub(crate) struct States<T: Scalar> {
    values: DMatrix<T>,
}

impl<T: Scalar> Default for States<T> {
    fn default() -> Self {
        States { values: empty() }
    }
}

impl<T: Scalar> States<T> {
    /// Copies the carry to the state before the first step.
    pub(crate) fn begin(&mut self, carry: &DMatrix<T>, layout: &Layout) {
        let units = carry.nrows();
        reshape(&mut self.values, units, layout.columns().saturating_add(layout.batch()));
        self.values.as_mut_slice()[step_of(0, layout, units)].copy_from_slice(carry.as_slice());
    }

    /// Sets the states of the sequences that are reset before `step` to zero.
    pub(crate) fn reset(&mut self, step: usize, layout: &Layout) {
        let columns = step_of(step, layout, self.values.nrows());
        reset(&mut self.values.as_mut_slice()[columns], layout, step);
    }

    /// The state before `step`, and the buffer for the state after it.
    pub(crate) fn step(&mut self, step: usize, layout: &Layout) -> (&[T], &mut [T]) {
        let columns = step_of(step, layout, self.values.nrows());
        let (before, after) = self.values.as_mut_slice().split_at_mut(columns.end);
        let length = columns.len();
        (&before[columns], &mut after[..length])
    }

    /// Copies the state over an invalid step.
    pub(crate) fn keep_state(&mut self, step: usize, layout: &Layout) {
        let (before, after) = self.step(step, layout);
        for sequence in layout.invalid_at(step) {
            let column = column_of(sequence, before.len() / layout.batch());
            after[column.clone()].copy_from_slice(&before[column]);
        }
    }

    /// The state before every step and after the last one, `units x ((steps + 1) * batch)`.
    pub(crate) fn values(&self) -> &DMatrix<T> {
        &self.values
    }

    /// The state before `step`.
    pub(crate) fn before(&self, step: usize, layout: &Layout) -> &[T] {
        &self.values.as_slice()[step_of(step, layout, self.values.nrows())]
    }

    /// Copies the state after the last step to the carry.
    pub(crate) fn end(&self, carry: &mut DMatrix<T>, layout: &Layout) {
        carry.as_mut_slice().copy_from_slice(self.before(layout.steps(), layout));
    }
}

/// Sets the columns of invalid steps to zero: outputs in the forward pass, gradients in the backward pass.
pub(crate) fn zero_invalid_steps<T: Scalar>(values: &mut [T], layout: &Layout, step: usize) {
    if !layout.has_padding() {
        return;
    }
    for sequence in layout.invalid_at(step) {
        let column = column_of(sequence, values.len() / layout.batch());
        values[column].fill(T::zero());
    }
}

/// `out = W_ih x + bias` for a block of steps: only the recurrent product depends on the previous step.
pub(crate) fn input_product<T: Scalar>(
    out: &mut [T],
    block: &Range<usize>,
    weight_ih: &Packed<T>,
    bias: &[T],
    input: &Sequences<T>,
) {
    let batch = input.batch();
    let (first, last) = (block.start * batch, block.end * batch);
    let x = Operand::from(input.values()).columns_from(first, last - first);
    weight_ih.product_with(&mut out[first * bias.len()..last * bias.len()], Accumulate::Bias(bias), x);
}

impl<T: Scalar> Recurrence<T> {
    /// Checks the shape of the input, reshapes the output and packs the weights.
    pub(crate) fn begin<L: Layer<T>>(
        &mut self,
        layer: &L,
        [weight_ih, weight_hh]: [&DMatrix<T>; 2],
        connections: Connections,
        input: &Sequences<T>,
        units: usize,
    ) {
        let layout = input.layout();
        check_input(|| layer.name(), weight_ih.ncols(), input);
        self.hidden.reshape(units, layout);
        self.weight_ih.pack(weight_ih.into());
        self.weight_hh.pack(weight_hh, connections, layout.batch());
    }

    /// Checks the shapes of a backward pass, reshapes `d_input` and packs the transposed weights.
    pub(crate) fn begin_backward<L: Layer<T>>(
        &mut self,
        layer: &L,
        weights: [&DMatrix<T>; 2],
        input: &Sequences<T>,
        d_output: Option<&Sequences<T>>,
        units: usize,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let [weight_ih, weight_hh] = weights;
        let layout = input.layout();
        check_backward(|| layer.name(), &self.hidden, units, layout, d_output);
        check_input(|| layer.name(), weight_ih.ncols(), input);
        self.weight_hh.pack_transposed(weight_hh);
        without_padding(input, layout, &mut self.cleared_input);
        if let Some(d_input) = d_input {
            d_input.reshape(weight_ih.ncols(), layout);
            self.weight_ih_transposed.pack(Operand::from(weight_ih).transposed());
        }
    }

    /// After the steps of a block in a backward pass:
    ///
    /// ```text
    /// d_W_ih += D_ih X'            d_b_ih += D_ih 1         d_X = W_ih' D_ih
    /// d_W_hh += D_hh Previous'     d_b_hh += D_hh 1
    /// ```
    ///
    /// over the steps of the block, where `D_ih` and `D_hh` are the gradients of `W_ih x + b_ih` and of
    /// `W_hh h + b_hh` (if the cell has [`Connections`]), zero at invalid steps, and `1` is a column of ones. `d_parts` are `D_ih`, and `D_hh` unless the two are one.
    /// `gradients` are `d_W_ih`, `d_W_hh`, `d_b_ih` and `d_b_hh`, if they are wanted.
    pub(crate) fn block_backward(
        &mut self,
        block: Range<usize>,
        input: &Sequences<T>,
        state: &States<T>,
        d_parts: (&DMatrix<T>, Option<&DMatrix<T>>),
        gradients: Option<([&mut [T]; 4], Accumulate<'_, T>)>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        if let Some(gradients) = gradients {
            self.add_block(&block, input, state, d_parts, gradients);
        }
        if let Some(d_input) = d_input {
            let (features, batch) = (d_input.features(), input.batch());
            let (start, end) = (block.start * batch, block.end * batch);
            let d_x = &mut d_input.values_mut().as_mut_slice()[start * features..end * features];
            let d_ih = Operand::from(d_parts.0).columns_from(0, end - start);
            self.weight_ih_transposed.product_with(d_x, Accumulate::Replace, d_ih);
        }
    }

    /// The parameters' gradients of a block. They are replaced by the sum over all blocks, or that sum is added to them once,
    /// so that a second backward pass doubles them exactly.
    fn add_block(
        &mut self,
        block: &Range<usize>,
        input: &Sequences<T>,
        state: &States<T>,
        (d_ih, d_hh): (&DMatrix<T>, Option<&DMatrix<T>>),
        (gradients, accumulate): ([&mut [T]; 4], Accumulate<'_, T>),
    ) {
        let layout = input.layout();
        let (start, end) = (block.start * layout.batch(), block.end * layout.batch());
        let x = if layout.has_padding() { &self.cleared_input } else { input };
        let (x, previous) = (Operand::from(x.values()), Operand::from(state.values()));
        let (packed, one) = (&mut self.packed, [T::one()]);
        let (apart, d_hh) = (d_hh.is_some(), d_hh.unwrap_or(d_ih));
        let (connections, units) = (self.weight_hh.connections(), self.hidden.features());
        let mut sum_up =
            |[weight_ih, weight_hh, bias_ih, bias_hh]: [&mut [T]; 4], columns: Range<usize>, accumulate| {
                let count = columns.len();
                let [x, previous] = [x, previous].map(|whole| whole.columns_from(columns.start, count).transposed());
                let [of_ih, of_hh] = [d_ih, d_hh].map(|d| Operand::from(d).columns_from(columns.start - start, count));
                let ones = Operand::repeated(&one, count);
                packed.pack(of_ih);
                packed.product_with(weight_ih, accumulate, x);
                packed.product_with(bias_ih, accumulate, ones);
                if apart {
                    packed.pack(of_hh);
                }
                match connections {
                    Connections::Full => packed.product_with(weight_hh, accumulate, previous),
                    Connections::Diagonal => {
                        let (d_hh, states) = (of_hh.whole_columns(), previous.transposed().whole_columns());
                        recurrent_weight::diagonal_gradient(weight_hh, accumulate, d_hh, states, units);
                    }
                    Connections::None => return,
                }
                packed.product_with(bias_hh, accumulate, ones);
            };
        // The sum over all blocks replaces the gradients, or has one term: it can be computed in place.
        let one_term = block.len() == layout.steps() && end <= BLOCK_COLUMNS && connections != Connections::Diagonal;
        let in_place = accumulate == Accumulate::Replace || one_term;
        let (mut gradients, mut sums) = (gradients, self.sums.each_mut());
        if !in_place {
            for (sum, gradient) in sums.iter_mut().zip(&gradients) {
                sum.resize(gradient.len(), T::zero());
            }
        }
        // At least once, so that an empty batch replaces the gradients too.
        for first in (start..end.max(start + 1)).step_by(BLOCK_COLUMNS) {
            let columns = first..end.min(first + BLOCK_COLUMNS);
            let begins = first == start && block.end == layout.steps();
            if in_place {
                let accumulate = if begins { accumulate } else { Accumulate::Add };
                sum_up(gradients.each_mut().map(|gradient| &mut **gradient), columns, accumulate);
            } else {
                let accumulate = if begins { Accumulate::Replace } else { Accumulate::Add };
                sum_up(sums.each_mut().map(|sum| sum.as_mut_slice()), columns, accumulate);
            }
        }
        if !in_place && block.start == 0 {
            for (gradient, sum) in gradients.into_iter().zip(sums) {
                kernel::add(gradient, sum);
            }
        }
    }
}
