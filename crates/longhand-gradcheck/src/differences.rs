//! Central differences with Richardson extrapolation, for layers that run on `f64` only.
//!
//! With `phi(s)` the loss at a distance `s` in the direction `u`, the central difference
//!
//! ```text
//! D(h) = (phi(h) - phi(-h)) / 2h = phi' + c2 h^2 + c4 h^4 + ...
//! ```
//!
//! has two errors. *Truncation* is the sum of the terms in `h`. Extrapolation from two steps, `R(h) = (4 D(h/2) - D(h))
//! / 3`, removes the first term, and four steps remove three. The change made by the last extrapolation bounds the
//! change that the next one would make. *Rounding* comes from `phi`, which is known to about `noise`. `D(h)` is then
//! known to `noise / h`, and the rounding error of each extrapolation follows from those of its two terms. Truncation
//! falls with smaller `h`, and rounding rises. Steps are halved, and the extrapolation with the smallest sum of both
//! errors is used. The tolerance is this sum times a safety factor. `noise` is measured, so only the factor is chosen.
//!
//! Errors measured on an Elman layer over 150 steps, relative to the size of the terms: typical, and the worst of 60
//! seeds in parentheses (`tests/checker/oracle_errors.rs`). Dual numbers 3e-17 (7e-16). This method 1.5e-14 (2e-13),
//! with a tolerance of 2e-12. Central differences 7e-12 (6e-9) with the best step, and 1e-8 (6e-5) with a step of 1e-4.

use crate::dual::{Direction, cotangents};
use crate::laws::along;
use crate::numbers::{dot, elements};
use crate::oracle::{Derivative, Oracle};
use crate::setting::Setting;
use longhand::Layer;

/// Computes reference derivatives by central differences with Richardson extrapolation, for layers that run on `f64`
/// only. The error bound follows from estimates of truncation and rounding.
#[derive(Debug, Clone, Copy)]
pub struct Differences {
    step: f64,
}

impl Default for Differences {
    fn default() -> Self {
        Differences::new()
    }
}

/// Number of steps, from `step` down to `step / 2^(ROWS - 1)`.
const ROWS: usize = 14;
/// Safety factor on the estimated error. The smallest of about a hundred estimates is used, and an estimate may be
/// small by chance.
const SAFETY: f64 = 10.0;

impl Differences {
    /// Uses steps of 1/8 and smaller along a direction of length 1.
    pub fn new() -> Self {
        Differences { step: 0.125 }
    }
}

impl<L: Layer<f64>> Oracle<L> for Differences {
    fn derivative(&self, setting: &Setting<L>, direction: &Direction) -> Derivative {
        let v = cotangents(setting);
        let length = length(direction);
        if length == 0.0 {
            return Derivative { value: 0.0, magnitude: 0.0, error: 0.0 };
        }
        let at = |s: f64| {
            let (output, carry) = along(setting, direction, s / length).forward(&mut L::Cache::default());
            let mut values = elements(&output);
            values.extend(elements(&carry));
            dot(&v, &values)
        };
        let estimate = Estimate::of(&mut |s| at(s).0, self.step, noise(&at));
        Derivative { value: estimate.value * length, magnitude: 0.0, error: SAFETY * estimate.error * length }
    }
}

/// The rounding error of the loss near 0. It is the larger of two estimates: the rounding of the loss's sum, and the
/// noise in sixth differences of neighbouring values (Hamming). At such small distances the sixth differences of a
/// smooth function are noise only. Noise of standard deviation `d` gives them a standard deviation of `d
/// sqrt(binomial(12, 6))`.
fn noise(at: &dyn Fn(f64) -> (f64, f64)) -> f64 {
    const DISTANCE: f64 = 1e-10;
    let mut values: Vec<f64> = (0..13).map(|i| at(DISTANCE * f64::from(i - 6)).0).collect();
    for _ in 0..6 {
        values = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    }
    let square = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
    let measured = (square / 924.0).sqrt();
    let (_, magnitude) = at(0.0);
    measured.max(0.5 * f64::EPSILON * magnitude)
}

/// A derivative and a bound on its error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

impl Estimate {
    /// Estimates the derivative of `phi` at 0 with steps of `step` and smaller. `noise` is the rounding error of `phi`.
    pub(crate) fn of(phi: &mut dyn FnMut(f64) -> f64, step: f64, noise: f64) -> Estimate {
        let mut best = Estimate { value: f64::NAN, error: f64::INFINITY };
        let mut previous_row: Vec<(f64, f64)> = Vec::new();
        for row in 0..ROWS {
            let h = step / f64::from(1 << row);
            let mut current = vec![((phi(h) - phi(-h)) / (2.0 * h), noise / h)];
            for (order, &(coarse, coarse_rounding)) in previous_row.iter().enumerate() {
                let (fine, fine_rounding) = current[order];
                let factor = f64::from(1 << (2 * (order + 1)));
                let value = (factor * fine - coarse) / (factor - 1.0);
                let rounding = (factor * fine_rounding + coarse_rounding) / (factor - 1.0);
                // The change from the two values that were combined bounds their truncation error. The error of the
                // combination is smaller.
                let truncation = (value - fine).abs().max((value - coarse).abs());
                let error = truncation + rounding;
                if error < best.error {
                    best = Estimate { value, error };
                }
                current.push((value, rounding));
            }
            previous_row = current;
        }
        best
    }
}

fn length(direction: &Direction) -> f64 {
    let square = |u: &[f64]| u.iter().map(|u| u * u).sum::<f64>();
    (square(&direction.parameters) + square(&direction.input) + square(&direction.carry)).sqrt()
}
