//! Checks of losses: the derivative of `evaluate` on dual numbers is compared with the gradient that `evaluate`
//! returns.
//!
//! A loss is a single number, so the adjoint test compares `<g, u>` with the derivative of the loss in the direction
//! `u`. The test accepts
//!
//! ```text
//! |D_u loss - <g, u>| <= 1e-12 (|D_u loss| + sum |g_i u_i|) + 16 eps scale sum |u_i|
//! ```
//!
//! The last term is needed because the gradient of a fused loss is a difference of numbers of size 1 (`p - onehot`), so
//! it has the rounding error of 1 even where it is small. `scale` is the factor of the reduction.

use crate::adjoint::{Agreement, TOLERANCE};
use crate::case::Case;
use crate::differences::Estimate;
use crate::dual::{Dual, lift};
use crate::failure::{Failure, GradientFailure, LawFailure, Mismatch, WrongTensor};
use crate::names::Names;
use crate::numbers::{dot, elements, fill_normal, filled, generator, normal};
use crate::target::CheckedTarget;
use longhand::{Layout, Loss, Sequences, Target};
use std::collections::BTreeSet;

/// A loss that also runs on dual numbers. Implemented for every loss that is generic over the scalar type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be evaluated on dual numbers",
    note = "make the loss generic over the scalar type, `impl<T: Scalar> Loss<T> for {Self}`, with a `CheckedTarget`; \
            or check it by differences: `Checker::loss_by_differences`"
)]
pub trait DualLoss: Loss<f64, Target: CheckedTarget> {
    /// Evaluates the loss. Returns the value and its derivative in this direction of the output.
    fn tangent(&self, output: &Sequences<f64>, direction: &[f64], target: &Self::Target) -> (f64, f64);
}

impl<L> DualLoss for L
where
    L: Loss<f64, Target: CheckedTarget>,
    L: Loss<Dual, Target = <<L as Loss<f64>>::Target as CheckedTarget>::Dual>,
{
    fn tangent(&self, output: &Sequences<f64>, direction: &[f64], target: &<L as Loss<f64>>::Target) -> (f64, f64) {
        let value = Loss::<Dual>::evaluate(self, &lift(output, direction), &target.dual(), None);
        (value.re, value.eps)
    }
}

/// Computes the value of a loss, its derivative in a direction, and a bound on the error of the derivative.
type Exact<'a> = dyn Fn(&Sequences<f64>, &[f64]) -> (f64, f64, f64) + 'a;

/// One situation in which a loss is checked.
struct Situation<'a, L: Loss<f64>> {
    loss: &'a L,
    output: Sequences<f64>,
    target: L::Target,
    context: String,
}

pub(crate) fn check<L: DualLoss>(loss: &L, case: &Case, per_target: usize) -> Result<Agreement, Failure> {
    every_size(loss, case, per_target, |situation| {
        situation.check(&|output, u| {
            let (value, derivative) = loss.tangent(output, u, &situation.target);
            (value, derivative, 0.0)
        })
    })
}

pub(crate) fn check_by_differences<L: Loss<f64, Target: CheckedTarget>>(
    loss: &L,
    case: &Case,
    per_target: usize,
) -> Result<Agreement, Failure> {
    every_size(loss, case, per_target, |situation| {
        let value = |output: &Sequences<f64>| loss.evaluate(output, &situation.target, None);
        situation.check(&|output, u| {
            let length = dot(u, u).0.sqrt().max(f64::MIN_POSITIVE);
            let mut at = |s: f64| {
                let mut along = u.iter();
                value(&filled(output, &mut |y| y + s / length * along.next().copied().unwrap_or(0.0)))
            };
            let noise = 8.0 * f64::EPSILON * value(output).abs().max(f64::MIN_POSITIVE);
            let estimate = Estimate::of(&mut at, 0.125, noise);
            (value(output), estimate.value * length, 32.0 * estimate.error * length)
        })
    })
}

