//! Laws that ask another arithmetic: dual numbers, and single precision.

use super::compare::{Court, largest};
use crate::adjoint::{self, Agreement};
use crate::cut::windows;
use crate::dual::{Direction, DualLayer};
use crate::failure::Failure;
use crate::numbers::{elements, fill, fill_normal, filled, generator, normal};
use crate::oracle::{Derivative, Oracle};
use crate::setting::{Names, Passes, SequenceLayer, Setting, with_pass};
use longhand::{Layer, Path, Tensors};

/// The forward pass on dual numbers gives the same values as on `f64`, within rounding.
///
/// Catches fast kernels that differ from the plain loops: the oracle would prove the wrong function.
///
/// # Errors
/// If it does not.
pub fn same_function<L: DualLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court = Court::new("forward gives the same values on dual numbers as on f64", setting);
    let tangent = L::tangent(setting, &Direction::default());
    let (output, carry) = setting.forward(&mut L::Cache::default());
    let (of_output, of_carry) = tangent.values.split_at(tangent.outputs);
    let what = ["on f64", "on dual numbers"];
    let size = largest(&tangent.values).max(1.0);
    court.close(&Names::of("output", &output), what, &elements(&output), of_output, size)?;
    court.close(&Names::of("carry out", &carry), what, &elements(&carry), of_carry, size)
}

/// Windows with the incoming carry held constant: truncated backpropagation is the gradient of the sum of the windows'
/// losses with each incoming carry a constant, exactly.
///
/// # Errors
/// If it is not.
pub fn windows_held<L: SequenceLayer>(setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
    let mut agreement = Agreement::default();
    for length in [1, 2, setting.input.steps().div_ceil(2)] {
        if length == 0 || length >= setting.input.steps() {
            continue;
        }
        let mut windows = windows(setting, length);
        let (mut cache, mut gradients) = (L::Cache::default(), setting.layer.zeros());
        for (index, window) in windows.iter_mut().enumerate() {
            fill_normal(&mut window.d_output, 1.0, &mut generator(13, index as u64));
            window.d_carry.set_zero();
            window.forward(&mut cache);
            window.backward(&mut cache, &mut gradients, None);
        }
        let about = format!("windows of {length} with the carry held, {}", setting.about);
        let whole = Setting { about, ..setting.clone() };
        agreement = agreement.and(adjoint::check_parameters(&whole, &gradients, &Sum { windows, oracle })?);
    }
    Ok(agreement)
}

/// The derivative of the sum of several settings' losses.
struct Sum<'a, L: Layer<f64>, O> {
    windows: Vec<Setting<L>>,
    oracle: &'a O,
}

impl<L: Layer<f64>, O: Oracle<L>> Oracle<L> for Sum<'_, L, O> {
    fn derivative(&self, _: &Setting<L>, direction: &Direction) -> Derivative {
        let zero = Derivative { value: 0.0, magnitude: 0.0, error: 0.0 };
        self.windows.iter().map(|window| self.oracle.derivative(window, direction)).fold(zero, |a, b| Derivative {
            value: a.value + b.value,
            magnitude: a.magnitude + b.magnitude,
            error: a.error + b.error,
        })
    }
}

/// A layer that also runs in single precision. Implemented for every layer that is written for any scalar.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run in single precision",
    note = "write the layer for any scalar, `impl<T: Scalar> Layer<T> for {Self}`"
)]
pub trait SingleLayer: Layer<f64> {
    /// Both passes in `f32`: output, carry out, gradients, gradient of the input, gradient of the carry.
    fn single_passes(setting: &Setting<Self>) -> [Vec<f64>; 5]
    where
        Self: Sized;
}

