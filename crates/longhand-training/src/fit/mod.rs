//! The usual training loop in one call.
//!
//! | what | where |
//! |---|---|
//! | the settings | [`Fit`] |
//! | the loop | `run.rs` |
//! | what a callback sees at the end of an epoch | [`EpochEnd`], `epoch_end.rs` |
//! | the loss of an epoch, and of the validation data | `mean_loss.rs` |
//! | errors | [`FitError`], `error.rs` |
//! | the progress bar | `progress.rs` |

mod epoch_end;
mod error;
mod mean_loss;
mod progress;
mod run;

pub use epoch_end::EpochEnd;
pub use error::FitError;

use crate::{Batches, EarlyStopping};
use std::fmt;

/// Trains a model on mini-batches, in the usual loop. It has no state and no buffers of its own: [`run`](Self::run) is the loop that
/// you would write with [`Batches`], [`EarlyStopping`], [`History`](crate::History) and a [`Trainer`](longhand::Trainer), and trains to
/// the same bits.
///
/// ```
/// use longhand::prelude::*;
/// use longhand_training::{Batches, EarlyStopping, Fit};
/// use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
///
/// # fn waves(count: usize, first: usize) -> (Sequences<f32>, Labels) {
/// #     let x = Sequences::from_fn(1, 30, count, |_, step, b| {
/// #         (((first + b) * 17) as f32 + [0.2, 0.3][b % 2] * step as f32).sin()
/// #     });
/// #     (x, Labels::per_sequence(&(0..count).map(|b| b % 2).collect::<Vec<_>>()))
/// # }
/// # let ((x, labels), (new_x, new_labels)) = (waves(96, 0), waves(32, 96));
/// let mut generator = ChaCha8Rng::seed_from_u64(1);
/// let mut model = Gru::<f32>::new(1, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 2, &mut generator))?;
/// let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
/// let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
/// let history = Fit::new(60, 0.02)
///     .schedule(|step, steps| schedule::cosine(step, steps, 0.05))
///     .clip_by_global_norm(1.0)
///     .validation(&Batches::new(&new_x, &new_labels, 32)?)
///     .early_stopping(EarlyStopping::lower(10)?)
///     .run(&mut model, &mut trainer, &mut Adam::new(), &Batches::new(&x, &labels, 16)?, &mut generator)?;
/// assert!(history.lowest("validation_loss").unwrap().1 < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The history has one number per epoch of
///
/// | series | number |
/// |---|---|
/// | `training_loss` | the loss of the epoch's batches, each before its update: a mean over all losses, or their sum with [`Reduction::Sum`](longhand::Reduction::Sum) |
/// | `validation_loss` | the loss of the validation data after the epoch, in inference, reduced likewise |
/// | `learning_rate` | the learning rate of the last update |
/// | `gradient_norm` | with clipping: the mean norm of the gradients before they were clipped |
///
/// and those that a callback adds: see [`EpochEnd::record`].
///
/// What it does not do: resume from a checkpoint, change the data at random, train several models at once. Write the loop yourself
/// then; the documentation of the crate shows one.
pub struct Fit<'a, M, X: ?Sized, Y> {
    epochs: usize,
    learning_rate: f64,
    schedule: Option<Schedule<'a>>,
    max_norm: Option<f64>,
    updates_windows: bool,
    validation: Option<&'a Batches<'a, X, Y>>,
    stopping: Option<EarlyStopping>,
    monitored: Option<String>,
    on_epoch: Option<OnEpoch<'a, M>>,
    #[cfg(feature = "indicatif")]
    bar: Option<indicatif::ProgressBar>,
}

type Schedule<'a> = Box<dyn Fn(usize, usize) -> f64 + 'a>;
type OnEpoch<'a, M> = Box<dyn FnMut(&mut EpochEnd<'_, M>) + 'a>;

impl<'a, M, X: ?Sized, Y> Fit<'a, M, X, Y> {
    /// A loop of `epochs` epochs, with a constant learning rate unless there is a [`schedule`](Self::schedule).
    pub fn new(epochs: usize, learning_rate: f64) -> Self {
        Fit {
            epochs,
            learning_rate,
            schedule: None,
            max_norm: None,
            updates_windows: false,
            validation: None,
            stopping: None,
            monitored: None,
            on_epoch: None,
            #[cfg(feature = "indicatif")]
            bar: None,
        }
    }

