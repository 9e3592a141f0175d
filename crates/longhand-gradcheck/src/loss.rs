//! Losses: `evaluate` on dual numbers against the gradient that `evaluate` gives.
//!
//! A loss has one number, so the adjoint test is `<g, u>` against its derivative in the direction `u`. It is accepted at
//!
//! ```text
//! |D_u loss - <g, u>| <= 1e-12 (|D_u loss| + sum |g_i u_i|) + 16 eps scale sum |u_i|
//! ```
//!
//! The last term is there because the gradient of a fused loss is a difference of numbers of size 1 (`p - onehot`), known
//! to a rounding of 1 even where it is small; `scale` is that of the reduction.

use crate::adjoint::{Agreement, TOLERANCE};
use crate::case::Case;
use crate::differences::Estimate;
use crate::dual::{Dual, lift};
use crate::failure::{Failure, GradientFailure, LawFailure, Mismatch, WrongTensor};
use crate::names::Names;
use crate::numbers::{dot, elements, fill_normal, filled, generator, normal};
use crate::target::CheckedTarget;
use longhand::{Layout, Loss, Sequences, Target};

/// A loss that also runs on dual numbers. Implemented for every loss that is written for any scalar.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be evaluated on dual numbers",
    note = "write the loss for any scalar, `impl<T: Scalar> Loss<T> for {Self}`, with a target that is a `CheckedTarget`; \
            or check it by differences: `Checker::loss_by_differences`"
)]
pub trait DualLoss: Loss<f64, Target: CheckedTarget> {
    /// The loss, and its derivative in this direction of the output.
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

/// The value of a loss, its derivative in a direction, and a bound on the error of that.
type Exact<'a> = dyn Fn(&Sequences<f64>, &[f64]) -> (f64, f64, f64) + 'a;

/// One situation in which a loss is checked.
struct Situation<'a, L: Loss<f64>> {
    loss: &'a L,
    output: Sequences<f64>,
    target: L::Target,
    context: String,
}

pub(crate) fn check<L: DualLoss>(loss: &L, case: &Case) -> Result<Agreement, Failure> {
    every_size(loss, case, |situation| {
        situation.check(&|output, u| {
            let (value, derivative) = loss.tangent(output, u, &situation.target);
            (value, derivative, 0.0)
        })
    })
}

pub(crate) fn check_by_differences<L: Loss<f64, Target: CheckedTarget>>(
    loss: &L,
    case: &Case,
) -> Result<Agreement, Failure> {
    every_size(loss, case, |situation| {
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

/// Outputs that are undecided, ordinary, and very sure of themselves.
fn every_size<L: Loss<f64, Target: CheckedTarget>>(
    loss: &L,
    case: &Case,
    check: impl Fn(&Situation<'_, L>) -> Result<Agreement, Failure>,
) -> Result<Agreement, Failure> {
    let mut agreement = Agreement::default();
    for (index, size) in [1.0, 0.05, 8.0].into_iter().enumerate() {
        let mut output = case.sequences(case.outputs);
        fill_normal(&mut output, size, &mut generator(case.seed, 20 + index as u64));
        let target = L::Target::draw(case, case.outputs, &mut generator(case.seed, 30 + index as u64));
        let context = format!("outputs of size {size}, classes={}, {case}", case.outputs);
        agreement = agreement.and(check(&Situation { loss, output, target, context })?);
    }
    Ok(agreement)
}

/// `SoftmaxCrossEntropy`, without the modules in front of it.
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

    /// `<g, u>`, the derivative, their difference relative to the size of the terms, and whether it is accepted.
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

    /// The loss and its gradient, which comes in as NaN of another shape.
    fn evaluate(&self, output: &Sequences<f64>) -> (f64, Sequences<f64>) {
        let mut gradient = Sequences::from_fn(1, 1, 1, |_, _, _| f64::NAN);
        let value = self.loss.evaluate(output, &self.target, Some(&mut gradient));
        (value, gradient)
    }

    fn counts(&self, column: usize) -> bool {
        let layout = self.output.layout();
        layout.is_valid(column / layout.batch(), column % layout.batch()) && self.target.is_present(column)
    }

    fn scale(&self) -> f64 {
        let count = (0..self.output.layout().columns()).filter(|&column| self.counts(column)).count();
        self.loss.reduction().scale(count, self.output.features())
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
        self.require(shapes, "the gradient has the shape of the output", || {
            format!("a gradient of {:?} for an output of {:?}", gradient.values().shape(), self.output.values().shape())
        })?;
        let alone = self.loss.evaluate(&self.output, &self.target, None);
        self.require(alone.to_bits() == value.to_bits(), "the loss is the same without its gradient", || {
            format!("{value} with the gradient, {alone} without")
        })?;
        let (_, again) = self.evaluate(&self.output);
        self.require(again == *gradient, "the same again gives the same", || "its gradient changed".to_owned())?;
        let (dual, _, _) = exact(&self.output, &[]);
        let close = (dual - value).abs() <= TOLERANCE * value.abs().max(1.0);
        self.require(close, "the loss is the same on dual numbers", || format!("{value} on f64, {dual} on duals"))?;
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
            "the loss is the sum over the columns that count, times the scale of its reduction",
            || format!("evaluate gives {value}, its columns {expected}"),
        )?;
        self.what_does_not_count(value, gradient)
    }

    /// Columns that are invalid or have no target get no gradient, and their contents never matter.
    fn what_does_not_count(&self, value: f64, gradient: &Sequences<f64>) -> Result<(), Failure> {
        let layout = self.output.layout();
        let batch = layout.batch();
        let mut nan = self.output.clone();
        for column in (0..layout.columns()).filter(|&column| !self.counts(column)) {
            let zero = gradient.at(column / batch, column % batch).iter().all(|&g| g == 0.0);
            self.require(zero, "a column that does not count has no gradient", || {
                format!("output[_,{column}] does not count (padding, or no target), but has a gradient")
            })?;
            nan.at_mut(column / batch, column % batch).fill(f64::NAN);
        }
        let (with_nan, same) = self.evaluate(&nan);
        let same = with_nan.to_bits() == value.to_bits() && same == *gradient;
        self.require(same, "the contents of a column that does not count never matter", || {
            format!("the loss or its gradient is another with NaN there: {value}, {with_nan}")
        })
    }
}
