//! An LSTM or a GRU, trained to know people it has never seen.
//!
//! - *Cell*: 48 units, begun as PyTorch begins them. It reads three samples a step, 50 steps instead of 150: what is
//!   to be remembered is a third as far away, and a step's cost buys three samples.
//! - *Data*: a few people's walks are little to learn walking from, so each window is played a little differently each
//!   time it is trained on. A stretch of it, at another speed and another strength ([`Replay`]), turned as if
//!   the phone had been worn otherwise ([`Turns`]), with noise of a tenth of each channel's standard deviation.
//! - *Loss*: a tenth of each target is spread over the classes, for some recordings stand under the wrong name.
//!
//! A test window is read whole and as it is. The mean over time takes any number of steps, so it does not matter that
//! training shows stretches of four fifths of a window.

use super::{Model, Numbers, Preparation};
use crate::replay::Replay;
use crate::turns::{Spread, Turns};
use crate::{Failure, batches};
use longhand::{Gru, Layer, Linear, Lstm, MeanOverTime, Sequences, initialise};
use longhand_data::{Channel, DataError, Normaliser, Windows};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Hidden units.
pub const UNITS: usize = 48;
/// Samples that one step reads, if a window has as many.
pub const SAMPLES_A_STEP: usize = 3;
/// The recipe's numbers.
pub const NUMBERS: Numbers = Numbers { peak_learning_rate: 3e-3, max_norm: 1.0, label_smoothing: 0.1 };
const SPREAD: Spread = Spread { tilt: 0.2, yaw: 0.3 };
/// Standard deviation of the noise, of normalised channels.
const NOISE: f32 = 0.1;

/// The LSTM before training.
pub fn lstm(inputs: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Lstm<f32>>, Failure> {
    let recurrent = Lstm::new(inputs, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(classes, generator))?)
}

/// The GRU before training.
pub fn gru(inputs: usize, classes: usize, generator: &mut ChaCha8Rng) -> Result<Model<Gru<f32>>, Failure> {
    let recurrent = Gru::new(inputs, UNITS, generator);
    Ok(recurrent.then(MeanOverTime)?.then(head(classes, generator))?)
}

fn head(classes: usize, generator: &mut ChaCha8Rng) -> Linear<f32> {
    let mut head = Linear::zeros(UNITS, classes);
    initialise::xavier_uniform(&mut head.weight, 1.0, generator);
    head
}

/// Samples that one step reads of windows of so many samples.
pub fn samples_a_step(window: usize) -> usize {
    SAMPLES_A_STEP.min(window)
}

/// Windows as if they had been recorded once more, three samples a step.
pub struct Replayed {
    replay: Replay,
    turns: Option<Turns>,
    normaliser: Normaliser,
    samples_a_step: usize,
    /// A batch with one sample a step.
    samples: Sequences<f32>,
}

impl Replayed {
    /// Fits to the training part.
    pub fn fit(training: &Windows) -> Result<Self, DataError> {
        let samples_a_step = samples_a_step(training.steps);
        let turns = Turns::fit(training, SPREAD);
        let normaliser = turns.map_or_else(|| Ok(Normaliser::fit(training)), |turns| turns.normaliser(training))?;
        // Four fifths of a window, in whole steps.
        let steps = (training.steps * 4 / 5 / samples_a_step).max(1);
        let replay = Replay::new(steps * samples_a_step);
        Ok(Replayed { replay, turns, normaliser, samples_a_step, samples: Sequences::default() })
    }

    /// Inputs of the network.
    pub fn inputs(&self) -> usize {
        self.normaliser.mean().len() * self.samples_a_step
    }
}

impl Preparation for Replayed {
    fn training(&mut self, windows: &Windows, chosen: &[usize], x: &mut Sequences<f32>, generator: &mut ChaCha8Rng) {
        self.replay.gather(windows, chosen, &mut self.samples, generator);
        if let Some(turns) = self.turns {
            turns.apply(&mut self.samples, generator);
        }
        let values = self.samples.values_mut().as_mut_slice();
        self.normaliser.apply_to_samples(values);
        for value in values {
            let noise: f32 = StandardNormal.sample(generator);
            *value += NOISE * noise;
        }
        batches::join_samples(&self.samples, self.samples_a_step, x);
    }

    /// Channels of a step are those of its first sample, then those of its second, and so on; which is how a window's
    /// values lie already.
    fn test(&self, windows: &Windows) -> Result<Windows, DataError> {
        let mut windows = windows.clone();
        self.normaliser.apply(&mut windows);
        let steps = windows.steps / self.samples_a_step;
        let mut values = Vec::with_capacity(windows.values().len());
        for window in 0..windows.len() {
            values.extend_from_slice(&windows.window(window)[..steps * self.inputs()]);
        }
        let channel =
            |sample: usize, channel: &Channel| Channel::new(format!("{}[{sample}]", channel.name), &channel.unit);
        let channels = (0..self.samples_a_step)
            .flat_map(|sample| windows.channels.iter().map(move |c| channel(sample, c)))
            .collect();
        Windows::new(windows.classes, channels, steps, values, windows.labels, windows.people)
    }
}
