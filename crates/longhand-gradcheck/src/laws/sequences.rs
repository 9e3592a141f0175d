//! The law of batches, and helpers for the laws of time.

use super::compare::{LawCheck, Parts, largest_of};
use crate::cut::{share, single};
use crate::failure::Failure;
use crate::law::Law;
use crate::names::Names;
use crate::numbers::elements;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::{Layer, Sequences, Tensors};

/// Checks that each sequence of a batch has the same results as alone, and that the gradients of the parameters are
/// sums over the sequences.
///
/// Catches sequences that are mixed up, a mean over the batch in place of a sum, and a reset or a mask that affects
/// other sequences.
///
/// # Errors
/// If a result differs.
pub fn batch<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let inputs: Vec<_> = (0..setting.input.batch()).map(|b| single(&setting.input, b)).collect();
    let (whole, alone) = with_each_alone(setting, &inputs)?;
    let size = size_of(&[&whole]);
    for (b, alone) in alone.iter().enumerate() {
        let in_batch = vec![part("input", &single(&whole.d_input, b))];
        same_in_batch(&check_of(setting), b, &in_batch, &vec![part("input", &alone.d_input)], size)?;
    }
    Ok(())
}

/// Like [`batch`](batch()), for any kind of input. `inputs` are the sequences of the setting's input, each alone. The
/// gradient of the input is not compared.
///
/// # Errors
/// If a result differs.
///
/// # Panics
/// If the number of `inputs` is not the number of sequences in the output.
pub fn batch_of<L>(setting: &Setting<L>, inputs: &[L::Input]) -> Result<(), Failure>
where
    L: Layer<f64, Output = Sequences<f64>>,
{
    let batch = setting.d_output.batch();
    assert_eq!(inputs.len(), batch, "expected {batch} inputs, one per sequence of the output, got {}", inputs.len());
    with_each_alone(setting, inputs).map(|_| ())
}

fn check_of<L: Layer<f64>>(setting: &Setting<L>) -> LawCheck<'_> {
    let law = "a sequence must have the same results in a batch as alone, and gradients must be sums over sequences";
    LawCheck::of(Law::Batch, law, setting)
}

fn same_in_batch(check: &LawCheck<'_>, b: usize, in_batch: &Parts, alone: &Parts, size: f64) -> Result<(), Failure> {
    let what = format!("for sequence {b} in the batch");
    check.close_parts([what.as_str(), "for the sequence alone"], in_batch, alone, size)
}

/// Compares the passes of the batch with those of each sequence alone, except for the gradient of the input. Returns
/// both.
fn with_each_alone<L>(setting: &Setting<L>, inputs: &[L::Input]) -> Result<(Passes<L>, Vec<Passes<L>>), Failure>
where
    L: Layer<f64, Output = Sequences<f64>>,
{
    let check = check_of(setting);
    let whole = setting.passes();
    let (batch, size) = (inputs.len(), size_of(&[&whole]));
    let shared = |carry, b| {
        share(&setting.layer, carry, b, batch).ok_or_else(|| {
            check.fail(format!("carry: expected {batch} times the elements of one sequence for {batch} sequences"))
        })
    };
    let mut singles = Vec::new();
    for (b, input) in inputs.iter().enumerate() {
        let (carry, d_carry) = (shared(&setting.carry, b)?, shared(&setting.d_carry, b)?);
        let d_output = single(&setting.d_output, b);
        let alone = Setting { input: input.clone(), carry, d_output, d_carry, ..setting.clone() };
        singles.push(alone.passes());
    }
    // Compare the forward passes first, because a wrong forward pass also makes the backward pass wrong.
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("output", &single(&whole.output, b)), part("carry out", &shared(&whole.carry, b)?)];
        let expected = vec![part("output", &alone.output), part("carry out", &alone.carry)];
        same_in_batch(&check, b, &in_batch, &expected, size)?;
    }
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("carry", &shared(&whole.d_carry, b)?)];
        same_in_batch(&check, b, &in_batch, &vec![part("carry", &alone.d_carry)], size)?;
    }
    let mut sum = vec![0.0; whole.gradients.count()];
    for alone in &singles {
        add(&mut sum, &alone.gradients);
    }
    let terms = singles.iter().map(|alone| size_of(&[alone])).sum();
    let names = Names::of(&setting.prefix(), &whole.gradients);
    check.close(
        &names,
        ["for the batch", "as the sum over its sequences"],
        &elements(&whole.gradients),
        &sum,
        terms,
    )?;
    Ok((whole, singles))
}

pub(super) fn part<P: Tensors<f64>>(name: &str, value: &P) -> (Names, Vec<f64>) {
    (Names::of(name, value), elements(value))
}

pub(super) fn add<P: Tensors<f64>>(sum: &mut [f64], value: &P) {
    for (sum, x) in sum.iter_mut().zip(elements(value)) {
        *sum += x;
    }
}

/// The largest magnitude in any of the passes.
pub(super) fn size_of<L: Layer<f64>>(passes: &[&Passes<L>]) -> f64 {
    passes.iter().fold(0.0, |size: f64, passes| size.max(largest_of(&passes.parts(""))))
}
