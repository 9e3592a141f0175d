//! The loop of [`Fit`].

use super::{EpochEnd, Fit};
use crate::number::{as_f64, real, unless};
use crate::sum::Sum;
use crate::{Batches, EarlyStopping, History, MiniBatch, SequenceSet};
use longhand::{
    Gradients, HyperparameterError, Layer, Loss, Optimizer, Reduction, Scalar, Sequences, Target, Trainer,
    TrainingError, TruncatedBptt,
};
use rand::Rng;
use thiserror::Error;

/// Why [`Fit`] ended with an error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum FitError {
    /// A setting out of range.
    #[error(transparent)]
    Hyperparameter(#[from] HyperparameterError),
    /// A batch could not be trained on: the error has the steps, and the tensor of a gradient that is not finite.
    #[error("batch {batch} of epoch {epoch}, counted from 1: {source}")]
    Training {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The batch of the epoch, counted from 1.
        batch: usize,
        /// The error of the trainer.
        source: TrainingError,
        /// The epochs before.
        history: Box<History>,
    },
    /// The loss of the validation data could not be computed.
    #[error("validation after epoch {epoch}, counted from 1: {source}")]
    Validation {
        /// The epoch, counted from 1.
        epoch: usize,
        /// The error of the trainer.
        source: TrainingError,
        /// The epochs before.
        history: Box<History>,
    },
    /// Early stopping was told to watch a series that has no number.
    #[error(
        "early stopping watches `{name}`, but epoch {epoch}, counted from 1, has no such number; record it in `on_epoch`"
    )]
    Monitored {
        /// The name of the series.
        name: String,
        /// The epoch, counted from 1.
        epoch: usize,
    },
}

/// The model with the best score so far.
struct Best<M> {
    stopping: EarlyStopping,
    model: Option<M>,
}

/// The reduction of many batches to one loss.
struct MeanLoss {
    reduction: Reduction,
    total: Sum,
    losses: usize,
}

impl MeanLoss {
    fn new(reduction: Reduction) -> Self {
        MeanLoss { reduction, total: Sum::default(), losses: 0 }
    }

    /// Adds the loss of a batch that has `losses` losses.
    fn add<T: Scalar>(&mut self, loss: T, losses: usize) {
        let weight = if self.reduction == Reduction::Sum { 1.0 } else { losses as f64 };
        // A batch without losses has a loss of 0.
        self.total.add(as_f64(loss) * weight);
        self.losses += losses;
    }

