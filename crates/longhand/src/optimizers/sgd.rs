//! Stochastic gradient descent.

use super::parameter_group::Groups;
use super::{Optimizer, OptimizerState, ParameterGroup, check_learning_rate, sized};
use crate::clipping::clamp;
use crate::hyperparameters::{check_fraction, check_not_negative, check_positive};
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::{vec, vec::Vec};

/// Stochastic gradient descent with optional momentum, Nesterov momentum, weight decay and clipping by value, in PyTorch's
/// convention:
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
    clip_value: f64,
    groups: Groups,
    pub(crate) velocity: Vec<T>,
}

impl<T: Scalar> Default for Sgd<T> {
    fn default() -> Self {
        Sgd::new()
    }
}

impl<T: Scalar> Sgd<T> {
    /// Without momentum and weight decay.
    pub fn new() -> Self {
        Sgd {
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
            clip_value: f64::INFINITY,
            groups: Groups::default(),
            velocity: Vec::new(),
        }
    }

    /// With momentum.
    ///
    /// # Errors
    /// If `momentum` is not in `[0, 1)`, before or after rounding to `T`.
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<T>("momentum", momentum)?;
        self.momentum = momentum;
        Ok(self)
    }

    /// With momentum that looks ahead (Nesterov).
    ///
    /// # Errors
    /// If `momentum` is not in `[0, 1)`, before or after rounding to `T`.
    pub fn with_nesterov_momentum(self, momentum: f64) -> Result<Self, HyperparameterError> {
        let mut optimizer = self.with_momentum(momentum)?;
        optimizer.nesterov = true;
        Ok(optimizer)
    }

    /// With weight decay: `weight_decay * w` is added to the gradient.
    ///
    /// # Errors
    /// If `weight_decay` is negative or not finite, or `T` cannot represent it as a normal number.
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<T>("weight decay", weight_decay)?;
        self.weight_decay = weight_decay;
        Ok(self)
    }

    /// With each element of the gradient clamped to `[-limit, limit]` first, as [`clip_by_value`](crate::clip_by_value) does, but in
    /// the pass that updates the parameters: with an update every few steps, a separate pass over the gradients would cost a good
    /// part of the time.
    ///
    /// ```
    /// use longhand::{Gradients, Linear, Optimizer, Sgd};
    /// let mut model = Linear::<f64>::zeros(1, 1);
    /// let mut gradients = Gradients::zeros(&model);
    /// gradients.values_mut().bias[0] = 7.0;
    /// Sgd::new().with_value_clipping(1.0)?.step(&mut model, &gradients, 0.1);
    /// assert_eq!(model.bias[0], -0.1);
    /// # Ok::<(), longhand::HyperparameterError>(())
    /// ```
    ///
    /// # Errors
    /// If `limit` is not positive, or `T` cannot represent it as a normal number. Infinity clips nothing.
    pub fn with_value_clipping(mut self, limit: f64) -> Result<Self, HyperparameterError> {
        if limit != f64::INFINITY {
            check_positive::<T>("value clipping", limit)?;
        }
        self.clip_value = limit;
        Ok(self)
    }

    /// With other settings for some of the parameters.
    ///
    /// # Errors
    /// If a setting of the group is negative or not finite, or `T` cannot represent it as a normal number.
    pub fn with_group(mut self, group: ParameterGroup) -> Result<Self, HyperparameterError> {
        self.groups.add::<T>(group)?;
        Ok(self)
    }
}

/// The step of one parameter without momentum and weight decay.
#[derive(Clone, Copy)]
struct Plain<T> {
    learning_rate: T,
    clip_value: T,
}

compiled_here!(Plain<T>, 1, 1);

impl<T: Scalar> Equations<T, 1, 1> for Plain<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w]: [V; 1]) -> [V; 1] {
        let g = clamp(gradient, self.clip_value).flush_to_zero();
        [w - w.constant(self.learning_rate) * g]
    }
}

/// The step of one parameter and its velocity.
#[derive(Clone, Copy)]
struct WithMomentum<T> {
    learning_rate: T,
    momentum: T,
    weight_decay: T,
    clip_value: T,
    nesterov: bool,
}

compiled_here!(WithMomentum<T>, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for WithMomentum<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, v]: [V; 2]) -> [V; 2] {
        let (momentum, learning_rate) = (w.constant(self.momentum), w.constant(self.learning_rate));
        let g = clamp(gradient, self.clip_value).flush_to_zero() + w.constant(self.weight_decay) * w;
        let v = (momentum * v + g).flush_to_zero();
        let w = w - learning_rate * if self.nesterov { g + momentum * v } else { v };
        [w.flush_to_zero(), v]
    }
}

impl<T: Scalar> Optimizer<T> for Sgd<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        let clip_value = real(self.clip_value);
        let (settings, mut index) = ((learning_rate, self.weight_decay), 0..);
        if self.momentum == 0.0 && self.weight_decay == 0.0 && self.groups.are_empty() {
            parameters.visit_pair(&Path::ROOT, gradients.values(), &mut |path, w, g| {
                if path.is_frozen() {
                    return;
                }
                each(Plain { learning_rate, clip_value }, [g], [w]);
            });
            return;
        }
        let (momentum, nesterov, groups) = (real(self.momentum), self.nesterov, &mut self.groups);
        sized(&mut self.velocity, parameters.count());
        let mut velocity = self.velocity.as_mut_slice();
        parameters.visit_pair(&Path::ROOT, gradients.values(), &mut |path, w, g| {
            let v = velocity.split_off_mut(..w.len()).unwrap_or_default();
            let index = index.next().unwrap_or_default();
            let Some((learning_rate, weight_decay)) = groups.settings(index, path, settings) else { return };
            let weight_decay = real(weight_decay);
            each(WithMomentum { learning_rate, momentum, weight_decay, clip_value, nesterov }, [g], [w, v]);
        });
    }

    fn state(&self) -> OptimizerState<T> {
        OptimizerState { kind: "Sgd", steps: 0, moments: vec![("velocity", self.velocity.clone())] }
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        [self.velocity] = state.into_moments("Sgd", ["velocity"]);
    }
}
