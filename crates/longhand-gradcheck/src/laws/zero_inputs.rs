//! Laws of inputs that are exactly zero, and of equal neighbouring steps.

use super::compare::LawCheck;
use super::near_zero::{INPUT, near_value, near_zero, near_zero_in_single};
use crate::failure::Failure;
use crate::setting::{SequenceLayer, Setting};

/// Checks that gradients where inputs are exactly zero agree with gradients next to zero.
///
/// The gradient of an input that is zero must lie between the gradients on the two sides of zero. It is their common
/// value where the layer is smooth, and a subgradient at a kink. The other gradients are compared where both sides
/// agree.
///
/// Catches layers that treat a zero as special: dropout that reads its mask from zeros in the input, products that are
/// skipped, or padding detected by zeros.
///
/// First, one feature of each step is zero. Then whole steps are zero: the middle step of the first sequence, and the
/// last step of the last sequence. A whole step of zeros may be at several kinks at once, so there only gradients whose
/// two sides agree are compared.
///
/// # Errors
/// If a gradient differs.
pub fn zero_inputs<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    zeroed(setting, near_zero)
}

/// [`zero_inputs`] for a layer that runs in `f32`.
pub(crate) fn zero_inputs_in_single<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    zeroed(setting, near_zero_in_single)
}

/// Compares the gradients at a special value with those on its two sides.
type NearValue<L> = fn(&LawCheck<'_>, &dyn Fn(f64) -> Setting<L>, &dyn Fn(usize, usize) -> bool) -> Result<(), Failure>;

fn zeroed<L: SequenceLayer>(setting: &Setting<L>, near_zero: NearValue<L>) -> Result<(), Failure> {
    let (features, steps, batch) = (setting.input.features(), setting.input.steps(), setting.input.batch());
    let check = LawCheck::new("gradients where an input is zero must agree with gradients next to zero", setting);
    let moved = |is_zeroed: &dyn Fn(usize) -> bool, x: f64| {
        let mut moved = setting.clone();
        for (index, value) in moved.input.values_mut().iter_mut().enumerate() {
            if is_zeroed(index) {
                *value = x;
            }
        }
        moved
    };
    if features > 1 {
        let is_zeroed = |index: usize| index % features == index / features % features;
        near_zero(&check, &|x| moved(&is_zeroed, x), &|part, index| part == INPUT && is_zeroed(index))?;
    }
    if steps * batch > 0 {
        let columns = [steps / 2 * batch, steps * batch - 1];
        let is_zeroed = |index: usize| columns.contains(&(index / features.max(1)));
        near_zero(&check, &|x| moved(&is_zeroed, x), &|_, _| false)?;
    }
    Ok(())
}

/// Checks that gradients where a step equals the step before agree with gradients where the two steps differ slightly.
/// Equal steps occur if a sensor repeats its last value.
///
/// Catches a step that is skipped because the input did not change.
///
/// # Errors
/// If a gradient differs.
pub fn equal_steps<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    let law = "gradients where a step equals the step before must agree with gradients where it nearly does";
    let check = LawCheck::new(law, setting);
    if steps < 2 {
        return Ok(());
    }
    let step = 1 + (steps - 1) / 2;
    let at = |x: f64| {
        let mut held = setting.clone();
        for b in 0..batch {
            let before = held.input.at(step - 1, b).to_vec();
            // Inputs are of the order of 1, so adding 64 units in the last place of 1 changes each.
            held.input.at_mut(step, b).iter_mut().zip(before).for_each(|(value, before)| *value = before + 64.0 * x);
        }
        held
    };
    near_value(&check, [1e-9, f64::EPSILON], ["equal the step before", "where they nearly do"], &at, &|_, _| false)
}
