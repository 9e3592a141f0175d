//! The memory of training, compared with the formula in `docs/how-fast-and-why.md`.

use crate::bptt::{Bptt, UpdateEvery};
use crate::bytes_held;
use longhand::{
    Adam, Elman, Features, Gru, Labels, LastStep, Layer, Linear, LossAt, Lstm, Optimizer, Reduction, Sequences,
    SoftmaxCrossEntropy,
};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Compares the memory after two batches with the formula, for a layer with a classifier on its last step. The data are
/// not counted.
fn check<L>(recurrent: &L, scalars_per_column: usize, [window, batch]: [usize; 2], update_every: UpdateEvery)
where
    L: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>>,
{
    const INPUTS: usize = 3;
    const STEPS: usize = 150;
    let Features::Fixed { output: units, .. } = recurrent.features() else { panic!("a layer with units") };
    let x = Sequences::from_fn(INPUTS, STEPS, batch, |_, step, _| (step as f32).sin());
    let labels = Labels::per_sequence(&vec![2; batch]);
    let (loss, g) = (SoftmaxCrossEntropy::new(Reduction::MeanOverSteps), &mut ChaCha8Rng::seed_from_u64(1));
    let bptt = Bptt::new(window, LossAt::WindowEnd, update_every).expect("the window is not 0");

    let before = bytes_held();
    // A copy, so that its parameters are counted.
    let head = Linear::new(units, 6, g);
    let mut model = recurrent.clone().then(LastStep).and_then(|chain| chain.then(head)).expect("the features match");
    let (mut adam, mut workspace) = (Adam::new(), None);
    for _ in 0..2 {
        let update = |model: &mut _, gradients: &mut _| adam.step(model, gradients, 1e-3);
        bptt.train(&mut model, &loss, &x, &labels, &mut workspace, update).expect("the targets fit");
    }
    let held = usize::try_from(bytes_held() - before).expect("training allocates memory");

    let (columns, parameters) = (window * batch, longhand::Tensors::<f32>::count(&model));
    // Parameters, gradients, Adam's two moments and the packed weights. With more than one sequence, also the packed
    // transpose. If gradients of several windows are summed, with more than one block of steps, also the sums over
    // blocks.
    let summed = update_every == UpdateEvery::Sequence && window < STEPS && columns > 128;
    let copies = 5 + usize::from(batch > 1) + usize::from(summed);
    let formula = 4 * (copies * parameters + (scalars_per_column * units + INPUTS) * columns);
    // Blocks of steps, padding of rows to whole vectors, marks of steps, and small buffers.
    let rest = 4 * 16 * 128_usize.max(batch) * units + 4 * parameters + 3 * columns + 40_000;
    let name = model.name();
    assert!(held < formula + rest, "{name}, {window} x {batch}: {held} bytes, expected at most {formula} + {rest}");
    assert!(10 * held > 8 * formula, "{name}, {window} x {batch}: {held} bytes, expected at least 80 % of {formula}");
}

#[test]
fn training_uses_the_memory_of_the_formula() {
    let g = &mut ChaCha8Rng::seed_from_u64(1);
    for shape in [[30, 1], [150, 1], [150, 32], [50, 100]] {
        for update_every in [UpdateEvery::Window, UpdateEvery::Sequence] {
            check(&Elman::new(3, 50, g), 3, shape, update_every);
            check(&Gru::new(3, 64, g), 7, shape, update_every);
            check(&Lstm::new(3, 128, g), 8, shape, update_every);
        }
    }
}
