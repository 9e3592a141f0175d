//! Laws of every backward pass: it is linear, it adds to the gradients, and it can be repeated.

use super::compare::{LawCheck, Parts, largest, largest_of};
use crate::adjoint::TOLERANCE;
use crate::failure::Failure;
use crate::names::Names;
use crate::numbers::{elements, fill, fill_normal, filled, generator};
use crate::setting::{Passes, Setting};
use longhand::{Layer, ParameterGradients, Path, Tensors};

/// Checks that repeated forward and backward passes return the same results, bit for bit, with the same cache and with
/// a new one.
///
/// Catches state that is hidden in the layer (a step counter, stored activations) or left in the cache.
///
/// # Errors
/// If a result differs.
pub fn repeat<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("repeated passes must return the same results, bit for bit", setting);
    let mut cache = L::Cache::default();
    let first = setting.passes_with(&mut cache);
    check.same_passes(
        setting,
        ["the first time", "with the same cache again"],
        &first,
        &setting.passes_with(&mut cache),
    )?;
    check.same_passes(setting, ["the first time", "with a new cache"], &first, &setting.passes())
}

/// How closely a second backward pass must double the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubling {
    /// Bit for bit: each gradient is computed completely and added once.
    Exactly,
    /// Within rounding: gradients are added step by step.
    WithinRounding,
}

/// Checks that the backward pass adds to the given gradients. A second backward pass after one forward pass must double
/// them, and return the same gradients of input and carry.
///
/// Catches `=` in place of `+=`, and a backward pass that overwrites values in its cache.
///
/// # Errors
/// If gradients are not added, or a result differs.
pub fn accumulation<L: Layer<f64>>(setting: &Setting<L>, doubling: Doubling) -> Result<(), Failure> {
    accumulation_within(setting, doubling, TOLERANCE)
}

/// [`accumulation`] with another tolerance, for another scalar type.
pub(crate) fn accumulation_within<L: Layer<f64>>(
    setting: &Setting<L>,
    doubling: Doubling,
    tolerance: f64,
) -> Result<(), Failure> {
    let law = "backward must add to the gradients, so a second backward pass doubles them";
    let check = LawCheck::new(law, setting).within(tolerance);
    let names = Names::of(&setting.prefix(), &setting.layer);
    let mut cache = L::Cache::default();
    let once = setting.passes_with(&mut cache);
    let mut twice = once.gradients.clone();
    let mut d_input = filled(&setting.input, &mut |_| f64::NAN);
    let d_carry = setting.backward(&mut cache, &mut twice, Some(&mut d_input));
    let doubled: Vec<f64> = elements(&once.gradients).iter().map(|g| 2.0 * g).collect();
    let what = ["after two backward passes", "as twice the gradient of one"];
    match doubling {
        Doubling::Exactly => check.same(&names, what, &elements(&twice), &doubled)?,
        Doubling::WithinRounding => {
            check.close(&names, what, &elements(&twice), &doubled, largest_of(&once.parts("")))?;
        }
    }
    let what = ["from the first backward pass", "from the second"];
    check.same(&Names::of("input", &d_input), what, &elements(&once.d_input), &elements(&d_input))?;
    check.same(&Names::of("carry", &d_carry), what, &elements(&once.d_carry), &elements(&d_carry))?;

    // Add to gradients that another pass may have left: the sum must be exact within rounding.
    let mut earlier = setting.layer.zeros();
    fill_normal(&mut earlier, 1.0, &mut generator(7, 7));
    let mut sum = earlier.clone();
    setting.forward(&mut cache);
    setting.backward(&mut cache, &mut sum, None);
    let (earlier, own) = (elements(&earlier), elements(&once.gradients));
    let expected: Vec<f64> = earlier.iter().zip(&own).map(|(a, b)| a + b).collect();
    let what = ["after adding to other gradients", "as the sum"];
    check.close(&names, what, &elements(&sum), &expected, largest(&earlier) + largest_of(&once.parts("")))
}

