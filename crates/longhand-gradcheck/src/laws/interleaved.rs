//! The law of interleaved batches.

use super::compare::LawCheck;
use super::reuse::with_other_values;
use crate::case::Case;
use crate::failure::Failure;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::Layer;

/// Checks that the passes of two batches can be interleaved on one layer. Two forward passes, each with its own cache,
/// followed by the two backward passes must return the same results as one batch after the other. Both settings must
/// have the same layer.
///
/// Catches activations that are stored in the layer.
///
/// # Errors
/// If a result differs.
pub fn interleaved<L: Layer<f64>>(setting: &Setting<L>, other: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("the passes of two batches, each with its own cache, can be interleaved", setting);
    let layer = &setting.layer.clone();
    let alone = |setting: &Setting<L>| -> Passes<L> {
        let mut cache = L::Cache::default();
        let ends = setting.forward_of(layer, &mut cache);
        setting.after_forward(layer, ends, &mut cache)
    };
    let expected = [alone(setting), alone(other)];
    for first in [0, 1] {
        let order = if first == 0 { [setting, other] } else { [other, setting] };
        let mut caches = [L::Cache::default(), L::Cache::default()];
        let ends = [order[0].forward_of(layer, &mut caches[0]), order[1].forward_of(layer, &mut caches[1])];
        for (index, ends) in ends.into_iter().enumerate() {
            let passes = order[index].after_forward(layer, ends, &mut caches[index]);
            let what = ["alone", "with a forward pass of another batch in between; is a value stored in the layer?"];
            check.same_passes(order[index], what, &expected[index ^ first], &passes)?;
        }
    }
    Ok(())
}

/// [`interleaved`] with other values of the same shape, for any kind of input.
pub(crate) fn interleaved_with_itself<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    interleaved(setting, &with_other_values(setting))
}

/// [`interleaved`] with a training pass. Random values drawn in training must not affect inference.
pub(crate) fn interleaved_with_training<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    interleaved(setting, &setting.in_training())
}

/// [`interleaved`] with batches of other shapes, in both orders.
pub(crate) fn interleaved_with_other_shapes<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    for (steps, batch) in [(steps + 1, batch + 1), (steps, batch + 1), (1, 1)] {
        let case = Case { inputs: setting.input.features(), ..Case::new(steps, batch, 1, 1, 1, 26) };
        interleaved(setting, &Setting::of_case_as_it_is(&setting.layer, &case))?;
    }
    Ok(())
}

/// Checks that a layer that was first used for a single step gives the same results as an unused layer, `unused`.
///
/// Catches buffers in the layer that are sized in the first call.
///
/// # Errors
/// If a result differs.
pub(crate) fn used_before<L: SequenceLayer>(setting: &Setting<L>, unused: &L) -> Result<(), Failure> {
    let check = LawCheck::new("a layer that was used before must give the results of a new one", setting);
    let passes_of = |used_for_one_step: bool| -> Passes<L> {
        let mut layer = unused.clone();
        layer.copy_from(&setting.layer);
        if used_for_one_step {
            let case = Case { inputs: setting.input.features(), ..Case::new(1, 1, 1, 1, 1, 26) };
            let small = Setting::of_case_as_it_is(&layer, &case);
            let mut cache = L::Cache::default();
            let ends = small.forward_of(&layer, &mut cache);
            small.after_forward(&layer, ends, &mut cache);
        }
        let mut cache = L::Cache::default();
        let ends = setting.forward_of(&layer, &mut cache);
        setting.after_forward(&layer, ends, &mut cache)
    };
    let what = ["by a new layer", "by one used for one step before; does a buffer in the layer keep its size?"];
    check.same_passes(setting, what, &passes_of(false), &passes_of(true))
}
