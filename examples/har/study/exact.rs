//! Trains with the exact gradient, computed by the library's backward pass.

use super::{Learner, Model, Settings};
use crate::Failure;
use crate::evaluation::one_hot;
use longhand::{
    LossAt, Optimizer, Pass, Reduction, Sequences, Sgd, SigmoidCrossEntropy, TruncatedBptt, UpdateEvery, Workspace,
};
use longhand_data::Windows;
use rand_chacha::ChaCha8Rng;

/// Truncated backpropagation through time with the library's layers. Every element of the gradient is clipped to
/// [-1, 1].
pub struct Exact {
    model: Model,
    learning_rate: f32,
    loss: SigmoidCrossEntropy,
    bptt: TruncatedBptt,
    optimizer: Sgd<f32>,
    workspace: Workspace<f32, Model, Sequences<f32>>,
    /// The one-hot target of each class.
    targets: Vec<Sequences<f32>>,
}

impl Exact {
    /// Starts with the weights of `model`.
    pub fn new(model: Model, settings: Settings, training: &Windows) -> Result<Self, Failure> {
        Ok(Exact {
            learning_rate: settings.learning_rate,
            loss: SigmoidCrossEntropy::new(Reduction::Sum),
            bptt: TruncatedBptt::new(settings.window, LossAt::WindowEnd, UpdateEvery::Window)?,
            optimizer: Sgd::new().with_value_clipping(1.0)?,
            workspace: Workspace::new(&model),
            targets: (0..training.classes.len()).map(|class| one_hot(training, &[class])).collect(),
            model,
        })
    }
}

impl Learner for Exact {
    fn train(&mut self, x: &Sequences<f32>, class: usize, generator: &mut ChaCha8Rng) -> Result<f64, Failure> {
        let Exact { model, learning_rate, loss, bptt, optimizer, workspace, targets } = self;
        let mut pass = Pass::Train(generator);
        let sum = bptt.train(model, loss, x, &targets[class], workspace, &mut pass, |model, gradients| {
            optimizer.step(model, gradients, *learning_rate);
        })?;
        Ok(f64::from(sum))
    }

    fn model(&self) -> Model {
        self.model.clone()
    }
}
