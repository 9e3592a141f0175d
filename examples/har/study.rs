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

use crate::evaluation::{Fault, Scores, ValidationLoss, evaluate};
use crate::progress::Reporter;
use crate::{Failure, batches};
use longhand::{Chain, Elman, LastStep, Layer, Linear, Sequences, initialise};
use longhand_data::Windows;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
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
            fault: Some(Fault::Failed(error)),
        }
    }
}

type Model = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

/// Training with one kind of gradient.
trait Learner {
    /// Trains on one sequence with one update per truncation window. Returns the sum of the windows' losses.
    fn train(&mut self, x: &Sequences<f32>, class: usize, generator: &mut ChaCha8Rng) -> Result<f64, Failure>;

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
    generator: &mut ChaCha8Rng,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let Settings { units, window, .. } = settings;
    let recurrent = Elman::zeros(training.channel_count(), units);
    let mut model: Model = recurrent.then(LastStep)?.then(Linear::zeros(units, training.classes.len()))?;
    initialise::uniform(&mut model, -0.01, 0.01, generator)?;
    let mut learner: Box<dyn Learner> = match gradient {
        StudyGradient::Exact => Box::new(exact::Exact::new(model, settings, training)?),
        StudyGradient::Program => Box::new(program::Program::new(model, settings)),
    };

    let sequences = batches::in_order(training, 1);
    let windows_per_sequence = training.steps.div_ceil(window);
    let validation_loss_of = validation.map(|windows| ValidationLoss::new(windows, window));

    let (mut training_loss, mut validation_loss) = (Vec::new(), Vec::new());
    let mut best: Option<(f64, usize, Model)> = None;
    let mut fault = None;
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    for epoch in 1..=epochs {
        order.shuffle(generator);
        let mut total = 0.0;
        for &i in &order {
            total += learner.train(&sequences[i], training.labels[i], generator)?;
            reporter.sequences_trained(1);
        }
        let loss = total / (windows_per_sequence * sequences.len()) as f64;
        training_loss.push(loss);
        if !loss.is_finite() {
            fault = Some(Fault::TrainingLoss { epoch });
            break;
        }
        if let Some(validation_loss_of) = &validation_loss_of {
            let model = learner.model();
            let value = validation_loss_of.evaluate(&model);
            validation_loss.push(value);
            if !value.is_finite() {
                fault = Some(Fault::ValidationLoss { epoch });
                break;
            }
            if best.as_ref().is_none_or(|(lowest, ..)| value < *lowest) {
                best = Some((value, epoch, model));
            }
        }
        reporter.epoch_finished(epoch, epochs, loss);
    }
    let last_epoch = match &fault {
        Some(_) => None,
        None => evaluate(&learner.model(), test)?,
    };
    let mut best_epoch = None;
    if let Some((_, epoch, model)) = &best {
        best_epoch = evaluate(model, test)?.map(|scores| (*epoch, scores));
    }
    if last_epoch.is_none() || (best.is_some() && best_epoch.is_none()) {
        fault = fault.or(Some(Fault::Outputs));
    }
    Ok(Trained { settings, training_loss, validation_loss, last_epoch, best_epoch, fault })
}
