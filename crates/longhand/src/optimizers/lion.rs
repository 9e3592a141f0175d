//! Lion (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2).

use super::parameter_group::Groups;
use super::{Optimizer, OptimizerState, ParameterGroup, check_learning_rate, sized};
use crate::hyperparameters::{check_fraction, check_not_negative};
use crate::kernel::{Equations, Real, compiled_here, each};
use crate::scalar::real;
use crate::{Gradients, HyperparameterError, Path, Scalar, Tensors};
use alloc::{vec, vec::Vec};

/// Lion: the sign of a momentum is the step, so every parameter moves by the learning rate.
///
/// ```text
/// c = beta1 m + (1 - beta1) g
/// w = w - learning_rate * (sign(c) + weight_decay * w)             sign(0) = 0
/// m = beta2 m + (1 - beta2) g
/// ```
///
/// The weight decay is decoupled, as that of [`AdamW`](crate::AdamW). Lion's steps are longer than Adam's: its authors recommend a learning
/// rate 3 to 10 times smaller than that of AdamW, and a weight decay larger by the same factor.
///
/// A step has the same length for every gradient, however small. So flushing [vanishing numbers](crate::vanishing) to zero does have an
/// effect here: a gradient below `2^-63` (1.1e-19) at f32, or `2^-511` at f64, counts as zero, and without momentum its parameter stays.
///
/// ```
/// use longhand::{Gradients, Linear, Lion, Optimizer};
/// let mut layer = Linear::<f64>::zeros(2, 1);
/// let mut gradients = Gradients::zeros(&layer);
/// (gradients.values_mut().weight[0], gradients.values_mut().weight[1]) = (3.0, -1e-6);
/// Lion::new().step(&mut layer, &gradients, 0.1);
/// assert_eq!(layer.weight.as_slice(), [-0.1, 0.1]);
/// assert_eq!(layer.bias[0], 0.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Lion<T> {
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
    groups: Groups,
    momentum: Vec<T>,
}

impl<T: Scalar> Default for Lion<T> {
    fn default() -> Self {
        Lion::new()
    }
}

impl<T: Scalar> Lion<T> {
    /// `beta1 = 0.9`, `beta2 = 0.99`, without weight decay.
    pub fn new() -> Self {
        Lion { beta1: 0.9, beta2: 0.99, weight_decay: 0.0, groups: Groups::default(), momentum: Vec::new() }
    }

    /// With another weight of the momentum in the step (`beta1`) and another decay rate of the momentum (`beta2`).
    ///
    /// # Errors
    /// If one is not in `[0, 1)`, before or after rounding to `T`.
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Result<Self, HyperparameterError> {
        check_fraction::<T>("beta1", beta1)?;
        check_fraction::<T>("beta2", beta2)?;
        (self.beta1, self.beta2) = (beta1, beta2);
        Ok(self)
    }

    /// With weight decay.
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
        self.groups.add::<T>(group)?;
        Ok(self)
    }
}

/// One step of Lion: the numbers that are the same for all parameters of a tensor.
#[derive(Clone, Copy)]
struct LionStep<T> {
    learning_rate: T,
    beta1: T,
    beta2: T,
    weight_decay: T,
}

compiled_here!(LionStep<T>, 1, 2);

impl<T: Scalar> Equations<T, 1, 2> for LionStep<T> {
    #[inline(always)]
    fn apply<V: Real<Scalar = T>>(self, [gradient]: [V; 1], [w, m]: [V; 2]) -> [V; 2] {
        let (zero, one) = (w.constant(T::zero()), w.constant(T::one()));
        let (beta1, beta2) = (w.constant(self.beta1), w.constant(self.beta2));
        let g = gradient.flush_to_zero();
        let c = beta1 * m + (one - beta1) * g;
        // The last term is zero, or NaN if `c` is NaN or infinite: the sign alone would hide a gradient that is not finite.
        let sign = c.where_positive(one) - (zero - c).where_positive(one) + zero * c;
        let w = w - w.constant(self.learning_rate) * (sign + w.constant(self.weight_decay) * w);
        let m = beta2 * m + (one - beta2) * g;
        [w.flush_to_zero(), m.flush_to_zero()]
    }
}

impl<T: Scalar> Optimizer<T> for Lion<T> {
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T) {
        check_learning_rate(learning_rate);
        sized(&mut self.momentum, parameters.count());
        let (beta1, beta2) = (real(self.beta1), real(self.beta2));
        let settings = (learning_rate, self.weight_decay);
        let (groups, mut index) = (&mut self.groups, 0..);
        let mut momentum = self.momentum.as_mut_slice();
        parameters.visit_pair(&Path::ROOT, gradients.values(), &mut |path, w, g| {
            let m = momentum.split_off_mut(..w.len()).unwrap_or_default();
            let index = index.next().unwrap_or_default();
            let Some((learning_rate, weight_decay)) = groups.settings(index, path, settings) else { return };
            each(LionStep { learning_rate, beta1, beta2, weight_decay: real(weight_decay) }, [g], [w, m]);
        });
    }

    fn state(&self) -> OptimizerState<T> {
        OptimizerState { kind: "Lion", steps: 0, moments: vec![("momentum", self.momentum.clone())] }
    }

    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>) {
        [self.momentum] = state.into_moments("Lion", ["momentum"]);
    }
}
