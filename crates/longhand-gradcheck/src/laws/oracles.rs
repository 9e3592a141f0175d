//! Laws that ask the oracle about the same function, and about windows.

use super::compare::{LawCheck, largest};
use crate::adjoint::{self, Agreement};
use crate::cut::{window_lengths, windows};
use crate::dual::{Direction, DualLayer, Tangent};
use crate::failure::{Failure, GradientFailure};
use crate::law::Law;
use crate::names::Names;
use crate::numbers::{elements, fill_normal, generator};
use crate::oracle::Oracle;
use crate::setting::{SequenceLayer, Setting};
use longhand::{Layer, Tensors};

/// The forward pass on dual numbers gives the same values as on `f64`, within rounding.
///
/// Catches fast kernels that differ from the plain loops: the oracle would prove the wrong function.
///
/// # Errors
/// If it does not.
pub fn same_function<L: DualLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    same_values(setting, &L::tangent(setting, &Direction::default()))
}

/// The law, of which `tangent` is the forward pass on dual numbers.
pub(crate) fn same_values<L: Layer<f64>>(setting: &Setting<L>, tangent: &Tangent) -> Result<(), Failure> {
    let check = LawCheck::new("forward gives the same values on dual numbers as on f64", setting);
    let (output, carry) = setting.forward(&mut L::Cache::default());
    let (of_output, of_carry) = tangent.values.split_at(tangent.outputs);
    let what = ["on f64", "on dual numbers"];
    let size = largest(&tangent.values).max(1.0);
    check.close(&Names::of("output", &output), what, &elements(&output), of_output, size)?;
    check.close(&Names::of("carry out", &carry), what, &elements(&carry), of_carry, size)
}

/// Windows with the incoming carry held constant: truncated backpropagation is the gradient of the sum of the windows'
/// losses with each incoming carry a constant, exactly.
///
/// # Errors
/// If it is not.
pub fn windows_held<L: SequenceLayer>(setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
    let mut agreement = Agreement::default();
    let advice = |failure| match failure {
        Failure::Gradient(failure) => {
            Failure::Gradient(GradientFailure { advice: Some(Law::Windows.advice()), ..failure })
        }
        other => other,
    };
    for length in window_lengths(setting.input.steps()) {
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
        let found = adjoint::check_parameters(&whole, &windows, &gradients, oracle);
        if found.is_err() {
            without_reuse(&whole, &windows, oracle)?;
        }
        agreement = agreement.and(found.map_err(advice)?);
    }
    Ok(agreement)
}

/// A failure that says so if the windows' gradients are right with a new cache for each.
fn without_reuse<L: Layer<f64>>(
    whole: &Setting<L>,
    windows: &[Setting<L>],
    oracle: &impl Oracle<L>,
) -> Result<(), Failure> {
    let mut gradients = whole.layer.zeros();
    for window in windows {
        let mut cache = L::Cache::default();
        window.forward(&mut cache);
        window.backward(&mut cache, &mut gradients, None);
    }
    if adjoint::check_parameters(whole, windows, &gradients, oracle).is_err() {
        return Ok(());
    }
    let check = LawCheck::new("a cache that was used before leaves nothing behind", whole);
    Err(check.fail(format!(
        "{}: the gradients are right with a new cache for each window, and wrong with one cache for all: \
         the cache is stale",
        whole.prefix()
    )))
}
