//! The law of inputs that are exactly zero.

use super::compare::{LawCheck, largest};
use crate::failure::Failure;
use crate::numbers::elements;
use crate::setting::{SequenceLayer, Setting};

/// Relative to the largest gradient, how far a smooth gradient moves between zero and the smallest step beside it, with
/// room for rounding.
const ROUNDING: f64 = 1e-9;

/// Where an input is exactly zero, its gradient lies between those on the two sides of zero: it is their common value where
/// the layer is smooth, and a subgradient where it has a kink.
///
/// Catches a zero that is taken for a mark: dropout that reads its mask from zeros in the input, padding found by zeros.
///
/// One feature of each step is zero. With one feature in all, the law is not checked: a whole step of zeros may meet
/// several kinks at once.
///
/// # Errors
/// If it lies elsewhere.
pub fn zero_inputs<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("where an input is zero, its gradient lies between those of the two sides", setting);
    let features = setting.input.features();
    if features < 2 {
        return Ok(());
    }
    let is_zeroed = |index: usize| index % features == index / features % features;
    let at = |x: f64| {
        let mut moved = setting.clone();
        for (index, value) in moved.input.values_mut().iter_mut().enumerate() {
            if is_zeroed(index) {
                *value = x;
            }
        }
        elements(&moved.passes().d_input)
    };
    let (below, there, above) = (at(-f64::EPSILON), at(0.0), at(f64::EPSILON));
    let room = ROUNDING * largest(&below).max(largest(&above));
    for index in (0..there.len()).filter(|&index| is_zeroed(index)) {
        let (low, high) = (below[index].min(above[index]), below[index].max(above[index]));
        let between = (low - room..=high + room).contains(&there[index]);
        // A derivative that is infinite at zero has no sides.
        check.require(between || !(low.is_finite() && high.is_finite()), || {
            let (row, column) = (index % features, index / features);
            format!("input[{row},{column}] is zero and its gradient {}, but {low} to {high} beside zero", there[index])
        })?;
    }
    Ok(())
}
