//! RMSProp (Tieleman and Hinton, "Lecture 6.5 - RMSProp: Divide the Gradient by a Running Average of Its Recent Magnitude", 2012), also
//! centred and with momentum (Graves, "Generating Sequences With Recurrent Neural Networks", 2013, equations 38 to 41).

use super::parameter_group::Groups;
use super::{Optimizer, OptimizerState, ParameterGroup, check_epsilon, check_learning_rate, sized};
use crate::hyperparameters::{check_fraction, check_not_negative};
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::{as_f64, real};
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::{vec, vec::Vec};
use num_traits::Float;

/// RMSProp, in PyTorch's convention:
///
/// ```text
/// g = gradient + weight_decay * w
/// v = alpha v + (1 - alpha) g^2
/// u = g / (sqrt(v) + epsilon)
/// w = w - learning_rate * u           or, with momentum,  b = momentum * b + u,  w = w - learning_rate * b
/// ```
///
/// The centred variant divides by the standard deviation of the gradient, and not by its root mean square: with
/// `a = alpha a + (1 - alpha) g`, it replaces `v` by `s = v - a^2`. That difference of nearly equal numbers loses digits, and can
/// become negative, where the gradient hardly changes. Inserting the recurrences of `v` and `a` (`a'` and `s'` are the values of the
/// step before) gives a sum without a difference of squares, which is computed in place of `v`:
///
/// ```text
/// s = alpha (s' + a'^2) + (1 - alpha) g^2 - (alpha a' + (1 - alpha) g)^2
///   = alpha s' + alpha (1 - alpha) (g - a')^2
/// ```
///
/// At f32 gradients beyond `2^63` (9e18) count as `2^63`, so that `v` stays finite; at f64 the limit is `2^511`. Values too small to
/// matter are flushed to zero: see [vanishing numbers](crate::vanishing).
///
/// ```
/// use longhand::{Gradients, Linear, Optimizer, RmsProp};
/// let mut layer = Linear::<f64>::zeros(1, 1);
/// let mut gradients = Gradients::zeros(&layer);
/// gradients.values_mut().weight[(0, 0)] = 3.0;
/// let mut optimizer = RmsProp::new().with_alpha(0.75)?.with_momentum(0.9)?;
/// optimizer.step(&mut layer, &gradients, 0.1);
/// // v = 0.25 * 3^2, so the step is twice the learning rate.
/// assert!((layer.weight[(0, 0)] + 0.2).abs() < 1e-8);
/// # Ok::<(), longhand::HyperparameterError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RmsProp<T> {
    alpha: f64,
    epsilon: f64,
    momentum: f64,
    centred: bool,
    weight_decay: f64,
    groups: Groups,
    /// `v`, or `s` if centred.
    squares: Vec<T>,
    /// `a`, if centred.
    means: Vec<T>,
    /// `b`, with momentum or if centred.
    velocity: Vec<T>,
}

impl<T: Scalar> Default for RmsProp<T> {
    fn default() -> Self {
        RmsProp::new()
    }
}

impl<T: Scalar> RmsProp<T> {
    /// `alpha = 0.99`, `epsilon = 1e-8`, not centred, without momentum and weight decay.
    pub fn new() -> Self {
        RmsProp {
            alpha: 0.99,
            epsilon: 1e-8,
            momentum: 0.0,
            centred: false,
            weight_decay: 0.0,
            groups: Groups::default(),
            squares: Vec::new(),
            means: Vec::new(),
            velocity: Vec::new(),
        }
    }

    /// With another decay rate of the squares (and of the means, if centred).
    ///
    /// # Errors
    /// If `alpha` is not in `[0, 1)`, before or after rounding to `T`.
    pub fn with_alpha(mut self, alpha: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<T>("alpha", alpha)?;
        self.alpha = alpha;
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

    /// With momentum.
    ///
    /// # Errors
    /// If `momentum` is not in `[0, 1)`, before or after rounding to `T`.
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<T>("momentum", momentum)?;
        self.momentum = momentum;
        Ok(self)
    }

    /// Divides by the standard deviation of the gradient, and not by its root mean square.
    ///
    /// A gradient that stays the same has a standard deviation of zero, so the steps grow up to `learning_rate * g / epsilon`; choose
    /// a larger `epsilon` (Graves uses 1e-2, as the root of 1e-4).
    #[must_use]
    pub fn centred(mut self) -> Self {
        self.centred = true;
        self
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

    /// The names of the moments. The squares of the two variants differ, so their names do.
    fn moments(&self) -> [&'static str; 3] {
        [if self.centred { "variance" } else { "second_moment" }, "mean_gradient", "velocity"]
    }
}

/// The numbers that are the same for all parameters of a tensor.
#[derive(Clone, Copy)]
struct Settings<T> {
    learning_rate: T,
    alpha: T,
    /// The root of the new square's factor.
    gradient_scale: T,
    epsilon: T,
    momentum: T,
    weight_decay: T,
}

impl<T: Scalar> Settings<T> {
    /// `g`.
    #[inline(always)]
    fn gradient<V: Real<Scalar = T>>(self, gradient: V, w: V) -> V {
        gradient.with_finite_square().flush_to_zero() + w.constant(self.weight_decay) * w
    }

