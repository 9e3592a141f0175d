//! Laws of a reused cache: with other parameters, another input, another cotangent or another kind of pass.

use super::compare::LawCheck;
use crate::adjoint::{self, Agreement};
use crate::failure::Failure;
use crate::numbers::{elements, fill, fill_normal, generator};
use crate::oracle::Oracle;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::{Layer, Layout, Path, Sequences, Tensors};

const STALE: &str = "a cache that was used before must not change the results";

/// Checks that the passes of `then` return the same bits with a cache that `first` used as with a new cache. `first`
/// uses the cache for forward and backward, and for a forward pass alone.
pub(super) fn after<L: Layer<f64>>(
    check: &LawCheck<'_>,
    first: &Setting<L>,
    then: &Setting<L>,
    earlier_use: &str,
) -> Result<(), Failure> {
    after_with(check, first, then, earlier_use, &then.passes())
}

/// [`after`], where the results `fresh` with a new cache are known.
fn after_with<L: Layer<f64>>(
    check: &LawCheck<'_>,
    first: &Setting<L>,
    then: &Setting<L>,
    earlier_use: &str,
    fresh: &Passes<L>,
) -> Result<(), Failure> {
    for forward_only in [false, true] {
        let mut cache = L::Cache::default();
        if forward_only {
            first.forward(&mut cache);
        } else {
            first.passes_with(&mut cache);
        }
        let part = if forward_only { "a forward pass" } else { "a forward and a backward pass" };
        let used = format!("with a cache used by {part} {earlier_use}; is the cache stale?");
        check.same_passes(then, ["with a new cache", &used], fresh, &then.passes_with(&mut cache))?;
    }
    Ok(())
}

/// Checks that a cache that was used with other parameters does not change the results.
///
/// Catches parameters, or values computed from them, that are copied into the cache once and are stale after an
/// optimizer step.
///
/// # Errors
/// If a result changes.
pub fn other_parameters<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let stepped = Setting { layer: stepped(setting), ..setting.clone() };
    let check = LawCheck::new(STALE, &stepped);
    after(&check, setting, &stepped, "with the parameters before an optimizer step")
}

/// Checks that a cache that was used before one parameter tensor changed does not change the results. In training, the
/// other tensors may be frozen.
///
/// Catches values in the cache that are recomputed only if a certain parameter changes.
///
/// # Errors
/// If a result changes.
pub fn one_other_parameter<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let tensors = setting.layer.names();
    // A layer with no stored values for these parameters: all parameters were different before.
    let mut fresh = stepped(setting);
    let parts = [("", 0), ("the last element of ", 1)];
    for (changed, name) in tensors.iter().enumerate() {
        for (part, all_but_last) in parts {
            let mut then = setting.clone();
            let mut index = 0;
            then.layer.visit_mut(&Path::ROOT, &mut |_, _, values| {
                if index == changed {
                    let first = all_but_last * values.len().saturating_sub(1);
                    for value in &mut values[first..] {
                        *value *= 1.05;
                    }
                }
                index += 1;
            });
            let mut cache = L::Cache::default();
            // Change the layer in place, as an optimizer does.
            let mut layer = setting.layer.clone();
            let ends = setting.forward_of(&layer, &mut cache);
            setting.after_forward(&layer, ends, &mut cache);
            layer.copy_from(&then.layer);
            let ends = then.forward_of(&layer, &mut cache);
            let used = then.after_forward(&layer, ends, &mut cache);
            setting.forward_of(&fresh, &mut L::Cache::default());
            let stepped = fresh.clone();
            fresh.copy_from(&then.layer);
            let mut new = L::Cache::default();
            let expected = then.after_forward(&fresh, then.forward_of(&fresh, &mut new), &mut new);
            fresh.copy_from(&stepped);
            let what =
                format!("after {part}{name} changed; is a value computed from the parameters stored, and stale?");
            LawCheck::new(STALE, &then).same_passes(&then, ["with a new cache", &what], &expected, &used)?;
        }
    }
    Ok(())
}

/// Checks that after an optimizer step, in place, the gradients are those of the new parameters.
///
/// Catches values computed from the parameters (a transposed weight, for example) that are stored in the layer and not
/// recomputed.
///
/// # Errors
/// If a gradient is wrong.
pub fn optimizer_step<L: Layer<f64>>(setting: &Setting<L>, oracle: &impl Oracle<L>) -> Result<Agreement, Failure> {
    let mut stepped = Setting { layer: stepped(setting), ..setting.clone() };
    stepped.about = format!("after an optimizer step, {}", setting.about);
    adjoint::check_together(&stepped, &stepped.passes(), oracle)
}

/// The layer after its passes and a step against the sign of the gradient. Each parameter changes by a twentieth of
/// itself, so that a positive parameter stays positive. If all parameters are zero, each changes by 0.05.
fn stepped<L: Layer<f64>>(setting: &Setting<L>) -> L {
    let mut layer = setting.layer.clone();
    let mut cache = L::Cache::default();
    let ends = setting.forward_of(&layer, &mut cache);
    let gradients = elements(&setting.after_forward(&layer, ends, &mut cache).gradients);
    let all_zero = elements(&layer).iter().all(|&value| value == 0.0);
    let mut gradients = gradients.into_iter();
    layer.visit_mut(&Path::ROOT, &mut |_, _, values| {
        for (value, gradient) in values.iter_mut().zip(&mut gradients) {
            let size = if all_zero { 1.0 } else { value.abs() };
            *value -= 0.05 * size * if gradient < 0.0 { -1.0 } else { 1.0 };
        }
    });
    layer
}

