//! Element-wise nonlinearities as layers.
//!
//! # Equations and their derivatives
//! | layer | `y` | `d_x`, from the output alone |
//! |---|---|---|
//! | `Activation::Tanh` | `tanh(x)` | `d_y (1 - y^2)` |
//! | `Activation::Sigmoid` | `1 / (1 + exp(-x))` | `d_y y (1 - y)` |
//! | `Activation::Relu` | `max(x, 0)` | `d_y` where `y > 0`, else 0 (so 0 at `x = 0`) |
//!
//! Outputs and gradients too small to matter are flushed to zero: see [`vanishing`](crate::vanishing).
//!
//! Shapes: any `features x (steps * batch)`; output and gradient are zero at invalid steps.

use super::shapes::{check_backward, check_input};
use crate::kernel::{Equations, Real, compiled_here, each, set_zero};
use crate::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences};
use alloc::{format, string::String};

/// An element-wise nonlinearity; see the [module](self) for its equations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function. A loss on its output is better fused: see
    /// [`SigmoidCrossEntropy`](crate::SigmoidCrossEntropy).
    Sigmoid,
    /// The rectifier.
    Relu,
}

crate::tensors!(Activation);

/// `y` from `x`.
#[derive(Clone, Copy)]
pub(crate) struct Forward(pub(crate) Activation);

compiled_here!(Forward, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for Forward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [x]: [V; 1], _: [V; 1]) -> [V; 1] {
        [match self.0 {
            Activation::Tanh => x.flush_to_zero().tanh(),
            Activation::Sigmoid => x.sigmoid(),
            Activation::Relu => x.constant(T::zero()).max(x).flush_to_zero(),
        }]
    }
}

/// `d_x` from `y` and `d_y`.
#[derive(Clone, Copy)]
struct Backward(Activation);

compiled_here!(Backward, 2, 1);

impl<T: Scalar> Equations<T, 2, 1> for Backward {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [y, d_y]: [V; 2], _: [V; 1]) -> [V; 1] {
        let one = y.constant(T::one());
        let d_x = match self.0 {
            Activation::Tanh => d_y * (one - y * y),
            Activation::Sigmoid => d_y * y * (one - y),
            Activation::Relu => y.where_positive(d_y),
        };
        [d_x.flush_to_zero()]
    }
}

impl<T: Scalar> Layer<T> for Activation {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("{self:?}")
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
        check_input(|| Layer::<T>::name(self), input.features(), input);
        output.reshape(input.features(), input.layout());
        let y = output.values_mut().as_mut_slice();
        each(Forward(*self), [input.values().as_slice()], [y]);
        output.clear_padding();
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
        check_backward(|| Layer::<T>::name(self), output, input.features(), input.layout(), d_output);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), input.layout());
        let d_x = d_input.values_mut().as_mut_slice();
        match d_output {
            Some(d_output) => each(Backward(*self), [output.values().as_slice(), d_output.values().as_slice()], [d_x]),
            None => set_zero(d_x),
        }
        d_input.clear_padding();
    }
}
