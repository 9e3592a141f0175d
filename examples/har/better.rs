//! The better recipe: one recurrent layer with a better training procedure than the study's.
//!
//! - *Network*: a recurrent layer with three samples per step, the mean of its hidden state over all steps, and a
//!   linear layer.
//! - *Training*: backpropagation through the whole window, mini-batches of 32, softmax cross-entropy, Adam with warm-up
//!   and cosine decay, and clipping by the *global* norm.
//! - *Data*: normalised, and augmented at random each time a window is trained on ([`Preparation`]).
//!
//! Layer, initialisation and hyperparameters are in [`elman`] (the study's cell), in [`gated`] (LSTM and GRU) and in
//! [`convolved`] (a GRU after a convolution). They were chosen on windows held out of the training part and by
//! cross-validation over people; `docs/the-study-rebuilt.md` and `docs/better-recipe.md` list the variants that were
//! tried.

mod convolved;
mod elman;
mod gated;
mod preparation;

use crate::Failure;
use crate::checkpoints::ModelCheckpoints;
use crate::evaluation::{Fault, Scores, evaluate};
use crate::models::TrainedModel;
use crate::progress::Reporter;
use crate::recurrent::Recurrent;
use longhand::{
    Adam, Batch, Chain, Labels, Layer, Linear, LossAt, MeanOverTime, Optimizer, Reduction, Sequences,
    SoftmaxCrossEntropy, Tensors, Trainer, TruncatedBptt, initialise, schedule,
};
use longhand_data::Windows;
use longhand_examples::Outputs;
use longhand_model::{Checkpoint, Describe};
use preparation::Preparation;
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde::{Deserialize, Serialize};

/// Number of updates, for any number of windows; about 107 epochs of the study's 3,000 windows.
pub const UPDATES: usize = 10_000;
/// Windows per mini-batch.
pub const BATCH: usize = 32;
/// The warm-up takes `1 / WARM_UP_DIVISOR` of all updates.
const WARM_UP_DIVISOR: usize = 20;

/// One model trained by the recipe.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Mean training loss of each epoch, in nats per sequence.
    pub training_loss: Vec<f64>,
    /// Test scores after the last update; `None` if a loss or an output was NaN or infinite.
    pub scores: Option<Scores>,
    /// The model after the last update; `None` if it has no scores.
    pub model: Option<TrainedModel>,
    /// The reason for missing scores. A loss that is NaN or infinite ends the training.
    pub fault: Option<Fault>,
}

impl Trained {
    /// The result of a training that ended with an error.
    pub fn failed(error: String) -> Self {
        Trained { training_loss: Vec::new(), scores: None, model: None, fault: Some(Fault::Failed(error)) }
    }
}

/// The network with the recurrent layer `R`.
type Model<R> = Chain<Chain<R, MeanOverTime>, Linear<f32>>;

/// Hyperparameters that depend on the recurrent layer.
struct Hyperparameters {
    /// The learning rate at the end of the warm-up.
    peak_learning_rate: f64,
    /// Largest global norm of the gradient; larger gradients are scaled down to it.
    max_norm: f32,
    /// The share of each target that is spread over all classes (Szegedy et al., 2016).
    label_smoothing: f64,
}

/// Trains one model with `updates` updates, then scores it once on the test windows.
///
/// `windows` are the training windows and the test windows.
pub fn train(
    recurrent: Recurrent,
    updates: usize,
    windows: (&Windows, &Windows),
    mut generator: ChaCha8Rng,
    checkpoints: &ModelCheckpoints,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let (features, classes) = (preparation::input_features(windows.0), windows.0.classes.len());
    match recurrent {
        Recurrent::Elman => {
            let model = elman::model(features, classes, &mut generator)?;
            fit(model, &elman::HYPERPARAMETERS, updates, windows, generator, (checkpoints, reporter))
        }
        Recurrent::Lstm => {
            let model = gated::lstm(features, classes, &mut generator)?;
            fit(model, &gated::HYPERPARAMETERS, updates, windows, generator, (checkpoints, reporter))
        }
        Recurrent::Gru => {
            let model = gated::gru(features, classes, &mut generator)?;
            fit(model, &gated::HYPERPARAMETERS, updates, windows, generator, (checkpoints, reporter))
        }
        Recurrent::ConvGru => {
            let model = convolved::gru(features, classes, &mut generator)?;
            fit(model, &gated::HYPERPARAMETERS, updates, windows, generator, (checkpoints, reporter))
        }
    }
}

/// Number of parameters of the model for these windows.
pub fn parameters(recurrent: Recurrent, windows: &Windows) -> Result<usize, Failure> {
    let mut generator = ChaCha8Rng::seed_from_u64(0);
    let (features, classes) = (preparation::input_features(windows), windows.classes.len());
    Ok(match recurrent {
        Recurrent::Elman => elman::model(features, classes, &mut generator)?.count(),
        Recurrent::Lstm => gated::lstm(features, classes, &mut generator)?.count(),
        Recurrent::Gru => gated::gru(features, classes, &mut generator)?.count(),
        Recurrent::ConvGru => convolved::gru(features, classes, &mut generator)?.count(),
    })
}

