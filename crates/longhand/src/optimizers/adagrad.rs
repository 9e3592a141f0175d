//! Adagrad (Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011, figure 1, with a
//! diagonal matrix).

use super::parameter_group::Groups;
use super::{Optimizer, OptimizerState, ParameterGroup, check_epsilon, check_learning_rate, sized_with};
use crate::hyperparameters::{check_not_negative, largest};
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::{vec, vec::Vec};

/// Adagrad, in PyTorch's convention. With `t` the number of steps so far, counted from 1:
///
/// ```text
/// g = gradient + weight_decay * w
/// v = v + g^2                                                                       starts at initial_accumulator
/// w = w - learning_rate / (1 + (t - 1) learning_rate_decay) * g / (sqrt(v) + epsilon)
/// ```
///
/// The sum of all squares makes the steps shorter and shorter. Parameters whose gradients are often zero, such as those of an
/// [`Embedding`](crate::Embedding), keep longer steps than the others.
///
/// At f32 gradients beyond `2^63` (9e18) count as `2^63`, and `v` stays at the largest finite number if the sum exceeds it; at f64 the
/// limit is `2^511`. Values too small to matter are flushed to zero: see [vanishing numbers](crate::vanishing).
///
/// ```
/// use longhand::{Adagrad, Gradients, Linear, Optimizer};
/// let mut layer = Linear::<f64>::zeros(1, 1);
/// let mut gradients = Gradients::zeros(&layer);
/// gradients.values_mut().weight[(0, 0)] = 3.0;
/// let mut optimizer = Adagrad::new();
/// optimizer.step(&mut layer, &gradients, 0.1);
/// // The first step has the length of the learning rate; the second one is shorter by a factor of sqrt(2).
/// assert!((layer.weight[(0, 0)] + 0.1).abs() < 1e-8);
/// optimizer.step(&mut layer, &gradients, 0.1);
/// assert!((layer.weight[(0, 0)] + 0.1 + 0.1 / 2.0_f64.sqrt()).abs() < 1e-8);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Adagrad<T> {
    learning_rate_decay: f64,
    initial_accumulator: f64,
    epsilon: f64,
    weight_decay: f64,
    steps: u32,
    groups: Groups,
    sums: Vec<T>,
}

impl<T: Scalar> Default for Adagrad<T> {
    fn default() -> Self {
        Adagrad::new()
    }
}

impl<T: Scalar> Adagrad<T> {
    /// `epsilon = 1e-10`, an initial accumulator of 0, without learning-rate decay and weight decay.
    pub fn new() -> Self {
        Adagrad {
            learning_rate_decay: 0.0,
            initial_accumulator: 0.0,
            epsilon: 1e-10,
            weight_decay: 0.0,
            steps: 0,
            groups: Groups::default(),
            sums: Vec::new(),
        }
    }

    /// Divides the learning rate of step `t`, counted from 1, by `1 + (t - 1) * learning_rate_decay`.
    ///
    /// # Errors
    /// If it is negative or not finite, or `T` cannot represent it as a normal number.
    pub fn with_learning_rate_decay(mut self, learning_rate_decay: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<T>("learning rate decay", learning_rate_decay)?;
        self.learning_rate_decay = learning_rate_decay;
        Ok(self)
    }

    /// With sums of squares that start at this value, so that the first steps are shorter.
    ///
    /// # Errors
    /// If it is negative or not finite, or `T` cannot represent it as a normal number.
    pub fn with_initial_accumulator(mut self, initial_accumulator: f64) -> Result<Self, HyperparameterError> {
        check_not_negative::<T>("initial accumulator", initial_accumulator)?;
        self.initial_accumulator = initial_accumulator;
        Ok(self)
    }

    /// With another constant in the denominator.
    ///
    /// # Errors
    /// If it is not positive and finite, or less than 2^-53 = 1.1e-16 for `f32` and 2^-500 = 3.1e-151 for `f64`, where squares of
    /// gradients are lost.
    pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self, HyperparameterError> {
        check_epsilon::<T>(epsilon)?;
        self.epsilon = epsilon;
        Ok(self)
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

    /// With other settings for some of the parameters.
    ///
    /// # Errors
    /// If a setting of the group is negative or not finite, or `T` cannot represent it as a normal number.
    pub fn with_group(mut self, group: ParameterGroup) -> Result<Self, HyperparameterError> {
        self.groups.add::<T>(group)?;
        Ok(self)
    }
}

/// One step of Adagrad: the numbers that are the same for all parameters of a tensor.
#[derive(Clone, Copy)]
struct AdagradStep<T> {
    learning_rate: T,
    epsilon: T,
    weight_decay: T,
    /// The largest sum of squares.
    largest: T,
}

compiled_here!(AdagradStep<T>, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for AdagradStep<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, v]: [V; 2]) -> [V; 2] {
        let decay = w.constant(self.weight_decay) * w;
        // Flushed after the weight decay too, so that the square is zero or normal.
        let g = (gradient.with_finite_square().flush_to_zero() + decay).flush_to_zero();
        // In this order, a sum that is NaN stays NaN.
        let v = w.constant(self.largest).min(v + g * g);
        let w = w - w.constant(self.learning_rate) * g / (v.sqrt() + w.constant(self.epsilon));
        [w.flush_to_zero(), v]
    }
}

impl<T: Scalar> Optimizer<T> for Adagrad<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        sized_with(&mut self.sums, parameters.count(), real(self.initial_accumulator));
        let decay = 1.0 + f64::from(self.steps) * self.learning_rate_decay;
        self.steps = self.steps.saturating_add(1);
        let settings = (learning_rate / real(decay), self.weight_decay);
        let (epsilon, largest) = (real(self.epsilon), real(largest::<T>()));
        let (groups, mut index) = (&mut self.groups, 0..);
        let mut sums = self.sums.as_mut_slice();
        parameters.visit_pair(&Path::ROOT, gradients.values(), &mut |path, w, g| {
            let v = sums.split_off_mut(..w.len()).unwrap_or_default();
            let index = index.next().unwrap_or_default();
            let Some((learning_rate, weight_decay)) = groups.settings(index, path, settings) else { return };
            each(AdagradStep { learning_rate, epsilon, weight_decay: real(weight_decay), largest }, [g], [w, v]);
        });
    }

    fn state(&self) -> OptimizerState<T> {
        OptimizerState { kind: "Adagrad", steps: self.steps, moments: vec![("sum_of_squares", self.sums.clone())] }
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        self.steps = state.steps;
        [self.sums] = state.into_moments("Adagrad", ["sum_of_squares"]);
    }
}
