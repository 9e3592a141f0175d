//! The last valid step of each sequence.
//!
//! # Equations
//! With `last[b]` the last valid step of sequence `b`,
//!
//! ```text
//! y[b] = x[last[b], b]
//! ```
//!
//! Shapes: `features x (steps * batch)` to `features x batch`, one step. A sequence without a valid step gives an
//! invalid step.
//!
//! # Derivation of the backward pass
//! The output is a copy of one column, so its gradient goes to that column, and all other columns get zero.
//!
//! In truncated training each window has a last step of its own.

use super::shapes::{check_backward, check_input};
use crate::{Features, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences, kernel};
use alloc::{borrow::ToOwned, string::String};

/// The last valid step of each sequence; see the [module](self) for its equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastStep;

crate::tensors!(LastStep);

impl<T: Scalar> Layer<T> for LastStep {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        "LastStep".to_owned()
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
        check_input(|| Layer::<T>::name(self), input.features(), input);
        output.reshape_marked(
            input.features(),
            1,
            layout.batch(),
            |_, b| layout.last_valid_step(b).is_some(),
            |_, _| false,
        );
        for sequence in 0..layout.batch() {
            let y = output.at_mut(0, sequence);
            match layout.last_valid_step(sequence) {
                Some(last) => y.copy_from_slice(input.at(last, sequence)),
                None => y.fill(T::zero()),
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
        output: &mut Sequences<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let layout = input.layout();
        let one_step = Layout::new(1, layout.batch());
        check_backward(|| Layer::<T>::name(self), output, input.features(), &one_step, d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), layout);
        kernel::set_zero(d_input.values_mut().as_mut_slice());
        let Some(d_output) = d_output else { return };
        for sequence in 0..layout.batch() {
            if let Some(last) = layout.last_valid_step(sequence) {
                d_input.at_mut(last, sequence).copy_from_slice(d_output.at(0, sequence));
            }
        }
    }
}
