//! Parts of a training loop for [`longhand`]: plain values that you combine in a loop of your own, and a short call, [`Fit`], for
//! the usual one.
//!
//! | part | where |
//! |---|---|
//! | mini-batches: shuffled, sorted by length, resumable | [`Batches`], [`Epoch`] |
//! | when to stop, and which model is the best one | [`EarlyStopping`] |
//! | accuracy, confusion matrix, calibration, perplexity, error rates, R² | [`metrics`] |
//! | numbers per epoch, as CSV | [`History`] |
//! | the whole loop in one call | [`Fit`] |
//! | norms of gradients, saturated units, decay of the gradient over time, a range of learning rates | [`health`] |
//!
//! The loop of your own. Every value in it can be stored in a checkpoint: [`Epoch`], [`EarlyStopping`], [`History`] and the metrics
//! implement `serde`'s traits.
//!
//! ```
//! use longhand::prelude::*;
//! use longhand_training::{Batches, EarlyStopping, History, metrics::Accuracy, predict};
//! use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
//!
//! // Slow waves (class 0) and fast ones (class 1).
//! fn waves(count: usize, first: usize) -> (Sequences<f32>, Labels) {
//!     let x = Sequences::from_fn(1, 30, count, |_, step, b| {
//!         (((first + b) * 17) as f32 + [0.2, 0.3][b % 2] * step as f32).sin()
//!     });
//!     (x, Labels::per_sequence(&(0..count).map(|b| b % 2).collect::<Vec<_>>()))
//! }
//!
//! let mut generator = ChaCha8Rng::seed_from_u64(1);
//! let ((x, labels), (new_x, new_labels)) = (waves(96, 0), waves(32, 96));
//! let (batches, validation) = (Batches::new(&x, &labels, 16)?, Batches::new(&new_x, &new_labels, 16)?);
//! let mut model = Gru::<f32>::new(1, 16, &mut generator).then(LastStep)?.then(Linear::new(16, 2, &mut generator))?;
//! let loss = SoftmaxCrossEntropy::new(Reduction::MeanOverSteps);
//! let mut trainer = Trainer::new(&model, loss, TruncatedBptt::full(LossAt::LastValidStep));
//! let mut optimizer = Adam::new();
//!
//! let (mut history, mut stopping, mut best) = (History::new("epoch"), EarlyStopping::higher(5)?, model.clone());
//! for epoch in 0..30 {
//!     for batch in batches.epoch(&mut generator) {
//!         let (_, gradients) = trainer.gradients(&model, batch.as_ref())?;
//!         gradients.clip_by_global_norm(1.0);
//!         optimizer.step(&mut model, gradients, 0.02);
//!     }
//!     let mut accuracy = Accuracy::new();
//!     predict(&model, &validation, |outputs, batch| accuracy.update(outputs, &batch.targets))?;
//!     let accuracy = accuracy.value().expect("the validation data have labels");
//!     history.record(epoch, "validation_accuracy", accuracy);
//!     stopping.update(accuracy);
//!     if stopping.improved() {
//!         best.copy_from(&model);
//!     }
//!     if stopping.should_stop() {
//!         break;
//!     }
//! }
//! assert!(stopping.best() > Some(0.9));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same with [`Fit`] is ten lines long.

#![deny(missing_docs)]

mod batches;
mod early_stopping;
mod fit;
pub mod health;
mod history;
pub mod metrics;
mod number;
mod predict;
mod sum;

pub use batches::{Batches, BatchesError, Epoch, EpochBatches, MiniBatch, SequenceSet};
pub use early_stopping::EarlyStopping;
pub use fit::{EpochEnd, Fit, FitError};
pub use history::{History, HistoryError};
pub use predict::predict;
