//! The loop of [`Fit`].

use super::mean_loss::{MeanLoss, validate};
use super::{EpochEnd, Fit, FitError};
use crate::number::{as_f64, real, unless};
use crate::sum::Sum;
use crate::{Batches, EarlyStopping, Epoch, History, MiniBatch, SequenceSet};
use longhand::{
    Gradients, HyperparameterError, Layer, Loss, Optimizer, Scalar, Sequences, Target, Trainer, TrainingError,
};
use rand::Rng;
use thiserror::Error;

/// The best model so far, and the numbers that say so.
struct Best<M> {
    stopping: EarlyStopping,
    model: Option<M>,
}

/// The numbers of the updates of one epoch.
struct Updates {
    loss: MeanLoss,
    learning_rate: f64,
    /// The sum of the norms of the gradients before clipping, and their number.
    norms: (Sum, usize),
}

/// Why an update failed.
#[derive(Debug, Error)]
enum UpdateError {
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    #[error(transparent)]
    Training(#[from] TrainingError),
}

impl<M, X: SequenceSet + ?Sized, Y: Target> Fit<'_, M, X, Y> {
    /// Trains `model`, and returns the numbers of each epoch. With early stopping, the model is the one with the best score at the
    /// end, also after an error; otherwise it is that of the last update.
    ///
    /// The order of the batches is drawn from `generator`. Layers that draw at random in training draw from the generator of the trainer.
    ///
    /// # Errors
    /// If the learning rate, a factor of the schedule or the limit for clipping is out of range, if the trainer returns an error (unless it
    /// [skips](Trainer::skipping_not_finite) updates that are not finite), or if early stopping watches a number that is not recorded.
    ///
    /// # Panics
    /// If the model does not take these inputs, or if the optimizer has served another model before.
    pub fn run<T, L, O>(
        mut self,
        model: &mut M,
        trainer: &mut Trainer<T, M, L>,
        optimizer: &mut O,
        training: &Batches<'_, X, Y>,
        generator: &mut (impl Rng + ?Sized),
    ) -> Result<History, FitError>
    where
        T: Scalar,
        M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
        L: Loss<T, Target = Y>,
        O: Optimizer<T>,
    {
        let mut best = self.stopping.take().map(|stopping| Best { stopping, model: None });
        let result = self.epochs(model, (trainer, optimizer), training, generator, &mut best);
        if let Some(best) = best.and_then(|best| best.model) {
            model.copy_from(&best);
        }
        result
    }

    fn epochs<T, L, O>(
        mut self,
        model: &mut M,
        (trainer, optimizer): (&mut Trainer<T, M, L>, &mut O),
        training: &Batches<'_, X, Y>,
        generator: &mut (impl Rng + ?Sized),
        best: &mut Option<Best<M>>,
    ) -> Result<History, FitError>
    where
        T: Scalar,
        M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
        L: Loss<T, Target = Y>,
        O: Optimizer<T>,
    {
        let (mut history, mut batch) = (History::new("epoch"), MiniBatch::default());
        self.begin_progress(self.epochs.saturating_mul(training.batches_per_epoch()));
        for epoch in 0..self.epochs {
            let mut order = training.shuffled(generator);
            let buffers = (&mut batch, &mut order);
            let updates = match self.updates(model, (trainer, optimizer), (training, epoch), buffers) {
                Ok(updates) => updates,
                Err(UpdateError::Hyperparameter(error)) => return Err(error.into()),
                Err(UpdateError::Training(source)) => {
                    let (epoch, batch) = (epoch + 1, order.finished_batches());
                    return Err(FitError::Training { epoch, batch, source, history: Box::new(history) });
                }
            };
            let validation = match self.validation.map(|batches| validate(model, trainer, batches)).transpose() {
                Ok(validation) => validation,
                Err(source) => {
                    return Err(FitError::Validation { epoch: epoch + 1, source, history: Box::new(history) });
                }
            };
            updates.record(&mut history, epoch, validation);
            let mut end = EpochEnd { epoch, epochs: self.epochs, model: &*model, history: &mut history, stops: false };
            if let Some(on_epoch) = &mut self.on_epoch {
                on_epoch(&mut end);
            }
            self.show(&end);
            let mut stops = end.stops;
            if let Some(best) = best {
                stops |= best.update(self.score(&history, epoch)?, model);
            }
            if stops {
                break;
            }
        }
        self.finish_progress();
        Ok(history)
    }

