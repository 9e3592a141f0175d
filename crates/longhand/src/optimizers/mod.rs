//! Optimizers: from gradients to a step of the parameters.

mod adam;
mod parameter_group;
mod sgd;

pub use adam::{Adam, AdamW};
pub use parameter_group::ParameterGroup;
pub use sgd::Sgd;

use crate::{Gradients, Scalar, Tensors};
use alloc::vec::Vec;

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
}

/// Panics unless the learning rate makes sense.
#[track_caller]
fn check_learning_rate<T: Scalar>(learning_rate: T) {
    assert!(
        learning_rate >= T::zero() && learning_rate.is_finite(),
        "the learning rate is {learning_rate}, but it must be finite and not negative"
    );
}

/// One scalar of state for each parameter, sized at the first step.
fn sized<T: Scalar>(state: &mut Vec<T>, count: usize) {
    if state.is_empty() {
        state.resize(count, T::zero());
    }
    assert_eq!(state.len(), count, "an optimizer serves one model: it has met another count of parameters before");
}
