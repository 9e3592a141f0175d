//! The law of single precision.

use super::compare::{LawCheck, Parts, largest, largest_of};
use crate::failure::Failure;
use crate::law::Law;
use crate::numbers::{generator, normal};
use crate::rounding;
use crate::setting::{Passes, Setting};
use crate::single::{InSingle, SingleLayer, rounded};
use longhand::Layer;

/// The accepted error, in multiples of the change caused by rounding every input, parameter and cotangent once. A
/// result is a sum of a few dozen terms over a few dozen steps, and all rounding errors may have the same sign.
const ROUNDINGS: f64 = 64.0;

/// The accepted error of one element, in multiples of the scatter of rounding in its part.
const SCATTERS: f64 = 16.0;

/// Values below 2^-63 may be flushed to zero in `f32`: see [`longhand::vanishing`].
pub(crate) const VANISHED: f64 = 1.1e-19;

/// Checks that `f32` agrees with `f64` within a bound that follows from the precision.
///
/// The operands of both passes are rounded to `f32`, so only the arithmetic differs. The bound is measured. The passes
/// in `f64` are repeated with every operand changed by one rounding of `f32`, up or down. The bound is 64 times the
/// largest change in a tensor, or 64 roundings of its largest value if that is more. An element above the bound is
/// accepted only if its difference is rounding, which changes sign and size when the operands are perturbed. This is
/// the case for a gradient that nearly cancels, and next to a kink.
///
/// Catches an `f32` kernel that loses digits or computes a different function.
///
/// # Errors
/// If a result does not agree.
pub fn single_precision<L: SingleLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    precision_of(setting, VANISHED, &|rounded| InSingle::of(rounded).passes().parts(""))
}

/// [`single_precision`], where `in_single` computes the results in `f32`. Differences below `floor` are ignored;
/// `floor` is relative to the largest result, or to one if that is larger.
pub(crate) fn precision_of<L: Layer<f64>>(
    setting: &Setting<L>,
    floor: f64,
    in_single: &InSinglePasses<L>,
) -> Result<(), Failure> {
    let check = LawCheck::of(Law::SinglePrecision, "f32 must agree with f64 within its precision", setting);
    let rounded = rounded(setting);
    let parts = rounded.passes().parts(&setting.prefix());
    let epsilon = f64::from(f32::EPSILON);
    let vanished = floor * largest_of(&parts).max(1.0);
    let bound = |values: &[f64]| (epsilon * largest(values)).max(vanished);
    let mut bounds: Vec<Vec<f64>> = parts.iter().map(|(_, values)| vec![bound(values); values.len()]).collect();
    let mut numbers = generator(14, 14);
    for _ in 0..3 {
        let perturbed: Passes<L> =
            rounded.changed(&mut |x| x * (1.0 + epsilon * normal(&mut numbers).signum())).passes();
        for ((bound, (names, a)), (_, b)) in bounds.iter_mut().zip(&parts).zip(perturbed.parts("")) {
            for tensor in &names.0 {
                let range = tensor.range();
                let change = range.clone().map(|i| (a[i] - b[i]).abs()).fold(0.0, f64::max);
                bound[range].iter_mut().for_each(|bound| *bound = bound.max(change));
            }
        }
    }
    let single = in_single(&rounded);
    let within = |part: usize, index: usize| {
        let (double, single) = (parts[part].1[index], single[part].1[index]);
        (double - single).abs() <= ROUNDINGS * bounds[part][index]
    };
    let mut differences = None;
    for (part, ((names, double), (_, single))) in parts.iter().zip(&single).enumerate() {
        let beyond: Vec<usize> = (0..double.len().min(single.len())).filter(|&index| !within(part, index)).collect();
        if beyond.is_empty() && double.len() == single.len() {
            continue;
        }
        let perturbed = differences.get_or_insert_with(|| perturbed_differences(&rounded, in_single));
        let scatter = scatter_of_part(perturbed, part);
        let is_rounding = |index: usize| {
            let of_element = |group: &Vec<Differences>| group.iter().map(|parts| parts[part][index]).collect();
            let groups: Vec<Vec<f64>> = perturbed.iter().map(of_element).collect();
            rounding::is_rounding(rounding::SINGLE, &groups)
                || (double[index] - single[index]).abs() <= SCATTERS * scatter
        };
        check.compare(names, ["in f64", "in f32"], double, single, |index, _, _| {
            !beyond.contains(&index) || is_rounding(index)
        })?;
    }
    Ok(())
}

/// Computes the results of a setting's passes in `f32`.
pub(crate) type InSinglePasses<L> = dyn Fn(&Setting<L>) -> Parts;

/// Differences between `f64` and `f32` by part and element.
type Differences = Vec<Vec<f64>>;

/// The differences for several perturbations of the operands, by size of the perturbation.
fn perturbed_differences<L: Layer<f64>>(setting: &Setting<L>, in_single: &InSinglePasses<L>) -> [Vec<Differences>; 4] {
    rounding::differences(rounding::SINGLE, |index, size| {
        let perturbed = rounded(&rounding::perturbed(setting, index, size));
        let (double, single) = (perturbed.passes().parts(""), in_single(&perturbed));
        let pairs = double.iter().zip(&single);
        pairs.map(|((_, a), (_, b))| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
    })
}

/// The scatter of the differences in a part under small perturbations of the operands: the root of the mean variance
/// over the elements. It is averaged because the rounding of a single element may not change at all (a value just below
/// 1 may always round the same way). The largest perturbations are excluded, because they also change the error of a
/// wrong formula.
fn scatter_of_part(perturbed: &[Vec<Differences>; 4], part: usize) -> f64 {
    let of_group = |group: &Vec<Differences>| {
        let (perturbations, count) = (group.len() as f64, group[0][part].len());
        let variance = |index: usize| {
            let mean = group.iter().map(|parts| parts[part][index]).sum::<f64>() / perturbations;
            group.iter().map(|parts| (parts[part][index] - mean).powi(2)).sum::<f64>() / perturbations
        };
        ((0..count).map(variance).sum::<f64>() / count.max(1) as f64).sqrt()
    };
    perturbed[..3].iter().map(of_group).fold(0.0, f64::max)
}
