//! Gradients where numbers that go in have a special value, beside those where they are a little smaller and larger.

use super::compare::{LawCheck, largest};
use crate::failure::Failure;
use crate::rounding::noise;
use crate::setting::Setting;
use longhand::Layer;

/// The accepted differences, relative to the largest gradient: how far a smooth gradient moves between the special value and
/// the smallest step beside it, with room for rounding.
const ROUNDING: f64 = 1e-9;
const ROUNDING_IN_SINGLE: f64 = 1e-4;
/// How many times the measured rounding of a layer's passes is accepted.
const ROUNDINGS: f64 = 64.0;
/// The first of the passes' parts that is a gradient.
const GRADIENTS: usize = 2;
/// The part that is the input's gradient.
pub(super) const INPUT: usize = 3;

/// Every gradient of `at(0.0)` is what it is on the two sides of zero, where they agree with each other. A gradient of a
/// number that is a `subgradient` (by part and index) lies between the two sides even where they differ: at a kink.
pub(super) fn beside_zero<L: Layer<f64>>(
    check: &LawCheck<'_>,
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    beside(check, [ROUNDING, f64::EPSILON], ["are zero", "beside zero"], at, subgradient)
}

/// The same for a layer that runs in `f32`.
pub(super) fn beside_zero_in_single<L: Layer<f64>>(
    check: &LawCheck<'_>,
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    let epsilon = f64::from(f32::EPSILON);
    beside(check, [ROUNDING_IN_SINGLE, epsilon], ["are zero", "beside zero"], at, subgradient)
}

/// Every gradient of `at(0.0)` is what it is in `at(-epsilon)` and `at(epsilon)`. `words` say where these are.
pub(super) fn beside<L: Layer<f64>>(
    check: &LawCheck<'_>,
    [rounding, epsilon]: [f64; 2],
    words: [&str; 2],
    at: &dyn Fn(f64) -> Setting<L>,
    subgradient: &dyn Fn(usize, usize) -> bool,
) -> Result<(), Failure> {
    let numbers = |x: f64| at(x).passes().numbers();
    let (below, there, above) = (numbers(-f64::EPSILON), numbers(0.0), numbers(f64::EPSILON));
    if !there[..GRADIENTS].iter().flatten().all(|value| value.is_finite()) {
        // The layer has no value there.
        return Ok(());
    }
    let mut room = rounding * below.iter().chain(&above).map(|values| largest(values)).fold(0.0, f64::max);
    let mut measured = false;
    for part in GRADIENTS..there.len() {
        for index in 0..there[part].len() {
            let [below, there, above] = [&below, &there, &above].map(|parts| parts[part][index]);
            let (low, high) = (below.min(above), below.max(above));
            // A derivative that is infinite at zero has no sides.
            if !(low.is_finite() && high.is_finite()) {
                continue;
            }
            let differs = |room: f64| {
                let counts = subgradient(part, index) || high - low <= room || !there.is_finite();
                counts && !(low - room..=high + room).contains(&there)
            };
            if differs(room) && !measured {
                // The gradient may nearly cancel, so the rounding of this layer is measured.
                (room, measured) = (room.max(ROUNDINGS * noise(&at(f64::EPSILON), epsilon)), true);
            }
            check.require(!differs(room), || {
                let setting = at(0.0);
                let name = setting.passes().parts(&setting.prefix())[part].0.element(index);
                let [zero, beside] = words;
                format!("{name}: {there:e} where the numbers {zero}, but {low:e} to {high:e} {beside}")
            })?;
        }
    }
    Ok(())
}
