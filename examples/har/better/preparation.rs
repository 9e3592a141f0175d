//! Prepares the input of the better recipe's network: data augmentation, normalisation, and three samples per step.
//!
//! The training part has few people. Each window is therefore changed each time it is trained on: a random crop at
//! another speed and amplitude ([`RandomCrop`]), rotated as if the phone had been worn in another orientation
//! ([`RandomRotation`]), with a little [`Noise`].
//!
//! Test windows are not cropped or augmented. Training crops have four fifths of a window's samples; this is possible
//! because the network averages its hidden state over any number of steps.

use crate::batches;
use crate::noise::Noise;
use crate::random_crop::RandomCrop;
use crate::rotation::{RandomRotation, Spread};
use longhand::{Layout, Sequences};
use longhand_data::{Channel, DataError, Normaliser, Windows};
use longhand_examples::SavedPreparation;
use rand_chacha::ChaCha8Rng;

/// Samples per step; shorter windows have one step. Compared with one sample per step, the network has a third of the
/// steps to remember over and costs a third.
pub const SAMPLES_PER_STEP: usize = 3;
const ROTATION: Spread = Spread { tilt: 0.15, yaw: 0.3 };
/// Standard deviation of the noise, in units of normalised channels.
const NOISE: f32 = 0.1;

/// Samples per step for these windows.
fn samples_per_step(windows: &Windows) -> usize {
    SAMPLES_PER_STEP.min(windows.steps)
}

/// Number of input features of a network for these windows: channels times samples per step.
pub fn input_features(windows: &Windows) -> usize {
    windows.channel_count() * samples_per_step(windows)
}

/// Converts windows to the network's input.
pub struct Preparation {
    crop: RandomCrop,
    rotation: Option<RandomRotation>,
    normaliser: Normaliser,
    noise: Noise,
    /// Buffer for the crop of one window.
    cropped: Vec<f32>,
}

impl Preparation {
    /// Fits rotation and normalisation to the training part.
    pub fn fit(training: &Windows, generator: &mut ChaCha8Rng) -> Result<Self, DataError> {
        let samples_per_step = samples_per_step(training);
        let rotation = RandomRotation::fit(training, ROTATION);
        let normaliser =
            rotation.map_or_else(|| Ok(Normaliser::fit(training)), |rotation| rotation.normaliser(training))?;
        // Four fifths of a window, rounded down to whole steps.
        let steps = (training.steps * 4 / 5 / samples_per_step).max(1);
        let (crop, noise) = (RandomCrop::new(steps * samples_per_step), Noise::new(NOISE, generator));
        Ok(Preparation { crop, rotation, normaliser, noise, cropped: Vec::new() })
    }

    /// Writes the chosen training windows to the batch `x`, each with its own random augmentation.
    pub fn training_batch(
        &mut self,
        windows: &Windows,
        chosen: &[usize],
        x: &mut Sequences<f32>,
        generator: &mut ChaCha8Rng,
    ) {
        let steps = self.crop.samples() / samples_per_step(windows);
        x.reshape(input_features(windows), &Layout::new(steps, chosen.len()));
        let (cropped, channels) = (&mut self.cropped, windows.channel_count());
        for (sequence, &window) in chosen.iter().enumerate() {
            self.crop.draw(windows.window(window), channels, cropped, generator);
            if let Some(rotation) = self.rotation {
                rotation.apply(cropped, generator);
            }
            self.normaliser.apply_to_samples(cropped);
            self.noise.add_to(cropped, generator);
            batches::write_sequence(cropped, sequence, x);
        }
    }

    /// What a saved model needs: everything but the augmentation.
    pub fn to_save(&self, windows: &Windows) -> SavedPreparation {
        let normaliser = &self.normaliser;
        SavedPreparation {
            samples_per_step: samples_per_step(windows),
            normalisation: Some((normaliser.mean().to_vec(), normaliser.standard_deviation().to_vec())),
        }
    }

    /// The test windows, normalised but not augmented.
    ///
    /// The features of a step are the channels of its first sample, then those of its second sample, and so on. Windows
    /// store their values in the same order.
    pub fn test_windows(&self, windows: &Windows) -> Result<Windows, DataError> {
        let mut windows = windows.clone();
        self.normaliser.apply(&mut windows);
        let (samples_per_step, features) = (samples_per_step(&windows), input_features(&windows));
        let steps = windows.steps / samples_per_step;
        let mut values = Vec::with_capacity(windows.values().len());
        for window in 0..windows.len() {
            values.extend_from_slice(&windows.window(window)[..steps * features]);
        }
        let channel =
            |sample: usize, channel: &Channel| Channel::new(format!("{}[{sample}]", channel.name), &channel.unit);
        let channels =
            (0..samples_per_step).flat_map(|sample| windows.channels.iter().map(move |c| channel(sample, c))).collect();
        Windows::new(windows.classes, channels, steps, values, windows.labels, windows.people)
    }
}
