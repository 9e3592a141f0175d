//! One function for training with an update per window or per sequence, so that a test can loop over both.

use longhand::{
    Batch, Gradients, HyperparameterError, Layer, Loss, LossAt, Path, Scalar, SequenceInput, Sequences, Trainer,
    TrainingError, TruncatedBptt,
};

/// How often the parameters are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateEvery {
    /// After each window with a loss, with `Trainer::train_windows`.
    Window,
    /// Once per batch with a loss, with the sum of the windows' gradients from `Trainer::gradients`.
    Sequence,
}

/// The settings of truncated backpropagation through time, and how often the parameters are updated.
#[derive(Debug, Clone, Copy)]
pub struct Bptt {
    pub truncation: TruncatedBptt,
    every: UpdateEvery,
}

impl Bptt {
    pub fn new(window: usize, loss_at: LossAt, every: UpdateEvery) -> Result<Self, HyperparameterError> {
        Ok(Bptt { truncation: TruncatedBptt::new(window, loss_at)?, every })
    }

    pub fn full(loss_at: LossAt) -> Self {
        Bptt { truncation: TruncatedBptt::full(loss_at), every: UpdateEvery::Sequence }
    }

    /// Trains on one batch. Creates the trainer in the first call.
    pub fn train<T, M, L>(
        &self,
        model: &mut M,
        loss: &L,
        inputs: &M::Input,
        targets: &L::Target,
        trainer: &mut Option<Trainer<T, M, L>>,
        mut update: impl FnMut(&mut M, &mut Gradients<M>),
    ) -> Result<T, TrainingError>
    where
        T: Scalar,
        M: Layer<T, Input: SequenceInput, Output = Sequences<T>>,
        L: Loss<T> + Clone,
    {
        let trainer = trainer.get_or_insert_with(|| Trainer::new(model, loss.clone(), self.truncation));
        let batch = Batch { inputs, targets };
        match self.every {
            UpdateEvery::Window => trainer.train_windows(model, batch, update),
            UpdateEvery::Sequence => {
                let (loss, gradients) = trainer.gradients(model, batch)?;
                let mut has_gradient = false;
                gradients.values().visit(&Path::ROOT, &mut |_, _, values| {
                    has_gradient |= values.iter().any(|&g| g != T::zero());
                });
                if has_gradient {
                    update(model, gradients);
                }
                Ok(loss)
            }
        }
    }
}
