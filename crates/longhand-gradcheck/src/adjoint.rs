//! The adjoint test.
//!
//! Forward and backward are each other's transposes: for the Jacobian `J` of a layer, any direction `u` of what goes in
//! and any cotangent `v` of what comes out,
//!
//! ```text
//! <v, J u> = <J' v, u>
//! ```
//!
//! The left side is one forward pass on dual numbers, the right side one backward pass `g = J' v`. With `u` and `v`
//! normal, a wrong element of `g` shows with probability one. Each tensor is tested by itself, so that a failure names
//! it and a large gradient cannot hide a small one. It is accepted at
//!
//! ```text
//! |<v, J u> - <g, u>| <= 1e-12 (sum |v_j (J u)_j| + sum |g_i u_i|)
//! ```
//!
//! which is rounding error with room for four digits. Only if that fails are the elements gone through one by one.

use crate::dual::Direction;
use crate::failure::{Failure, GradientFailure, Mismatch, WrongTensor};
use crate::numbers::{dot, elements, generator, normal};
use crate::oracle::{Derivative, Oracle};
use crate::setting::{Names, Passes, Setting, TensorName};
use longhand::Layer;

/// What a passed check found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Agreement {
    /// How many tensors were tested.
    pub tensors: usize,
    /// The largest of `|<v, J u> - <g, u>|` against `sum |v_j (J u)_j| + sum |g_i u_i|`.
    pub worst: f64,
}

impl Agreement {
    /// This one and another together.
    pub(crate) fn and(self, other: Agreement) -> Agreement {
        Agreement { tensors: self.tensors + other.tensors, worst: self.worst.max(other.worst) }
    }
}

/// What is accepted, relative to the sizes of the terms.
pub(crate) const TOLERANCE: f64 = 1e-12;

/// Which of the values that go into a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Into {
    Parameters,
    Input,
    Carry,
}

impl Into {
    fn direction(self, u: Vec<f64>) -> Direction {
        match self {
            Into::Parameters => Direction { parameters: u, ..Direction::default() },
            Into::Input => Direction { input: u, ..Direction::default() },
            Into::Carry => Direction { carry: u, ..Direction::default() },
        }
    }
}

/// Tests every parameter, the input and the carry of a setting; the gradients are those of `passes`.
///
/// # Errors
/// If one of them is wrong: the tensors and their elements.
pub(crate) fn check<L: Layer<f64>>(
    setting: &Setting<L>,
    passes: &Passes<L>,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    let values = [
        (Into::Parameters, Names::of(&setting.prefix(), &setting.layer), elements(&passes.gradients)),
        (Into::Input, Names::of("input", &setting.input), elements(&passes.d_input)),
        (Into::Carry, Names::of("carry", &setting.carry), elements(&passes.d_carry)),
    ];
    check_values(setting, values, oracle)
}

/// Tests the parameters alone.
///
/// # Errors
/// If one of them is wrong.
pub(crate) fn check_parameters<L: Layer<f64>>(
    setting: &Setting<L>,
    gradients: &L,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    let names = Names::of(&setting.prefix(), &setting.layer);
    check_values(setting, [(Into::Parameters, names, elements(gradients))], oracle)
}

fn check_values<L: Layer<f64>>(
    setting: &Setting<L>,
    values: impl IntoIterator<Item = (Into, Names, Vec<f64>)>,
    oracle: &impl Oracle<L>,
) -> Result<Agreement, Failure> {
    let mut generator = generator(seed_of(&setting.about), 6);
    let (mut agreement, mut wrong, mut right) = (Agreement::default(), Vec::new(), Vec::new());
    for (into, names, gradient) in values {
        for tensor in names.0.iter().filter(|tensor| !tensor.range().is_empty()) {
            let mut u = vec![0.0; gradient.len().max(tensor.range().end)];
            u[tensor.range()].fill_with(|| normal(&mut generator));
            let exact = oracle.derivative(setting, &into.direction(u.clone()));
            let error = Comparison::new(exact, &gradient, &u);
            agreement.tensors += 1;
            if error.accepted {
                agreement.worst = agreement.worst.max(error.relative);
                right.push(tensor.name.clone());
            } else {
                wrong.push(sweep(setting, oracle, into, tensor, &gradient, &error));
            }
        }
    }
    if wrong.is_empty() {
        Ok(agreement)
    } else {
        Err(Failure::Gradient(GradientFailure { context: setting.context(), wrong, right }))
    }
}

