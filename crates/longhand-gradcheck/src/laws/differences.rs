//! Laws that ask central differences of the forward pass on `f64`: a second opinion beside the dual numbers.
//!
//! Dual numbers share the code of the forward pass. A forward pass that does part of its work in `f64` drops the dual part
//! there, and a backward pass that forgets the same part agrees with it. Differences do not have this fault; they are
//! coarse, so they only look for errors of a hundred-thousandth and more.

use super::compare::LawCheck;
use crate::adjoint::Variable;
use crate::dual::{Direction, cotangents};
use crate::failure::Failure;
use crate::law::Law;
use crate::numbers::{dot, elements, fill, generator, normal};
use crate::setting::Setting;
use longhand::{Layer, Path, Tensors};

/// Steps in the order in which they are tried. One of them suits almost every layer; the others are for large curvature
/// (smaller steps), for rounding (larger steps) and for a kink nearby.
const STEPS: [f64; 6] = [1e-4, 1e-6, 1e-3, 1e-5, 1e-7, 1e-8];
/// Accepted relative to the size of the terms.
const ACCEPTED: f64 = 1e-5;
/// How many roundings of the loss are accepted.
const ROUNDINGS: f64 = 64.0;
/// How many times the numbers that go in are changed before a layer is rejected.
const ATTEMPTS: u64 = 3;

/// The derivatives of all parameters, of the input and of the carry agree with central differences of the forward pass,
/// each in one random direction.
///
/// Catches a forward pass that does part of its work in `f64` and drops the dual part there, with a gradient that is wrong
/// in the same place.
///
/// A kink, saturation or large curvature near the numbers that go in makes a single difference wrong. So several steps are
/// tried and the best counts; differences that do not agree with one another decide nothing; and a layer is rejected only
/// if it fails with other numbers too.
///
/// # Errors
/// If a derivative does not agree.
pub fn central_difference<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "central differences of the forward pass agree with the backward pass";
    agree(&LawCheck::of(Law::Differences, law, setting), setting, true)
}

/// The same with the input 30 times as large: the far branches of piecewise functions, and saturated ones.
///
/// Catches a derivative that is wrong where the input is large: relu6 above 6, a clamp, a saturated function that divides
/// zero by zero.
///
/// # Errors
/// If a derivative does not agree.
pub fn large_inputs<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let large = with_large_inputs(setting, 30.0);
    let law = "central differences of the forward pass agree with the backward pass where the input is large";
    agree(&LawCheck::of(Law::LargeInputs, law, &large), &large, false)
}

/// The setting with its input that many times as large.
pub(crate) fn with_large_inputs<L: Layer<f64>>(setting: &Setting<L>, times: f64) -> Setting<L> {
    let mut large = setting.clone();
    fill(&mut large.input, &mut |x| times * x);
    large.about = format!("the input times {times}, {}", setting.about);
    large
}

fn agree<L: Layer<f64>>(check: &LawCheck<'_>, setting: &Setting<L>, dual: bool) -> Result<(), Failure> {
    for variable in Variable::ALL {
        let mut found = None;
        for attempt in 0..ATTEMPTS {
            let moved = if attempt == 0 { setting.clone() } else { moved(setting, attempt) };
            found = disagreement(&moved, variable, attempt);
            if found.is_none() {
                break;
            }
        }
        let Some((analytic, difference)) = found else { continue };
        let names = variable.names(setting);
        let names: Vec<&str> = names.0.iter().map(|tensor| tensor.name.as_str()).collect();
        let advice = if dual {
            "; if dual numbers agree with backward, the forward pass drops their dual part: convert constants, never values"
        } else {
            ""
        };
        let names = names.join(", ");
        return Err(check.fail(format!(
            "{names}: in a random direction, backward gives {analytic:e}, a central difference {difference:e}{advice}"
        )));
    }
    Ok(())
}

/// The numbers that go in, changed by about 3 %: away from a kink that was hit by chance.
fn moved<L: Layer<f64>>(setting: &Setting<L>, attempt: u64) -> Setting<L> {
    let mut numbers = generator(24, attempt);
    let mut moved = setting.clone();
    let mut shake = |x: f64| x * (1.0 + 0.03 * normal(&mut numbers));
    fill(&mut moved.input, &mut shake);
    fill(&mut moved.carry, &mut shake);
    if moved.input.count() == 0 {
        fill(&mut moved.layer, &mut shake);
    }
    moved
}

/// The derivative that backward gives and the central difference, if they certainly differ.
fn disagreement<L: Layer<f64>>(setting: &Setting<L>, variable: Variable, attempt: u64) -> Option<(f64, f64)> {
    let gradient = variable.gradient(&setting.passes());
    let mut numbers = generator(25 + attempt, gradient.len() as u64);
    let u: Vec<f64> = gradient.iter().map(|_| normal(&mut numbers)).collect();
    let (analytic, size) = dot(&gradient, &u);
    if u.is_empty() {
        return None;
    }
    let direction = variable.direction(u);
    let v = cotangents(setting);
    let at = |s: f64| {
        let (output, carry) = along(setting, &direction, s).forward(&mut L::Cache::default());
        dot(&v, &[elements(&output), elements(&carry)].concat())
    };
    // Inside of the layer there are numbers of the order of 1 even where its outputs are tiny: `ln(1 + exp(x))` far below
    // zero rounds 1 + exp(x).
    let inside: f64 = v.iter().map(|v| v.abs()).sum();
    let mut found: Vec<(f64, f64)> = Vec::new();
    for step in STEPS {
        let ((above, magnitude), (below, _)) = (at(step), at(-step));
        let difference = (above - below) / (2.0 * step);
        if !difference.is_finite() {
            return None;
        }
        let accepted = ACCEPTED * (difference.abs() + size) + ROUNDINGS * f64::EPSILON * magnitude.max(inside) / step;
        if (difference - analytic).abs() <= accepted {
            return None;
        }
        found.push((step, difference));
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    // The differences must agree with one another much better than with backward.
    let agree = found.windows(3).find(|three| {
        let gap = (three[1].1 - analytic).abs();
        let spread = (three[0].1 - three[1].1).abs().max((three[1].1 - three[2].1).abs());
        gap.is_nan() || spread <= 0.01 * gap
    });
    agree.map(|three| (analytic, three[1].1))
}

/// The setting with the values that go in moved by `s` times the direction.
pub(crate) fn along<L: Layer<f64>>(setting: &Setting<L>, direction: &Direction, s: f64) -> Setting<L> {
    let mut moved = setting.clone();
    add(&mut moved.layer, &direction.parameters, s);
    add(&mut moved.input, &direction.input, s);
    add(&mut moved.carry, &direction.carry, s);
    moved
}

fn add<P: Tensors<f64>>(value: &mut P, direction: &[f64], s: f64) {
    let mut along = direction.iter();
    value.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for (value, u) in values.iter_mut().zip(&mut along) {
            *value += s * u;
        }
    });
}
