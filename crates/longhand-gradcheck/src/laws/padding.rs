//! Laws of padding: its contents and its length do not change any result.

use super::compare::{LawCheck, largest_of};
use crate::case::with_valid;
use crate::cut::window;
use crate::failure::Failure;
use crate::law::Law;
use crate::names::Names;
use crate::numbers::{elements, fill_normal, filled, generator};
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::{Layer, Layout, Sequences};

/// Checks that output and input gradient are zero at invalid steps. Checks that the contents of invalid steps, in the
/// input and in the cotangent of the output, do not change any result, bit for bit. The contents tested include
/// infinity and NaN.
///
/// Catches a mask that leaks, in the forward or the backward pass, and zero times NaN in a weight gradient.
///
/// # Errors
/// If a result changes or is not zero.
pub fn padding<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Padding, "the output and the input gradient must be zero at invalid steps", setting);
    let plain = setting.passes();
    zero_where_invalid(&check, "output", &plain.output)?;
    zero_where_invalid(&check, "input", &plain.d_input)?;

    let check = LawCheck::of(Law::Padding, "the contents of the padding must not change any result", setting);
    let mut numbers = generator(9, 10);
    for (name, value) in
        [("other numbers", None), ("NaN", Some(f64::NAN)), ("infinity", Some(f64::INFINITY)), ("zeros", Some(0.0))]
    {
        for (what, of_input, of_output) in [("the input", true, false), ("d_output", false, true)] {
            let mut changed = setting.clone();
            let mut padding = |sequences: &mut Sequences<f64>| {
                let mut other = filled(sequences, &mut |_| value.unwrap_or(0.0));
                if value.is_none() {
                    fill_normal(&mut other, 3.0, &mut numbers);
                }
                replace_padding(sequences, &other);
            };
            if of_input {
                padding(&mut changed.input);
            }
            if of_output {
                padding(&mut changed.d_output);
            }
            let right = format!("with {name} in the padding of {what}");
            check.same_passes(setting, ["as drawn", &right], &plain, &changed.passes())?;
        }
    }
    Ok(())
}

/// Checks that more padding at the end changes nothing but the shape.
///
/// A layer that changes the number of steps may return more steps for a longer input. The steps that both outputs have
/// must agree. In the additional steps the cotangent is NaN where the step is invalid, and zero where it is valid.
///
/// Catches a mean over all steps in place of the valid steps.
///
/// # Errors
/// If a result changes.
pub fn more_padding<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Padding, "more padding at the end must not change any result", setting);
    let plain = setting.passes();
    let mut longer = setting.clone();
    longer.input = padded(&setting.input);
    let output = longer.forward(&mut L::Cache::default()).0;
    let (steps, of_longer) = (setting.d_output.steps(), output.steps());
    check.require(of_longer >= steps && output.batch() == setting.d_output.batch(), || {
        format!("output: {steps} steps for the input, {of_longer} with more padding; expected at least as many")
    })?;
    longer.d_output = filled(&output, &mut |_| f64::NAN);
    for step in 0..of_longer {
        for b in 0..output.batch() {
            if step < steps {
                longer.d_output.at_mut(step, b).copy_from_slice(setting.d_output.at(step, b));
            } else if output.layout().is_valid(step, b) {
                longer.d_output.at_mut(step, b).fill(0.0);
            }
        }
    }
    let Passes { output, carry, gradients, d_input, d_carry } = longer.passes();
    let output = window(&output, 0, steps);
    let d_input = window(&d_input, 0, setting.input.steps());
    let longer = Passes::<L> { output, carry, gradients, d_input, d_carry };
    let (plain, longer) = (plain.parts(&setting.prefix()), longer.parts(""));
    check.close_parts(["as drawn", "with more padding"], &plain, &longer, largest_of(&plain))
}

/// Checks that two settings that differ only in the padding of the input or of the output's cotangent have the same
/// results, bit for bit. For inputs other than [`Sequences`], for which the checker does not know what padding is.
///
/// Catches a mask that leaks.
///
/// # Errors
/// If a result differs.
pub fn same_results<L: Layer<f64>>(setting: &Setting<L>, other: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(Law::Padding, "the contents of the padding must not change any result", setting);
    let what = format!("with other padding ({})", other.about);
    check.same_passes(setting, ["as given", &what], &setting.passes(), &other.passes())
}

/// The sequences with two more steps, which are invalid and contain NaN.
fn padded(sequences: &Sequences<f64>) -> Sequences<f64> {
    const MORE: usize = 2;
    let (layout, features) = (sequences.layout(), sequences.features());
    let (steps, batch) = (layout.steps(), layout.batch());
    let mut longer = Layout::new(steps + MORE, batch);
    for step in 0..steps {
        for sequence in layout.resets_at(step) {
            longer = longer.with_reset(step, sequence);
        }
    }
    let valid = |column: usize| column < steps * batch && layout.is_valid(column / batch, column % batch);
    let longer = with_valid(longer, (0..(steps + MORE) * batch).map(valid).collect());
    let mut padded = filled(&Sequences::zeros(features, longer), &mut |_| f64::NAN);
    padded.values_mut().as_mut_slice()[..features * steps * batch].copy_from_slice(sequences.values().as_slice());
    padded
}

fn replace_padding(sequences: &mut Sequences<f64>, with: &Sequences<f64>) {
    let layout = sequences.layout().clone();
    for step in 0..layout.steps() {
        for sequence in (0..layout.batch()).filter(|&sequence| !layout.is_valid(step, sequence)) {
            sequences.at_mut(step, sequence).copy_from_slice(with.at(step, sequence));
        }
    }
}

fn zero_where_invalid(check: &LawCheck<'_>, name: &str, sequences: &Sequences<f64>) -> Result<(), Failure> {
    let mut cleared = sequences.clone();
    cleared.clear_padding();
    check.same(
        &Names::of(name, sequences),
        ["at an invalid step", "expected"],
        &elements(sequences),
        &elements(&cleared),
    )
}
