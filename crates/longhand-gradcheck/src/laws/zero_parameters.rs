//! The law of parameters that are exactly zero.

use super::compare::LawCheck;
use super::near_zero::near_zero;
use crate::failure::Failure;
use crate::law::Law;
use crate::setting::Setting;
use longhand::{Layer, Path};

/// Checks that gradients where parameters are zero, as biases often are before training, agree with gradients next to
/// zero. Each tensor is set to zero in turn, and then every third element of all tensors.
///
/// Catches a gradient that is omitted because the parameter is zero, or divided by the parameter. Nothing is checked
/// where the layer has no finite value for such parameters (it divides by the norm of a weight, for example) or has a
/// kink.
///
/// # Errors
/// If a gradient differs.
pub fn zero_parameters<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let tensors = setting.layer.names();
    for zeroed in 0..=tensors.len() {
        let what = tensors.get(zeroed).map_or("every third parameter", String::as_str);
        let law = format!("gradients where {what} is zero must agree with gradients next to zero");
        let check = LawCheck::of(Law::ZeroParameters, &law, setting);
        let at = |x: f64| {
            let mut moved = setting.clone();
            let mut index = 0;
            moved.layer.visit_mut(&Path::ROOT, &mut |_, _, values| {
                if index == zeroed {
                    values.fill(x);
                } else if zeroed == tensors.len() {
                    values.iter_mut().skip(index % 3).step_by(3).for_each(|value| *value = x);
                }
                index += 1;
            });
            moved
        };
        if setting.layer.count() > 0 {
            near_zero(&check, &at, &|_, _| false)?;
        }
    }
    Ok(())
}
