//! Laws of the interface of a layer: order and names of tensors, the output in the cache, shapes of gradients.

use super::compare::LawCheck;
use crate::dual::DualLayer;
use crate::failure::Failure;
use crate::names::Names;
use crate::numbers::{elements, filled};
use crate::setting::Setting;
use longhand::{Layer, Path, Shape, Tensors};

/// Checks that `visit`, `visit_mut`, `visit_pair` and `map` have the same tensors in the same order.
///
/// Catches a parameter that is missing from one of them. An optimizer would never update such a parameter.
///
/// # Errors
/// If they differ.
pub fn tensors<L: DualLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    visits(setting)?;
    maps(setting, |f| L::mapped(setting, f))
}

/// The part of [`tensors`] about `map`: `mapped` returns the elements of the layer, the input and the carry, or `None` if the layer has
/// no `map`.
pub(crate) fn maps<L: Layer<f64>>(
    setting: &Setting<L>,
    mapped: impl Fn(&mut dyn FnMut(f64) -> f64) -> Option<[Vec<f64>; 3]>,
) -> Result<(), Failure> {
    let check = LawCheck::new("map must have the same tensors in the same order as visit", setting);
    let mut next = 0.0;
    let mapped = mapped(&mut |_| {
        next += 1.0;
        next
    });
    let Some(mapped) = mapped else { return Ok(()) };
    let Setting { layer, input, carry, .. } = setting;
    let names = [Names::of(&setting.prefix(), layer), Names::of("input", input), Names::of("carry", carry)];
    let mut first = 0;
    for (names, mapped) in names.iter().zip(&mapped) {
        let count = names.0.last().map_or(0, |tensor| tensor.range().end);
        let expected = counted(first + count).split_off(first);
        check.same(names, ["by map", "by visit"], mapped, &expected)?;
        first += count;
    }
    Ok(())
}

fn counted(count: usize) -> Vec<f64> {
    (1..=count).map(|index| index as f64).collect()
}

/// The part of [`tensors`] without `map`, which a layer for `f64` only need not support.
pub(crate) fn visits<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::new("visit, visit_mut and visit_pair must have the same tensors in the same order", setting);
    visited(&check, &setting.prefix(), &setting.layer)?;
    visited(&check, "input", &setting.input)?;
    visited(&check, "carry", &setting.carry)
}

fn visited<P: Tensors<f64>>(check: &LawCheck<'_>, prefix: &str, value: &P) -> Result<(), Failure> {
    let (names, count) = (Names::of(prefix, value), value.count());
    let expected = counted(count);
    let mut seen: Vec<(String, Shape)> = Vec::new();
    value.visit(&Path::ROOT, &mut |path, shape, _| seen.push((path.to_string(), shape)));
    let (mut index, mut same_names, mut written) = (0, true, value.clone());
    written.visit_mut(&Path::ROOT, &mut |path, shape, values| {
        same_names &= seen.get(index).is_some_and(|(name, of)| *name == path.to_string() && *of == shape);
        same_names &= shape.rows * shape.columns == values.len();
        index += 1;
    });
    check.require(same_names && index == seen.len(), || {
        format!("{prefix}: visit_mut has other names, shapes or tensors than visit")
    })?;
    let mut next = 0.0;
    let written = filled(value, &mut |_| {
        next += 1.0;
        next
    });
    check.same(&names, ["after visit_mut", "by visit"], &elements(&written), &expected)?;
    let (mut copy, mut pairs) = (value.zeros(), Vec::new());
    check.same(&names, ["in zeros()", "expected"], &elements(&copy), &vec![0.0; count])?;
    copy.copy_from(&written);
    check.same(&names, ["after visit_pair", "by visit"], &elements(&copy), &expected)?;
    copy.visit_pair(&Path::ROOT, value, &mut |path, a, b| pairs.push((path.to_string(), a.len(), b.len())));
    check.require(pairs.iter().all(|(_, a, b)| a == b), || {
        format!("{prefix}: visit_pair pairs tensors of different lengths")
    })?;
    check.require(pairs.iter().map(|(name, ..)| name).eq(seen.iter().map(|(name, _)| name)), || {
        format!("{prefix}: visit_pair has other names than visit")
    })
}

/// Checks that the returned output is the output in the cache, and that a backward pass does not change it. Checks that
/// the gradients of the input and the carry have the shapes of the input and the carry, and that the other gradients
/// are the same with and without `d_input`.
///
/// # Errors
/// If one of these does not hold.
pub fn contract<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    let law = "the returned output must be the output in the cache, and backward must not change it";
    let check = LawCheck::new(law, setting);
    let mut cache = L::Cache::default();
    let (output, _) = setting.forward(&mut cache);
    let names = Names::of("output", &output);
    check.same(&names, ["returned", "in the cache"], &elements(&output), &elements(L::output(&cache)))?;
    let mut gradients = setting.layer.zeros();
    let mut d_input = filled(&setting.input, &mut |_| f64::NAN);
    let d_carry = setting.backward(&mut cache, &mut gradients, Some(&mut d_input));
    let after = elements(L::output(&cache));
    check.same(&names, ["before the backward pass", "after it"], &elements(&output), &after)?;

    let check = LawCheck::new("a gradient must have the shape of its value", setting);
    let shapes = |name: &str, left: Names, right: Names| {
        check.require(left == right, || {
            format!("{name}: the value is {}, its gradient is {}", shapes_of(&left), shapes_of(&right))
        })
    };
    shapes("input", Names::of("input", &setting.input), Names::of("input", &d_input))?;
    shapes("carry", Names::of("carry", &setting.carry), Names::of("carry", &d_carry))?;

    let check = LawCheck::new("the other gradients must be the same with and without d_input", setting);
    let mut cache = L::Cache::default();
    setting.forward(&mut cache);
    let mut alone = setting.layer.zeros();
    let d_carry_alone = setting.backward(&mut cache, &mut alone, None);
    let what = ["with d_input", "without d_input"];
    check.same(&Names::of(&setting.prefix(), &gradients), what, &elements(&gradients), &elements(&alone))?;
    check.same(&Names::of("carry", &d_carry), what, &elements(&d_carry), &elements(&d_carry_alone))
}

fn shapes_of(names: &Names) -> String {
    names.0.iter().map(|tensor| format!("{} x {}", tensor.rows, tensor.columns)).collect::<Vec<_>>().join(", ")
}
