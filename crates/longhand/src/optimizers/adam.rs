//! Adam (Kingma and Ba, 2015, algorithm 1) and AdamW (Loshchilov and Hutter, 2019, algorithm 2).

use super::{Optimizer, sized};
use crate::kernel::{Equations, Real, each};
use crate::scalar::real;
use crate::{HyperparameterError, Scalar, Tensors};
use alloc::vec::Vec;

/// Adam. With `t` the number of steps so far, counted from 1:
///
/// ```text
/// g = gradient + weight_decay * w
/// m = beta1 m + (1 - beta1) g             v = beta2 v + (1 - beta2) g^2
/// w = w - learning_rate * m^ / (sqrt(v^) + epsilon)      with m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t)
/// ```
///
/// At f32 gradients beyond `2^63` (9e18) count as `2^63`, so that `v` stays finite and later steps are not stopped by
/// one huge gradient; at f64 the limit is `2^511`. Values too small to matter are flushed to zero: see
/// [vanishing numbers](crate::vanishing).
#[derive(Debug, Clone, PartialEq)]
pub struct Adam<T> {
    pub(crate) moments: Moments<T>,
    weight_decay: f64,
}

/// Adam with the weight decay taken off the weights themselves, not through the moments:
/// `w = w - learning_rate * weight_decay * w` before Adam's step.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW<T> {
    pub(crate) moments: Moments<T>,
    weight_decay: f64,
}

/// What the two have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments<T> {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    steps: u32,
    pub(crate) first: Vec<T>,
    pub(crate) second: Vec<T>,
}

impl<T: Scalar> Moments<T> {
    fn new() -> Self {
        Moments { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, steps: 0, first: Vec::new(), second: Vec::new() }
    }

    fn set_betas(&mut self, beta1: f64, beta2: f64) -> Result<(), HyperparameterError> {
        HyperparameterError::unless((0.0..1.0).contains(&beta1), "beta1", beta1, "in [0, 1)")?;
        HyperparameterError::unless((0.0..1.0).contains(&beta2), "beta2", beta2, "in [0, 1)")?;
        (self.beta1, self.beta2) = (beta1, beta2);
        Ok(())
    }

    fn set_epsilon(&mut self, epsilon: f64) -> Result<(), HyperparameterError> {
        HyperparameterError::unless(epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "positive and finite")?;
        self.epsilon = epsilon;
        Ok(())
    }

    /// The step, with `weight_decay` through the moments and the weights first shrunk by the factor `kept`.
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &P, learning_rate: T, weight_decay: T, kept: T) {
        let count = parameters.count();
        sized(&mut self.first, count);
        sized(&mut self.second, count);
        self.steps += 1;
        let power = |beta: f64| 1.0 - nalgebra::ComplexField::powi(beta, i32::try_from(self.steps).unwrap_or(i32::MAX));
        let step = AdamStep {
            beta1: real(self.beta1),
            beta2: real(self.beta2),
            gradient_scale: real(nalgebra::ComplexField::sqrt(1.0 - self.beta2)),
            epsilon: real(self.epsilon),
            weight_decay,
            kept,
            // The corrections of both moments, moved out of the loop.
            step_size: learning_rate / real(power(self.beta1)),
            second_scale: real(1.0 / power(self.beta2)),
        };
        let (mut first, mut second) = (self.first.as_mut_slice(), self.second.as_mut_slice());
        parameters.visit_pair(gradients, &mut |w, g| {
            let (m, rest) = core::mem::take(&mut first).split_at_mut(w.len());
            first = rest;
            let (v, rest) = core::mem::take(&mut second).split_at_mut(w.len());
            second = rest;
            each(step, [g], [w, m, v]);
        });
    }
}

/// One step of Adam: what is the same for all parameters.
#[derive(Clone, Copy)]
struct AdamStep<T> {
    beta1: T,
    beta2: T,
    /// `sqrt(1 - beta2)`.
    gradient_scale: T,
    epsilon: T,
    weight_decay: T,
    kept: T,
    step_size: T,
    second_scale: T,
}

impl<T: Scalar> Equations<T, 1, 3> for AdamStep<T> {
    #[inline(always)]
    fn apply<V: Real<T>>(self, [gradient]: [V; 1], [w, m, v]: [V; 3]) -> [V; 3] {
        let (one, beta1, beta2) = (w.constant(T::one()), w.constant(self.beta1), w.constant(self.beta2));
        let g = gradient.with_finite_square().flush_to_zero() + w.constant(self.weight_decay) * w;
        let m = (beta1 * m + (one - beta1) * g).flush_to_zero();
        // (1 - beta2) g^2 as a square, whose root can be flushed first: the square is then zero or normal.
        let scaled_g = (w.constant(self.gradient_scale) * g).flush_to_zero();
        let v = (beta2 * v + scaled_g * scaled_g).flush_subnormal();
        let denominator = (v * w.constant(self.second_scale)).sqrt() + w.constant(self.epsilon);
        let w = w.constant(self.kept) * w - w.constant(self.step_size) * m / denominator;
        [w.flush_to_zero(), m, v]
    }
}

pub(super) fn check_weight_decay(weight_decay: f64) -> Result<(), HyperparameterError> {
    HyperparameterError::unless(
        weight_decay >= 0.0 && weight_decay.is_finite(),
        "weight decay",
        weight_decay,
        "finite and not negative",
    )
}

macro_rules! adam {
    ($optimizer:ident, $weight_decay:literal) => {
        impl<T: Scalar> Default for $optimizer<T> {
            fn default() -> Self {
                $optimizer::new()
            }
        }

        impl<T: Scalar> $optimizer<T> {
            #[doc = concat!("`beta1 = 0.9`, `beta2 = 0.999`, `epsilon = 1e-8`, weight decay ", $weight_decay, ".")]
            pub fn new() -> Self {
                $optimizer { moments: Moments::new(), weight_decay: $weight_decay }
            }

            /// With other decay rates of the two moments.
            ///
            /// # Errors
            /// If one is not in `[0, 1)`.
            pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Result<Self, HyperparameterError> {
                self.moments.set_betas(beta1, beta2)?;
                Ok(self)
            }

            /// With another constant in the denominator.
            ///
            /// # Errors
            /// If it is not positive and finite.
            pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self, HyperparameterError> {
                self.moments.set_epsilon(epsilon)?;
                Ok(self)
            }

            /// With another weight decay.
            ///
            /// # Errors
            /// If it is negative or not finite.
            pub fn with_weight_decay(mut self, weight_decay: f64) -> Result<Self, HyperparameterError> {
                check_weight_decay(weight_decay)?;
                self.weight_decay = weight_decay;
                Ok(self)
            }
        }
    };
}

adam!(Adam, 0.0);
adam!(AdamW, 0.01);

impl<T: Scalar> Optimizer<T> for Adam<T> {
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &P, learning_rate: T) {
        let weight_decay = real(self.weight_decay);
        self.moments.step(parameters, gradients, learning_rate, weight_decay, T::one());
    }
}

impl<T: Scalar> Optimizer<T> for AdamW<T> {
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &P, learning_rate: T) {
        let kept = T::one() - learning_rate * real(self.weight_decay);
        self.moments.step(parameters, gradients, learning_rate, T::zero(), kept);
    }
}
