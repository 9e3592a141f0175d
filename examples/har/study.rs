//! The study's method (its sections 2.2 and 2.3 and Algorithm 1), with the gradient put right.
//!
//! An Elman RNN reads a sequence in windows of `B` steps. After each window its last hidden state goes through a linear
//! layer and six sigmoids; binary cross-entropy against the one-hot class gives one update, and the hidden state is
//! carried on to the next window. One sequence at a time, shuffled each epoch; weights begin uniform in
//! [-0.01, 0.01]; every element of the gradient is clipped to [-1, 1].

use crate::evaluation::{Scores, ValidationLoss, evaluate, one_hot};
use crate::progress::Reporter;
use crate::{Failure, batches};
use longhand::{
    Chain, Elman, LastStep, Layer, Linear, LossAt, Optimizer, Pass, Reduction, Sgd, SigmoidCrossEntropy, TruncatedBptt,
    UpdateEvery, Workspace, initialise,
};
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
    /// Test scores after the last epoch.
    pub last: Scores,
    /// The epoch of the lowest validation loss and the test scores of its weights; `None` in part b.
    pub early: Option<(usize, Scores)>,
}

type Model = Chain<Chain<Elman<f32>, LastStep>, Linear<f32>>;

/// Trains one model; with validation windows (part c), keeps the weights of the epoch with the lowest validation loss.
pub fn train(
    settings: Settings,
    epochs: usize,
    (training, validation, test): (&Windows, Option<&Windows>, &Windows),
    generator: &mut ChaCha8Rng,
    reporter: &Reporter,
) -> Result<Trained, Failure> {
    let Settings { learning_rate, units, window } = settings;
    let recurrent = Elman::zeros(training.channel_count(), units);
    let mut model: Model = recurrent.then(LastStep)?.then(Linear::zeros(units, training.classes.len()))?;
    initialise::uniform(&mut model, -0.01, 0.01, generator)?;

    let loss = SigmoidCrossEntropy::new(Reduction::Sum);
    let bptt = TruncatedBptt::new(window, LossAt::WindowEnd, UpdateEvery::Window)?;
    let (mut optimizer, mut workspace) = (Sgd::new().with_value_clipping(1.0)?, Workspace::new(&model));

    let sequences = batches::in_order(training, 1);
    let targets: Vec<_> = training.labels.iter().map(|&label| one_hot(training, &[label])).collect();
    let windows_a_sequence = training.steps.div_ceil(window);
    let validation_loss_of = validation.map(|windows| ValidationLoss::new(windows, window));

    let (mut training_loss, mut validation_loss) = (Vec::new(), Vec::new());
    let mut best: Option<(f64, usize, Model)> = None;
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    for epoch in 1..=epochs {
        order.shuffle(generator);
        let mut total = 0.0;
        for &i in &order {
            let (x, target) = (&sequences[i], &targets[i]);
            let mut pass = Pass::Train(generator);
            let sum = bptt.train(&mut model, &loss, x, target, &mut workspace, &mut pass, |model, gradients| {
                optimizer.step(model, gradients, learning_rate);
            })?;
            total += f64::from(sum);
            reporter.trained(1);
        }
        training_loss.push(total / (windows_a_sequence * sequences.len()) as f64);
        if let Some(validation_loss_of) = &validation_loss_of {
            let value = validation_loss_of.of(&model);
            validation_loss.push(value);
            if best.as_ref().is_none_or(|(lowest, ..)| value < *lowest || lowest.is_nan()) {
                best = Some((value, epoch, model.clone()));
            }
        }
        reporter.epoch(epoch, epochs, training_loss[epoch - 1]);
    }
    let early = match &best {
        Some((_, epoch, model)) => Some((*epoch, evaluate(model, test)?)),
        None => None,
    };
    Ok(Trained { settings, training_loss, validation_loss, last: evaluate(&model, test)?, early })
}