/// Checks that a cache that was used with another input and carry of the same shape does not change the results.
///
/// Catches values of the input or the carry that are stored once per shape.
///
/// # Errors
/// If a result changes.
pub fn other_values<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new(STALE, setting);
    let fresh = &setting.passes();
    let other = &with_other_values(setting);
    after_with(&check, other, setting, "with another input and carry of the same shape", fresh)?;
    let mut half = setting.clone();
    let (mut index, count) = (0, half.input.count());
    fill(&mut half.input, &mut |x| {
        index += 1;
        if 2 * index > count { -x } else { x }
    });
    after_with(&check, &half, setting, "with an input whose second half was different", fresh)?;
    let mut zero = setting.clone();
    zero.carry.set_zero();
    after_with(&check, &zero, setting, "with a carry of zero", fresh)?;
    after(&check, setting, &zero, "with a carry that is not zero")
}

/// The setting with another input, carry and cotangents of the same shapes.
pub(super) fn with_other_values<L: Layer<f64>>(setting: &Setting<L>) -> Setting<L> {
    let mut other = setting.clone();
    fill_normal(&mut other.input, 1.0, &mut generator(19, 0));
    fill_normal(&mut other.carry, 1.0, &mut generator(19, 1));
    fill_normal(&mut other.d_output, 1.0, &mut generator(19, 2));
    fill_normal(&mut other.d_carry, 1.0, &mut generator(19, 3));
    other
}

/// Checks that a second backward pass after one forward pass, with other cotangents, returns the gradients for these
/// cotangents.
///
/// Catches deltas that are stored in the cache and not recomputed.
///
/// # Errors
/// If a gradient differs.
pub fn other_cotangent<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("a backward pass must not depend on the cotangents of an earlier backward pass", setting);
    let mut other = setting.clone();
    fill_normal(&mut other.d_output, 1.0, &mut generator(19, 4));
    fill_normal(&mut other.d_carry, 1.0, &mut generator(19, 5));
    let mut negative = setting.clone();
    fill(&mut negative.d_output, &mut |v| -v);
    let mut only_carry = setting.clone();
    only_carry.d_output.set_zero();
    let mut only_output = setting.clone();
    only_output.d_carry.set_zero();
    for then in [&other, &negative, &only_carry, &only_output] {
        let mut cache = L::Cache::default();
        setting.passes_with(&mut cache);
        let ends = (L::output(&cache).clone(), setting.passes().carry);
        let again = then.after_forward(&then.layer, ends, &mut cache);
        let what = ["after a new forward pass", "after a backward pass with other cotangents; is a delta stored?"];
        check.same_passes(then, what, &then.passes(), &again)?;
    }
    Ok(())
}

/// Checks that a cache that was used in a training pass does not change an inference pass, or a training pass with
/// other random numbers. Checks the same for a training pass after an inference pass.
///
/// Catches a stale dropout mask.
///
/// # Errors
/// If a result changes.
pub fn other_pass<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let with = |training| Setting { training, ..setting.clone() };
    let [infer, train, other] = [None, Some(21), Some(22)].map(with);
    let pairs = [
        (&train, &infer, "in training, before an inference pass"),
        (&infer, &train, "in inference, before a training pass"),
        (&other, &train, "in training with other random numbers"),
    ];
    for (first, then, earlier_use) in pairs {
        let check = LawCheck::new(STALE, setting);
        after(&check, first, then, earlier_use)?;
    }
    Ok(())
}

/// Checks that a cache that was used with other valid steps and resets of the same shape does not change the results.
///
/// Catches masks, lengths and resets that are stored once per shape.
///
/// # Errors
/// If a result changes.
pub fn other_marks<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let (steps, batch) = (setting.input.steps(), setting.input.batch());
    let mut marked = Layout::new(steps, batch);
    if batch > 0 && steps > 0 {
        let valid = (0..steps * batch).map(|column| column / batch != steps / 2 || column % batch != 0).collect();
        marked = crate::case::with_valid(marked, valid).with_reset(steps - 1, batch - 1);
    }
    for layout in [Layout::new(steps, batch), marked] {
        let input = with_layout(&setting.input, layout);
        let mut other = Setting { input, ..setting.clone() };
        other.d_output = other.forward(&mut L::Cache::default()).0;
        fill_normal(&mut other.d_output, 1.0, &mut generator(19, 6));
        let check = LawCheck::new(STALE, setting);
        after(&check, &other, setting, "with other valid steps and resets of the same shape")?;
        after(&check, setting, &other, "with other valid steps and resets of the same shape")?;
    }
    Ok(())
}

/// The same values with another layout of the same shape.
pub(super) fn with_layout(input: &Sequences<f64>, layout: Layout) -> Sequences<f64> {
    input.clone().with_layout(layout).expect("the layout must have the same number of columns")
}

/// Checks that a cache that was used in another setting (of another shape, for example) does not change the results.
/// For a layer from sequences to sequences, [`cache`](super::cache()) creates the other settings itself.
///
/// # Errors
/// If a result changes.
pub fn cache_after<L: Layer<f64>>(setting: &Setting<L>, other: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new(STALE, setting);
    after(&check, other, setting, &format!("with another setting ({})", other.about))
}