/// Checks that replaced gradients ([`ParameterGradients::Replace`]) are the same as gradients added to zero, for any
/// earlier contents, with and without the gradient of the input, and with a cache that other backward passes used.
///
/// Catches a layer that adds where it must replace, leaves out a tensor, or computes a different gradient.
///
/// # Errors
/// If a gradient differs.
pub fn replacing<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("replaced gradients must be the same as gradients added to zero", setting);
    let Setting { layer, input, d_output, .. } = setting;
    let added = setting.passes();
    let mut used = L::Cache::default();
    setting.passes_with(&mut used);
    // The order matters: each call follows a different kind of backward pass.
    for (with_input, fresh) in [(true, false), (false, false), (true, false), (false, true), (true, true)] {
        let mut new = L::Cache::default();
        let cache = if fresh { &mut new } else { &mut used };
        if fresh {
            setting.forward(cache);
        }
        let mut gradients = filled(layer, &mut |_| f64::NAN);
        let mut d_input = filled(input, &mut |_| f64::NAN);
        let mut d_carry = setting.d_carry.clone();
        let requested = with_input.then_some(&mut d_input);
        let replace = ParameterGradients::Replace(&mut gradients);
        layer.backward(input, cache, Some(d_output), &mut d_carry, replace, requested);
        let requested = if with_input { "with d_input" } else { "without d_input" };
        let replaced = format!("in place of NaN, {requested}, with a {} cache", if fresh { "new" } else { "used" });
        let what = ["added to zero", &replaced];
        check.same(&Names::of(&setting.prefix(), layer), what, &elements(&added.gradients), &elements(&gradients))?;
        check.same(&Names::of("carry", &d_carry), what, &elements(&added.d_carry), &elements(&d_carry))?;
        if with_input {
            check.same(&Names::of("input", input), what, &elements(&added.d_input), &elements(&d_input))?;
        }
    }
    let what = ["added with a new cache", "added with a cache used for replaced gradients"];
    let mut gradients = layer.zeros();
    setting.backward(&mut used, &mut gradients, None);
    check.same(&Names::of(&setting.prefix(), layer), what, &elements(&added.gradients), &elements(&gradients))
}

/// Checks that the other gradients do not change if those of the parameters are skipped ([`ParameterGradients::Skip`]),
/// and that a missing gradient of the output (`None`) has the effect of zeros.
///
/// Catches a frozen layer that stops the gradient, and a backward pass that does nothing for `None`.
///
/// # Errors
/// If a gradient differs.
pub fn omissions<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let Setting { layer, input, .. } = setting;
    let names = Names::of(&setting.prefix(), layer);
    let mut silent = setting.clone();
    silent.d_output.set_zero();
    let (whole, expected) = (setting.passes(), silent.passes());
    for with_input in [true, false] {
        let check =
            LawCheck::new("skipping the gradients of the parameters must not change the other gradients", setting);
        let mut cache = L::Cache::default();
        setting.forward(&mut cache);
        let mut d_input = filled(input, &mut |_| f64::NAN);
        let mut d_carry = setting.d_carry.clone();
        let requested = with_input.then_some(&mut d_input);
        layer.backward(input, &mut cache, Some(&setting.d_output), &mut d_carry, ParameterGradients::Skip, requested);
        let what = ["with the gradients of the parameters", "without them"];
        check.same(&Names::of("carry", &d_carry), what, &elements(&whole.d_carry), &elements(&d_carry))?;
        if with_input {
            check.same(&Names::of("input", input), what, &elements(&whole.d_input), &elements(&d_input))?;
        }
        for replaces in [false, true] {
            let check = LawCheck::new("a missing gradient of the output must have the effect of zeros", setting);
            let mut gradients = filled(layer, &mut |_| if replaces { f64::NAN } else { 0.0 });
            let target = if replaces {
                ParameterGradients::Replace(&mut gradients)
            } else {
                ParameterGradients::Add(&mut gradients)
            };
            let mut d_input = filled(input, &mut |_| f64::NAN);
            let mut d_carry = setting.d_carry.clone();
            let requested = with_input.then_some(&mut d_input);
            layer.backward(input, &mut cache, None, &mut d_carry, target, requested);
            let what = ["for d_output of zeros", "for d_output of None"];
            check.same(&names, what, &elements(&expected.gradients), &elements(&gradients))?;
            check.same(&Names::of("carry", &d_carry), what, &elements(&expected.d_carry), &elements(&d_carry))?;
            if with_input {
                check.same(&Names::of("input", input), what, &elements(&expected.d_input), &elements(&d_input))?;
            }
        }
    }
    Ok(())
}

