//! Laws that need an oracle: equal values on dual numbers, and gradients of windows.

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

/// Checks that the forward pass returns the same values on dual numbers as on `f64`, within rounding.
///
/// Catches fast kernels whose results differ from those of the plain loops used for dual numbers. With such a kernel,
/// gradients would be compared with the derivatives of another function.
///
/// # Errors
/// If a value differs.
pub fn same_function<L: DualLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    same_values(setting, &L::tangent(setting, &Direction::default()))
}

/// [`same_function`], where `tangent` has the results of the forward pass on dual numbers.
pub(crate) fn same_values<L: Layer<f64>>(setting: &Setting<L>, tangent: &Tangent) -> Result<(), Failure> {
    let check = LawCheck::new("forward must return the same values on dual numbers as on f64", setting);
    let (output, carry) = setting.forward(&mut L::Cache::default());
    let (of_output, of_carry) = tangent.values.split_at(tangent.outputs);
    let what = ["on f64", "on dual numbers"];
    let size = largest(&tangent.values).max(1.0);
    check.close(&Names::of("output", &output), what, &elements(&output), of_output, size)?;
    check.close(&Names::of("carry out", &carry), what, &elements(&carry), of_carry, size)
}

/// Checks the gradients of truncated backpropagation through time. They are exactly the gradients of the sum of the
/// windows' losses with each incoming carry held constant.
///
/// # Errors
/// If a gradient is wrong.
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
        let about = format!("windows of {length} with a constant incoming carry, {}", setting.about);
        let whole = Setting { about, ..setting.clone() };
        let found = adjoint::check_parameters(&whole, &windows, &gradients, oracle);
        if found.is_err() {
            report_stale_cache(&whole, &windows, oracle)?;
        }
        agreement = agreement.and(found.map_err(advice)?);
    }
    Ok(agreement)
}

/// Fails with a report of a stale cache if the gradients are right with a new cache for each window.
fn report_stale_cache<L: Layer<f64>>(
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
    let check = LawCheck::new("a cache that was used before must not change the results", whole);
    Err(check.fail(format!(
        "{}: the gradients are right with a new cache for each window, and wrong with one cache for all windows; \
         the cache is stale",
        whole.prefix()
    )))
}
