//! Optimizers: from gradients to a step of the parameters.

mod adagrad;
mod adam;
mod lion;
mod lookahead;
mod parameter_group;
mod rms_prop;
mod sgd;

pub use adagrad::Adagrad;
pub use adam::{Adam, AdamW};
pub use lion::Lion;
pub use lookahead::Lookahead;
pub use parameter_group::ParameterGroup;
pub use rms_prop::RmsProp;
pub use sgd::Sgd;

use crate::hyperparameters::check_positive;
use crate::scalar::is;
use crate::{Gradients, HyperparameterError, Scalar, Tensors};
use alloc::{format, vec::Vec};
use core::any::type_name;
use num_traits::Float;

/// Turns gradients into a step of the parameters.
///
/// State is allocated at the first step, in the order of the tensors; use one optimizer per model. Frozen parameters
/// ([`Frozen`](crate::Frozen)) stay as they are.
/// The learning rate is an argument, so that a schedule is a pure function of the step (see
/// [`schedule`](crate::schedule)).
///
/// ```
/// use longhand::{Adam, Gradients, Linear, Optimizer};
/// let mut layer = Linear::<f64>::zeros(1, 1);
/// let mut gradients = Gradients::zeros(&layer);
/// gradients.values_mut().weight[(0, 0)] = 3.0;
/// let mut optimizer = Adam::new();
/// optimizer.step(&mut layer, &gradients, 0.1);
/// // Adam's first step has the length of the learning rate.
/// assert!((layer.weight[(0, 0)] + 0.1).abs() < 1e-8);
/// ```
pub trait Optimizer<T: Scalar> {
    /// Updates the parameters by one step against the gradient.
    ///
    /// # Panics
    /// If `learning_rate` is NaN, infinite or negative, if `parameters` and `gradients` differ in shape, or if they differ
    /// in count from those of earlier steps.
    #[track_caller]
    fn step<P: Tensors<T>>(&mut self, parameters: &mut P, gradients: &Gradients<P>, learning_rate: T);

    /// A copy of the state, for a checkpoint. The settings, such as the weight decay, are not part of it.
    fn state(&self) -> OptimizerState<T>;

    /// Continues from the state of an optimizer of the same kind and with the same settings: later steps have the same bits.
    ///
    /// ```
    /// use longhand::{Adam, Gradients, Linear, Optimizer};
    /// let mut layer = Linear::<f64>::zeros(1, 1);
    /// let mut gradients = Gradients::zeros(&layer);
    /// gradients.values_mut().weight[(0, 0)] = 3.0;
    /// let mut optimizer = Adam::new();
    /// optimizer.step(&mut layer, &gradients, 0.1);
    ///
    /// let mut resumed = Adam::new();
    /// resumed.restore(optimizer.state());
    /// assert_eq!(resumed, optimizer);
    /// ```
    ///
    /// # Panics
    /// If the kind of the state, or the names of its moments, are not those of [`state`](Self::state).
    #[track_caller]
    fn restore(&mut self, state: OptimizerState<T>);
}

/// What the steps of an optimizer have left: everything that later steps depend on, apart from its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState<T> {
    /// The name of the optimizer, such as `AdamW`; of a wrapper, the name of the inner one.
    pub kind: &'static str,
    /// Number of steps so far, if the optimizer counts them, or 0.
    pub steps: u32,
    /// Each kind of state, by name. It has one scalar per parameter, in the order of the model's tensors, or none before the first
    /// step.
    pub moments: Vec<(&'static str, Vec<T>)>,
}

impl<T: Scalar> OptimizerState<T> {
    /// The moments of these names.
    #[track_caller]
    fn into_moments<const N: usize>(self, kind: &str, names: [&str; N]) -> [Vec<T>; N] {
        assert!(self.kind == kind, "the state is that of the optimizer `{}`, but this one is `{kind}`", self.kind);
        let found: Vec<&str> = self.moments.iter().map(|&(name, _)| name).collect();
        assert_eq!(
            found, names,
            "the state is that of another kind of optimizer: the names of its moments must be equal"
        );
        let mut moments = self.moments.into_iter().map(|(_, values)| values);
        core::array::from_fn(|_| moments.next().unwrap_or_default())
    }
}

/// Panics unless the learning rate makes sense.
#[track_caller]
fn check_learning_rate<T: Scalar>(learning_rate: T) {
    assert!(
        learning_rate >= T::zero() && learning_rate.is_finite(),
        "the learning rate is {learning_rate}, but it must be finite and not negative"
    );
}

/// Checks the constant in a denominator `sqrt(v) + epsilon`.
fn check_epsilon<T: Scalar>(epsilon: f64) -> Result<(), HyperparameterError> {
    check_positive::<T>("epsilon", epsilon)?;
    // Small moments are flushed to zero, so a smaller epsilon would divide what is left of them by next to nothing.
    let smallest = if is::<T, f32>() {
        Float::powi(2.0, -53)
    } else if is::<T, f64>() {
        Float::powi(2.0, -500)
    } else {
        0.0
    };
    let expected = format!("at least {smallest:e} for {}", type_name::<T>());
    HyperparameterError::unless(epsilon >= smallest, "epsilon", epsilon, &expected)
}

/// One scalar of state for each parameter, sized at the first step.
fn sized<T: Scalar>(state: &mut Vec<T>, count: usize) {
    sized_with(state, count, T::zero());
}

/// Like [`sized`], with state that starts at `value`.
fn sized_with<T: Scalar>(state: &mut Vec<T>, count: usize, value: T) {
    if state.is_empty() {
        state.resize(count, value);
    }
    assert_eq!(state.len(), count, "an optimizer serves one model: it has met another count of parameters before");
}