/// Checks that zero cotangents give gradients of exactly zero.
///
/// Catches a term that does not follow from the chain rule: weight decay in the backward pass, or a gradient that was
/// left in a buffer.
///
/// # Errors
/// If a gradient is not zero.
pub fn zero_cotangent<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("a zero cotangent must give a zero gradient", setting);
    let passes = scaled(setting, 0.0).passes();
    for (names, values) in passes.parts(&setting.prefix()).into_iter().skip(2) {
        check.same(&names, ["from a zero cotangent", "expected"], &values, &vec![0.0; values.len()])?;
    }
    Ok(())
}

/// Checks that the backward pass is linear in the cotangents. The gradients for `a v + b w` must be `a` times those for
/// `v` plus `b` times those for `w`, also for large and small `a` and `b`.
///
/// Catches clipping in the backward pass, and steps that are skipped because a cotangent is small.
///
/// # Errors
/// If it is not linear.
pub fn linearity<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    linearity_within(setting, TOLERANCE)
}

/// [`linearity`] with another tolerance, relative to the largest gradient.
pub(crate) fn linearity_within<L: Layer<f64>>(setting: &Setting<L>, tolerance: f64) -> Result<(), Failure> {
    let check = LawCheck::new("backward must be linear in the cotangents", setting).within(tolerance);
    let mut other = setting.clone();
    fill_normal(&mut other.d_output, 1.0, &mut generator(8, 8));
    fill_normal(&mut other.d_carry, 1.0, &mut generator(8, 9));
    let (v, w) = (setting.passes(), other.passes());
    for (a, b) in [(1024.0, -768.0), (-3.0 / 1_048_576.0, 5.0 / 4_194_304.0), (1e-12, 2e-12), (1.0, 1.0)] {
        let mut both = setting.clone();
        combine(&mut both.d_output, a, &other.d_output, b);
        combine(&mut both.d_carry, a, &other.d_carry, b);
        let combined = both.passes();
        let gradients = |passes: &Passes<L>| passes.parts(&setting.prefix()).split_off(2);
        let (v, w) = (gradients(&v), gradients(&w));
        let size = a.abs() * largest_of(&v) + b.abs() * largest_of(&w);
        let sum = |v: &[f64], w: &[f64]| v.iter().zip(w).map(|(v, w)| a * v + b * w).collect();
        let expected: Parts = v.iter().zip(&w).map(|((names, v), (_, w))| (names.clone(), sum(v, w))).collect();
        let right = format!("as {a:e} times the first gradient plus {b:e} times the second");
        let what = ["for a combination of two cotangents", right.as_str()];
        check.close_parts(what, &gradients(&combined), &expected, size)?;
    }
    Ok(())
}

/// The setting with its cotangents multiplied by a factor.
pub(super) fn scaled<L: Layer<f64>>(setting: &Setting<L>, factor: f64) -> Setting<L> {
    let mut scaled = setting.clone();
    fill(&mut scaled.d_output, &mut |v| factor * v);
    fill(&mut scaled.d_carry, &mut |v| factor * v);
    scaled
}

fn combine<P: Tensors<f64>>(to: &mut P, a: f64, with: &P, b: f64) {
    to.visit_pair(&Path::ROOT, with, &mut |_, to, with| {
        for (to, with) in to.iter_mut().zip(with) {
            *to = a * *to + b * with;
        }
    });
}