impl<L> SingleLayer for L
where
    L: Layer<f64>,
    L::Over<f32>:
        Layer<f32, Input = <L::Input as Tensors<f64>>::Over<f32>, Carry = <L::Carry as Tensors<f64>>::Over<f32>>,
{
    fn single_passes(setting: &Setting<L>) -> [Vec<f64>; 5] {
        let layer = setting.layer.map(&mut |x| x as f32);
        let input = setting.input.map(&mut |x| x as f32);
        let mut carry = setting.carry.map(&mut |x| x as f32);
        let mut d_carry = setting.d_carry.map(&mut |x| x as f32);
        let mut cache = <L::Over<f32> as Layer<f32>>::Cache::default();
        let mut d_output =
            with_pass(setting.training, |pass| layer.forward(&input, &mut carry, &mut cache, pass).clone());
        let output = widened(&d_output);
        let mut cotangents = elements(&setting.d_output).into_iter();
        d_output.visit_mut(&Path::ROOT, &mut |_, _, values| {
            for value in values {
                *value = cotangents.next().unwrap_or(0.0) as f32;
            }
        });
        let (mut gradients, mut d_input) = (layer.zeros(), input.clone());
        layer.backward(&input, &mut cache, &d_output, &mut d_carry, &mut gradients, Some(&mut d_input));
        [output, widened(&carry), widened(&gradients), widened(&d_input), widened(&d_carry)]
    }
}

fn widened<P: Tensors<f32>>(value: &P) -> Vec<f64> {
    let mut all = Vec::new();
    value.visit(&Path::ROOT, &mut |_, _, values| all.extend(values.iter().map(|&x| f64::from(x))));
    all
}

/// How many roundings one number of a pass may have gone through, relative to one rounding of everything that goes in:
/// sums of a few dozen terms, over a few dozen steps, added up as if every error had the same sign.
const ROUNDINGS: f64 = 64.0;

/// `f32` agrees with `f64` within a bound that the precision explains.
///
/// The numbers that go in are rounded to `f32` for both, so only the arithmetic differs. How far it may, is measured: the
/// passes in `f64` are done again with everything that goes in changed by one rounding of `f32`, up or down. The largest
/// change that this makes to a tensor, and one rounding of its largest number, times the number of roundings on the way,
/// is the bound.
///
/// # Errors
/// If it does not.
pub fn single_precision<L: SingleLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let court = Court::new("f32 agrees with f64 within its precision", setting);
    let mut rounded = setting.clone();
    change(&mut rounded, &mut |x| f64::from(x as f32));
    let double = rounded.passes();
    let parts = double.parts(&setting.prefix());
    let epsilon = f64::from(f32::EPSILON);
    let mut bounds: Vec<Vec<f64>> =
        parts.iter().map(|(_, values)| vec![epsilon * largest(values); values.len()]).collect();
    let mut numbers = generator(14, 14);
    for _ in 0..3 {
        let mut shaken = rounded.clone();
        change(&mut shaken, &mut |x| x * (1.0 + epsilon * normal(&mut numbers).signum()));
        let shaken: Passes<L> = shaken.passes();
        for ((bound, (names, a)), (_, b)) in bounds.iter_mut().zip(&parts).zip(shaken.parts("")) {
            for tensor in &names.0 {
                let range = tensor.range();
                let change = range.clone().map(|i| (a[i] - b[i]).abs()).fold(0.0, f64::max);
                bound[range].iter_mut().for_each(|bound| *bound = bound.max(change));
            }
        }
    }
    let single = L::single_passes(&rounded);
    for (((names, double), single), bound) in parts.iter().zip(&single).zip(&bounds) {
        let agree = |index: usize, a: f64, b: f64| (a - b).abs() <= ROUNDINGS * bound[index];
        court.compare(names, ["in f64", "in f32"], double, single, agree)?;
    }
    Ok(())
}

/// Every number that goes in becomes `f` of itself.
fn change<L: Layer<f64>>(setting: &mut Setting<L>, f: &mut dyn FnMut(f64) -> f64) {
    fill(&mut setting.layer, f);
    fill(&mut setting.input, f);
    fill(&mut setting.carry, f);
    fill(&mut setting.d_output, f);
    fill(&mut setting.d_carry, f);
}

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
    let court = Court::new("at a kink the derivative is that of the stated side", setting);
    let beside = match side {
        Side::Below => -f64::EPSILON,
        Side::Above => f64::EPSILON,
    };
    let at = |x: f64| Setting { input: filled(&setting.input, &mut |_| x), ..setting.clone() }.passes();
    let (there, near) = (elements(&at(0.0).d_input), elements(&at(beside).d_input));
    court.same(&Names::of("input", &setting.input), ["at the kink", "beside it"], &there, &near)
}
