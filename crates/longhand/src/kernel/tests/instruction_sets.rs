//! Whole layers on every instruction set. Results are bit-identical from run to run, and nearly equal between sets.

use super::bits;
use crate::kernel::instruction_set::{InstructionSet, with};
use crate::{
    Batch, Elman, Gru, Labels, LastStep, Layer, Layout, Linear, LossAt, Lstm, Path, Reduction, Sequences,
    SoftmaxCrossEntropy, Trainer, TruncatedBptt, initialise,
};
use alloc::vec::Vec;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// The loss and the gradients of one batch.
fn gradients<M>(model: &M, x: &Sequences<f32>) -> Vec<f32>
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    let labels = Labels::per_sequence(&(0..x.batch()).map(|sequence| sequence % 6).collect::<Vec<_>>());
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let mut trainer = Trainer::new(model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    let result = trainer.gradients(model, Batch { inputs: x, targets: &labels });
    let (loss, gradients) = result.expect("the labels fit");
    let mut all = Vec::new();
    gradients.values().visit(&Path::ROOT, &mut |_, _, values| all.extend_from_slice(values));
    all.push(loss);
    all
}

/// Largest difference between the gradients of two instruction sets over 150 steps, relative to the largest gradient.
const BOUND: f32 = 2e-5;

fn check<L>(recurrent: L)
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    let g = &mut ChaCha8Rng::seed_from_u64(8);
    let model =
        recurrent.then(LastStep).and_then(|chain| chain.then(Linear::new(50, 6, g))).expect("the features match");
    for batch in [1, 7] {
        let lengths: Vec<usize> = (0..batch).map(|sequence| 150 - 11 * sequence).collect();
        let layout = Layout::new(150, batch).with_lengths(&lengths).expect("the lengths fit");
        let mut x = Sequences::zeros(3, layout);
        initialise::uniform(&mut x, -1.0, 1.0, g).expect("the bounds are ordered");
        let plain = with(InstructionSet::default(), || gradients(&model, &x));
        let largest = plain.iter().fold(0.0_f32, |largest, gradient| largest.max(gradient.abs()));
        for set in InstructionSet::available() {
            let given = with(set, || gradients(&model, &x));
            assert!(
                bits(&given) == bits(&with(set, || gradients(&model, &x))),
                "{set:?}: a second run must give the same bits"
            );
            let distance = |(a, b): (&f32, &f32)| (a - b).abs();
            let worst = given.iter().zip(&plain).map(distance).fold(0.0, f32::max);
            assert!(worst <= BOUND * largest, "{}, {set:?}, batch {batch}: {:e}", model.name(), worst / largest);
        }
    }
}

#[test]
fn gradients_agree_on_every_instruction_set() {
    let g = &mut ChaCha8Rng::seed_from_u64(9);
    check(Elman::new(3, 50, g));
    check(Lstm::new(3, 50, g));
    check(Gru::new(3, 50, g));
}
