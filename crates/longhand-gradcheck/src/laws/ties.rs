//! Laws of points without a derivative: kinks and ties. They are checked on request only.

use super::compare::LawCheck;
use crate::failure::Failure;
use crate::names::Names;
use crate::numbers::{elements, filled};
use crate::setting::Setting;
use longhand::Layer;

/// The side of a kink whose derivative a layer uses at the kink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The derivative for smaller inputs: 0 for relu, as in longhand and PyTorch.
    Below,
    /// The derivative for larger inputs: 1 for relu.
    Above,
}

/// Checks that the gradient at a kink at 0 is that of the stated side. The gradients with every input exactly 0 must be
/// the same as with every input slightly below (or above) 0.
///
/// For layers without parameters and carry that have a kink at 0.
///
/// # Errors
/// If a gradient differs.
pub fn kink<L: Layer<f64>>(setting: &Setting<L>, side: Side) -> Result<(), Failure> {
    let check = LawCheck::new("the derivative at a kink must be that of the stated side", setting);
    let near_zero = match side {
        Side::Below => -f64::EPSILON,
        Side::Above => f64::EPSILON,
    };
    let at = |x: f64| Setting { input: filled(&setting.input, &mut |_| x), ..setting.clone() }.passes();
    let (at_kink, near) = (elements(&at(0.0).d_input), elements(&at(near_zero).d_input));
    check.same(&Names::of("input", &setting.input), ["at the kink", "next to it"], &at_kink, &near)
}

/// Checks that at a tie only one of the tied elements has a gradient.
///
/// The input is rounded to whole numbers, so that many of its elements are equal. The gradient must equal the gradient
/// next to the tie, in one of four directions: earlier elements are slightly larger or slightly smaller than later
/// ones, and all are slightly above or below the whole numbers.
///
/// Catches a maximum that passes its gradient to every element that attains it, or divides the gradient among them. For
/// layers that compare elements of their input (max pooling).
///
/// # Errors
/// If several tied elements have a gradient.
pub fn ties<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("at a tie, only one of the tied elements must have a gradient", setting).within(1e-6);
    let tied = Setting { input: filled_with(setting, &mut |x, _| x.round()), ..setting.clone() };
    let at_tie = elements(&tied.passes().d_input);
    let count = at_tie.len() as f64;
    let next_to_tie = |sign: f64, from_start: bool| {
        let distance = |index: usize| if from_start { index as f64 + 1.0 } else { count - index as f64 };
        let input = filled_with(&tied, &mut |x, index| x + sign * 1e-9 * distance(index));
        elements(&Setting { input, ..tied.clone() }.passes().d_input)
    };
    let names = Names::of("input", &setting.input);
    let size = at_tie.iter().fold(1.0, |size: f64, g| size.max(g.abs()));
    let mut found = Ok(());
    for (sign, from_start) in [(-1.0, true), (1.0, true), (1.0, false), (-1.0, false)] {
        found = check.close(&names, ["at a tie", "next to it"], &at_tie, &next_to_tie(sign, from_start), size);
        if found.is_ok() {
            return Ok(());
        }
    }
    found
}

/// The input with `f` applied to the value and index of each element.
fn filled_with<L: Layer<f64>>(setting: &Setting<L>, f: &mut dyn FnMut(f64, usize) -> f64) -> L::Input {
    let mut index = 0;
    filled(&setting.input, &mut |x| {
        index += 1;
        f(x, index - 1)
    })
}
