//! Compares two results that must agree, and reports the first difference.

use crate::adjoint::TOLERANCE;
use crate::failure::{Failure, LawFailure, numbers};
use crate::law::Law;
use crate::names::Names;
use crate::rounding;
use crate::setting::{Passes, Setting};
use longhand::Layer;

/// Accepted difference, in multiples of the measured rounding of the layer's passes.
const ROUNDINGS: f64 = 64.0;

/// One law as a sentence, and the setting in which it is checked.
pub(crate) struct LawCheck<'a> {
    law: &'a str,
    context: String,
    advice: Option<Law>,
    tolerance: f64,
    /// Measures the rounding of the setting's passes.
    noise: Box<dyn Fn() -> f64 + 'a>,
}

impl<'a> LawCheck<'a> {
    pub(crate) fn new<L: Layer<f64>>(law: &'a str, setting: &'a Setting<L>) -> Self {
        LawCheck {
            law,
            context: format!("{}, {}", setting.layer.name(), setting.about),
            advice: None,
            tolerance: TOLERANCE,
            noise: Box::new(|| rounding::noise(setting, f64::EPSILON)),
        }
    }

    /// A law that some layers break by design. The report says how to leave the law out.
    pub(crate) fn of<L: Layer<f64>>(advice: Law, law: &'a str, setting: &'a Setting<L>) -> Self {
        LawCheck { advice: Some(advice), ..LawCheck::new(law, setting) }
    }

    /// Accepts another relative difference than the default of 1e-12.
    pub(crate) fn within(self, tolerance: f64) -> Self {
        LawCheck { tolerance, ..self }
    }

    pub(crate) fn fail(&self, found: String) -> Failure {
        let (law, context) = (self.law.to_owned(), self.context.clone());
        Failure::Law(LawFailure { law, found, context, advice: self.advice.map(Law::advice) })
    }

    pub(crate) fn require(&self, holds: bool, found: impl FnOnce() -> String) -> Result<(), Failure> {
        if holds { Ok(()) } else { Err(self.fail(found())) }
    }

    /// Requires equal values, bit for bit, except that zero equals minus zero and any NaN equals any other.
    pub(crate) fn same(&self, names: &Names, what: [&str; 2], a: &[f64], b: &[f64]) -> Result<(), Failure> {
        self.compare(names, what, a, b, |_, a, b| is_same(a, b))
    }

    /// Requires values that agree within rounding. `size` is the largest magnitude of the terms in the sums. It is the
    /// same for all elements, because the terms of a small element may cancel.
    pub(crate) fn close(&self, names: &Names, what: [&str; 2], a: &[f64], b: &[f64], size: f64) -> Result<(), Failure> {
        let accepted = self.tolerance * size;
        let found = self.compare(names, what, a, b, |_, a, b| (a - b).abs() <= accepted);
        if found.is_ok() {
            return found;
        }
        // A layer may amplify rounding, so measure the rounding of this layer.
        let accepted = accepted.max(ROUNDINGS * (self.noise)());
        self.compare(names, what, a, b, |_, a, b| (a - b).abs() <= accepted)
    }

    /// Requires that all parts agree within rounding.
    pub(crate) fn close_parts(&self, what: [&str; 2], a: &Parts, b: &Parts, size: f64) -> Result<(), Failure> {
        a.iter().zip(b).try_for_each(|((names, a), (_, b))| self.close(names, what, a, b, size))
    }

    pub(crate) fn compare(
        &self,
        names: &Names,
        what: [&str; 2],
        a: &[f64],
        b: &[f64],
        agree: impl Fn(usize, f64, f64) -> bool,
    ) -> Result<(), Failure> {
        self.require(a.len() == b.len(), || {
            let name = names.0.first().map_or("", |tensor| &tensor.name);
            format!("{name}: {} elements {}, {} elements {}", a.len(), what[0], b.len(), what[1])
        })?;
        let wrong = (0..a.len()).find(|&index| !agree(index, a[index], b[index]));
        let Some(index) = wrong else { return Ok(()) };
        let (first, second) = numbers(a[index], b[index]);
        Err(self.fail(format!("{}: {first} {}, {second} {}", names.element(index), what[0], what[1])))
    }

    /// Requires that all results of two passes are equal, as in [`same`](Self::same).
    pub(crate) fn same_passes<L: Layer<f64>>(
        &self,
        setting: &Setting<L>,
        what: [&str; 2],
        a: &Passes<L>,
        b: &Passes<L>,
    ) -> Result<(), Failure> {
        // Results are almost always equal. Compare first without building the names of tensors, which is slow.
        if a.numbers().iter().zip(b.numbers()).all(|(a, b)| are_same(a, &b)) {
            return Ok(());
        }
        let prefix = setting.prefix();
        for ((names, a), (_, b)) in a.parts(&prefix).into_iter().zip(b.parts(&prefix)) {
            self.same(&names, what, &a, &b)?;
        }
        Ok(())
    }
}

#[expect(clippy::float_cmp, reason = "these laws require equal bits")]
fn is_same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

fn are_same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(&a, &b)| is_same(a, b))
}

/// Results of a forward and a backward pass, with their names.
pub(crate) type Parts = Vec<(Names, Vec<f64>)>;

/// The largest magnitude of the values.
pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()))
}

/// The largest magnitude in all parts.
pub(crate) fn largest_of(parts: &Parts) -> f64 {
    parts.iter().fold(0.0, |so_far: f64, (_, values)| so_far.max(largest(values)))
}
