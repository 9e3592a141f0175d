//! Compares gradients at a special value of some elements (such as zero) with gradients at slightly smaller and larger
//! values.

use super::compare::{LawCheck, largest};
use crate::failure::Failure;
use crate::rounding::noise;
use crate::setting::Setting;
use longhand::Layer;

/// The accepted difference, relative to the largest gradient. It leaves room for the change of a smooth gradient over
/// the small step, and for rounding.
const ROUNDING: f64 = 1e-9;
const ROUNDING_IN_SINGLE: f64 = 1e-4;
/// Accepted difference, in multiples of the measured rounding of the layer's passes.
const ROUNDINGS: f64 = 64.0;
/// Index of the first part of the passes that is a gradient.
const GRADIENTS: usize = 2;
/// Index of the part that is the gradient of the input.
pub(super) const INPUT: usize = 3;

/// Checks every gradient of `at(0.0)` against the gradients on the two sides of zero, if the two sides agree. A
/// gradient that `subgradient` selects (by part and index) must lie between the two sides even if they differ, as they
/// do at a kink.
pub(super) fn near_zero<L: Layer<f64>>(
    check: &LawCheck<'_>,
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    near_value(check, [ROUNDING, f64::EPSILON], ["are zero", "next to zero"], at, subgradient)
}

/// [`near_zero`] for a layer that runs in `f32`.
pub(super) fn near_zero_in_single<L: Layer<f64>>(
    check: &LawCheck<'_>,
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    let epsilon = f64::from(f32::EPSILON);
    near_value(check, [ROUNDING_IN_SINGLE, epsilon], ["are zero", "next to zero"], at, subgradient)
}

/// Checks every gradient of `at(0.0)` against `at(-epsilon)` and `at(epsilon)`. `words` describe the special value and
/// the values next to it in messages.
pub(super) fn near_value<L: Layer<f64>>(
    check: &LawCheck<'_>,
    [rounding, epsilon]: [f64; 2],
    words: [&str; 2],
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    let numbers = |x: f64| at(x).passes().numbers();
    let (below, exactly, above) = (numbers(-f64::EPSILON), numbers(0.0), numbers(f64::EPSILON));
    if !exactly[..GRADIENTS].iter().flatten().all(|value| value.is_finite()) {
        // The layer has no finite value at this point.
        return Ok(());
    }
    let mut room = rounding * below.iter().chain(&above).map(|values| largest(values)).fold(0.0, f64::max);
    let mut measured = false;
    for part in GRADIENTS..exactly.len() {
        for index in 0..exactly[part].len() {
            let [below, exactly, above] = [&below, &exactly, &above].map(|parts| parts[part][index]);
            let (low, high) = (below.min(above), below.max(above));
            // If the derivative is infinite at zero, there are no finite sides to compare with.
            if !(low.is_finite() && high.is_finite()) {
                continue;
            }
            let differs = |room: f64| {
                let counts = subgradient(part, index) || high - low <= room || !exactly.is_finite();
                counts && !(low - room..=high + room).contains(&exactly)
            };
            if differs(room) && !measured {
                // Measure the rounding of this layer only when needed: a gradient that nearly cancels has more.
                (room, measured) = (room.max(ROUNDINGS * noise(&at(f64::EPSILON), epsilon)), true);
            }
            check.require(!differs(room), || {
                let setting = at(0.0);
                let name = setting.passes().parts(&setting.prefix())[part].0.element(index);
                let [special, near] = words;
                format!("{name}: {exactly:e} where the values {special}, but {low:e} to {high:e} {near}")
            })?;
        }
    }
    Ok(())
}
