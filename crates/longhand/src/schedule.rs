//! Learning-rate schedules: pure functions of the step, as factors of a peak learning rate.
//!
//! Factors must be finite and not negative, as learning rates must: a schedule that is given another one panics.
//!
//! | schedule | shape |
//! |---|---|
//! | [`linear_warm_up`], [`warm_up_then`] | up to 1, then 1, or any other schedule |
//! | [`linear`], [`polynomial`], [`cosine`] | down to a floor, in a given number of steps |
//! | [`cosine_with_warm_restarts`] | down to a floor, again and again |
//! | [`one_cycle`] | up to 1, and down to almost nothing |
//! | [`step_decay`], [`exponential`] | down by a factor, for ever |
//!
//! ```
//! use longhand::schedule;
//! // Up for 10 steps, then down to zero at step 100.
//! let factor = |step| schedule::warm_up_then(step, 10, |step| schedule::cosine(step, 90, 0.0));
//! assert!(factor(0) > 0.0 && factor(9) == 1.0 && factor(10) == 1.0 && factor(100) < 1e-12);
//! ```

use core::f64::consts::PI;
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
    half_cosine(1.0, floor, step, steps)
}

/// A cosine from 1 to `floor` over `period` steps, then again from 1, with a period that is `multiplier` times as long each time: "warm
/// restarts" (Loshchilov and Hutter, 2017, equation 5, with `T_0 = period` and `T_mult = multiplier`).
///
/// The restarts are at the steps `period`, `period (1 + multiplier)`, `period (1 + multiplier + multiplier^2)`, and so on. The learning
/// rate is lowest at the step before each.
///
/// ```
/// use longhand::schedule::cosine_with_warm_restarts;
/// let factor = |step| cosine_with_warm_restarts(step, 10, 2, 0.0);
/// assert_eq!([factor(0), factor(10), factor(30)], [1.0; 3]);
/// assert!(factor(9) < 0.03 && (factor(20) - 0.5).abs() < 1e-12);
/// ```
///
/// # Panics
/// If `period` or `multiplier` is 0, or `floor` is NaN, infinite or negative.
#[track_caller]
pub fn cosine_with_warm_restarts(step: usize, period: usize, multiplier: usize, floor: f64) -> f64 {
    assert!(
        period > 0 && multiplier > 0,
        "the period of warm restarts is {period}, their multiplier {multiplier}, but both must be at least 1"
    );
    let (mut step, mut period) = (step, period);
    if multiplier == 1 {
        step %= period;
    }
    while step >= period {
        step -= period;
        period = period.saturating_mul(multiplier);
    }
    cosine(step, period, floor)
}

/// One cycle (Smith and Topin, 2018, "Super-Convergence"; Smith, 2018, section 4.2): half a cosine up from `first` to 1 at step
/// `warm_up - 1`, then half a cosine down to `last` at step `steps - 1`, then `last`.
///
/// The cycle is that of PyTorch's `OneCycleLR` with two phases, `pct_start = warm_up / steps`, `div_factor = 1 / first` and
/// `final_div_factor = first / last`, whose defaults are 0.3, 25 and 1e4: `one_cycle(step, steps, 3 * steps / 10, 0.04, 4e-6)`. Smith's
/// lines are straight, and he lowers the momentum while the learning rate rises; here the momentum stays.
///
/// ```
/// use longhand::schedule::one_cycle;
/// let factor = |step| one_cycle(step, 100, 30, 0.04, 4e-6);
/// assert!((factor(0) - 0.04).abs() < 1e-12 && (factor(29) - 1.0).abs() < 1e-12 && (factor(99) - 4e-6).abs() < 1e-12);
/// ```
///
/// # Panics
/// If `warm_up` exceeds `steps`, or if `first` or `last` is NaN, infinite or negative.
#[track_caller]
pub fn one_cycle(step: usize, steps: usize, warm_up: usize, first: f64, last: f64) -> f64 {
    check_factor("first factor", first);
    check_factor("last factor", last);
    assert!(
        warm_up <= steps,
        "the warm-up of a cycle of {steps} steps has {warm_up} steps, but it must be at most as long as the cycle"
    );
    let (peak, end) = (warm_up.saturating_sub(1), steps.saturating_sub(1));
    if step < peak {
        half_cosine(first, 1.0, step, peak)
    } else if step < end {
        half_cosine(1.0, last, step - peak, end - peak)
    } else {
        last
    }
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

/// `(1 - step / steps)^power` between 1 at step 0 and `floor` at step `steps`, then `floor`: `floor + (1 - floor) (1 - step / steps)^power`.
/// A power of 1 is [`linear`]; with a higher one, more of the steps have low learning rates.
///
/// # Panics
/// If `power` is not positive and finite, or `floor` is NaN, infinite or negative.
#[track_caller]
pub fn polynomial(step: usize, steps: usize, power: f64, floor: f64) -> f64 {
    check_factor("floor", floor);
    assert!(
        power > 0.0 && power.is_finite(),
        "the power of a polynomial schedule is {power}, but it must be finite and above 0"
    );
    if step >= steps {
        return floor;
    }
    floor + (1.0 - floor) * Float::powf((steps - step) as f64 / steps as f64, power)
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

/// Half a cosine from `from` at step 0 to `to` at step `steps`.
fn half_cosine(from: f64, to: f64, step: usize, steps: usize) -> f64 {
    let angle = PI * step as f64 / steps as f64;
    to + (from - to) * 0.5 * (1.0 + Float::cos(angle))
}

/// Panics unless a factor of the learning rate is finite and not negative.
#[track_caller]
fn check_factor(name: &str, factor: f64) {
    assert!(
        factor >= 0.0 && factor.is_finite(),
        "the {name} of a schedule is {factor}, but it must be finite and not negative"
    );
}
