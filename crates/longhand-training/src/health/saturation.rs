//! Saturated and dead units.
//!
//! A gradient that passes a unit is multiplied by the derivative of the unit's function, which the output `h` determines:
//!
//! ```text
//! tanh:      1 - h^2         small where |h| is near 1
//! logistic:  h (1 - h)       small where h is near 0 or 1; at most 1/4
//! relu:      0 where h = 0, and 1 elsewhere
//! ```
//!
//! A unit that is saturated at every step passes no gradient, so it does not learn. A rectified unit that is zero at every step of all
//! data is dead: no gradient can bring it back.

use crate::metrics::MetricError;
use crate::number::{as_f64, unless};
use longhand::{HyperparameterError, Scalar, Sequences};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The range of the outputs of a unit: its nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Range {
    /// From -1 to 1: `tanh`, and the outputs of Elman, GRU and LSTM layers.
    Tanh,
    /// From 0 to 1: the logistic function.
    Logistic,
    /// From 0 on: rectified linear units.
    Relu,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The share of steps at which each unit of a layer is saturated, or zero in the case of rectified linear units.
///
/// The outputs of a GRU are weighted means of tanh values, and those of an LSTM are tanh values times a gate: they are near -1 or 1
/// only if the tanh is saturated.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::health::{Range, Saturation};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let model = Elman::<f32>::new(1, 8, &mut generator).then(LastStep)?.then(Linear::new(8, 2, &mut generator))?;
/// // Inputs that nobody has normalised.
/// let x = Sequences::from_fn(1, 50, 4, |_, step, b| 200.0 * (step as f32 + b as f32).sin());
///
/// // The recurrent layer alone: the first of the first two.
/// let layer = model.first().first();
/// let (mut carry, mut cache) = (layer.carry(4), Default::default());
/// let mut saturation = Saturation::new(Range::Tanh, 0.05)?;
/// saturation.update(layer.forward(&x, &mut carry, &mut cache, &mut Pass::Infer))?;
/// assert!(saturation.share().unwrap() > 0.7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Saturation {
    range: Range,
    slope: f64,
    /// Per unit.
    saturated: Vec<u64>,
    steps: u64,
}

impl Saturation {
    /// Nothing counted yet. A unit is saturated at a step if the derivative of its function is below `slope` times the largest
    /// possible one: 0.05 is usual. For [`Range::Relu`] the slope does not matter, because the derivative is 0 or 1.
    ///
    /// # Errors
    /// If `slope` is not between 0 and 1.
    pub fn new(range: Range, slope: f64) -> Result<Self, HyperparameterError> {
        unless(slope > 0.0 && slope < 1.0, "slope", slope, "above 0 and below 1")?;
        Ok(Saturation { range, slope, saturated: Vec::new(), steps: 0 })
    }

    /// Counts the valid steps of a layer's outputs. NaN counts as saturated.
    ///
    /// # Errors
    /// If the number of units is another one than before.
    pub fn update<T: Scalar>(&mut self, outputs: &Sequences<T>) -> Result<(), MetricError> {
        let given = outputs.features();
        if self.saturated.is_empty() {
            self.saturated.resize(given, 0);
        }
        if self.saturated.len() != given {
            return Err(MetricError::Features { given, expected: self.saturated.len() });
        }
        let (range, slope) = (self.range, self.slope);
        // The derivatives, as a share of the largest one.
        let passes_gradients = |h: f64| match range {
            Range::Tanh => 1.0 - h * h >= slope,
            Range::Logistic => 4.0 * h * (1.0 - h) >= slope,
            Range::Relu => h > 0.0,
        };
        let layout = outputs.layout();
        for step in 0..layout.steps() {
            for sequence in (0..layout.batch()).filter(|&sequence| layout.is_valid(step, sequence)) {
                self.steps += 1;
                for (saturated, &h) in self.saturated.iter_mut().zip(outputs.at(step, sequence)) {
                    *saturated += u64::from(!passes_gradients(as_f64(h)));
                }
            }
        }
        Ok(())
    }

    /// Adds the counts of another part of the data.
    ///
    /// # Errors
    /// If the other one has another range, slope or number of units.
    pub fn merge(&mut self, other: &Saturation) -> Result<(), MetricError> {
        MetricError::unless_equal("range", self.range, other.range)?;
        MetricError::unless_equal("slope", self.slope, other.slope)?;
        if other.saturated.is_empty() {
            return Ok(());
        }
        if self.saturated.is_empty() {
            self.saturated.resize(other.saturated.len(), 0);
        }
        MetricError::unless_equal("units", self.saturated.len(), other.saturated.len())?;
        self.steps += other.steps;
        for (saturated, other) in self.saturated.iter_mut().zip(&other.saturated) {
            *saturated += other;
        }
        Ok(())
    }

    /// The share of steps at which each unit is saturated or zero; empty if nothing was counted.
    pub fn shares(&self) -> impl Iterator<Item = f64> + '_ {
        let units = if self.steps > 0 { self.saturated.as_slice() } else { &[] };
        units.iter().map(|&saturated| saturated as f64 / self.steps as f64)
    }

    /// The mean share over all units; `None` if nothing was counted.
    pub fn share(&self) -> Option<f64> {
        let units = self.shares().count();
        (units > 0).then(|| self.shares().sum::<f64>() / units as f64)
    }

    /// The units that were saturated at every step, or, if rectified, dead: those that do not learn.
    pub fn stuck_units(&self) -> impl Iterator<Item = usize> + '_ {
        let is_stuck = |&(_, &saturated): &(usize, &u64)| self.steps > 0 && saturated == self.steps;
        self.saturated.iter().enumerate().filter(is_stuck).map(|(unit, _)| unit)
    }

    /// Number of steps.
    pub fn steps(&self) -> u64 {
        self.steps
    }
}