/// `<v, J u>` against `<g, u>`.
struct Comparison {
    exact: f64,
    analytic: f64,
    relative: f64,
    accepted: bool,
}

impl Comparison {
    fn new(exact: Derivative, gradient: &[f64], u: &[f64]) -> Comparison {
        // An element that `u` leaves out is not asked for, whatever stands in it.
        let (analytic, size) =
            gradient.iter().zip(u).filter(|&(_, &u)| u != 0.0).fold((0.0, 0.0), |(sum, size), (g, u)| {
                let (product, magnitude) = dot(&[*g], &[*u]);
                (sum + product, size + magnitude)
            });
        let scale = exact.magnitude + size;
        let difference = (exact.value - analytic).abs();
        let relative = if difference == 0.0 { 0.0 } else { difference / scale };
        // NaN on either side is not accepted, so it is not "above".
        let accepted = difference <= TOLERANCE * scale + exact.error;
        Comparison { exact: exact.value, analytic, relative, accepted }
    }
}

/// Goes through the elements of a tensor that failed.
fn sweep<L: Layer<f64>>(
    setting: &Setting<L>,
    oracle: &impl Oracle<L>,
    into: Into,
    tensor: &TensorName,
    gradient: &[f64],
    whole: &Comparison,
) -> WrongTensor {
    let mut elements = Vec::new();
    let mut both = Vec::new();
    for index in tensor.range() {
        let mut u = vec![0.0; gradient.len().max(tensor.range().end)];
        u[index] = 1.0;
        let error = Comparison::new(oracle.derivative(setting, &into.direction(u.clone())), gradient, &u);
        both.push((error.analytic, error.exact));
        if !error.accepted {
            elements.push(Mismatch { element: tensor.element(index), analytic: error.analytic, exact: error.exact });
        }
    }
    let hint = hint(&both, tensor.rows, tensor.columns);
    let Comparison { analytic, exact, relative, .. } = *whole;
    WrongTensor { tensor: tensor.name.clone(), count: tensor.range().len(), elements, hint, analytic, exact, relative }
}

/// What a wrong gradient looks like, if it looks like something: pairs of analytic and exact elements.
fn hint(both: &[(f64, f64)], rows: usize, columns: usize) -> Option<String> {
    let size = both.iter().fold(0.0_f64, |size, (_, exact)| size.max(exact.abs()));
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * size;
    if both.iter().any(|(analytic, _)| analytic.is_nan()) {
        return Some("NaN: a gradient of an input must be written, not added to, and padding kept out".to_owned());
    }
    if both.iter().all(|&(analytic, _)| analytic == 0.0) {
        return Some("all zero: was it forgotten?".to_owned());
    }
    if size == 0.0 {
        return Some("the exact gradient is zero".to_owned());
    }
    let (over, under) = both.iter().fold((0.0, 0.0), |(over, under), (a, e)| (over + a * e, under + e * e));
    let ratio: f64 = over / under;
    if both.len() > 1 && (ratio - 1.0).abs() > 1e-9 && both.iter().all(|&(a, e)| close(a, ratio * e)) {
        return Some(format!("each element is {ratio:.6} times the exact one"));
    }
    let transposed = |index: usize| both[index / rows + (index % rows) * rows].1;
    let square = rows == columns && rows > 1;
    if square && both.iter().enumerate().all(|(index, &(a, _))| close(a, transposed(index))) {
        return Some("it is the exact one transposed".to_owned());
    }
    None
}

/// Directions that differ from case to case and are the same in each run.
fn seed_of(about: &str) -> u64 {
    about.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
