//! The law of a cache that was used with other shapes.

use super::compare::LawCheck;
use crate::case::Case;
use crate::failure::Failure;
use crate::numbers::{fill_normal, filled, generator};
use crate::panics::panics;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::{Layout, Sequences};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Checks that a cache that was used with other shapes, also with NaN, does not change the results. The earlier shape
/// and contents of `d_input` must not change them either.
///
/// Catches buffers that are too long, or that are added to without being cleared.
///
/// # Errors
/// If a result changes.
pub fn cache<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("a cache that was used with another shape must not change the results", setting);
    let fresh = setting.passes();
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    let others = [(steps + 3, batch + 2), (1, 1), (steps, batch + 1), (steps + 1, batch), (steps, batch)];
    for (steps, batch) in others {
        for nan in [false, true] {
            let mut cache = L::Cache::default();
            let mut other = Setting::of_case_as_it_is(
                &setting.layer,
                &Case { inputs: setting.input.features(), ..Case::new(steps, batch, 1, 1, 1, 11) },
            );
            if nan {
                other.input = filled(&other.input, &mut |_| f64::NAN);
            }
            // A layer may panic on NaN at a valid step. The cache is then not used.
            if nan {
                if panics(|| drop(other.passes_with(&mut cache))) {
                    continue;
                }
            } else {
                other.passes_with(&mut cache);
            }
            let mut gradients = setting.layer.zeros();
            let (output, carry) = setting.forward(&mut cache);
            let mut d_input = Sequences::zeros(1 + batch, Layout::new(2, 3));
            fill_normal(&mut d_input, 1.0, &mut generator(12, 12));
            let d_carry =
                catch_unwind(AssertUnwindSafe(|| setting.backward(&mut cache, &mut gradients, Some(&mut d_input))))
                    .map_err(|_| {
                        let advice = "call d_input.reshape(features, input.layout()) before writing";
                        check.fail(format!(
                            "input: backward panicked with a used cache and a d_input of another shape; {advice}"
                        ))
                    })?;
            let layout = d_input.layout() == setting.input.layout();
            check.require(layout, || {
                "input: backward must give d_input, passed in another shape, the layout of the input".to_owned()
            })?;
            let used = Passes { output, carry, gradients, d_input, d_carry };
            let what = format!("after {steps} steps of {batch} sequences{}", if nan { " of NaN" } else { "" });
            check.same_passes(setting, ["with a new cache", &what], &fresh, &used)?;
        }
    }
    Ok(())
}
