//! The adjoint test of gradients.
//!
//! The backward pass multiplies by the transpose of the forward pass's Jacobian. For the Jacobian `J` of a layer, any
//! direction `u` of its arguments and any cotangent `v` of its results,
//!
//! ```text
//! <v, J u> = <J' v, u>
//! ```
//!
//! The left side takes one forward pass on dual numbers, the right side one backward pass, `g = J' v`. With normal `u`
//! and `v`, a wrong element of `g` shows with probability one. Each tensor is tested separately, so that a failure
//! names the tensor and a large gradient cannot hide a small one. The test accepts
//!
//! ```text
//! |<v, J u> - <g, u>| <= 1e-12 (sum |v_j (J u)_j| + sum |g_i u_i|)
//! ```
//!
//! which is about ten thousand times the rounding error. A larger difference is accepted only if it is rounding, as in
//! a gradient that nearly cancels: see [`rounding`]. Otherwise the elements are tested one by one for the report.

use crate::dual::Direction;
use crate::failure::{Failure, GradientFailure, WrongTensor};
use crate::names::{Names, TensorName};
use crate::numbers::{dot, elements, generator, normal};
use crate::oracle::{Derivative, Oracle};
use crate::rounding;
use crate::setting::{Passes, Setting};
use crate::sweep;
use longhand::Layer;

/// Summary of a passed check.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreement {
    /// Number of tensors that were tested.
    pub tensors: usize,
    /// The largest difference `|<v, J u> - <g, u>|` relative to `sum |v_j (J u)_j| + sum |g_i u_i|`.
    pub worst: f64,
}

impl Agreement {
    /// The summary of both checks.
    pub(crate) fn and(self, other: Agreement) -> Agreement {
        Agreement { tensors: self.tensors + other.tensors, worst: self.worst.max(other.worst) }
    }
}

/// The accepted difference, relative to the size of the terms.
pub(crate) const TOLERANCE: f64 = 1e-12;

/// The largest difference that can be accepted as rounding, relative to the sizes of the terms and of the cotangents.
const LARGEST_ROUNDING: f64 = 1e-6;

/// An argument of a layer that has a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Parameters,
    Input,
    Carry,
}

impl Variable {
    pub(crate) const ALL: [Variable; 3] = [Variable::Parameters, Variable::Input, Variable::Carry];

    pub(crate) fn direction(self, u: Vec<f64>) -> Direction {
        match self {
            Variable::Parameters => Direction { parameters: u, ..Direction::default() },
            Variable::Input => Direction { input: u, ..Direction::default() },
            Variable::Carry => Direction { carry: u, ..Direction::default() },
        }
    }

    pub(crate) fn names<L: Layer<f64>>(self, setting: &Setting<L>) -> Names {
        match self {
            Variable::Parameters => Names::of(&setting.prefix(), &setting.layer),
            Variable::Input => Names::of("input", &setting.input),
            Variable::Carry => Names::of("carry", &setting.carry),
        }
    }

    pub(crate) fn gradient<L: Layer<f64>>(self, passes: &Passes<L>) -> Vec<f64> {
        match self {
            Variable::Parameters => elements(&passes.gradients),
            Variable::Input => elements(&passes.d_input),
            Variable::Carry => elements(&passes.d_carry),
        }
    }
}

/// Tests the gradients in `passes`: those of every parameter, the input and the carry.
///
/// # Errors
/// If a gradient is wrong. The error lists the tensors and their elements.
pub(crate) fn check<L: Layer<f64>>(
    setting: &Setting<L>,
    passes: &Passes<L>,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    let values = Variable::ALL.map(|variable| (variable, variable.gradient(passes)));
    Test { whole: setting, settings: std::slice::from_ref(setting), oracle }.check(values)
}

/// Tests all gradients at once, in one direction, which takes one forward pass on dual numbers. If the test fails,
/// tests each tensor separately for the report.
///
/// # Errors
/// If a gradient is wrong.
pub(crate) fn check_together<L: Layer<f64>>(
    setting: &Setting<L>,
    passes: &Passes<L>,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    let mut generator = generator(seed_of(&setting.about), 17);
    let mut random = |count: usize| -> Vec<f64> { (0..count).map(|_| normal(&mut generator)).collect() };
    let gradients = Variable::ALL.map(|variable| variable.gradient(passes));
    let [parameters, input, carry] = [0, 1, 2].map(|index| random(gradients[index].len()));
    let u = [&parameters[..], &input, &carry].concat();
    let direction = Direction { parameters, input, carry };
    let comparison = Comparison::new(oracle.derivative(setting, &direction), &gradients.concat(), &u);
    if comparison.accepted {
        return Ok(Agreement { tensors: 1, worst: comparison.relative });
    }
    check(setting, passes, oracle)
}

/// Tests the gradients of the parameters only. `gradients` are sums over `settings`. `whole` names the tensors and the
/// case in reports.
///
/// # Errors
/// If a gradient is wrong.
pub(crate) fn check_parameters<L: Layer<f64>>(
    whole: &Setting<L>,
    settings: &[Setting<L>],
    gradients: &L,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    Test { whole, settings, oracle }.check([(Variable::Parameters, elements(gradients))])
}

