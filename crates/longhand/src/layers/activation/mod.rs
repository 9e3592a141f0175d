//! Element-wise nonlinearities as layers.
//!
//! # Equations and their derivatives
//! With `s(x) = 1 / (1 + exp(-x))`, the logistic function, and with `Phi` and `phi` the distribution function and the density of the
//! standard normal distribution, `Phi(x) = (1 + erf(x / sqrt(2))) / 2` and `phi(x) = exp(-x^2 / 2) / sqrt(2 pi)`:
//!
//! | layer | `y` | `d_x / d_y` | at kinks |
//! |---|---|---|---|
//! | `Tanh` | `tanh(x)` | `1 - y^2` | |
//! | `Sigmoid` | `s(x)` | `y (1 - y)` | |
//! | `Relu` | `max(x, 0)` | 1 where `y > 0`, else 0 | 0 at `x = 0` |
//! | `LeakyRelu { slope }` | `x` where `x > 0`, else `slope x` | 1 where `x > 0`, else `slope` | `slope` at `x = 0` |
//! | `Gelu` | `x Phi(x)` | `Phi(x) + x phi(x)` | |
//! | `Silu` | `x s(x)` | `s(x) + x s(x) (1 - s(x))` | |
//! | `Softplus` | `ln(1 + exp(x))` | `s(x)` | |
//! | `Elu { alpha }` | `x` where `x > 0`, else `alpha (exp(x) - 1)` | 1 where `x > 0`, else `alpha exp(x)` | `alpha` at `x = 0` |
//! | `HardSigmoid` | `min(max(x + 3, 0), 6) / 6` | 1/6 where `-3 < x < 3`, else 0 | 0 at `x = -3` and `x = 3` |
//! | `HardTanh` | `min(max(x, -1), 1)` | 1 where `-1 < x < 1`, else 0 | 0 at `x = -1` and `x = 1` |
//! | `HardSwish` | `x min(max(x + 3, 0), 6) / 6` | 0 where `x <= -3`, 1 where `x >= 3`, else `x/3 + 1/2` | 0 at `x = -3`, 1 at `x = 3` |
//!
//! Values and conventions at the kinks are those of PyTorch, with these differences. `Softplus` is exact for all arguments, whereas
//! PyTorch replaces it by `x` above 20, where the two differ by at most 2e-9. `Gelu` is exact (PyTorch's `approximate='none'`).
//! Infinite arguments have the limits of the functions as results, where PyTorch returns NaN.
//!
//! # Derivation of the backward pass
//! Each derivative follows from the product rule and from `s' = s (1 - s)`, `Phi' = phi`. The first three are computed from the
//! output alone, all others from the input, which `backward` gets anyway; so the cache is the output. With `m = s(-|x|)`, which is
//! never close to 1, `s (1 - s) = m (1 - m)`: in this form `Silu` loses no digits for large `x`.
//!
//! Outputs and gradients too small to matter are flushed to zero: see [`vanishing`](crate::vanishing).
//!
//! Shapes: any `features x (steps * batch)`; output and gradient are zero at invalid steps.
//!
//! Sources: Maas, Hannun and Ng, "Rectifier Nonlinearities Improve Neural Network Acoustic Models" (2013) for the leaky rectifier;
//! Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)" (2016) for `Gelu` and `Silu`; Clevert, Unterthiner and Hochreiter, "Fast and
//! Accurate Deep Network Learning by Exponential Linear Units (ELUs)" (2016), equation 15, for `Elu`; Howard et al., "Searching for
//! MobileNetV3" (2019), section 5.2, for `HardSwish` and `HardSigmoid`.

mod functions;

pub(crate) use functions::forward;

use super::shapes::{check_backward, check_input};
use crate::hyperparameters::{check_finite, check_not_negative};
use crate::kernel::set_zero;
use crate::{Features, HyperparameterError, Layer, ParameterGradients, Pass, Scalar, Sequences};
use alloc::{format, string::String};

/// An element-wise nonlinearity; see the [module](self) for its equations.
///
/// ```
/// use longhand::{Activation, Layer, Pass, Sequences};
///
/// let layer = Activation::leaky_relu(0.1)?;
/// let x = Sequences::from_fn(2, 1, 1, |feature, _, _| [-2.0, 3.0][feature]);
/// let mut cache = Default::default();
/// assert_eq!(layer.forward(&x, &mut (), &mut cache, &mut Pass::Infer).at(0, 0), [-0.2, 3.0]);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// The hyperbolic tangent.
    Tanh,
    /// The logistic function. A loss on its output is better fused: see
    /// [`SigmoidCrossEntropy`](crate::SigmoidCrossEntropy).
    Sigmoid,
    /// The rectifier.
    Relu,
    /// The leaky rectifier, made by [`Activation::leaky_relu`].
    #[non_exhaustive]
    LeakyRelu {
        /// The derivative below zero.
        slope: f64,
    },
    /// The Gaussian error linear unit, exact.
    Gelu,
    /// The sigmoid linear unit, also known as swish.
    Silu,
    /// The smooth rectifier.
    Softplus,
    /// The exponential linear unit, made by [`Activation::elu`].
    #[non_exhaustive]
    Elu {
        /// The negative of the limit at minus infinity.
        alpha: f64,
    },
    /// The piecewise linear approximation of the logistic function.
    HardSigmoid,
    /// The identity, clamped to `[-1, 1]`.
    HardTanh,
    /// The piecewise quadratic approximation of [`Silu`](Activation::Silu).
    HardSwish,
}

crate::tensors!(Activation);

impl Activation {
    /// The leaky rectifier. PyTorch's default slope is 0.01.
    ///
    /// # Errors
    /// If `slope` is not finite in `f32`, so that one layer serves all scalar types.
    pub fn leaky_relu(slope: f64) -> Result<Self, HyperparameterError> {
        check_finite::<f32>("slope", slope)?;
        Ok(Activation::LeakyRelu { slope })
    }

    /// The exponential linear unit. PyTorch's default `alpha` is 1, with which the function has no kink.
    ///
    /// # Errors
    /// If `alpha` is negative or not finite, or not a normal number in `f32`, so that one layer serves all scalar types.
    pub fn elu(alpha: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<f32>("alpha", alpha)?;
        Ok(Activation::Elu { alpha })
    }
}

impl<T: Scalar> Layer<T> for Activation {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    /// The output.
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        match self {
            Activation::LeakyRelu { slope } => format!("LeakyRelu({slope})"),
            Activation::Elu { alpha } => format!("Elu({alpha})"),
            activation => format!("{activation:?}"),
        }
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
        functions::forward(*self, input.values().as_slice(), output.values_mut().as_mut_slice());
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
        check_input(|| Layer::<T>::name(self), output.features(), input);
        let Some(d_input) = d_input else { return };
        d_input.reshape(input.features(), input.layout());
        let d_x = d_input.values_mut().as_mut_slice();
        match d_output {
            Some(d_output) => {
                let [x, y, d_y] = [input, output, d_output].map(|values| values.values().as_slice());
                functions::backward(*self, x, y, d_y, d_x);
            }
            None => set_zero(d_x),
        }
        d_input.clear_padding();
    }
}
