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
//! # Derivation of the backward pass
//! Each valid step stands in the sum once, so `d_x[t, b] = d_y[b] / n[b]` there, and zero elsewhere.
//!
//! In truncated training each window has its own mean: the output is that of the window it is given.

use crate::kernel;
use crate::scalar::real;
use crate::{Features, Layer, Layout, Pass, Scalar, Sequences};
use alloc::{borrow::ToOwned, string::String};

/// The mean over the valid steps of each sequence; see the [module](self) for its equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeanOverTime;

crate::tensors!(MeanOverTime);

fn valid_steps(layout: &Layout, sequence: usize) -> impl Iterator<Item = usize> {
    (0..layout.steps()).filter(move |&step| layout.is_valid(step, sequence))
}

impl<T: Scalar> Layer<T> for MeanOverTime {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

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
        output: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let layout = input.layout();
        output.reshape_marked(input.features(), 1, layout.batch(), |_, b| layout.last_valid_step(b).is_some());
        output.values_mut().as_mut_slice().fill(T::zero());
        for step in 0..layout.steps() {
            if layout.invalid_at(step).next().is_none() {
                let length = layout.batch() * input.features();
                let x = &input.values().as_slice()[step * length..(step + 1) * length];
                kernel::add(output.values_mut().as_mut_slice(), x);
                continue;
            }
            for sequence in (0..layout.batch()).filter(|&sequence| layout.is_valid(step, sequence)) {
                kernel::add(output.at_mut(0, sequence), input.at(step, sequence));
            }
        }
        for sequence in 0..layout.batch() {
            let n = valid_steps(layout, sequence).count();
            if n > 0 {
                for y in output.at_mut(0, sequence) {
                    *y /= real(n as f64);
                }
            }
        }
        output
    }

    fn output(cache: &Sequences<T>) -> &Sequences<T> {
        cache
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        _: &mut Sequences<T>,
        d_output: &Sequences<T>,
        (): &mut (),
        _: &mut Self,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let Some(d_input) = d_input else { return };
        let layout = input.layout();
        d_input.reshape(input.features(), layout);
        if !layout.has_padding() && layout.columns() > 0 {
            // The same at every step.
            let n = real::<T>(layout.steps() as f64);
            let (first, others) = d_input.values_mut().as_mut_slice().split_at_mut(d_output.values().len());
            for (d_x, &d_y) in first.iter_mut().zip(d_output.values().as_slice()) {
                *d_x = d_y / n;
            }
            others.chunks_exact_mut(first.len()).for_each(|d_x| d_x.copy_from_slice(first));
            return;
        }
        d_input.values_mut().as_mut_slice().fill(T::zero());
        for sequence in 0..layout.batch() {
            let n = real::<T>(valid_steps(layout, sequence).count() as f64);
            for step in valid_steps(layout, sequence) {
                let d_x = d_input.at_mut(step, sequence);
                for (d_x, &d_y) in d_x.iter_mut().zip(d_output.at(0, sequence)) {
                    *d_x = d_y / n;
                }
            }
        }
    }
}
