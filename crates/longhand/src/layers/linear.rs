//! The linear (fully connected) layer, applied to each step separately.
//!
//! # Equations
//! ```text
//! y[t] = W x[t] + b
//! ```
//!
//! | symbol | in code | shape |
//! |---|---|---|
//! | `x` | `input` | `inputs x (steps * batch)` |
//! | `y` | `output` | `outputs x (steps * batch)`, zero at invalid steps |
//! | `W`, `b` | `weight`, `bias` | `outputs x inputs`, `outputs` |
//!
//! # Derivation of the backward pass
//! `y` is linear in each of `x`, `W` and `b`, so with the steps side by side as columns
//!
//! ```text
//! d_W = d_Y X'       d_b = sum of the columns of d_Y       d_X = W' d_Y
//! ```

use super::shapes::{check_backward, check_gradients, check_input, check_tensor};
use crate::kernel::{self, Accumulate, Operand, Workspace};
use crate::sequences::without_padding;
use crate::{Features, Layer, ParameterGradients, Pass, Scalar, Sequences, Tensors, initialise, sizes};
use alloc::{format, string::String};
use nalgebra::{DMatrix, DVector};
use rand::Rng;

/// A linear layer; see the [module](self) for its equations.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear<T: Scalar> {
    /// `W`, `outputs x inputs`.
    pub weight: DMatrix<T>,
    /// `b`, `outputs`.
    pub bias: DVector<T>,
}

crate::tensors!(Linear { weight, bias });

impl<T: Scalar> Linear<T> {
    /// Every parameter uniform in `[-1/sqrt(inputs), 1/sqrt(inputs)]`, PyTorch's default initialisation.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn new<R: Rng + ?Sized>(inputs: usize, outputs: usize, generator: &mut R) -> Self {
        let mut layer = Linear::zeros(inputs, outputs);
        initialise::uniform_fan(&mut layer, inputs, generator);
        layer
    }

    /// All parameters zero, to be filled.
    ///
    /// # Panics
    /// If that many parameters do not fit in the address space.
    #[track_caller]
    pub fn zeros(inputs: usize, outputs: usize) -> Self {
        Linear { weight: sizes::zero_matrix(outputs, inputs), bias: sizes::zero_vector(outputs) }
    }

    /// Panics unless the parameters agree with one another in shape.
    #[track_caller]
    pub(crate) fn check_parameters(&self) {
        check_tensor(|| self.name(), "bias", self.bias.shape(), (self.outputs(), 1));
    }

    /// Number of input features.
    pub fn inputs(&self) -> usize {
        self.weight.ncols()
    }

    /// Number of output features.
    pub fn outputs(&self) -> usize {
        self.weight.nrows()
    }
}

/// The output of [`Linear`], and the buffers of both passes.
#[derive(Debug)]
pub struct LinearCache<T: Scalar> {
    output: Sequences<T>,
    cleared_input: Sequences<T>,
    cleared_d_output: Sequences<T>,
    workspace: Workspace<T>,
}

impl<T: Scalar> Default for LinearCache<T> {
    fn default() -> Self {
        LinearCache {
            output: Sequences::default(),
            cleared_input: Sequences::default(),
            cleared_d_output: Sequences::default(),
            workspace: Workspace::default(),
        }
    }
}

impl<T: Scalar> Layer<T> for Linear<T> {
    type Input = Sequences<T>;
    type Output = Sequences<T>;
    type Carry = ();
    type Cache = LinearCache<T>;

    fn name(&self) -> String {
        format!("Linear({} -> {})", self.inputs(), self.outputs())
    }

    fn features(&self) -> Features {
        Features::Fixed { input: self.inputs(), output: self.outputs() }
    }

    fn carry(&self, _: usize) {}

    fn forward<'c>(
        &self,
        input: &Sequences<T>,
        (): &mut (),
        cache: &'c mut LinearCache<T>,
        _: &mut Pass<'_>,
    ) -> &'c Sequences<T> {
        self.check_parameters();
        check_input(|| self.name(), self.inputs(), input);
        let LinearCache { output, workspace, .. } = cache;
        output.reshape(self.outputs(), input.layout());
        let y = output.values_mut().as_mut_slice();
        let bias = Accumulate::Bias(self.bias.as_slice());
        kernel::product(y, bias, (&self.weight).into(), input.values().into(), workspace);
        output.clear_padding();
        output
    }

    fn output(cache: &LinearCache<T>) -> &Sequences<T> {
        &cache.output
    }

    fn backward(
        &self,
        input: &Sequences<T>,
        cache: &mut LinearCache<T>,
        d_output: Option<&Sequences<T>>,
        (): &mut (),
        gradients: ParameterGradients<'_, Self>,
        d_input: Option<&mut Sequences<T>>,
    ) {
        let layout = input.layout();
        self.check_parameters();
        check_backward(|| self.name(), &cache.output, self.outputs(), layout, d_output);
        check_input(|| self.name(), self.inputs(), input);
        let gradients = gradients.accumulated();
        if let Some((gradients, _)) = &gradients {
            let shapes = |layer: &Self| [layer.weight.shape(), layer.bias.shape()];
            check_gradients(|| self.name(), ["weight", "bias"], shapes(self), shapes(gradients));
        }
        let Some(d_output) = d_output else {
            // Every gradient is a product with zero.
            if let Some((gradients, Accumulate::Replace)) = gradients {
                gradients.set_zero();
            }
            if let Some(d_input) = d_input {
                d_input.reshape(self.inputs(), layout);
                kernel::set_zero(d_input.values_mut().as_mut_slice());
            }
            return;
        };
        let LinearCache { cleared_input, cleared_d_output, workspace, .. } = cache;
        let d_y = without_padding(d_output, layout, cleared_d_output).values();
        if let Some((gradients, accumulate)) = gradients {
            let x = Operand::from(without_padding(input, layout, cleared_input).values());
            kernel::product(gradients.weight.as_mut_slice(), accumulate, d_y.into(), x.transposed(), workspace);
            let one = [T::one()];
            let ones = Operand::repeated(&one, layout.columns());
            kernel::product(gradients.bias.as_mut_slice(), accumulate, d_y.into(), ones, workspace);
        }
        if let Some(d_input) = d_input {
            d_input.reshape(self.inputs(), layout);
            let weight = Operand::from(&self.weight).transposed();
            kernel::product(d_input.values_mut().as_mut_slice(), Accumulate::Replace, weight, d_y.into(), workspace);
        }
    }
}
