//! Trains with the exact gradient, computed by the library's backward pass.

use super::{Learner, Model, Settings};
use crate::Failure;
use crate::evaluation::one_hot;
use longhand::{Batch, LossAt, Optimizer, Reduction, Sequences, Sgd, SigmoidCrossEntropy, Trainer, TruncatedBptt};
use longhand_data::Windows;

/// Truncated backpropagation through time with the library's layers. Every element of the gradient is clipped to
/// [-1, 1].
pub struct Exact {
    model: Model,
    learning_rate: f32,
    trainer: Trainer<f32, Model, SigmoidCrossEntropy>,
    optimizer: Sgd<f32>,
    /// The one-hot target of each class.
    targets: Vec<Sequences<f32>>,
}

impl Exact {
    /// Starts with the weights of `model`.
    pub fn new(model: Model, settings: Settings, training: &Windows) -> Result<Self, Failure> {
        let loss = SigmoidCrossEntropy::new(Reduction::Sum);
        let bptt = TruncatedBptt::new(settings.window, LossAt::WindowEnd)?;
        Ok(Exact {
            learning_rate: settings.learning_rate,
            // A loss that is NaN or infinite ends the study's training too, at the end of the epoch.
            trainer: Trainer::new(&model, loss, bptt).skipping_not_finite(),
            optimizer: Sgd::new().with_value_clipping(1.0)?,
            targets: (0..training.classes.len()).map(|class| one_hot(training, &[class])).collect(),
            model,
        })
    }
}

impl Learner for Exact {
    fn train(&mut self, x: &Sequences<f32>, class: usize) -> Result<f64, Failure> {
        let Exact { model, learning_rate, trainer, optimizer, targets } = self;
        let batch = Batch { inputs: x, targets: &targets[class] };
        let sum = trainer.train_windows(model, batch, |model, gradients| {
            optimizer.step(model, gradients, *learning_rate);
        })?;
        Ok(f64::from(sum))
    }

    fn model(&self) -> Model {
        self.model.clone()
    }
}
