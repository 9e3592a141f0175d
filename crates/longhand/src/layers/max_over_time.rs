//! The maximum over the valid steps of each sequence, feature by feature.
//!
//! # Equations
//! ```text
//! y[b] = max of x[t, b] over its valid steps t
//! ```
//!
//! Shapes: `features x (steps * batch)` to `features x batch`, one step. A sequence without a valid step gives an
//! invalid step. If one of the values is NaN, the maximum is NaN, as in PyTorch.
//!
//! # Derivation of the backward pass
//! The output is a copy of one element of the input, so that element gets the whole gradient, and all others get zero. Among equal
//! values the first step counts: the function has a kink there, and this is the convention of PyTorch's `max` over a dimension.
//! (PyTorch's `amax` divides the gradient among equal values.) The step of each maximum is kept in the cache.
//!
//! Resets do not matter: the maximum is over all valid steps, on both sides of a reset. In truncated training each window has its
//! own maximum: the output is that of the window it is given.

use super::shapes::{check_backward, check_input};
use crate::scalar::compiled;
use crate::{Features, Layer, Layout, ParameterGradients, Pass, Scalar, Sequences, kernel};
use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::cmp::Ordering;

/// The maximum over the valid steps of each sequence; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Layer, MaxOverTime, Pass, Sequences};
///
/// let x = Sequences::from_fn(1, 3, 1, |_, step, _| [1.0, 5.0, 2.0][step]);
/// let mut cache = Default::default();
/// assert_eq!(MaxOverTime.forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0), [5.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxOverTime;

crate::tensors!(MaxOverTime);

/// The output of [`MaxOverTime`], and the step of each of its elements.
#[derive(Debug)]
pub struct MaxOverTimeCache<T: Scalar> {
    output: Sequences<T>,
    steps: Vec<usize>,
}

impl<T: Scalar> Default for MaxOverTimeCache<T> {
    fn default() -> Self {
        MaxOverTimeCache { output: Sequences::default(), steps: Vec::new() }
    }
}

/// The forward pass of one sequence, as a function that is compiled in this crate for `f32` and `f64`.
type Maximum<T> = fn(&Sequences<T>, usize, &mut [T], &mut [usize]);

fn maximum_f32(input: &Sequences<f32>, sequence: usize, y: &mut [f32], steps: &mut [usize]) {
    maximum(input, sequence, y, steps);
}

fn maximum_f64(input: &Sequences<f64>, sequence: usize, y: &mut [f64], steps: &mut [usize]) {
    maximum(input, sequence, y, steps);
}

fn maximum<T: Scalar>(input: &Sequences<T>, sequence: usize, y: &mut [T], steps: &mut [usize]) {
    let layout = input.layout();
    let mut valid = (0..layout.steps()).filter(|&step| layout.is_valid(step, sequence));
    let Some(first) = valid.next() else { return y.fill(T::zero()) };
    y.copy_from_slice(input.at(first, sequence));
    steps.fill(first);
    for step in valid {
        for ((y, at), &x) in y.iter_mut().zip(&mut *steps).zip(input.at(step, sequence)) {
            let is_larger = match x.partial_cmp(y) {
                Some(order) => order == Ordering::Greater,
                // One of the two is NaN. The first NaN counts.
                None => y.partial_cmp(&y).is_some(),
            };
            if is_larger {
                (*y, *at) = (x, step);
            }
        }
    }
}

impl<T: Scalar> Layer<T> for MaxOverTime {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = MaxOverTimeCache<T>;

    fn name(&self) -> String {
        "MaxOverTime".to_owned()
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut MaxOverTimeCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        let (layout, features, MaxOverTimeCache { output, steps }) = (input.layout(), input.features(), cache);
        check_input(|| Layer::<T>::name(self), features, input);
        let has_steps = |_, sequence| layout.last_valid_step(sequence).is_some();
        output.reshape_marked(features, 1, layout.batch(), has_steps, |_, _| false);
        steps.resize(features * layout.batch(), 0);
        let pass = [&(maximum_f32 as Maximum<f32>) as &dyn core::any::Any, &(maximum_f64 as Maximum<f64>)];
        let pass = compiled(pass, maximum as Maximum<T>);
        for sequence in 0..layout.batch() {
            let steps = &mut steps[sequence * features..(sequence + 1) * features];
            pass(input, sequence, output.at_mut(0, sequence), steps);
        }
        output
    }

    fn output(cache: &MaxOverTimeCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut MaxOverTimeCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        _: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let (layout, features) = (input.layout(), input.features());
        let one_step = Layout::new(1, layout.batch());
        check_backward(|| Layer::<T>::name(self), &cache.output, features, &one_step, d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(features, layout);
        kernel::set_zero(d_input.values_mut().as_mut_slice());
        let Some(d_output) = d_output else { return };
        for sequence in 0..layout.batch() {
            if !cache.output.layout().is_valid(0, sequence) {
                continue;
            }
            let steps = &cache.steps[sequence * features..(sequence + 1) * features];
            for (feature, (&step, &d_y)) in steps.iter().zip(d_output.at(0, sequence)).enumerate() {
                d_input.at_mut(step, sequence)[feature] = d_y;
            }
        }
    }
}
