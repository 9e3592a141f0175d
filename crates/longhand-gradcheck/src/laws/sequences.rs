//! The law of batches, and what it shares with the laws of time.

use super::compare::{LawCheck, Parts, largest_of};
use crate::cut::{share, single};
use crate::failure::Failure;
use crate::law::Law;
use crate::names::Names;
use crate::numbers::elements;
use crate::setting::{Passes, SequenceLayer, Setting};
use longhand::Tensors;

/// A batch gives each sequence what it would give it alone, and the sum of their gradients.
///
/// Catches sequences that are mixed up, a mean over the batch where there should be a sum, and a reset or a mask that
/// reaches other sequences.
///
/// # Errors
/// If it does not.
pub fn batch<L: SequenceLayer>(setting: &Setting<L>) -> Result<(), Failure> {
    let check = LawCheck::of(
        Law::Batch,
        "a batch gives each sequence what it gives it alone, and the sum of their gradients",
        setting,
    );
    let batch = setting.input.batch();
    let whole = setting.passes();
    let size = size_of(&[&whole]);
    let shared = |carry, b| {
        share(&setting.layer, carry, b, batch)
            .ok_or_else(|| check.fail(format!("carry: {batch} sequences do not have {batch} times what one has")))
    };
    let mut singles = Vec::new();
    for b in 0..batch {
        let ends = (shared(&setting.carry, b)?, single(&setting.d_output, b), shared(&setting.d_carry, b)?);
        singles.push(setting.with(single(&setting.input, b), ends).passes());
    }
    let compare = |b: usize, in_batch: Parts, expected: Parts| {
        let what = format!("for sequence {b} in the batch");
        check.close_parts([what.as_str(), "for it alone"], &in_batch, &expected, size)
    };
    // What is wrong forward is wrong backward too, so forward comes first.
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("output", &single(&whole.output, b)), part("carry out", &shared(&whole.carry, b)?)];
        compare(b, in_batch, vec![part("output", &alone.output), part("carry out", &alone.carry)])?;
    }
    for (b, alone) in singles.iter().enumerate() {
        let in_batch = vec![part("input", &single(&whole.d_input, b)), part("carry", &shared(&whole.d_carry, b)?)];
        compare(b, in_batch, vec![part("input", &alone.d_input), part("carry", &alone.d_carry)])?;
    }
    let mut sum = vec![0.0; whole.gradients.count()];
    for alone in &singles {
        add(&mut sum, &alone.gradients);
    }
    let terms = singles.iter().map(|alone| size_of(&[alone])).sum();
    let names = Names::of(&setting.prefix(), &whole.gradients);
    check.close(&names, ["for the batch", "in the sum over its sequences"], &elements(&whole.gradients), &sum, terms)
}

pub(super) fn part<P: Tensors<f64>>(name: &str, value: &P) -> (Names, Vec<f64>) {
    (Names::of(name, value), elements(value))
}

pub(super) fn add<P: Tensors<f64>>(sum: &mut [f64], value: &P) {
    for (sum, x) in sum.iter_mut().zip(elements(value)) {
        *sum += x;
    }
}

/// The largest number in any of the passes.
pub(super) fn size_of<L: SequenceLayer>(passes: &[&Passes<L>]) -> f64 {
    passes.iter().fold(0.0, |size: f64, passes| size.max(largest_of(&passes.parts(""))))
}
