//! Gradients where numbers that go in are exactly zero, beside those where they are the smallest numbers around zero.

use super::compare::{LawCheck, Parts, largest_of};
use crate::failure::Failure;
use crate::rounding;
use crate::setting::Setting;
use longhand::Layer;

/// Relative to the largest gradient, how far a smooth gradient moves between zero and the smallest step beside it, with
/// room for rounding.
const ROUNDING: f64 = 1e-9;
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
    let parts = |x: f64| -> Parts {
        let setting = at(x);
        setting.passes().parts(&setting.prefix())
    };
    let (below, there, above) = (parts(-f64::EPSILON), parts(0.0), parts(f64::EPSILON));
    if !there[..GRADIENTS].iter().flat_map(|(_, values)| values).all(|value| value.is_finite()) {
        // The layer has no value there.
        return Ok(());
    }
    let mut room = ROUNDING * largest_of(&below).max(largest_of(&above));
    let mut measured = false;
    for part in GRADIENTS..there.len() {
        let names = &there[part].0;
        for index in 0..there[part].1.len() {
            let [below, there, above] = [&below, &there, &above].map(|parts| parts[part].1[index]);
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
                (room, measured) = (room.max(ROUNDINGS * rounding::noise(&at(f64::EPSILON))), true);
            }
            check.require(!differs(room), || {
                let name = names.element(index);
                format!("{name}: {there} where the numbers are zero, but {low} to {high} beside zero")
            })?;
        }
    }
    Ok(())
}
