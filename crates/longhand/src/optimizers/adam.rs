//! Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1) and AdamW (Loshchilov and Hutter,
//! "Decoupled Weight Decay Regularization", 2019, algorithm 2).

use super::parameter_group::Groups;
use super::{Optimizer, OptimizerState, ParameterGroup, check_epsilon, check_learning_rate, sized};
use crate::hyperparameters::{check_fraction, check_not_negative};
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::{as_f64, real};
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::{vec, vec::Vec};
use num_traits::Float;

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

/// Adam with decoupled weight decay, which shrinks the weights directly and does not go through the moments:
/// `w = w - learning_rate * weight_decay * w` before Adam's step.
///
/// The learning rate of the step multiplies the weight decay, so a schedule lowers both. The decay applies to all parameters; a
/// [`ParameterGroup`] excludes some of them, such as biases:
///
/// ```
/// use longhand::{AdamW, Gradients, Linear, Optimizer, ParameterGroup};
/// let mut model = Linear::<f64>::zeros(1, 1);
/// (model.weight[(0, 0)], model.bias[0]) = (1.0, 1.0);
/// let gradients = Gradients::zeros(&model);
/// let biases = ParameterGroup::containing("bias").with_weight_decay(0.0);
/// let mut optimizer = AdamW::new().with_weight_decay(0.5)?.with_group(biases)?;
/// optimizer.step(&mut model, &gradients, 0.1);
/// assert_eq!((model.weight[(0, 0)], model.bias[0]), (1.0 - 0.1 * 0.5, 1.0));
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW<T> {
    pub(crate) moments: Moments<T>,
    weight_decay: f64,
}

/// The state and settings that both share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments<T> {
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    steps: u32,
    groups: Groups,
    pub(crate) first: Vec<T>,
    pub(crate) second: Vec<T>,
}

impl<T: Scalar> Moments<T> {
    fn new() -> Self {
        Moments {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            steps: 0,
            groups: Groups::default(),
            first: Vec::new(),
            second: Vec::new(),
        }
    }

    fn set_betas(&mut self, beta1: f64, beta2: f64) -> Result<(), HyperparameterError> {
        check_fraction::<T>("beta1", beta1)?;
        check_fraction::<T>("beta2", beta2)?;
        (self.beta1, self.beta2) = (beta1, beta2);
        Ok(())
    }

    fn set_epsilon(&mut self, epsilon: f64) -> Result<(), HyperparameterError> {
        check_epsilon::<T>(epsilon)?;
        self.epsilon = epsilon;
        Ok(())
    }

    fn state(&self, kind: &'static str) -> OptimizerState<T> {
        let moments = vec![("first_moment", self.first.clone()), ("second_moment", self.second.clone())];
        OptimizerState { kind, steps: self.steps, moments }
    }

    #[track_caller]
    fn restore(&mut self, kind: &str, state: OptimizerState<T>) {
        self.steps = state.steps;
        [self.first, self.second] = state.into_moments(kind, ["first_moment", "second_moment"]);
    }

    /// The step. The weight decay goes through the moments, or, if it is `decoupled`, shrinks the weights first.
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &P, settings: (T, f64), decoupled: bool) {
        let count = parameters.count();
        sized(&mut self.first, count);
        sized(&mut self.second, count);
        self.steps = self.steps.saturating_add(1);
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        // Of the decay rate as the moments have it, rounded to T: with rates near 1 the difference counts.
        let rounded = |beta: f64| as_f64(real::<T>(beta));
        let power = |beta: f64| 1.0 - Float::powi(rounded(beta), steps);
        // The corrections of both moments, moved out of the loop.
        let (correction, second_scale) = (real::<T>(power(self.beta1)), real(1.0 / power(self.beta2)));
        let (beta1, beta2, epsilon) = (real(self.beta1), real(self.beta2), real(self.epsilon));
        let gradient_scale = real(Float::sqrt(1.0 - rounded(self.beta2)));
        let (mut first, mut second) = (self.first.as_mut_slice(), self.second.as_mut_slice());
        let (groups, mut index) = (&mut self.groups, 0..);
        parameters.visit_pair(&Path::ROOT, gradients, &mut |path, w, g| {
            let (m, v) = (
                first.split_off_mut(..w.len()).unwrap_or_default(),
                second.split_off_mut(..w.len()).unwrap_or_default(),
            );
            let index = index.next().unwrap_or_default();
            let Some((learning_rate, weight_decay)) = groups.settings(index, path, settings) else { return };
            let decay = real::<T>(weight_decay);
            let (weight_decay, kept) =
                if decoupled { (T::zero(), T::one() - learning_rate * decay) } else { (decay, T::one()) };
            let step_size = learning_rate / correction;
            let step = AdamStep { beta1, beta2, gradient_scale, epsilon, weight_decay, kept, step_size, second_scale };
            each(step, [g], [w, m, v]);
        });
    }
}

/// One step of Adam: the numbers that are the same for all parameters of a tensor.
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

compiled_here!(AdamStep<T>, 1, 3);

impl<T: Scalar> Equations<T, 1, 3> for AdamStep<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, m, v]: [V; 3]) -> [V; 3] {
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
            /// If one is not in `[0, 1)`, before or after rounding to `T`.
            pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Result<Self, HyperparameterError> {
                self.moments.set_betas(beta1, beta2)?;
                Ok(self)
            }

            /// With another constant in the denominator.
            ///
            /// # Errors
            /// If it is not positive and finite, or less than 2^-53 = 1.1e-16 for `f32` and 2^-500 = 3.1e-151 for `f64`,
            /// where squares of gradients are lost.
            pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self, HyperparameterError> {
                self.moments.set_epsilon(epsilon)?;
                Ok(self)
            }

            /// With another weight decay.
            ///
            /// # Errors
            /// If it is negative or not finite, or `T` cannot represent it as a normal number.
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
                self.moments.groups.add::<T>(group)?;
                Ok(self)
            }
        }
    };
}

adam!(Adam, 0.0);
adam!(AdamW, 0.01);

impl<T: Scalar> Optimizer<T> for Adam<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        self.moments.step(parameters, gradients.values(), (learning_rate, self.weight_decay), false);
    }

    fn state(&self) -> OptimizerState<T> {
        self.moments.state("Adam")
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        self.moments.restore("Adam", state);
    }
}

impl<T: Scalar> Optimizer<T> for AdamW<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        self.moments.step(parameters, gradients.values(), (learning_rate, self.weight_decay), true);
    }

    fn state(&self) -> OptimizerState<T> {
        self.moments.state("AdamW")
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        self.moments.restore("AdamW", state);
    }
}