    fn value(&self) -> f64 {
        if self.reduction == Reduction::Sum { self.total.value() } else { self.total.value() / self.losses as f64 }
    }
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
        let result = self.epochs(model, trainer, optimizer, training, generator, &mut best);
        if let Some(best) = best.and_then(|best| best.model) {
            model.copy_from(&best);
        }
        result
    }

    fn epochs<T, L, O>(
        mut self,
        model: &mut M,
        trainer: &mut Trainer<T, M, L>,
        optimizer: &mut O,
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
        let max_norm = self.max_norm.map(limit::<T>).transpose()?;
        let (reduction, truncation) = (trainer.loss().reduction(), trainer.truncation());
        let (mut history, mut batch) = (History::new("epoch"), MiniBatch::default());
        let steps = self.epochs.saturating_mul(training.batches_per_epoch());
        self.begin_progress(steps);
        let mut step = 0;
        for epoch in 0..self.epochs {
            let mut order = training.shuffled(generator);
            let (mut loss, mut norms, mut updates) = (MeanLoss::new(reduction), Sum::default(), 0_usize);
            let mut learning_rate = T::zero();
            while training.fill(&mut batch, &mut order) {
                learning_rate = self.learning_rate::<T>(step, steps)?;
                let mut update = |model: &mut M, gradients: &mut Gradients<M>| {
                    if let Some(max_norm) = max_norm {
                        norms.add(as_f64(gradients.clip_by_global_norm(max_norm)));
                        updates += 1;
                    }
                    optimizer.step(model, gradients, learning_rate);
                };
                let result = if self.updates_windows {
                    trainer.train_windows(model, batch.as_ref(), update)
                } else {
                    trainer.gradients(model, batch.as_ref()).map(|(loss, gradients)| {
                        update(model, gradients);
                        loss
                    })
                };
                match result {
                    Ok(of_batch) => loss.add(of_batch, batch.losses(truncation)),
                    Err(source) => {
                        let (epoch, batch) = (epoch + 1, order.finished_batches());
                        return Err(FitError::Training { epoch, batch, source, history: Box::new(history) });
                    }
                }
                step += 1;
                self.progress();
            }
            let validation = self.validation.map(|batches| validate(model, trainer, batches)).transpose();
            let validation = match validation {
                Ok(validation) => validation,
                Err(source) => {
                    return Err(FitError::Validation { epoch: epoch + 1, source, history: Box::new(history) });
                }
            };
            history.record(epoch, "training_loss", loss.value());
            if let Some(loss) = validation {
                history.record(epoch, "validation_loss", loss);
            }
            history.record(epoch, "learning_rate", as_f64(learning_rate));
            if updates > 0 {
                history.record(epoch, "gradient_norm", norms.value() / updates as f64);
            }
            let mut end = EpochEnd { epoch, epochs: self.epochs, model: &*model, history: &mut history, stops: false };
            if let Some(on_epoch) = &mut self.on_epoch {
                on_epoch(&mut end);
            }
            self.show(&end);
            let mut stops = end.stops;
            if let Some(best) = best {
                let score = self.score(&history, epoch)?;
                stops |= best.update(score, model);
            }
            if stops {
                break;
            }
        }
        self.finish_progress();
        Ok(history)
    }

    /// The learning rate of an update.
    fn learning_rate<T: Scalar>(&self, step: usize, steps: usize) -> Result<T, HyperparameterError> {
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

/// The loss of the validation data, in inference.
fn validate<T, M, L, X, Y>(
    model: &M,
    trainer: &mut Trainer<T, M, L>,
    batches: &Batches<'_, X, Y>,
) -> Result<f64, TrainingError>
where
    T: Scalar,
    M: Layer<T, Input = X::Batch, Output = Sequences<T>>,
    L: Loss<T, Target = Y>,
    X: SequenceSet + ?Sized,
    Y: Target,
{
    // Evaluation runs over whole sequences.
    let truncation = TruncatedBptt::full(trainer.truncation().loss_at());
    let (mut batch, mut order) = (MiniBatch::default(), batches.in_order());
    let mut loss = MeanLoss::new(trainer.loss().reduction());
    while batches.fill(&mut batch, &mut order) {
        loss.add(trainer.evaluate(model, batch.as_ref())?, batch.losses(truncation));
    }
    Ok(loss.value())
}

/// The limit for clipping in the model's scalar type.
fn limit<T: Scalar>(max_norm: f64) -> Result<T, HyperparameterError> {
    let limit = real::<T>(max_norm);
    unless(limit > T::zero(), "max_norm", max_norm, "above 0, in the model's scalar type")?;
    Ok(limit)
}

#[cfg(feature = "indicatif")]
impl<M, X: ?Sized, Y> Fit<'_, M, X, Y> {
    fn begin_progress(&self, steps: usize) {
        if let Some(bar) = &self.bar {
            bar.set_length(steps as u64);
        }
    }

    fn progress(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    fn show(&self, end: &EpochEnd<'_, M>) {
        if let Some(bar) = &self.bar {
            bar.set_message(end.to_string());
        }
    }

    fn finish_progress(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}

#[cfg(not(feature = "indicatif"))]
#[expect(clippy::unused_self, reason = "with the feature `indicatif` these methods move a bar")]
impl<M, X: ?Sized, Y> Fit<'_, M, X, Y> {
    fn begin_progress(&self, _: usize) {}

    fn progress(&self) {}

    fn show(&self, _: &EpochEnd<'_, M>) {}

    fn finish_progress(&self) {}
}
