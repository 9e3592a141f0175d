//! Weights of classes or features, given by the user of a loss.

use crate::scalar::real;
use crate::{HyperparameterError, Scalar, hyperparameters};
use alloc::boxed::Box;
use core::any::Any;

/// One weight per class or feature; by default there are none, and all are 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Weights(Option<Given>);

/// The weights, and the same in `f32`, so that a pass on vectors reads them in place.
#[derive(Debug, Clone, PartialEq)]
struct Given {
    double: Box<[f64]>,
    single: Box<[f32]>,
    /// For each weight, the sum of all others.
    others: Box<[f64]>,
}

impl Weights {
    /// Checked weights. The names are those of a weight and of their number, for messages.
    pub(super) fn new([name, number]: [&'static str; 2], weights: &[f64]) -> Result<Self, HyperparameterError> {
        HyperparameterError::unless(!weights.is_empty(), number, 0.0, "at least 1")?;
        // The loss may run in `f32`, where a smaller weight would be 0 in the loss, but not in the divisor of a mean.
        weights.iter().try_for_each(|&weight| hyperparameters::check_not_negative::<f32>(name, weight))?;
        let single = weights.iter().map(|&weight| weight as f32).collect();
        // The sum of those before and of those behind: the difference from the sum of all would lose digits.
        let mut others: Box<[f64]> = weights.iter().map(|_| 0.0).collect();
        let (mut before, mut behind) = (0.0, 0.0);
        for (i, &weight) in weights.iter().enumerate() {
            others[i] += before;
            before += weight;
        }
        for (i, &weight) in weights.iter().enumerate().rev() {
            others[i] += behind;
            behind += weight;
        }
        Ok(Weights(Some(Given { double: weights.into(), single, others })))
    }

    pub(super) fn are_given(&self) -> bool {
        self.0.is_some()
    }

    /// Panics if there are weights for another number of classes or features.
    #[track_caller]
    pub(super) fn check_number(&self, features: usize) {
        if let Some(Given { double, .. }) = &self.0 {
            let given = double.len();
            assert!(
                given == features,
                "the loss has {given} weights, the output {features} features; they must be equal"
            );
        }
    }

    /// The weights, if they are given, in `f32` or `f64`; `None` for other scalar types.
    pub(super) fn values<S: Scalar>(&self) -> Option<&[S]> {
        let Given { double, single, .. } = self.0.as_ref()?;
        let both: [&dyn Any; 2] = [double, single];
        both.into_iter().find_map(|weights| weights.downcast_ref::<Box<[S]>>()).map(|weights| &**weights)
    }

    /// The weight of a class or feature.
    pub(super) fn of<T: Scalar>(&self, index: usize) -> T {
        self.0.as_ref().map_or(T::one(), |weights| real(weights.double[index]))
    }

    /// The sum of the weights of all classes or features but one, times a factor; 0 if they are not given.
    pub(super) fn of_others<T: Scalar>(&self, index: usize, factor: f64) -> T {
        self.0.as_ref().map_or(T::zero(), |weights| real(weights.others[index] * factor))
    }

    /// The weight of a label in the divisor of a mean. A label without a weight is no class, and the loss panics.
    pub(super) fn of_label(&self, label: Option<usize>) -> f64 {
        self.0.as_ref().map_or(1.0, |weights| label.and_then(|label| weights.double.get(label)).copied().unwrap_or(0.0))
    }
}
