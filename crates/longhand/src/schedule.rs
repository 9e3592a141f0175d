//! Learning-rate schedules: pure functions of the step, as factors of a peak learning rate.
//!
//! Factors must be finite and not negative, as learning rates must: a schedule that is given another one panics.
//!
//! ```
//! use longhand::schedule;
//! // Up for 10 steps, then down to zero at step 100.
//! let factor = |step| schedule::warm_up_then(step, 10, |step| schedule::cosine(step, 90, 0.0));
//! assert!(factor(0) > 0.0 && factor(9) == 1.0 && factor(10) == 1.0 && factor(100) < 1e-12);
//! ```

use num_traits::Float;

/// Linear warm-up: `(step + 1) / steps` up to 1 at step `steps - 1`, then 1.
pub fn linear_warm_up(step: usize, steps: usize) -> f64 {
    if step >= steps { 1.0 } else { (step + 1) as f64 / steps as f64 }
}

/// Linear warm-up over `steps` steps, then `after`, whose steps are counted from the end of the warm-up.
pub fn warm_up_then(step: usize, steps: usize, after: impl Fn(usize) -> f64) -> f64 {
    if step < steps { linear_warm_up(step, steps) } else { after(step - steps) }
}

/// Half a cosine from 1 at step 0 to `floor` at step `steps`, then `floor` (Loshchilov and Hutter, 2017, equation 5).
///
/// # Panics
/// If `floor` is NaN, infinite or negative.
#[track_caller]
pub fn cosine(step: usize, steps: usize, floor: f64) -> f64 {
    check_factor("floor", floor);
    if step >= steps {
        return floor;
    }
    let angle = core::f64::consts::PI * step as f64 / steps as f64;
    floor + (1.0 - floor) * 0.5 * (1.0 + Float::cos(angle))
}

/// A straight line from 1 at step 0 to `floor` at step `steps`, then `floor`.
///
/// # Panics
/// If `floor` is NaN, infinite or negative.
#[track_caller]
pub fn linear(step: usize, steps: usize, floor: f64) -> f64 {
    check_factor("floor", floor);
    if step >= steps { floor } else { 1.0 + (floor - 1.0) * step as f64 / steps as f64 }
}

/// Multiplies by `factor` after every `every` steps.
///
/// # Panics
/// If `every` is 0, or `factor` is NaN, infinite or negative.
#[track_caller]
pub fn step_decay(step: usize, every: usize, factor: f64) -> f64 {
    check_factor("factor", factor);
    let decays = step.checked_div(every).expect("a step decay needs at least 1 step between decays, but `every` is 0");
    Float::powi(factor, i32::try_from(decays).unwrap_or(i32::MAX))
}

/// `factor` to the power of the step.
///
/// # Panics
/// If `factor` is NaN, infinite or negative.
#[track_caller]
pub fn exponential(step: usize, factor: f64) -> f64 {
    step_decay(step, 1, factor)
}

/// Panics unless a factor of the learning rate is finite and not negative.
#[track_caller]
fn check_factor(name: &str, factor: f64) {
    assert!(
        factor >= 0.0 && factor.is_finite(),
        "the {name} of a schedule is {factor}, but it must be finite and not negative"
    );
}
