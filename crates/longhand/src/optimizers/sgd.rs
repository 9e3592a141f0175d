//! Stochastic gradient descent.

use super::{Optimizer, sized};
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Tensors, kernel};
use alloc::vec::Vec;

/// Stochastic gradient descent with optional momentum, Nesterov momentum and weight decay, in PyTorch's convention:
///
/// ```text
/// g = gradient + weight_decay * w
/// v = momentum * v + g
/// w = w - learning_rate * v                     or, with Nesterov,  w - learning_rate * (g + momentum * v)
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Sgd<T> {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    velocity: Vec<T>,
}

impl<T: Scalar> Default for Sgd<T> {
    fn default() -> Self {
        Sgd::new()
    }
}

impl<T: Scalar> Sgd<T> {
    /// Without momentum and weight decay.
    pub fn new() -> Self {
        Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0, velocity: Vec::new() }
    }

    /// With momentum.
    ///
    /// # Errors
    /// If `momentum` is not in `[0, 1)`.
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless((0.0..1.0).contains(&momentum), "momentum", momentum, "in [0, 1)")?;
        self.momentum = momentum;
        Ok(self)
    }

    /// With momentum that looks ahead (Nesterov).
    ///
    /// # Errors
    /// If `momentum` is not in `[0, 1)`.
    pub fn with_nesterov_momentum(self, momentum: f64) -> Result<Self, HyperparameterError> {
        let mut optimizer = self.with_momentum(momentum)?;
        optimizer.nesterov = true;
        Ok(optimizer)
    }

    /// With weight decay: `weight_decay * w` is added to the gradient.
    ///
    /// # Errors
    /// If `weight_decay` is negative or not finite.
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperparameterError> {
        super::adam::check_weight_decay(weight_decay)?;
        self.weight_decay = weight_decay;
        Ok(self)
    }
}

impl<T: Scalar> Optimizer<T> for Sgd<T> {
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &P, learning_rate: T) {
        let (momentum, weight_decay) = (real::<T>(self.momentum), real::<T>(self.weight_decay));
        if self.momentum == 0.0 && self.weight_decay == 0.0 {
            parameters.visit_pair(gradients, &mut |w, g| kernel::add_scaled(w, -learning_rate, g));
            return;
        }
        sized(&mut self.velocity, parameters.count());
        let mut velocity = self.velocity.as_mut_slice();
        let nesterov = self.nesterov;
        parameters.visit_pair(gradients, &mut |w, g| {
            let (v, rest) = core::mem::take(&mut velocity).split_at_mut(w.len());
            velocity = rest;
            for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
                let g = g + weight_decay * *w;
                *v = momentum * *v + g;
                *w -= learning_rate * if nesterov { g + momentum * *v } else { *v };
            }
        });
    }
}
