//! Laws of the points without a derivative: kinks and ties. A layer is checked against them only if asked to.

use super::compare::LawCheck;
use crate::failure::Failure;
use crate::names::Names;
use crate::numbers::{elements, filled};
use crate::setting::Setting;
use longhand::Layer;

/// On which side of a kink a layer takes its derivative there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// That of smaller inputs: 0 for relu, as in longhand and PyTorch.
    Below,
    /// That of larger inputs: 1 for relu.
    Above,
}

/// At a kink the gradient is the one on the stated side of it: with every input exactly 0, the gradients are those with
/// every input a little below (or above) 0.
///
/// For layers without parameters and carry that have a kink at 0.
///
/// # Errors
/// If it is not.
pub fn kink<L: Layer<f64>>(setting: &Setting<L>, side: Side) -> Result<(), Failure> {
    let check = LawCheck::new("at a kink the derivative is that of the stated side", setting);
    let beside = match side {
        Side::Below => -f64::EPSILON,
        Side::Above => f64::EPSILON,
    };
    let at = |x: f64| Setting { input: filled(&setting.input, &mut |_| x), ..setting.clone() }.passes();
    let (there, near) = (elements(&at(0.0).d_input), elements(&at(beside).d_input));
    check.same(&Names::of("input", &setting.input), ["at the kink", "beside it"], &there, &near)
}

/// The gradient at a tie is that of one of the tied elements, not of several.
///
/// The input is rounded to whole numbers, so that many of its elements are equal. Its gradient must be the one beside the
/// tie: with earlier elements a little larger or a little smaller than later ones, and all of them above or below the whole
/// numbers.
///
/// Catches a maximum that gives its gradient to every element that attains it, or divides it among them. For layers that
/// compare elements of their input (max pooling).
///
/// # Errors
/// If it is not.
pub fn ties<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("the gradient at a tie is that of one of the tied elements", setting).within(1e-6);
    let tied = Setting { input: filled_with(setting, &mut |x, _| x.round()), ..setting.clone() };
    let there = elements(&tied.passes().d_input);
    let count = there.len() as f64;
    let beside = |sign: f64, from_start: bool| {
        let distance = |index: usize| if from_start { index as f64 + 1.0 } else { count - index as f64 };
        let input = filled_with(&tied, &mut |x, index| x + sign * 1e-9 * distance(index));
        elements(&Setting { input, ..tied.clone() }.passes().d_input)
    };
    let names = Names::of("input", &setting.input);
    let size = there.iter().fold(1.0, |size: f64, g| size.max(g.abs()));
    let mut found = Ok(());
    for (sign, from_start) in [(-1.0, true), (1.0, true), (1.0, false), (-1.0, false)] {
        found = check.close(&names, ["at a tie", "beside it"], &there, &beside(sign, from_start), size);
        if found.is_ok() {
            return Ok(());
        }
    }
    found
}

/// The input with each element changed by its value and its place.
fn filled_with<L: Layer<f64>>(setting: &Setting<L>, f: &mut dyn FnMut(f64, usize) -> f64) -> L::Input {
    let mut index = 0;
    filled(&setting.input, &mut |x| {
        index += 1;
        f(x, index - 1)
    })
}
