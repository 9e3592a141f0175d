//! Learning-rate schedules: pure functions of the step, as factors of a peak learning rate.
//!
//! ```
//! use longhand::schedule;
//! // Up for 10 steps, then down to nothing at step 100.
//! let factor = |step| schedule::warm_up_then(step, 10, |step| schedule::cosine(step, 90, 0.0));
//! assert!(factor(0) > 0.0 && factor(9) == 1.0 && factor(10) == 1.0 && factor(100) < 1e-12);
//! ```

use crate::scalar::real;

/// Linear warm-up: `(step + 1) / steps` up to 1 at step `steps - 1`, then 1.
pub fn linear_warm_up(step: usize, steps: usize) -> f64 {
    if step + 1 >= steps { 1.0 } else { (step + 1) as f64 / steps as f64 }
}

/// Linear warm-up over `steps` steps, then `after`, which counts its steps from there.
pub fn warm_up_then(step: usize, steps: usize, after: impl Fn(usize) -> f64) -> f64 {
    if step < steps { linear_warm_up(step, steps) } else { after(step - steps) }
}

/// Half a cosine from 1 at step 0 to `floor` at step `steps`, then `floor` (Loshchilov and Hutter, 2017, equation 5).
pub fn cosine(step: usize, steps: usize, floor: f64) -> f64 {
    if step >= steps {
        return floor;
    }
    let angle = core::f64::consts::PI * step as f64 / steps as f64;
    floor + (1.0 - floor) * 0.5 * (1.0 + nalgebra::ComplexField::cos(real::<f64>(angle)))
}

/// A straight line from 1 at step 0 to `floor` at step `steps`, then `floor`.
pub fn linear(step: usize, steps: usize, floor: f64) -> f64 {
    if step >= steps { floor } else { 1.0 + (floor - 1.0) * step as f64 / steps as f64 }
}

/// `factor` once for every `every` steps gone by.
///
/// # Panics
/// If `every` is 0.
pub fn step_decay(step: usize, every: usize, factor: f64) -> f64 {
    nalgebra::ComplexField::powi(factor, i32::try_from(step / every).unwrap_or(i32::MAX))
}

/// `factor` to the power of the step.
pub fn exponential(step: usize, factor: f64) -> f64 {
    step_decay(step, 1, factor)
}
