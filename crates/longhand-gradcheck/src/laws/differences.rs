//! Laws that compare gradients with central differences of the forward pass on `f64`, as a check of the dual numbers.
//!
//! Dual numbers use the code of the forward pass. If the forward pass does part of its work in `f64`, the dual part is
//! lost there, and a backward pass that omits the same term agrees with the dual numbers. Central differences find this
//! mistake. They are less exact, so they find relative errors of 1e-5 and more only.

use super::compare::LawCheck;
use crate::adjoint::Variable;
use crate::dual::{Direction, cotangents};
use crate::failure::Failure;
use crate::law::Law;
use crate::numbers::{dot, elements, fill, generator, normal};
use crate::setting::Setting;
use longhand::{Layer, Path, Tensors};

/// Steps in the order in which they are tried. The first suits almost every layer. Smaller steps help with large
/// curvature or a kink nearby, larger steps with rounding.
const STEPS: [f64; 6] = [1e-4, 1e-6, 1e-3, 1e-5, 1e-7, 1e-8];
/// The accepted difference, relative to the size of the terms.
const ACCEPTED: f64 = 1e-5;
/// The accepted difference, in multiples of the rounding of the loss.
const ROUNDINGS: f64 = 64.0;
/// Number of attempts before a layer is rejected. Each uses slightly different values.
const ATTEMPTS: u64 = 3;

/// Checks the derivatives by the parameters, by the input and by the carry against central differences of the forward
/// pass, each in one random direction.
///
/// Catches a forward pass that does part of its work in `f64`, where the dual part is lost, together with a gradient
/// that lacks the same part.
///
/// A kink, saturation or large curvature near the drawn values makes a single difference wrong. The check therefore
/// tries several steps and accepts if one agrees. It decides nothing if the differences do not agree with each other. A
/// layer is rejected only if it also fails with slightly changed values.
///
/// # Errors
/// If a derivative does not agree.
pub fn central_difference<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "the backward pass must agree with central differences of the forward pass";
    agree(&LawCheck::of(Law::Differences, law, setting), setting, true)
}

/// Checks the derivatives like [`central_difference`] with an input that is 30 times as large. Such inputs reach the
/// outer branches of piecewise functions and saturate others.
///
/// Catches a derivative that is wrong for large inputs: relu6 above 6, a clamp, or a saturated function that divides
/// zero by zero.
///
/// # Errors
/// If a derivative does not agree.
pub fn large_inputs<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let large = with_large_inputs(setting, 30.0);
    let law = "the backward pass must agree with central differences of the forward pass where the input is large";
    agree(&LawCheck::of(Law::LargeInputs, law, &large), &large, false)
}

/// The setting with its input multiplied by `times`.
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
            "; the forward pass may lose the dual part of dual numbers: convert constants to `T`, never values to `f64`"
        } else {
            ""
        };
        let names = names.join(", ");
        return Err(check.fail(format!(
            "{names}: in a random direction, backward returns {analytic:e}, a central difference {difference:e}{advice}"
        )));
    }
    Ok(())
}

/// The setting with its input and carry changed by about 3 %, away from a kink that the drawn values may be close to.
fn moved<L: Layer<f64>>(setting: &Setting<L>, attempt: u64) -> Setting<L> {
    let mut numbers = generator(24, attempt);
    let mut moved = setting.clone();
    let mut perturb = |x: f64| x * (1.0 + 0.03 * normal(&mut numbers));
    fill(&mut moved.input, &mut perturb);
    fill(&mut moved.carry, &mut perturb);
    if moved.input.count() == 0 {
        fill(&mut moved.layer, &mut perturb);
    }
    moved
}

/// The derivative from the backward pass and the central difference. `None` unless they certainly differ.
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
    // A layer may have intermediate values of about 1 even if its outputs are tiny: `ln(1 + exp(x))` rounds `1 +
    // exp(x)` for `x` far below zero.
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
    // Reject only if the differences agree with each other much better than with the backward pass.
    let agree = found.windows(3).find(|three| {
        let gap = (three[1].1 - analytic).abs();
        let spread = (three[0].1 - three[1].1).abs().max((three[1].1 - three[2].1).abs());
        gap.is_nan() || spread <= 0.01 * gap
    });
    agree.map(|three| (analytic, three[1].1))
}

/// The setting with its parameters, input and carry moved by `s` times the direction.
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
