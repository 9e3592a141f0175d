//! The same 50-unit Elman cell, trained well.

use crate::evaluation::{Scores, evaluate};
use crate::progress::Reporter;
use crate::{Failure, batches};
use longhand::{
    Adam, Chain, Elman, Labels, Layer, Linear, LossAt, MeanOverTime, Optimizer, Pass, Reduction, Sequences,
    SoftmaxCrossEntropy, Tensors, TruncatedBptt, WeightAverage, Workspace, clip_by_global_norm, initialise, schedule,
};
use longhand_data::Windows;
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Hidden units: as many as the study's smaller models have.
pub const UNITS: usize = 50;
/// Passes over the training windows.
pub const EPOCHS: usize = 100;
const BATCH: usize = 32;
const PEAK_LEARNING_RATE: f64 = 3e-3;
const WARM_UP_EPOCHS: usize = 2;
const MAX_NORM: f32 = 1.0;
const AVERAGE_DECAY: f64 = 0.998;

/// One model trained by the recipe.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Mean training loss of each epoch, in nats per sequence.
    pub training_loss: Vec<f64>,
    /// Test scores of the averaged weights after the last epoch.
    pub scores: Scores,
}

type Model = Chain<Chain<Elman<f32>, MeanOverTime>, Linear<f32>>;

/// The model before training.
pub fn model(channels: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model, Failure> {
    let mut recurrent = Elman::zeros(channels, UNITS);
    initialise::xavier_uniform(&mut recurrent.weight_ih_l0, 1.0, generator);
    initialise::orthogonal(&mut recurrent.weight_hh_l0, 1.0, generator);
    Ok(recurrent.then(MeanOverTime)?.then(Linear::new(UNITS, classes, generator))?)
}

/// Trains one model. `training` and `test` are normalised; `test` is looked at once, at the end.
pub fn train(
    epochs: usize,
    (training, test): (&Windows, &Windows),
    generator: &mut ChaCha8Rng,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let mut model = model(training.channel_count(), training.classes.len(), generator)?;
    let mut average = WeightAverage::new(&model, AVERAGE_DECAY)?;
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::full(LossAt::WindowEnd);
    let (mut optimizer, mut workspace) = (Adam::new(), Workspace::new(&model));
    let (mut x, mut labels) = (Sequences::default(), Labels::default());

    let updates_an_epoch = training.len().div_ceil(BATCH);
    let (warm_up, updates) = (WARM_UP_EPOCHS * updates_an_epoch, epochs * updates_an_epoch);
    let mut update = 0;
    let mut training_loss = Vec::new();
    let mut order: Vec<usize> = (0..training.len()).collect();
    for epoch in 1..=epochs {
        order.shuffle(generator);
        let mut total = 0.0;
        for chosen in order.chunks(BATCH) {
            batches::gather(training, chosen, &mut x);
            labels.set_per_sequence(chosen.iter().map(|&i| training.labels[i]));
            let after = |step| schedule::cosine(step, updates.saturating_sub(warm_up), 0.0);
            let learning_rate = (PEAK_LEARNING_RATE * schedule::warm_up_then(update, warm_up, after)) as f32;
            let mut pass = Pass::Train(generator);
            let mean = bptt.train(&mut model, &loss, &x, &labels, &mut workspace, &mut pass, |model, gradients| {
                clip_by_global_norm(gradients, MAX_NORM);
                optimizer.step(model, gradients, learning_rate);
            })?;
            average.update(&model);
            update += 1;
            total += f64::from(mean) * chosen.len() as f64;
            reporter.trained(chosen.len() as u64);
        }
        training_loss.push(total / training.len() as f64);
        reporter.epoch(epoch, epochs, training_loss[epoch - 1]);
    }
    Ok(Trained { training_loss, scores: evaluate(average.average(), test)? })
}

/// How many parameters the model has.
pub fn parameters(channels: usize, classes: usize) -> Result<usize, Failure> {
    Ok(model(channels, classes, &mut ChaCha8Rng::seed_from_u64(0))?.count())
}