/// Runs the check for outputs of ordinary size, outputs near zero (undecided), and large outputs (saturated). There are
/// `per_target` output features for each feature of the target.
fn every_size<L: Loss<f64, Target: CheckedTarget>>(
    loss: &L,
    case: &Case,
    per_target: usize,
    check: impl Fn(&Situation<'_, L>) -> Result<Agreement, Failure>,
) -> Result<Agreement, Failure> {
    let mut agreement = Agreement::default();
    for (index, size) in [1.0, 0.05, 8.0].into_iter().enumerate() {
        let mut output = case.sequences(case.outputs * per_target);
        fill_normal(&mut output, size, &mut generator(case.seed, 20 + index as u64));
        let target = L::Target::draw(case, case.outputs, &mut generator(case.seed, 30 + index as u64));
        let context = format!("outputs of size {size}, classes={}, {case}", case.outputs);
        agreement = agreement.and(check(&Situation { loss, output, target, context })?);
    }
    Ok(agreement)
}

/// The name of a type without its module path and type parameters, such as `SoftmaxCrossEntropy`.
fn name_of<L>() -> String {
    let name = std::any::type_name::<L>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

impl<L: Loss<f64>> Situation<'_, L> {
    fn check(&self, exact: &Exact<'_>) -> Result<Agreement, Failure> {
        let (value, gradient) = self.evaluate(&self.output);
        self.laws(value, &gradient, exact)?;
        let gradient = elements(&gradient);
        let mut generator = generator(40, gradient.len() as u64);
        let u: Vec<f64> = gradient.iter().map(|_| normal(&mut generator)).collect();
        let (analytic, derivative, relative, accepted) = self.compare(&gradient, &u, exact);
        if accepted {
            return Ok(Agreement { tensors: usize::from(!gradient.is_empty()), worst: relative });
        }
        let names = self.names();
        let mut wrong = Vec::new();
        for index in 0..gradient.len() {
            let mut u = vec![0.0; gradient.len()];
            u[index] = 1.0;
            let (analytic, exact, _, accepted) = self.compare(&gradient, &u, exact);
            if !accepted {
                wrong.push(Mismatch { element: names.element(index), analytic, exact });
            }
        }
        let wrong = WrongTensor {
            tensor: names.0[0].name.clone(),
            count: gradient.len(),
            elements: wrong,
            complete: true,
            hint: None,
            analytic,
            exact: derivative,
            relative,
        };
        let (context, wrong) = (self.context.clone(), vec![wrong]);
        Err(Failure::Gradient(GradientFailure { context, wrong, right: Vec::new(), advice: None }))
    }

    /// Returns `<g, u>`, the reference derivative, their difference relative to the size of the terms, and whether the
    /// difference is accepted.
    fn compare(&self, gradient: &[f64], u: &[f64], exact: &Exact<'_>) -> (f64, f64, f64, bool) {
        let (_, derivative, error) = exact(&self.output, u);
        let (analytic, size) = dot(gradient, u);
        let scale: f64 = self.scale();
        let unit = scale * u.iter().map(|u| u.abs()).sum::<f64>();
        let difference = (derivative - analytic).abs();
        let terms = derivative.abs() + size;
        let accepted = difference <= TOLERANCE * terms + 16.0 * f64::EPSILON * unit + error;
        let relative = if difference == 0.0 { 0.0 } else { difference / (terms + unit) };
        (analytic, derivative, relative, accepted)
    }

    /// Evaluates the loss and its gradient. The gradient starts as NaN in another shape, so a loss that does not
    /// overwrite it is found.
    fn evaluate(&self, output: &Sequences<f64>) -> (f64, Sequences<f64>) {
        let mut gradient = Sequences::from_fn(1, 1, 1, |_, _, _| f64::NAN);
        let value = self.loss.evaluate(output, &self.target, Some(&mut gradient));
        (value, gradient)
    }

    /// Whether a column is valid and has a target. For a loss of whole sequences, its sequence has the target.
    fn counts(&self, column: usize) -> bool {
        let layout = self.output.layout();
        layout.is_valid(column / layout.batch(), column % layout.batch()) && self.target.is_present(column)
    }

    fn scale(&self) -> f64 {
        let batch = self.output.batch();
        let counting = (0..self.output.layout().columns()).filter(|&column| self.counts(column));
        let weight = if self.loss.needs_whole_sequences() {
            counting.map(|column| column % batch).collect::<BTreeSet<_>>().len() as f64
        } else {
            counting.map(|column| self.loss.weight(&self.target, column)).sum()
        };
        self.loss.reduction().scale(weight, self.loss.elements(self.output.features()))
    }

    fn names(&self) -> Names {
        Names::of(&format!("{}.output", name_of::<L>().to_lowercase()), &self.output)
    }

    fn require(&self, holds: bool, law: &str, found: impl FnOnce() -> String) -> Result<(), Failure> {
        if holds {
            return Ok(());
        }
        let found = format!("{}: {}", name_of::<L>().to_lowercase(), found());
        Err(Failure::Law(LawFailure { law: law.to_owned(), found, context: self.context.clone(), advice: None }))
    }

    fn laws(&self, value: f64, gradient: &Sequences<f64>, exact: &Exact<'_>) -> Result<(), Failure> {
        let layout: &Layout = self.output.layout();
        let shapes = gradient.layout() == layout && gradient.values().shape() == self.output.values().shape();
        self.require(shapes, "the gradient must have the shape of the output", || {
            format!("the gradient is {:?}, the output is {:?}", gradient.values().shape(), self.output.values().shape())
        })?;
        let alone = self.loss.evaluate(&self.output, &self.target, None);
        self.require(
            alone.to_bits() == value.to_bits(),
            "the loss must be the same with and without its gradient",
            || format!("{value} with the gradient, {alone} without it"),
        )?;
        let (_, again) = self.evaluate(&self.output);
        self.require(again == *gradient, "a second call must return the same gradient", || {
            "the gradient changed".to_owned()
        })?;
        let (dual, _, _) = exact(&self.output, &[]);
        let close = (dual - value).abs() <= TOLERANCE * value.abs().max(1.0);
        self.require(close, "the loss must be the same on dual numbers", || {
            format!("{value} on f64, {dual} on dual numbers")
        })?;
        if !self.loss.needs_whole_sequences() {
            self.sum_of_columns(value)?;
        }
        self.ignored_columns(value, gradient)
    }

    fn sum_of_columns(&self, value: f64) -> Result<(), Failure> {
        let layout = self.output.layout();
        let mut sum = 0.0;
        for column in (0..layout.columns()).filter(|&column| self.counts(column)) {
            sum += self.loss.column(
                self.output.at(column / layout.batch(), column % layout.batch()),
                &self.target,
                column,
                None,
            );
        }
        let expected = self.scale() * sum;
        let close = (expected - value).abs() <= TOLERANCE * value.abs().max(1.0);
        self.require(
            close,
            "the loss must be the sum over the valid columns with a target, times the scale of its reduction",
            || format!("evaluate returns {value}, the scaled sum of its columns is {expected}"),
        )
    }

    /// Checks that columns that are invalid or have no target have no gradient, and that their contents change nothing.
    fn ignored_columns(&self, value: f64, gradient: &Sequences<f64>) -> Result<(), Failure> {
        let layout = self.output.layout();
        let batch = layout.batch();
        let mut nan = self.output.clone();
        for column in (0..layout.columns()).filter(|&column| !self.counts(column)) {
            let zero = gradient.at(column / batch, column % batch).iter().all(|&g| g == 0.0);
            self.require(zero, "a column that is invalid or has no target must have no gradient", || {
                format!("output[_,{column}] is invalid or has no target, but its gradient is not zero")
            })?;
            nan.at_mut(column / batch, column % batch).fill(f64::NAN);
        }
        let (with_nan, same) = self.evaluate(&nan);
        let same = with_nan.to_bits() == value.to_bits() && same == *gradient;
        self.require(
            same,
            "the contents of a column that is invalid or has no target must not change the result",
            || format!("with NaN in these columns the loss or its gradient changes; loss {value}, with NaN {with_nan}"),
        )
    }
}
