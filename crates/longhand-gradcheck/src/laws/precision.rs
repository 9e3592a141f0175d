//! The law of single precision.

use super::compare::{LawCheck, Parts, largest, largest_of};
use crate::failure::Failure;
use crate::law::Law;
use crate::numbers::{generator, normal};
use crate::rounding;
use crate::setting::{Passes, Setting};
use crate::single::{InSingle, SingleLayer, rounded};
use longhand::Layer;

/// The accepted error, in multiples of the change that rounding every input, parameter and cotangent once makes. A result is
/// a sum of a few dozen terms over a few dozen steps, and all errors might have the same sign.
const ROUNDINGS: f64 = 64.0;

/// How many times the scatter of the rounding of a part is accepted for one of its elements.
const SCATTERS: f64 = 16.0;

/// Numbers below 2^-63 may be zero in `f32`: see [`longhand::vanishing`].
pub(crate) const VANISHED: f64 = 1.1e-19;

/// `f32` agrees with `f64` within a bound that the precision explains.
///
/// The numbers that go in are rounded to `f32` for both, so only the arithmetic differs. The accepted difference is
/// measured: the passes in `f64` are repeated with every number that goes in changed by one rounding of `f32`, up or down.
/// The largest change of a tensor, or one rounding of its largest number, times the number of roundings on the way, is the
/// bound. An element beyond the bound is accepted only if its difference is rounding: if it changes sign and size when the
/// numbers that go in change by a few roundings. That is so for a gradient that nearly cancels, and beside a kink.
///
/// Catches an `f32` kernel that loses digits or computes something else.
///
/// # Errors
/// If they do not agree.
pub fn single_precision<L: SingleLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    precision_of(setting, VANISHED, &|rounded| InSingle::of(rounded).passes().parts(""))
}

/// The law, with the numbers of the passes in `f32` from `in_single`. Numbers below `floor` may be anything, relative to the
/// largest number or to one.
pub(crate) fn precision_of<L: Layer<f64>>(
    setting: &Setting<L>,
    floor: f64,
    in_single: &InSinglePasses<L>,
) -> Result<(), Failure> {
    let check = LawCheck::of(Law::SinglePrecision, "f32 agrees with f64 within its precision", setting);
    let rounded = rounded(setting);
    let parts = rounded.passes().parts(&setting.prefix());
    let epsilon = f64::from(f32::EPSILON);
    let vanished = floor * largest_of(&parts).max(1.0);
    let bound = |values: &[f64]| (epsilon * largest(values)).max(vanished);
    let mut bounds: Vec<Vec<f64>> = parts.iter().map(|(_, values)| vec![bound(values); values.len()]).collect();
    let mut numbers = generator(14, 14);
    for _ in 0..3 {
        let shaken: Passes<L> = rounded.changed(&mut |x| x * (1.0 + epsilon * normal(&mut numbers).signum())).passes();
        for ((bound, (names, a)), (_, b)) in bounds.iter_mut().zip(&parts).zip(shaken.parts("")) {
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
        let shaken = differences.get_or_insert_with(|| shaken_differences(&rounded, in_single));
        let scatter = scatter_of_part(shaken, part);
        let is_rounding = |index: usize| {
            let of_element = |group: &Vec<Differences>| group.iter().map(|parts| parts[part][index]).collect();
            let groups: Vec<Vec<f64>> = shaken.iter().map(of_element).collect();
            rounding::is_rounding(rounding::SINGLE, &groups)
                || (double[index] - single[index]).abs() <= SCATTERS * scatter
        };
        check.compare(names, ["in f64", "in f32"], double, single, |index, _, _| {
            !beyond.contains(&index) || is_rounding(index)
        })?;
    }
    Ok(())
}

/// Gives the numbers of a setting's passes in `f32`.
pub(crate) type InSinglePasses<L> = dyn Fn(&Setting<L>) -> Parts;

/// Differences between `f64` and `f32` by part and element.
type Differences = Vec<Vec<f64>>;

/// The differences for several changes of the numbers that go in, by size of the change.
fn shaken_differences<L: Layer<f64>>(setting: &Setting<L>, in_single: &InSinglePasses<L>) -> [Vec<Differences>; 4] {
    rounding::differences(rounding::SINGLE, |index, size| {
        let shaken = rounded(&rounding::shaken(setting, index, size));
        let (double, single) = (shaken.passes().parts(""), in_single(&shaken));
        let pairs = double.iter().zip(&single);
        pairs.map(|((_, a), (_, b))| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
    })
}

/// How much the difference of one element of a part changes when the numbers that go in change a little: the root of the
/// mean variance over the elements. The rounding of a single element may not change at all (a number just below 1 rounds to
/// the same one), that of all of them does. The largest changes are left out: they change the error of a wrong formula too.
fn scatter_of_part(shaken: &[Vec<Differences>; 4], part: usize) -> f64 {
    let of_group = |group: &Vec<Differences>| {
        let (shakes, count) = (group.len() as f64, group[0][part].len());
        let variance = |index: usize| {
            let mean = group.iter().map(|parts| parts[part][index]).sum::<f64>() / shakes;
            group.iter().map(|parts| (parts[part][index] - mean).powi(2)).sum::<f64>() / shakes
        };
        ((0..count).map(variance).sum::<f64>() / count.max(1) as f64).sqrt()
    };
    shaken[..3].iter().map(of_group).fold(0.0, f64::max)
}
