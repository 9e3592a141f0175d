//! Data augmentation and normalisation of the network's input, which has three samples per step.
//!
//! A few people's walks are little to learn walking from, so each window is changed a little each time it is trained on:
//! a stretch of it, at another speed and another strength ([`Replay`]), turned as if the phone had been worn differently
//! ([`Turns`]), with a little [`Noise`].
//!
//! A test window is read whole and unchanged. The mean over time accepts any number of steps, so training may use
//! stretches of four fifths of a window.

use crate::batches;
use crate::noise::Noise;
use crate::replay::Replay;
use crate::turns::{Spread, Turns};
use longhand::{Layout, Sequences};
use longhand_data::{Channel, DataError, Normaliser, Windows};
use rand_chacha::ChaCha8Rng;

/// Samples that one step reads, if a window has that many: the network has to remember over a third of the steps, at a
/// third of the cost.
pub const SAMPLES_A_STEP: usize = 3;
const SPREAD: Spread = Spread { tilt: 0.15, yaw: 0.3 };
/// Standard deviation of the noise, in units of normalised channels.
const NOISE: f32 = 0.1;

/// Samples that one step reads of these windows.
fn samples_a_step(windows: &Windows) -> usize {
    SAMPLES_A_STEP.min(windows.steps)
}

/// Inputs of a network that reads these windows.
pub fn inputs(windows: &Windows) -> usize {
    windows.channel_count() * samples_a_step(windows)
}

/// Converts windows to the network's input.
pub struct Preparation {
    replay: Replay,
    turns: Option<Turns>,
    normaliser: Normaliser,
    noise: Noise,
    /// The stretch of one window.
    stretch: Vec<f32>,
}

impl Preparation {
    /// Fits to the training part.
    pub fn fit(training: &Windows, generator: &mut ChaCha8Rng) -> Result<Self, DataError> {
        let samples_a_step = samples_a_step(training);
        let turns = Turns::fit(training, SPREAD);
        let normaliser = turns.map_or_else(|| Ok(Normaliser::fit(training)), |turns| turns.normaliser(training))?;
        // Four fifths of a window, in whole steps.
        let steps = (training.steps * 4 / 5 / samples_a_step).max(1);
        let (replay, noise) = (Replay::new(steps * samples_a_step), Noise::new(NOISE, generator));
        Ok(Preparation { replay, turns, normaliser, noise, stretch: Vec::new() })
    }

    /// Writes the chosen training windows to the batch `x`, each changed at random.
    pub fn training(
        &mut self,
        windows: &Windows,
        chosen: &[usize],
        x: &mut Sequences<f32>,
        generator: &mut ChaCha8Rng,
    ) {
        x.reshape(inputs(windows), &Layout::new(self.replay.samples() / samples_a_step(windows), chosen.len()));
        let (stretch, channels) = (&mut self.stretch, windows.channel_count());
        for (sequence, &window) in chosen.iter().enumerate() {
            self.replay.play(windows.window(window), channels, stretch, generator);
            if let Some(turns) = self.turns {
                turns.apply(stretch, generator);
            }
            self.normaliser.apply_to_samples(stretch);
            self.noise.add_to(stretch, generator);
            batches::write_sequence(stretch, sequence, x);
        }
    }

    /// The windows to test on, unchanged except for normalisation.
    ///
    /// The channels of a step are those of its first sample, then those of its second, and so on: the order in which a
    /// window's values are stored.
    pub fn test(&self, windows: &Windows) -> Result<Windows, DataError> {
        let mut windows = windows.clone();
        self.normaliser.apply(&mut windows);
        let (samples_a_step, inputs) = (samples_a_step(&windows), inputs(&windows));
        let steps = windows.steps / samples_a_step;
        let mut values = Vec::with_capacity(windows.values().len());
        for window in 0..windows.len() {
            values.extend_from_slice(&windows.window(window)[..steps * inputs]);
        }
        let channel =
            |sample: usize, channel: &Channel| Channel::new(format!("{}[{sample}]", channel.name), &channel.unit);
        let channels =
            (0..samples_a_step).flat_map(|sample| windows.channels.iter().map(move |c| channel(sample, c))).collect();
        Windows::new(windows.classes, channels, steps, values, windows.labels, windows.people)
    }
}
