//! Errors of real predictions.
//!
//! For outputs `y` and targets `d` of one feature, with `n` steps that count,
//!
//! ```text
//! mean absolute error = sum |y - d| / n
//! mean squared error  = sum (y - d)^2 / n
//! R² = 1 - sum (y - d)^2 / sum (d - mean(d))^2
//! ```
//!
//! R² is 1 for perfect predictions, 0 for the mean of the targets, and negative for worse ones. It is undefined if the targets do not
//! vary.
//!
//! The sum of squares around the mean is updated with the mean, without the difference of two large sums (Chan, Golub and LeVeque,
//! "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979, equation 2.1):
//!
//! ```text
//! delta = mean_b - mean_a
//! mean  = mean_a + delta n_b / n        squares = squares_a + squares_b + delta^2 n_a n_b / n        with n = n_a + n_b
//! ```

use super::{MetricError, check_shapes, counted};
use crate::number::as_f64;
use crate::sum::Sum;
use longhand::{Scalar, Sequences};
use serde::{Deserialize, Serialize};

/// Mean absolute error, mean squared error and R² of real predictions.
///
/// If an output or a target is NaN, so are the values of its feature.
///
/// ```
/// use longhand::Sequences;
/// use longhand_training::metrics::RegressionErrors;
/// let outputs = Sequences::from_time_first(&[2.5, 0.0, 2.0, 8.0], [4, 1, 1])?;
/// let targets = Sequences::from_time_first(&[3.0, -0.5, 2.0, 7.0], [4, 1, 1])?;
/// let mut errors = RegressionErrors::new();
/// errors.update(&outputs, &targets)?;
/// assert_eq!((errors.mean_absolute_error(), errors.mean_squared_error()), (Some(0.5), Some(0.375)));
/// assert!((errors.r_squared().unwrap() - 0.948_608_137_044_967_9).abs() < 1e-15);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RegressionErrors {
    features: Vec<FeatureErrors>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct FeatureErrors {
    steps: u64,
    absolute: Sum,
    squared: Sum,
    /// The mean of the targets.
    mean: f64,
    /// The sum of the squares of the targets around their mean.
    squares: f64,
}

impl FeatureErrors {
    fn of_one(output: f64, target: f64) -> Self {
        let mut errors = FeatureErrors { steps: 1, mean: target, ..FeatureErrors::default() };
        errors.absolute.add((output - target).abs());
        errors.squared.add((output - target) * (output - target));
        errors
    }

    fn merge(&mut self, other: &FeatureErrors) {
        if other.steps == 0 {
            return;
        }
        let (own, others) = (self.steps as f64, other.steps as f64);
        let delta = other.mean - self.mean;
        self.steps += other.steps;
        self.mean += delta * (others / (own + others));
        self.squares += other.squares + delta * delta * (own * others / (own + others));
        self.absolute.merge(&other.absolute);
        self.squared.merge(&other.squared);
    }

    fn mean_of(&self, sum: &Sum) -> Option<f64> {
        (self.steps > 0).then(|| sum.value() / self.steps as f64)
    }

    fn r_squared(&self) -> Option<f64> {
        // NaN is kept.
        (self.steps > 0 && self.squares != 0.0).then(|| 1.0 - self.squared.value() / self.squares)
    }
}

impl RegressionErrors {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the steps of a batch.
    ///
    /// # Errors
    /// If the targets do not fit the outputs, or if the number of features is another one than before.
    pub fn update<T: Scalar>(&mut self, outputs: &Sequences<T>, targets: &Sequences<T>) -> Result<(), MetricError> {
        check_shapes(outputs, targets)?;
        let given = outputs.features();
        let before = if self.features.is_empty() { given } else { self.features.len() };
        if let Some(expected) = [targets.features(), before].into_iter().find(|&expected| expected != given) {
            return Err(MetricError::Features { given, expected });
        }
        self.features.resize(given, FeatureErrors::default());
        for (step, sequence, target) in counted(outputs, targets) {
            let targets = targets.at(target / targets.batch(), target % targets.batch());
            for ((errors, &y), &d) in self.features.iter_mut().zip(outputs.at(step, sequence)).zip(targets) {
                errors.merge(&FeatureErrors::of_one(as_f64(y), as_f64(d)));
            }
        }
        Ok(())
    }

    /// Adds the errors of another part of the data.
    ///
    /// # Errors
    /// If the other one has another number of features.
    pub fn merge(&mut self, other: &RegressionErrors) -> Result<(), MetricError> {
        if other.features.is_empty() {
            return Ok(());
        }
        if self.features.is_empty() {
            self.features.resize(other.features.len(), FeatureErrors::default());
        }
        MetricError::unless_equal("features", self.features.len(), other.features.len())?;
        for (errors, other) in self.features.iter_mut().zip(&other.features) {
            errors.merge(other);
        }
        Ok(())
    }

    /// Number of features; 0 before the first update.
    pub fn features(&self) -> usize {
        self.features.len()
    }

    /// Number of steps.
    pub fn total(&self) -> u64 {
        self.features.first().map_or(0, |errors| errors.steps)
    }

    /// The mean over all steps and features; `None` if nothing was counted.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        self.mean(|errors| errors.mean_of(&errors.absolute))
    }

    /// The mean over all steps and features; `None` if nothing was counted.
    pub fn mean_squared_error(&self) -> Option<f64> {
        self.mean(|errors| errors.mean_of(&errors.squared))
    }

    /// The square root of the mean squared error, in the unit of the targets; `None` if nothing was counted.
    pub fn root_mean_squared_error(&self) -> Option<f64> {
        self.mean_squared_error().map(f64::sqrt)
    }

    /// The mean of R² over the features whose targets vary; `None` if there is none.
    pub fn r_squared(&self) -> Option<f64> {
        self.mean(FeatureErrors::r_squared)
    }

    /// The mean absolute error of one feature; `None` if nothing was counted, or if there is no such feature.
    pub fn mean_absolute_error_of(&self, feature: usize) -> Option<f64> {
        self.features.get(feature).and_then(|errors| errors.mean_of(&errors.absolute))
    }

    /// The mean squared error of one feature; `None` if nothing was counted, or if there is no such feature.
    pub fn mean_squared_error_of(&self, feature: usize) -> Option<f64> {
        self.features.get(feature).and_then(|errors| errors.mean_of(&errors.squared))
    }

    /// R² of one feature; `None` if its targets do not vary, or if there is no such feature.
    pub fn r_squared_of(&self, feature: usize) -> Option<f64> {
        self.features.get(feature).and_then(FeatureErrors::r_squared)
    }

    /// The mean over the features that have a value.
    fn mean(&self, value: impl Fn(&FeatureErrors) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.features.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}
