//! The law of vanishing gradients: tiny values are zero, never subnormal.

use super::backward::scaled;
use super::compare::LawCheck;
use crate::failure::Failure;
use crate::numbers::fill;
use crate::setting::Setting;
use longhand::Layer;

/// Sizes of the cotangents, from just above the threshold of flushing to just above the smallest normal number.
const FACTORS: [f64; 4] = [1e-150, 1e-155, 1e-200, 1e-307];

/// Checks that gradients for tiny cotangents are normal numbers or zero.
///
/// Subnormal numbers are correct but slow: an operation takes about 150 cycles on some processors. Recurrent layers and
/// activations of longhand flush deltas to zero (see [`longhand::vanishing`]), and this law checks it. A layer that
/// does not flush is not wrong, so [`prove`](crate::prove) does not check this law. See
/// [`Checker::flushing`](crate::Checker::flushing).
///
/// # Errors
/// If a gradient is subnormal.
pub fn flushing<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("tiny gradients must be zero, not subnormal", setting);
    for factor in FACTORS {
        let mut tiny = scaled(setting, factor);
        // Exclude the cotangent of the carry: invalid steps pass it on unchanged, subnormal or not.
        fill(&mut tiny.d_carry, &mut |_| 0.0);
        let passes = tiny.passes();
        // Skip the output and the outgoing carry, which do not depend on the cotangents.
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
