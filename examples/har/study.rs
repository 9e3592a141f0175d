//! The study's method (its sections 2.2 and 2.3 and Algorithm 1), with the gradient corrected.
//!
//! An Elman RNN reads a sequence in windows of `B` steps. After each window its last hidden state goes through a linear
//! layer and six sigmoids. Binary cross-entropy against the one-hot class gives one update, and the hidden state is
//! carried to the next window. Training reads one sequence at a time, in a new order each epoch. The first weights are
//! uniform in [-0.01, 0.01].
//!
//! The gradient is the exact one ([`exact`]) or, for comparison, that of the study's own program ([`program`]).

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

/// What distinguishes the study's models (the columns LR, N and B of its tables).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Learning rate.
    pub learning_rate: f32,
    /// Hidden units.
    pub units: usize,
    /// Truncation window, in steps.
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
    /// Which model.
    pub settings: Settings,
    /// Mean training loss of each epoch, in nats per truncation window.
    pub training_loss: Vec<f64>,
    /// Validation loss after each epoch, in the same unit; empty in part b.
    pub validation_loss: Vec<f64>,
    /// Test scores after the last epoch; `None` if a loss or an output was NaN or infinite.
    pub last: Option<Scores>,
    /// The epoch of the lowest validation loss and the test scores of its weights; `None` in part b.
    pub early: Option<(usize, Scores)>,
    /// Why scores are missing; a loss that is NaN or infinite ends the training.
    pub fault: Option<Fault>,
}

impl Trained {
    /// A model whose training ended with an error.
    pub fn failed(settings: Settings, error: String) -> Self {
        let fault = Some(Fault::Failed(error));
        Trained { settings, training_loss: Vec::new(), validation_loss: Vec::new(), last: None, early: None, fault }
    }
}

type Model = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

/// One way to compute the gradient.
trait Learner {
    /// Trains on one sequence, with one update per truncation window; returns the sum of the windows' losses.
    fn train(&mut self, x: &Sequences<f32>, class: usize, generator: &mut ChaCha8Rng) -> Result<f64, Failure>;

    /// The model with the present weights.
    fn model(&self) -> Model;
}

/// Trains one model; with validation windows (part c), keeps the weights of the epoch with the lowest validation loss.
///
/// A training or validation loss that is not finite ends the training.
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
            reporter.trained(1);
        }
        let loss = total / (windows_per_sequence * sequences.len()) as f64;
        training_loss.push(loss);
        if !loss.is_finite() {
            fault = Some(Fault::TrainingLoss { epoch });
            break;
        }
        if let Some(validation_loss_of) = &validation_loss_of {
            let model = learner.model();
            let value = validation_loss_of.of(&model);
            validation_loss.push(value);
            if !value.is_finite() {
                fault = Some(Fault::ValidationLoss { epoch });
                break;
            }
            if best.as_ref().is_none_or(|(lowest, ..)| value < *lowest) {
                best = Some((value, epoch, model));
            }
        }
        reporter.epoch(epoch, epochs, loss);
    }
    let last = match &fault {
        Some(_) => None,
        None => evaluate(&learner.model(), test)?,
    };
    let mut early = None;
    if let Some((_, epoch, model)) = &best {
        early = evaluate(model, test)?.map(|scores| (*epoch, scores));
    }
    if last.is_none() || (best.is_some() && early.is_none()) {
        fault = fault.or(Some(Fault::Outputs));
    }
    Ok(Trained { settings, training_loss, validation_loss, last, early, fault })
}
