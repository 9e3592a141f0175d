//! The end of an epoch, for callbacks.

use crate::History;
use std::fmt;

/// The end of an epoch of [`Fit`](crate::Fit): what a callback can see and do. Displayed, it is a line such as
/// `epoch 3 of 60: training_loss 0.412, validation_loss 0.507`.
#[derive(Debug)]
pub struct EpochEnd<'a, M> {
    pub(super) epoch: usize,
    pub(super) epochs: usize,
    pub(super) model: &'a M,
    pub(super) history: &'a mut History,
    pub(super) stops: bool,
}

impl<M> EpochEnd<'_, M> {
    /// The epoch, counted from 0.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// The number of epochs, if nothing stops the training.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// The model after the epoch.
    pub fn model(&self) -> &M {
        self.model
    }

    /// The numbers of this epoch and of those before.
    pub fn history(&self) -> &History {
        self.history
    }

    /// Adds a number of this epoch to the history.
    pub fn record(&mut self, name: &str, value: impl Into<f64>) {
        self.history.record(self.epoch, name, value);
    }

    /// Ends the training after this epoch.
    pub fn stop(&mut self) {
        self.stops = true;
    }
}

impl<M> fmt::Display for EpochEnd<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {} of {}", self.epoch + 1, self.epochs)?;
        let numbers = self.history.names().filter_map(|name| Some((name, self.history.at(name, self.epoch)?)));
        for (place, (name, value)) in numbers.enumerate() {
            write!(f, "{} {name} {value:.4}", if place == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}