    /// Trains on the batches of one epoch.
    fn updates<T, L, O>(
        &self,
        model: &mut M,
        (trainer, optimizer): (&mut Trainer<T, M, L>, &mut O),
        (training, epoch): (&Batches<'_, X, Y>, usize),
        (batch, order): (&mut MiniBatch<X::Batch, Y>, &mut Epoch),
    ) -> Result<Updates, UpdateError>
    where
        T: Scalar,
        M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
        L: Loss<T, Target = Y>,
        O: Optimizer<T>,
    {
        let (max_norm, truncation) = (self.max_norm.map(limit::<T>).transpose()?, trainer.truncation());
        let batches = training.batches_per_epoch();
        let (mut step, steps) = (epoch * batches, self.epochs.saturating_mul(batches));
        let mut loss = MeanLoss::new(trainer.loss().reduction());
        let (mut last_rate, mut norms) = (0.0, (Sum::default(), 0));
        while training.fill(batch, order) {
            let learning_rate = self.rate::<T>(step, steps)?;
            let mut update = |model: &mut M, gradients: &mut Gradients<M>| {
                if let Some(max_norm) = max_norm {
                    norms.0.add(as_f64(gradients.clip_by_global_norm(max_norm)));
                    norms.1 += 1;
                }
                optimizer.step(model, gradients, learning_rate);
            };
            let of_batch = if self.updates_windows {
                trainer.train_windows(model, batch.as_ref(), update)?
            } else {
                let (of_batch, gradients) = trainer.gradients(model, batch.as_ref())?;
                update(model, gradients);
                of_batch
            };
            loss.add(of_batch, batch.losses(truncation));
            last_rate = as_f64(learning_rate);
            step += 1;
            self.progress();
        }
        Ok(Updates { loss, learning_rate: last_rate, norms })
    }

    /// The learning rate of an update.
    fn rate<T: Scalar>(&self, step: usize, steps: usize) -> Result<T, HyperparameterError> {
        let factor = self.schedule.as_ref().map_or(1.0, |factor| factor(step, steps));
        let checked = |name, value: f64| {
            let is_kept = value >= 0.0 && as_f64(real::<T>(value)).is_finite();
            unless(is_kept, name, value, "finite and not negative, in the model's scalar type")
        };
        checked("learning_rate", self.learning_rate)?;
        checked("factor of the schedule", factor)?;
        checked("learning_rate", self.learning_rate * factor)?;
        Ok(real(self.learning_rate * factor))
    }

    /// The number that early stopping watches.
    fn score(&self, history: &History, epoch: usize) -> Result<f64, FitError> {
        let usual = if self.validation.is_some() { "validation_loss" } else { "training_loss" };
        let name = self.monitored.as_deref().unwrap_or(usual);
        history.at(name, epoch).ok_or_else(|| FitError::Monitored { name: name.to_owned(), epoch: epoch + 1 })
    }
}

impl Updates {
    fn record(&self, history: &mut History, epoch: usize, validation: Option<f64>) {
        history.record(epoch, "training_loss", self.loss.value());
        if let Some(loss) = validation {
            history.record(epoch, "validation_loss", loss);
        }
        history.record(epoch, "learning_rate", self.learning_rate);
        let (sum, count) = &self.norms;
        if *count > 0 {
            history.record(epoch, "gradient_norm", sum.value() / *count as f64);
        }
    }
}

impl<M> Best<M> {
    /// Keeps the model if the score has improved; returns whether to stop.
    fn update<T: Scalar>(&mut self, score: f64, model: &M) -> bool
    where
        M: Layer<T>,
    {
        self.stopping.update(score);
        if self.stopping.improved() {
            match &mut self.model {
                Some(best) => best.copy_from(model),
                None => self.model = Some(model.clone()),
            }
        }
        self.stopping.should_stop()
    }
}

/// The limit for clipping in the model's scalar type.
fn limit<T: Scalar>(max_norm: f64) -> Result<T, HyperparameterError> {
    let limit = real::<T>(max_norm);
    unless(limit > T::zero(), "max_norm", max_norm, "above 0, in the model's scalar type")?;
    Ok(limit)
}