    /// Multiplies the learning rate by `factor(step, steps)`, where `step` counts the batches of all epochs from 0 and `steps` is their
    /// number: see [`schedule`](longhand::schedule).
    #[must_use]
    pub fn schedule(self, factor: impl Fn(usize, usize) -> f64 + 'a) -> Self {
        Fit { schedule: Some(Box::new(factor)), ..self }
    }

    /// Clips the gradients of each update: see [`clip_by_global_norm`](longhand::clip_by_global_norm).
    #[must_use]
    pub fn clip_by_global_norm(self, max_norm: f64) -> Self {
        Fit { max_norm: Some(max_norm), ..self }
    }

    /// Updates the model after each truncation window ([`Trainer::train_windows`](longhand::Trainer::train_windows)). Without it, there is
    /// one update per batch ([`Trainer::gradients`](longhand::Trainer::gradients)).
    #[must_use]
    pub fn update_after_each_window(self) -> Self {
        Fit { updates_windows: true, ..self }
    }

    /// Computes the loss of these data after each epoch. They are only read.
    #[must_use]
    pub fn validation(self, batches: &'a Batches<'a, X, Y>) -> Self {
        Fit { validation: Some(batches), ..self }
    }

    /// Stops when the validation loss, or the training loss if there are no validation data, has not improved for a number of epochs.
    /// At the end, the model is the one with the best score.
    #[must_use]
    pub fn early_stopping(self, stopping: EarlyStopping) -> Self {
        Fit { stopping: Some(stopping), ..self }
    }

    /// Early stopping watches this series of the history, for example one that [`on_epoch`](Self::on_epoch) records.
    #[must_use]
    pub fn monitor(self, series: impl Into<String>) -> Self {
        Fit { monitored: Some(series.into()), ..self }
    }

    /// Calls `callback` at the end of each epoch, before early stopping looks at the numbers.
    ///
    /// ```
    /// # use longhand::prelude::*;
    /// # use longhand_training::{Batches, EarlyStopping, Fit, metrics::Accuracy, predict};
    /// # use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
    /// # let mut generator = ChaCha8Rng::seed_from_u64(1);
    /// # let mut model = Gru::<f32>::new(1, 4, &mut generator).then(LastStep)?.then(Linear::new(4, 2, &mut generator))?;
    /// # let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
    /// # let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
    /// # let (x, labels) = (Sequences::from_fn(1, 4, 8, |_, _, b| (b % 2) as f32), Labels::per_sequence(&[0, 1, 0, 1, 0, 1, 0, 1]));
    /// let batches = Batches::new(&x, &labels, 4)?;
    /// let history = Fit::new(5, 0.01)
    ///     .on_epoch(|end| {
    ///         let mut accuracy = Accuracy::new();
    ///         let counted = predict(end.model(), &batches, |outputs, batch| accuracy.update(outputs, &batch.targets));
    ///         counted.expect("the labels fit the outputs");
    ///         end.record("accuracy", accuracy.value().unwrap_or(0.0));
    ///         println!("{end}");
    ///     })
    ///     .monitor("accuracy")
    ///     .early_stopping(EarlyStopping::higher(3)?)
    ///     .run(&mut model, &mut trainer, &mut Adam::new(), &batches, &mut generator)?;
    /// assert_eq!(history.values("accuracy").len(), history.values("training_loss").len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn on_epoch(self, callback: impl FnMut(&mut EpochEnd<'_, M>) + 'a) -> Self {
        Fit { on_epoch: Some(Box::new(callback)), ..self }
    }

    /// Moves this bar by one for each batch, and shows the losses of the last epoch as its message. The length of the bar is set to the
    /// number of batches.
    #[cfg(feature = "indicatif")]
    #[must_use]
    pub fn progress_bar(self, bar: indicatif::ProgressBar) -> Self {
        Fit { bar: Some(bar), ..self }
    }
}

impl<M, X: ?Sized, Y> fmt::Debug for Fit<'_, M, X, Y> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fit { epochs, learning_rate, max_norm, updates_windows, stopping, monitored, .. } = self;
        f.debug_struct("Fit")
            .field("epochs", epochs)
            .field("learning_rate", learning_rate)
            .field("max_norm", max_norm)
            .field("updates_windows", updates_windows)
            .field("stopping", stopping)
            .field("monitored", monitored)
            .finish_non_exhaustive()
    }
}