/// A test of the gradients of the sum of several settings' losses.
pub(crate) struct Test<'a, L: Layer<f64>, O> {
    /// Names the tensors and the case.
    whole: &'a Setting<L>,
    settings: &'a [Setting<L>],
    oracle: &'a O,
}

impl<L: Layer<f64>, O: Oracle<L>> Test<'_, L, O> {
    fn check(&self, values: impl IntoIterator<Item = (Variable, Vec<f64>)>) -> Result<Agreement, Failure> {
        let mut generator = generator(seed_of(&self.whole.about), 6);
        let (mut agreement, mut wrong, mut right) = (Agreement::default(), Vec::new(), Vec::new());
        for (variable, gradient) in values {
            for tensor in variable.names(self.whole).0.iter().filter(|tensor| !tensor.range().is_empty()) {
                let mut u = vec![0.0; gradient.len().max(tensor.range().end)];
                u[tensor.range()].fill_with(|| normal(&mut generator));
                let comparison = self.compare(variable, &gradient, &u);
                agreement.tensors += 1;
                if comparison.accepted {
                    agreement.worst = agreement.worst.max(comparison.relative);
                    right.push(tensor.name.clone());
                } else if self.differs_by_rounding(variable, &u, &comparison) {
                    right.push(tensor.name.clone());
                } else {
                    wrong.push(self.search(variable, tensor, &gradient, &comparison));
                }
            }
        }
        if wrong.is_empty() {
            return Ok(agreement);
        }
        sweep::innermost_first(&mut wrong);
        let context = self.whole.context();
        Err(Failure::Gradient(GradientFailure { context, wrong, right, advice: None }))
    }

    pub(crate) fn compare(&self, variable: Variable, gradient: &[f64], u: &[f64]) -> Comparison {
        Comparison::new(derivative(self.settings, self.oracle, &variable.direction(u.to_vec())), gradient, u)
    }

    fn differs_by_rounding(&self, variable: Variable, u: &[f64], found: &Comparison) -> bool {
        let cotangents = self.settings.iter().flat_map(crate::dual::cotangents).map(f64::abs).sum::<f64>();
        if found.difference.abs() > LARGEST_ROUNDING * (found.scale + cotangents) {
            return false;
        }
        let differences = rounding::differences(rounding::DOUBLE, |index, size| {
            let settings: Vec<_> =
                self.settings.iter().map(|setting| rounding::perturbed(setting, index, size)).collect();
            let mut gradient = vec![0.0; u.len()];
            for setting in &settings {
                let part = variable.gradient(&setting.passes());
                gradient.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
            }
            let direction = variable.direction(u.to_vec());
            Comparison::new(derivative(&settings, self.oracle, &direction), &gradient, u).difference
        });
        rounding::is_rounding(rounding::DOUBLE, &differences)
    }

    fn search(&self, variable: Variable, tensor: &TensorName, gradient: &[f64], whole: &Comparison) -> WrongTensor {
        sweep::search(tensor, whole, &|u| self.compare(variable, gradient, u), gradient.len())
    }
}

/// The derivative of the sum of several settings' losses.
fn derivative<L: Layer<f64>>(settings: &[Setting<L>], oracle: &impl Oracle<L>, direction: &Direction) -> Derivative {
    let zero = Derivative { value: 0.0, magnitude: 0.0, error: 0.0 };
    settings.iter().map(|setting| oracle.derivative(setting, direction)).fold(zero, |a, b| Derivative {
        value: a.value + b.value,
        magnitude: a.magnitude + b.magnitude,
        error: a.error + b.error,
    })
}

/// The comparison of `<v, J u>` (exact) with `<g, u>` (analytic).
pub(crate) struct Comparison {
    pub(crate) exact: f64,
    pub(crate) analytic: f64,
    /// `exact - analytic`.
    pub(crate) difference: f64,
    /// The sum of the magnitudes of the terms of both sides.
    pub(crate) scale: f64,
    pub(crate) relative: f64,
    pub(crate) accepted: bool,
}

impl Comparison {
    fn new(exact: Derivative, gradient: &[f64], u: &[f64]) -> Comparison {
        // Elements outside the direction do not count, not even NaN.
        let (analytic, size) =
            gradient.iter().zip(u).filter(|&(_, &u)| u != 0.0).fold((0.0, 0.0), |(sum, size), (g, u)| {
                let (product, magnitude) = dot(&[*g], &[*u]);
                (sum + product, size + magnitude)
            });
        let scale = exact.magnitude + size;
        let difference = exact.value - analytic;
        let relative = if difference == 0.0 { 0.0 } else { difference.abs() / scale };
        // A comparison with NaN is false, so NaN is not accepted.
        let accepted = difference.abs() <= TOLERANCE * scale + exact.error;
        Comparison { exact: exact.value, analytic, difference, scale, relative, accepted }
    }
}

/// A seed computed from a case's description, so that directions differ between cases and are the same in each run.
fn seed_of(about: &str) -> u64 {
    about.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
