//! The mean over the valid steps of each sequence.
//!
//! # Equations
//! With `n[b]` the number of valid steps of sequence `b`,
//!
//! ```text
//! y[b] = 1/n[b] * sum of x[t, b] over its valid steps t
//! ```
//!
//! Shapes: `features x (steps * batch)` to `features x batch`, one step. A sequence without a valid step gives an
//! invalid step.
//!
//! The steps are summed in blocks, and the sums of the blocks with a correction for what each addition rounds away, so
//! that a long sequence does not lose digits: plain sums of a million equal numbers in `f32` are wrong by 1 %.
//!
//! # Derivation of the backward pass
//! Each valid step stands in the sum once, so `d_x[t, b] = d_y[b] / n[b]` there, and zero elsewhere.
//!
//! In truncated training each window has its own mean: the output is that of the window it is given.

use super::shapes::{check_backward, check_input};
use crate::kernel::{self, Equations, Real, compiled_here, each};
use crate::scalar::{count, flush_to_zero, real};
use crate::{Features, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences};
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// The mean over the valid steps of each sequence; see the [module](self) for its equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanOverTime;

crate::tensors!(MeanOverTime);

/// Steps in a block: a sum of that many terms loses few digits, and most windows are one block or two.
const BLOCK_STEPS: usize = 64;

/// The output of [`MeanOverTime`], and buffers for sequences of several blocks.
#[derive(Debug)]
pub struct MeanOverTimeCache<T> {
    output: Sequences<T>,
    /// The sum over one block of steps, shaped like the output.
    block: Vec<T>,
    /// What the additions of blocks rounded away.
    rounded_away: Vec<T>,
}

impl<T: Scalar> Default for MeanOverTimeCache<T> {
    fn default() -> Self {
        MeanOverTimeCache { output: Sequences::default(), block: Vec::new(), rounded_away: Vec::new() }
    }
}

/// Adds a block to a sum in twice the precision: the rounded sum, and what rounding took away from it. The error of an
/// addition is worked out without a comparison (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2,
/// theorem B).
#[derive(Clone, Copy)]
struct AddBlock<T> {
    /// The lowest finite number: replaces the error of an infinite sum, which is NaN.
    lowest: T,
}

compiled_here!(AddBlock<T>, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for AddBlock<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [block]: [V; 1], [sum, rounded_away]: [V; 2]) -> [V; 2] {
        let total = sum + block;
        let of_block = total - sum;
        let error = (sum - (total - of_block)) + (block - of_block);
        let rest = (error + rounded_away).max(sum.constant(self.lowest));
        let sum = total + rest;
        [sum, (total - sum) + rest]
    }
}

fn valid_steps(layout: &Layout, sequence: usize) -> impl Iterator<Item = usize> {
    (0..layout.steps()).filter(move |&step| layout.is_valid(step, sequence))
}

/// `sums += x[step]` at the valid sequences of a step.
fn add_step<T: Scalar>(sums: &mut [T], input: &Sequences<T>, step: usize) {
    let (layout, features) = (input.layout(), input.features());
    if layout.invalid_at(step).next().is_none() {
        kernel::add(sums, &input.values().as_slice()[step * sums.len()..][..sums.len()]);
        return;
    }
    for sequence in (0..layout.batch()).filter(|&sequence| layout.is_valid(step, sequence)) {
        kernel::add(&mut sums[sequence * features..][..features], input.at(step, sequence));
    }
}

impl<T: Scalar> Layer<T> for MeanOverTime {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = MeanOverTimeCache<T>;

    fn name(&self) -> String {
        "MeanOverTime".to_owned()
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut MeanOverTimeCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (layout, MeanOverTimeCache { output, block, rounded_away }) = (input.layout(), cache);
        check_input(|| Layer::<T>::name(self), input.features(), input);
        output.reshape_marked(
            input.features(),
            1,
            layout.batch(),
            |_, b| layout.last_valid_step(b).is_some(),
            |_, _| false,
        );
        let sums = output.values_mut().as_mut_slice();
        kernel::set_zero(sums);
        if layout.steps() <= BLOCK_STEPS {
            (0..layout.steps()).for_each(|step| add_step(sums, input, step));
        } else {
            for buffer in [&mut *block, &mut *rounded_away] {
                buffer.clear();
                buffer.resize(sums.len(), T::zero());
            }
            let lowest = -T::max_value().unwrap_or(real(f64::MAX));
            for first in (0..layout.steps()).step_by(BLOCK_STEPS) {
                kernel::set_zero(block);
                let steps = first..layout.steps().min(first + BLOCK_STEPS);
                steps.for_each(|step| add_step(block, input, step));
                each(AddBlock { lowest }, [block], [sums, rounded_away]);
            }
        }
        for sequence in 0..layout.batch() {
            let n = valid_steps(layout, sequence).count();
            if n > 0 {
                for y in output.at_mut(0, sequence) {
                    *y /= count(n);
                }
            }
        }
        output
    }

    fn output(cache: &MeanOverTimeCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut MeanOverTimeCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let layout = input.layout();
        let one_step = Layout::new(1, layout.batch());
        check_backward(|| Layer::<T>::name(self), &cache.output, input.features(), &one_step, d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), layout);
        let Some(d_output) = d_output else { return kernel::set_zero(d_input.values_mut().as_mut_slice()) };
        let d_y = d_output.values().as_slice();
        let d_x = d_input.values_mut().as_mut_slice();
        if !layout.has_padding() && !d_x.is_empty() {
            // The same at every step.
            let (n, (first, others)) = (count(layout.steps()), d_x.split_at_mut(d_y.len()));
            for (d_x, &d_y) in first.iter_mut().zip(d_y) {
                *d_x = flush_to_zero(d_y / n);
            }
            others.chunks_exact_mut(first.len()).for_each(|d_x| d_x.copy_from_slice(first));
            return;
        }
        kernel::set_zero(d_x);
        for sequence in 0..layout.batch() {
            let n = count(valid_steps(layout, sequence).count());
            for step in valid_steps(layout, sequence) {
                let d_x = d_input.at_mut(step, sequence);
                for (d_x, &d_y) in d_x.iter_mut().zip(d_output.at(0, sequence)) {
                    *d_x = flush_to_zero(d_y / n);
                }
            }
        }
    }
}
