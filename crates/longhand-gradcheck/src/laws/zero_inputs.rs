//! The law of inputs that are exactly zero.

use super::beside_zero::{INPUT, beside_zero};
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
