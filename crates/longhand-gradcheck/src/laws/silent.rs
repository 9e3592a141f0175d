//! Laws of partly zero cotangents. A loss at the last step only, or for some sequences only, has such cotangents.

use super::compare::{LawCheck, Parts, largest_of};
use crate::adjoint::TOLERANCE;
use crate::failure::Failure;
use crate::numbers::generator;
use crate::setting::{SequenceLayer, Setting};
use longhand::{Layer, Path, Tensors};
use rand_chacha::rand_core::Rng;

/// Selects elements by row and column, or by step and sequence.
type Places<'a> = dyn Fn(usize, usize) -> bool + 'a;

/// Splits the cotangents into two parts that are zero in different places, and checks that the gradients for both parts
/// add up to the gradients for the whole. In the parts, the output's cotangent is zero everywhere, in some columns, or
/// in some elements.
///
/// Catches a step that is skipped because its cotangent is zero, so that the gradient of the carry is lost.
///
/// # Errors
/// If the gradients do not add up.
pub fn zero_in_part<L: Layer<f64>>(setting: &Setting<L>) -> Result<(), Failure> {
    zero_in_part_within(setting, TOLERANCE)
}

/// [`zero_in_part`] with another tolerance, for another scalar type.
pub(crate) fn zero_in_part_within<L: Layer<f64>>(setting: &Setting<L>, tolerance: f64) -> Result<(), Failure> {
    let mut columns = 0;
    setting.d_output.visit(&Path::ROOT, &mut |_, shape, _| columns = columns.max(shape.columns));
    let mut numbers = generator(23, 23);
    let random: Vec<bool> = (0..61).map(|_| numbers.next_u32().is_multiple_of(2)).collect();
    let patterns: [(&str, &Places<'_>); 4] = [
        ("everywhere", &|_, _| true),
        ("in every second column", &|_, column| column % 2 == 0),
        ("except in the last column", &|_, column| column + 1 < columns),
        ("in randomly chosen elements", &|row, column| random[(7 * row + 11 * column) % random.len()]),
    ];
    patterns.into_iter().try_for_each(|(name, silent)| split(setting, name, silent, tolerance))
}

/// Like [`zero_in_part`], for steps and sequences. In the parts, the output's cotangent is zero except at the last
/// valid step, at the last valid step, at every second step, or in the first sequence.
///
/// # Errors
/// If the gradients do not add up.
pub fn silent_steps<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    silent_steps_within(setting, TOLERANCE)
}

/// [`silent_steps`] with another tolerance, for another scalar type.
pub(crate) fn silent_steps_within<L: SequenceLayer>(setting: &Setting<L>, tolerance: f64) -> Result<(), Failure> {
    let layout = setting.d_output.layout().clone();
    let batch = layout.batch().max(1);
    let last: Vec<Option<usize>> = (0..layout.batch()).map(|b| layout.last_valid_step(b)).collect();
    let patterns: [(&str, &Places<'_>); 4] = [
        ("except at the last valid step", &|step, b| Some(step) != last[b]),
        ("at the last valid step", &|step, b| Some(step) == last[b]),
        ("at every second step", &|step, _| step % 2 == 0),
        ("in the first sequence", &|_, b| b == 0),
    ];
    patterns.into_iter().try_for_each(|(name, silent)| {
        split(setting, name, &|_, column| silent(column / batch, column % batch), tolerance)
    })
}

/// Splits the cotangents in two. One part has the elements of the output's cotangent that `silent` selects by row and
/// column. The other part has the remaining elements and the carry's cotangent. Compares the sum of the gradients for
/// both parts with the gradients for the whole.
fn split<L: Layer<f64>>(setting: &Setting<L>, name: &str, silent: &Places<'_>, tolerance: f64) -> Result<(), Failure> {
    let law = "backward must be linear in the cotangents, also if they are partly zero";
    let check = LawCheck::new(law, setting).within(tolerance);
    let (mut with_carry, mut rest) = (setting.clone(), setting.clone());
    clear(&mut with_carry.d_output, silent);
    clear(&mut rest.d_output, &|row, column| !silent(row, column));
    rest.d_carry.set_zero();
    let gradients = |setting: &Setting<L>| setting.passes().parts(&setting.prefix()).split_off(2);
    let (whole, a, b) = (gradients(setting), gradients(&with_carry), gradients(&rest));
    let size = largest_of(&a) + largest_of(&b);
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a + b).collect();
    let sum: Parts = a.iter().zip(&b).map(|((names, a), (_, b))| (names.clone(), sum(a, b))).collect();
    let parts = format!("as the sum over two parts, one with d_output zero {name}");
    check.close_parts(["for the whole cotangents", &parts], &whole, &sum, size)
}

fn clear<P: Tensors<f64>>(value: &mut P, silent: &Places<'_>) {
    value.visit_mut(&Path::ROOT, &mut |_, shape, values| {
        for (index, value) in values.iter_mut().enumerate() {
            if silent(index % shape.rows, index / shape.rows) {
                *value = 0.0;
            }
        }
    });
}
