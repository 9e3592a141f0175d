//! Weights of classes or features, given by the user of a loss.

use crate::scalar::real;
use crate::{HyperparameterError, Scalar, hyperparameters};
use alloc::boxed::Box;

/// One weight per class or feature; by default there are none, and all are 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Weights(Option<Box<[f64]>>);

impl Weights {
    /// Checked weights. The names are those of a weight and of their number, for messages.
    pub(super) fn new([name, number]: [&'static str; 2], weights: &[f64]) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(!weights.is_empty(), number, 0.0, "at least 1")?;
        // The loss may run in `f32`, where a smaller weight would be 0 in the loss, but not in the divisor of a mean.
        weights.iter().try_for_each(|&weight| hyperparameters::check_not_negative::<f32>(name, weight))?;
        Ok(Weights(Some(weights.into())))
    }

    pub(super) fn are_given(&self) -> bool {
        self.0.is_some()
    }

    /// Panics if there are weights for another number of classes or features.
    #[track_caller]
    pub(super) fn check_number(&self, features: usize) {
        if let Some(weights) = &self.0 {
            let given = weights.len();
            assert!(
                given == features,
                "the loss has {given} weights, the output {features} features; they must be equal"
            );
        }
    }

    /// The weight of a class or feature.
    pub(super) fn of<T: Scalar>(&self, index: usize) -> T {
        self.0.as_ref().map_or(T::one(), |weights| real(weights[index]))
    }

    /// The weight of a label in the divisor of a mean. A label without a weight is no class, and the loss panics.
    pub(super) fn of_label(&self, label: Option<usize>) -> f64 {
        self.0.as_ref().map_or(1.0, |weights| label.and_then(|label| weights.get(label)).copied().unwrap_or(0.0))
    }
}
