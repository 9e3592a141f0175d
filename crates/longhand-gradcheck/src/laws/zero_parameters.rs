//! The law of parameters that are exactly zero.

use super::beside_zero::beside_zero;
use super::compare::LawCheck;
use crate::failure::Failure;
use crate::law::Law;
use crate::setting::Setting;
use longhand::{Layer, Path};

/// Where parameters are zero, as biases are before the first step of training, every gradient is what it is beside zero. Each
/// tensor is zero in turn, and then every third element of all tensors.
///
/// Catches a gradient that is left out, or divided by the parameter, because the parameter is zero. Where the layer has no
/// value with such parameters (it divides by the norm of a weight, for example), or has a kink, nothing is checked.
///
/// # Errors
/// If a gradient is another one.
pub fn zero_parameters<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let tensors = setting.layer.names();
    for zeroed in 0..=tensors.len() {
        let what = tensors.get(zeroed).map_or("every third parameter", String::as_str);
        let law = format!("where {what} is zero, gradients are what they are beside zero");
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
            beside_zero(&check, &at, &|_, _| false)?;
        }
    }
    Ok(())
}
