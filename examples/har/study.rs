//! The study's method (its sections 2.2 and 2.3 and Algorithm 1) with the corrected gradient.
//!
//! An Elman RNN processes each sequence in truncation windows of `B` steps. At the end of each window, the last hidden
//! state goes through a linear layer and one sigmoid per class. The loss is the binary cross-entropy with the one-hot
//! class as target. The weights are updated after each window, and the hidden state is carried to the next one.
//! Training uses one sequence at a time, in a new random order each epoch. The weights are initialised uniformly in
//! [-0.01, 0.01].
//!
//! The gradient is exact ([`exact`]) or, for comparison, the one of the study's own program ([`program`]).

mod by_hand;
mod exact;
mod gradient;
mod program;

pub use gradient::StudyGradient;

use crate::checkpoints::ModelCheckpoints;
use crate::evaluation::{Fault, Scores, ValidationLoss, evaluate};
use crate::models::TrainedModel;
use crate::progress::Reporter;
use crate::{Failure, batches};
use longhand::{Chain, Elman, LastStep, Layer, Linear, Sequences, initialise};
use longhand_data::Windows;
use longhand_examples::{Outputs, SavedPreparation};
use longhand_model::{Checkpoint, CheckpointError};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The settings in which the study's models differ: the columns LR, N and B of its tables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Learning rate (LR).
    pub learning_rate: f32,
    /// Number of hidden units (N).
    pub units: usize,
    /// Length of the truncation window, in steps (B). The study calls it mini batch size.
    pub window: usize,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LR {}, N {}, B {}", self.learning_rate, self.units, self.window)
    }
}

/// One trained model of the study.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The settings of the model.
    pub settings: Settings,
    /// Mean training loss of each epoch, in nats per truncation window. The loss of a window is taken before its
    /// update.
    pub training_loss: Vec<f64>,
    /// Validation loss after each epoch, in nats per truncation window; empty in part b.
    pub validation_loss: Vec<f64>,
    /// Test scores after the last epoch; `None` if a loss or an output was NaN or infinite.
    pub last_epoch: Option<Scores>,
    /// The epoch with the lowest validation loss and the test scores of its weights; `None` in part b.
    pub best_epoch: Option<(usize, Scores)>,
    /// The model of the best epoch, or of the last one in part b; `None` if it has no scores.
    pub model: Option<TrainedModel>,
    /// The reason for missing scores. A loss that is NaN or infinite ends the training.
    pub fault: Option<Fault>,
}

impl Trained {
    /// The result of a training that ended with an error.
    pub fn failed(settings: Settings, error: String) -> Self {
        Trained {
            settings,
            training_loss: Vec::new(),
            validation_loss: Vec::new(),
            last_epoch: None,
            best_epoch: None,
            model: None,
            fault: Some(Fault::Failed(error)),
        }
    }
}

type Model = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

/// Training with one kind of gradient.
trait Learner {
    /// Trains on one sequence with one update per truncation window. Returns the sum of the windows' losses.
    fn train(&mut self, x: &Sequences<f32>, class: usize) -> Result<f64, Failure>;

    /// A copy of the model with the current weights.
    fn model(&self) -> Model;
}

