//! The same 50-unit Elman cell, trained well.
//!
//! - *Cell*: relu instead of tanh, recurrent weights begun at the identity (Le, Jaitly and Hinton, 2015), so that what
//!   was seen early is not forgotten; the mean of the hidden state over all 150 steps goes to the linear layer.
//! - *Gradient*: backpropagation through the whole window, mini-batches of 32, softmax and cross-entropy, Adam with
//!   warm-up and a cosine, and clipping by the *global* norm, low enough that an unstable start does no harm.
//! - *Data*: normalised, and turned as if the phone had been worn a little differently each time ([`Turns`]).
//!
//! All of it was chosen on validation windows and validation people inside the training part.

use crate::evaluation::{Scores, evaluate};
use crate::progress::Reporter;
use crate::turns::Turns;
use crate::{Failure, batches};
use longhand::{
    Adam, Chain, Elman, Labels, Layer, Linear, LossAt, MeanOverTime, Nonlinearity, Optimizer, Pass, Reduction,
    Sequences, SoftmaxCrossEntropy, Tensors, TruncatedBptt, Workspace, clip_by_global_norm, initialise, schedule,
};
use longhand_data::{Normaliser, Windows};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// Hidden units: as many as the study's smaller models have.
pub const UNITS: usize = 50;
/// Updates of the parameters, however many windows there are: about 107 epochs of the study's 3,000.
pub const UPDATES: usize = 10_000;
/// Windows in a mini-batch.
pub const BATCH: usize = 32;
const PEAK_LEARNING_RATE: f64 = 2e-3;
/// One update in so many warms up.
const WARM_UP_PART: usize = 20;
const MAX_NORM: f32 = 0.25;

/// One model trained by the recipe.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Mean training loss of each epoch, in nats per sequence.
    pub training_loss: Vec<f64>,
    /// Test scores after the last update.
    pub scores: Scores,
}

type Model = Chain<Chain<Elman<f32>, MeanOverTime>, Linear<f32>>;

/// The model before training.
fn model(channels: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model, Failure> {
    let mut recurrent = Elman::zeros(channels, UNITS).with_nonlinearity(Nonlinearity::Relu);
    initialise::xavier_uniform(&mut recurrent.weight_ih_l0, 1.0, generator);
    recurrent.weight_hh_l0.fill_with_identity();
    let mut head = Linear::zeros(UNITS, classes);
    initialise::xavier_uniform(&mut head.weight, 1.0, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head)?)
}

/// How many parameters the model has.
pub fn parameters(channels: usize, classes: usize) -> Result<usize, Failure> {
    Ok(model(channels, classes, &mut ChaCha8Rng::seed_from_u64(0))?.count())
}

/// Trains one model with so many updates; `test` is looked at once, at the end.
pub fn train(
    updates: usize,
    (training, test): (&Windows, &Windows),
    generator: &mut ChaCha8Rng,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let turns = Turns::fit(training);
    let normaliser = turns.map_or_else(|| Ok(Normaliser::fit(training)), |turns| turns.normaliser(training))?;

    let mut model = model(training.channel_count(), training.classes.len(), generator)?;
    let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    let bptt = TruncatedBptt::full(LossAt::WindowEnd);
    let (mut optimizer, mut workspace) = (Adam::new(), Workspace::new(&model));
    let (mut x, mut labels) = (Sequences::default(), Labels::default());

    let warm_up = updates / WARM_UP_PART;
    let learning_rate = |update| {
        let factor = schedule::warm_up_then(update, warm_up, |step| schedule::cosine(step, updates - warm_up, 0.0));
        (PEAK_LEARNING_RATE * factor) as f32
    };
    let epochs = updates.div_ceil(training.len().div_ceil(BATCH));
    let mut training_loss = Vec::new();
    let mut order: Vec<usize> = (0..training.len()).collect();
    let mut update = 0;
    while update < updates {
        order.shuffle(generator);
        let (mut total, mut trained) = (0.0, 0);
        for chosen in order.chunks(BATCH).take(updates - update) {
            batches::gather(training, chosen, &mut x);
            if let Some(turns) = turns {
                turns.apply(&mut x, generator);
            }
            normaliser.apply_to_samples(x.values_mut().as_mut_slice());
            labels.set_per_sequence(chosen.iter().map(|&i| training.labels[i]));
            let mut pass = Pass::Train(generator);
            let mean = bptt.train(&mut model, &loss, &x, &labels, &mut workspace, &mut pass, |model, gradients| {
                clip_by_global_norm(gradients, MAX_NORM);
                optimizer.step(model, gradients, learning_rate(update));
            })?;
            update += 1;
            total += f64::from(mean) * chosen.len() as f64;
            trained += chosen.len();
            reporter.trained(chosen.len() as u64);
        }
        training_loss.push(total / trained as f64);
        reporter.epoch(training_loss.len(), epochs, total / trained as f64);
    }
    let mut test = test.clone();
    normaliser.apply(&mut test);
    Ok(Trained { training_loss, scores: evaluate(&model, &test)? })
}
