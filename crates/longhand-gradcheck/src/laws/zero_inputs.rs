//! The law of inputs that are exactly zero.

use super::beside_zero::{INPUT, beside, beside_zero, beside_zero_in_single};
use super::compare::LawCheck;
use crate::failure::Failure;
use crate::setting::{SequenceLayer, Setting};

/// Where inputs are exactly zero, every gradient is what it is beside zero.
///
/// The gradient of an input that is zero lies between those on the two sides of zero: it is their common value where the layer
/// is smooth, and a subgradient where it has a kink. The other gradients are compared where both sides agree.
///
/// Catches a zero that is taken for a mark: dropout that reads its mask from zeros in the input, a product that is skipped,
/// padding found by zeros.
///
/// First one feature of each step is zero, and then whole steps: the middle one of the first sequence, and the last one of
/// the last. A whole step of zeros may meet several kinks at once, so there only gradients whose two sides agree count.
///
/// # Errors
/// If a gradient is another one.
pub fn zero_inputs<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    zeroed(setting, beside_zero)
}

/// The same for a layer that runs in `f32`.
pub(crate) fn zero_inputs_in_single<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    zeroed(setting, beside_zero_in_single)
}

/// Compares the gradients of a setting with those on its two sides.
type Beside<L> = fn(&LawCheck<'_>, &dyn Fn(f64) -> Setting<L>, &dyn Fn(usize, usize) -> bool) -> Result<(), Failure>;

fn zeroed<L: SequenceLayer>(setting: &Setting<L>, beside_zero: Beside<L>) -> Result<(), Failure> {
    let (features, steps, batch) = (setting.input.features(), setting.input.steps(), setting.input.batch());
    let check = LawCheck::new("where an input is zero, gradients are what they are beside zero", setting);
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
        beside_zero(&check, &|x| moved(&is_zeroed, x), &|part, index| part == INPUT && is_zeroed(index))?;
    }
    if steps * batch > 0 {
        let columns = [steps / 2 * batch, steps * batch - 1];
        let is_zeroed = |index: usize| columns.contains(&(index / features.max(1)));
        beside_zero(&check, &|x| moved(&is_zeroed, x), &|_, _| false)?;
    }
    Ok(())
}

/// Where a step is equal to the one before it, as a sensor gives that holds its value, every gradient is what it is beside such
/// an input.
///
/// Catches a step that is skipped because nothing changed.
///
/// # Errors
/// If a gradient is another one.
pub fn equal_steps<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    let check =
        LawCheck::new("where a step equals the one before it, gradients are what they are beside that", setting);
    if steps < 2 {
        return Ok(());
    }
    let step = 1 + (steps - 1) / 2;
    let at = |x: f64| {
        let mut held = setting.clone();
        for b in 0..batch {
            let before = held.input.at(step - 1, b).to_vec();
            // Inputs are normal: 64 units in the last place of 1 change each of them.
            held.input.at_mut(step, b).iter_mut().zip(before).for_each(|(value, before)| *value = before + 64.0 * x);
        }
        held
    };
    beside(&check, [1e-9, f64::EPSILON], ["are those of the step before", "beside that"], &at, &|_, _| false)
}
