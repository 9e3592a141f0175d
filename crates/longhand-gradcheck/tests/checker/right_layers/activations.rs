//! Element-wise functions whose terms have very different sizes far from zero.
//!
//! # Equations
//! ```text
//! softplus(x)    = ln(1 + e^x)
//! mish(x)        = x tanh(softplus(x))
//! log_sigmoid(x) = ln(1 / (1 + e^-x))
//! ```
//!
//! # Derivation of the backward pass
//! With `s = 1 / (1 + e^-x)`, which is the derivative of softplus, and `t = tanh(softplus(x))`,
//!
//! ```text
//! d_x = d_y s        d_x = d_y (t + x (1 - t^2) s)        d_x = d_y (1 - s)
//! ```

use super::common::{check_backward, sigmoid};
use longhand::{Features, Layer, Pass, Scalar, Sequences};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    Softplus,
    Mish,
    LogSigmoid,
}

/// The mistake of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// No mistake.
    None,
    /// The derivative of the inner function is missing.
    InnerForgotten,
    /// The derivative is one above 20, as if the function were replaced by its argument there.
    OneAboveTwenty,
    /// The derivative is evaluated at the output.
    AtTheOutput,
}

#[derive(Debug, Clone)]
pub struct Elementwise {
    pub function: Function,
    pub mistake: Mistake,
}

longhand::tensors!(Elementwise);

fn softplus<T: Scalar>(x: T) -> T {
    (T::one() + x.exp()).ln()
}

impl Elementwise {
    fn value<T: Scalar>(&self, x: T) -> T {
        match self.function {
            Function::Softplus => softplus(x),
            Function::Mish => x * softplus(x).tanh(),
            Function::LogSigmoid => sigmoid(x).ln(),
        }
    }

    fn derivative<T: Scalar>(&self, x: T, y: T) -> T {
        let x = if self.mistake == Mistake::AtTheOutput { y } else { x };
        if self.mistake == Mistake::OneAboveTwenty && x > longhand::nalgebra::convert(20.0) {
            return T::one() + T::one();
        }
        let s = if self.mistake == Mistake::InnerForgotten { T::one() } else { sigmoid(x) };
        let t = softplus(x).tanh();
        match self.function {
            Function::Softplus => s,
            Function::Mish => t + x * (T::one() - t * t) * s,
            Function::LogSigmoid if self.mistake == Mistake::InnerForgotten => T::one() / sigmoid(x),
            Function::LogSigmoid => T::one() - s,
        }
    }
}

impl<T: Scalar> Layer<T> for Elementwise {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = Sequences<T>;

    fn name(&self) -> String {
        format!("{:?}", self.function)
    }

    fn features(&self) -> Features {
        Features::Any
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        x: &Sequences<T>,
        (): &mut (),
        y: &'c mut Sequences<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        y.reshape(x.features(), x.layout());
        y.values_mut().iter_mut().zip(x.values()).for_each(|(y, &x)| *y = self.value(x));
        y.clear_padding();
        y
    }

    fn output(y: &Sequences<T>) -> &Sequences<T> {
        y
    }

    fn backward(
        &self,
        x: &Sequences<T>,
        y: &mut Sequences<T>,
        d_y: Option<&Sequences<T>>,
        (): &mut (),
        gradients: longhand::ParameterGradients<'_, Self>,
        d_x: Option<&mut Sequences<T>>,
    ) {
        let zeros = longhand::Tensors::<T>::zeros(<Self as Layer<T>>::output(y));
        let d_y = d_y.unwrap_or(&zeros);
        let mut unwanted = longhand::Tensors::<T>::zeros(self);
        let gradients = gradients.to_add_to::<T>().unwrap_or(&mut unwanted);
        check_backward::<T, _>(self, (x.features(), x.layout()), y, d_y, gradients);
        let Some(d_x) = d_x else { return };
        d_x.reshape(x.features(), x.layout());
        for (index, d_x) in d_x.values_mut().iter_mut().enumerate() {
            *d_x = d_y.values()[index] * self.derivative(x.values()[index], y.values()[index]);
        }
        d_x.clear_padding();
    }
}