/// Trains one model for `epochs` epochs and scores it on the test windows.
///
/// With validation windows (part c), the weights of the epoch with the lowest validation loss are kept and scored too.
/// Training continues after that epoch. A training or validation loss that is NaN or infinite ends the training.
pub fn train(
    settings: Settings,
    gradient: StudyGradient,
    epochs: usize,
    (training, validation, test): (&Windows, Option<&Windows>, &Windows),
    mut generator: ChaCha8Rng,
    checkpoints: &ModelCheckpoints,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let Settings { units, window, .. } = settings;
    let recurrent = Elman::zeros(training.channel_count(), units);
    let mut model: Model = recurrent.then(LastStep)?.then(Linear::zeros(units, training.classes.len()))?;
    initialise::uniform(&mut model, -0.01, 0.01, &mut generator)?;
    // The model of the epoch with the lowest validation loss.
    let mut best_model = model.clone();
    let mut run = RunState::new(training.len(), generator);
    if let Some(checkpoint) = checkpoints.latest() {
        run = checkpoint.get("run")?;
        checkpoint.copy_tensors("model", &mut model)?;
        checkpoint.copy_tensors("best model", &mut best_model)?;
        reporter.sequences_trained(run.sequences());
    }
    let mut learner: Box<dyn Learner> = match gradient {
        StudyGradient::Exact => Box::new(exact::Exact::new(model, settings, training)?),
        StudyGradient::Program => Box::new(program::Program::new(model, settings)),
    };

    let sequences = batches::in_order(training, 1);
    let windows_per_sequence = training.steps.div_ceil(window);
    let validation_loss_of = validation.map(|windows| ValidationLoss::new(windows, window));

    while run.fault.is_none() && run.training_loss.len() < epochs {
        if run.position == 0 {
            run.order.shuffle(&mut run.generator);
        }
        while let Some(&i) = run.order.get(run.position) {
            run.total += learner.train(&sequences[i], training.labels[i])?;
            run.position += 1;
            reporter.sequences_trained(1);
            checkpoints.save_if_due(|| run.checkpoint(&learner.model(), &best_model))?;
        }
        let loss = run.total / (windows_per_sequence * sequences.len()) as f64;
        (run.position, run.total) = (0, 0.0);
        run.training_loss.push(loss);
        let epoch = run.training_loss.len();
        if !loss.is_finite() {
            run.fault = Some(Fault::TrainingLoss { epoch });
            break;
        }
        if let Some(validation_loss_of) = &validation_loss_of {
            let model = learner.model();
            let value = validation_loss_of.evaluate(&model);
            run.validation_loss.push(value);
            if !value.is_finite() {
                run.fault = Some(Fault::ValidationLoss { epoch });
                break;
            }
            if run.best.is_none_or(|(lowest, _)| value < lowest) {
                run.best = Some((value, epoch));
                best_model = model;
            }
        }
        reporter.epoch_finished(epoch, epochs, loss);
    }
    let model = learner.model();
    checkpoints.save(|| run.checkpoint(&model, &best_model))?;
    let RunState { training_loss, validation_loss, best, mut fault, .. } = run;
    let last_epoch = match &fault {
        Some(_) => None,
        None => evaluate(&model, test)?,
    };
    let mut best_epoch = None;
    if let Some((_, epoch)) = best {
        best_epoch = evaluate(&best_model, test)?.map(|scores| (epoch, scores));
    }
    if last_epoch.is_none() || (best.is_some() && best_epoch.is_none()) {
        fault = fault.or(Some(Fault::Outputs));
    }
    let chosen = if best.is_some() {
        best_epoch.is_some().then_some(&best_model)
    } else {
        last_epoch.is_some().then_some(&model)
    };
    // The study's samples are not normalised, and each is a step.
    let preparation = SavedPreparation { samples_per_step: 1, normalisation: None };
    let model = chosen.map(|model| TrainedModel::new(model, preparation, Outputs::Sigmoid)).transpose()?;
    Ok(Trained { settings, training_loss, validation_loss, last_epoch, best_epoch, model, fault })
}

/// The state of a training run, apart from the weights.
#[derive(Serialize, Deserialize)]
struct RunState {
    /// The order of the sequences in this epoch, and the number of those that have been trained on.
    order: Vec<usize>,
    position: usize,
    /// Sum of the losses of this epoch.
    total: f64,
    training_loss: Vec<f64>,
    validation_loss: Vec<f64>,
    /// The lowest validation loss and its epoch.
    best: Option<(f64, usize)>,
    fault: Option<Fault>,
    generator: ChaCha8Rng,
}

impl RunState {
    fn new(sequences: usize, generator: ChaCha8Rng) -> Self {
        RunState {
            order: (0..sequences).collect(),
            position: 0,
            total: 0.0,
            training_loss: Vec::new(),
            validation_loss: Vec::new(),
            best: None,
            fault: None,
            generator,
        }
    }

    /// Number of sequences that have been trained on, in all epochs.
    fn sequences(&self) -> u64 {
        (self.training_loss.len() * self.order.len() + self.position) as u64
    }

    fn checkpoint(&self, model: &Model, best_model: &Model) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::new(self.sequences()).with_tensors("model", model);
        checkpoint.with_tensors("best model", best_model).with("run", self)
    }
}
