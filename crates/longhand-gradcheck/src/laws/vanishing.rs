//! The law of vanishing numbers: values too small to matter are zero, never subnormal.

use super::backward::scaled;
use super::compare::LawCheck;
use crate::failure::Failure;
use crate::numbers::fill;
use crate::setting::Setting;
use longhand::Layer;

/// Cotangents from just above the threshold of flushing to just above the smallest normal number.
const FACTORS: [f64; 4] = [1e-150, 1e-155, 1e-200, 1e-307];

/// Tiny cotangents give gradients that are normal numbers or zero.
///
/// Subnormal numbers are correct but slow: 150 cycles each on some processors. Recurrent layers and activations of
/// longhand flush deltas to zero (see [`longhand::vanishing`]), and this law holds them to it. A layer that does not flush
/// is not wrong, so [`prove`](crate::prove) does not ask for it; see [`Checker::flushing`](crate::Checker::flushing).
///
/// # Errors
/// If a gradient is subnormal.
pub fn flushing<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("gradients too small to matter are zero, not subnormal", setting);
    for factor in FACTORS {
        let mut tiny = scaled(setting, factor);
        // A carry's cotangent passes invalid steps unchanged, subnormal or not.
        fill(&mut tiny.d_carry, &mut |_| 0.0);
        let passes = tiny.passes();
        // The output and the carry that goes out do not depend on the cotangents.
        for (names, values) in passes.parts(&setting.prefix()).into_iter().skip(2) {
            let subnormal = values.iter().position(|value| value.is_subnormal());
            check.require(subnormal.is_none(), || {
                let index = subnormal.unwrap_or_default();
                let (element, value) = (names.element(index), values[index]);
                format!("{element} is {value:e} for cotangents of size {factor:e}; flush the deltas to zero")
            })?;
        }
    }
    Ok(())
}