    /// `alpha v + (gradient_scale * difference)^2`. The root of the square is flushed first: the square is then zero or normal.
    #[inline(always)]
    fn square<V: Real<Scalar = T>>(self, v: V, difference: V) -> V {
        let scaled = (v.constant(self.gradient_scale) * difference).flush_to_zero();
        (v.constant(self.alpha) * v + scaled * scaled).flush_subnormal()
    }

    /// `u`.
    #[inline(always)]
    fn update<V: Real<Scalar = T>>(self, g: V, v: V) -> V {
        g / (v.sqrt() + v.constant(self.epsilon))
    }

    /// `b`.
    #[inline(always)]
    fn velocity<V: Real<Scalar = T>>(self, b: V, u: V) -> V {
        (b.constant(self.momentum) * b + u).flush_to_zero()
    }

    /// `w`.
    #[inline(always)]
    fn weight<V: Real<Scalar = T>>(self, w: V, update: V) -> V {
        (w - w.constant(self.learning_rate) * update).flush_to_zero()
    }
}

/// The step of one parameter.
#[derive(Clone, Copy)]
struct Plain<T>(Settings<T>);

compiled_here!(Plain<T>, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for Plain<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, v]: [V; 2]) -> [V; 2] {
        let g = self.0.gradient(gradient, w);
        let v = self.0.square(v, g);
        [self.0.weight(w, self.0.update(g, v)), v]
    }
}

/// The step with momentum.
#[derive(Clone, Copy)]
struct WithMomentum<T>(Settings<T>);

compiled_here!(WithMomentum<T>, 1, 3);

impl<T: Scalar> Equations<T, 1, 3> for WithMomentum<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, v, b]: [V; 3]) -> [V; 3] {
        let g = self.0.gradient(gradient, w);
        let v = self.0.square(v, g);
        let b = self.0.velocity(b, self.0.update(g, v));
        [self.0.weight(w, b), v, b]
    }
}

/// The centred step, with momentum, which may be 0.
#[derive(Clone, Copy)]
struct Centred<T>(Settings<T>);

compiled_here!(Centred<T>, 1, 4);

impl<T: Scalar> Equations<T, 1, 4> for Centred<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, s, a, b]: [V; 4]) -> [V; 4] {
        let (one, alpha) = (w.constant(T::one()), w.constant(self.0.alpha));
        let g = self.0.gradient(gradient, w);
        let s = self.0.square(s, g - a);
        let a = (alpha * a + (one - alpha) * g).flush_to_zero();
        let b = self.0.velocity(b, self.0.update(g, s));
        [self.0.weight(w, b), s, a, b]
    }
}

impl<T: Scalar> Optimizer<T> for RmsProp<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        let (count, centred, has_velocity) = (parameters.count(), self.centred, self.centred || self.momentum > 0.0);
        sized(&mut self.squares, count);
        if centred {
            sized(&mut self.means, count);
        }
        if has_velocity {
            sized(&mut self.velocity, count);
        }
        // Of the decay rate as the squares have it, rounded to T: with rates near 1 the difference counts.
        let rounded = as_f64(real::<T>(self.alpha));
        let factor = if centred { rounded * (1.0 - rounded) } else { 1.0 - rounded };
        let (alpha, gradient_scale) = (real(self.alpha), real(Float::sqrt(factor)));
        let (epsilon, momentum) = (real(self.epsilon), real(self.momentum));
        let settings = (learning_rate, self.weight_decay);
        let (groups, mut index) = (&mut self.groups, 0..);
        let (mut squares, mut means) = (self.squares.as_mut_slice(), self.means.as_mut_slice());
        let mut velocity = self.velocity.as_mut_slice();
        parameters.visit_pair(&Path::ROOT, gradients.values(), &mut |path, w, g| {
            let v = squares.split_off_mut(..w.len()).unwrap_or_default();
            // Empty if the variant does not have them.
            let a = means.split_off_mut(..w.len()).unwrap_or_default();
            let b = velocity.split_off_mut(..w.len()).unwrap_or_default();
            let index = index.next().unwrap_or_default();
            let Some((learning_rate, weight_decay)) = groups.settings(index, path, settings) else { return };
            let weight_decay = real(weight_decay);
            let settings = Settings { learning_rate, alpha, gradient_scale, epsilon, momentum, weight_decay };
            if centred {
                each(Centred(settings), [g], [w, v, a, b]);
            } else if has_velocity {
                each(WithMomentum(settings), [g], [w, v, b]);
            } else {
                each(Plain(settings), [g], [w, v]);
            }
        });
    }

    fn state(&self) -> OptimizerState<T> {
        let [squares, means, velocity] = self.moments();
        let moments =
            vec![(squares, self.squares.clone()), (means, self.means.clone()), (velocity, self.velocity.clone())];
        OptimizerState { kind: "RmsProp", steps: 0, moments }
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        [self.squares, self.means, self.velocity] = state.into_moments("RmsProp", self.moments());
    }
}
