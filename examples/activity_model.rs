//! A saved model of activities: its file has everything that is needed to use it.

use longhand_data::{Channel, DataError, Normaliser};
use longhand_model::{FileError, ModelFile};
use serde::{Deserialize, Serialize};

/// The key in the metadata of a model file.
const KEY: &str = "activity recognition";

/// What a model of activities needs besides its layers and weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActivityModel {
    /// The data that the model was trained on.
    pub data: String,
    /// Whether the data are synthetic.
    pub synthetic: bool,
    /// The activities, in the order of the outputs.
    pub classes: Vec<String>,
    /// Names and units of the channels of a sample, in order.
    pub channels: Vec<(String, String)>,
    /// Sampling rate in Hz, if the data state it.
    pub sampling_rate: Option<f64>,
    /// Samples per window.
    pub samples: usize,
    /// How the samples of a window become the steps of a sequence.
    pub preparation: SavedPreparation,
    /// How the outputs become probabilities.
    pub outputs: Outputs,
}

/// How the samples of a window become the steps of a sequence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPreparation {
    /// Consecutive samples that are one step, one below the other. Samples after the last whole step are dropped.
    pub samples_per_step: usize,
    /// Mean and standard deviation of each channel, if the samples are normalised.
    pub normalisation: Option<(Vec<f64>, Vec<f64>)>,
}

/// How the outputs of a model become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outputs {
    /// Softmax over the classes.
    Softmax,
    /// One sigmoid per class, as in the study. The probabilities do not add up to 1.
    Sigmoid,
}

impl ActivityModel {
    /// Adds itself to a model file.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn add_to(&self, file: ModelFile) -> Result<ModelFile, FileError> {
        file.with(KEY, self)
    }

    /// Reads it from a model file.
    ///
    /// # Errors
    /// If the file is not one of a model of activities.
    pub fn of(file: &ModelFile) -> Result<Self, FileError> {
        file.get(KEY)
    }

    /// The channels of a sample.
    pub fn channels(&self) -> Vec<Channel> {
        self.channels.iter().map(|(name, unit)| Channel::new(name, unit)).collect()
    }
}

impl SavedPreparation {
    /// The normaliser of the samples; `None` if they are not normalised.
    ///
    /// # Errors
    /// If the numbers are not those of a normalisation.
    pub fn normaliser(&self) -> Result<Option<Normaliser>, DataError> {
        self.normalisation.clone().map(|(mean, deviation)| Normaliser::new(mean, deviation)).transpose()
    }
}