/// Estimated cost of training on one sequence: multiplications with the recurrent weights per sample.
pub fn cost_per_sequence(recurrent: Recurrent) -> u64 {
    let (gates, units) = match recurrent {
        Recurrent::Elman => (1, elman::UNITS),
        Recurrent::Lstm => (4, gated::UNITS),
        Recurrent::Gru | Recurrent::ConvGru => (3, gated::UNITS),
    };
    (gates * units * units / preparation::SAMPLES_PER_STEP) as u64
}

/// Creates the untrained linear layer.
fn head(units: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Linear<f32>, Failure> {
    let mut head = Linear::zeros(units, classes);
    initialise::xavier_uniform(&mut head.weight, 1.0, generator)?;
    Ok(head)
}

/// The state of a training run, apart from the weights and the optimizer.
#[derive(Serialize, Deserialize)]
struct RunState {
    update: usize,
    /// The order of the windows in this epoch, and the number of those that have been trained on.
    order: Vec<usize>,
    position: usize,
    /// Sum of the losses of this epoch.
    total: f64,
    training_loss: Vec<f64>,
    generator: ChaCha8Rng,
}

/// Trains and scores a model with any recurrent layer.
fn fit<M>(
    mut model: M,
    hyperparameters: &Hyperparameters,
    updates: usize,
    (training, test): (&Windows, &Windows),
    mut generator: ChaCha8Rng,
    (checkpoints, reporter): (&ModelCheckpoints, &Reporter),
) -> Result<Trained, Failure>
where
    M: Layer<f32, Input = Sequences<f32>, Output = Sequences<f32>> + Describe<f32>,
{
    let mut preparation = Preparation::fit(training, &mut generator)?;
    let loss =
        SoftmaxCrossEntropy::new(Reduction::MeanOverSteps).with_label_smoothing(hyperparameters.label_smoothing)?;
    let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::WindowEnd)).skipping_not_finite();
    let mut optimizer = Adam::new();
    let (mut x, mut labels) = (Sequences::default(), Labels::default());

    let warm_up = updates / WARM_UP_DIVISOR;
    let learning_rate = |update| {
        let factor = schedule::warm_up_then(update, warm_up, |step| schedule::cosine(step, updates - warm_up, 0.0));
        (hyperparameters.peak_learning_rate * factor) as f32
    };
    let epochs = updates.div_ceil(training.len().div_ceil(BATCH));
    let order = (0..training.len()).collect();
    let mut run = RunState { update: 0, order, position: 0, total: 0.0, training_loss: Vec::new(), generator };
    if let Some(checkpoint) = checkpoints.latest() {
        run = checkpoint.get("run")?;
        checkpoint.copy_tensors("model", &mut model)?;
        checkpoint.restore_optimizer("optimizer", &mut optimizer, &model)?;
        reporter.sequences_trained((run.update * BATCH.min(training.len())) as u64);
    }
    let checkpoint = |run: &RunState, model: &M, optimizer: &Adam<f32>| {
        let checkpoint = Checkpoint::new(run.update as u64).with_tensors("model", model);
        checkpoint.with_optimizer("optimizer", optimizer).with("run", run)
    };

    let is_finite = |losses: &[f64]| losses.last().is_none_or(|loss| loss.is_finite());
    // The last epoch may have begun: its loss is still to be added.
    while (run.update < updates || run.position > 0) && is_finite(&run.training_loss) {
        if run.position == 0 {
            run.order.shuffle(&mut run.generator);
        }
        while run.position < run.order.len() && run.update < updates {
            let chosen = &run.order[run.position..run.order.len().min(run.position + BATCH)];
            preparation.training_batch(training, chosen, &mut x, &mut run.generator);
            labels.set_per_sequence(chosen.iter().map(|&i| training.labels[i]));
            let (mean, gradients) = trainer.gradients(&model, Batch { inputs: &x, targets: &labels })?;
            gradients.clip_by_global_norm(hyperparameters.max_norm);
            optimizer.step(&mut model, gradients, learning_rate(run.update));
            run.update += 1;
            run.total += f64::from(mean) * chosen.len() as f64;
            reporter.sequences_trained(chosen.len() as u64);
            run.position += chosen.len();
            checkpoints.save_if_due(|| checkpoint(&run, &model, &optimizer))?;
        }
        let loss = run.total / run.position as f64;
        (run.position, run.total) = (0, 0.0);
        run.training_loss.push(loss);
        if loss.is_finite() {
            reporter.epoch_finished(run.training_loss.len(), epochs, loss);
        }
    }
    checkpoints.save(|| checkpoint(&run, &model, &optimizer))?;
    let training_loss = run.training_loss;
    if !is_finite(&training_loss) {
        let fault = Some(Fault::TrainingLoss { epoch: training_loss.len() });
        return Ok(Trained { training_loss, scores: None, model: None, fault });
    }
    let scores = evaluate(&model, &preparation.test_windows(test)?)?;
    let fault = scores.is_none().then_some(Fault::Outputs);
    let model = scores.as_ref().map(|_| TrainedModel::new(&model, preparation.to_save(training), Outputs::Softmax));
    Ok(Trained { training_loss, scores, model: model.transpose()?, fault })
}
