//! Data augmentation: changes speed and strength, as if the person, or another one, had moved differently.
//!
//! Each time a window is trained on, a random stretch of it is taken, and then changed in
//!
//! - its *speed*: log-uniform between 0.8 and 1.25; samples between those of the window are interpolated linearly;
//! - its *strength*: the deviation of each channel from its mean over the stretch is multiplied by `exp(0.15 (n + n_c))`,
//!   with `n` normal and the same for all channels and `n_c` normal and the channel's own. The mean of an accelerometer is
//!   gravity, which does not depend on how strongly somebody moves.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// The highest speed, and the inverse of the lowest.
const SPEED: f32 = 1.25;
/// Standard deviation of the logarithms of the common strength and of each channel's own.
const STRENGTH: f32 = 0.15;

/// Stretches of windows, at random speed and strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    samples: usize,
}

impl Replay {
    /// Stretches of `samples` samples each, at any speed.
    pub fn new(samples: usize) -> Self {
        Replay { samples }
    }

    /// Samples of a stretch.
    pub fn samples(self) -> usize {
        self.samples
    }

    /// Writes a stretch of a window with `channels` channels to `stretch`.
    pub fn play<R: Rng>(self, window: &[f32], channels: usize, stretch: &mut Vec<f32>, generator: &mut R) {
        stretch.resize(self.samples * channels, 0.0);
        let (last, intervals) = (window.len() / channels - 1, (self.samples - 1).max(1) as f32);
        // Limited by the number of samples in the window.
        let speed = SPEED.powf(generator.random_range(-1.0..=1.0)).min(last as f32 / intervals);
        let start = generator.random::<f32>() * (last as f32 - speed * intervals).max(0.0);
        for (sample, values) in stretch.chunks_exact_mut(channels).enumerate() {
            let place = start + speed * sample as f32;
            let before = (place as usize).min(last);
            let (after, part) = ((before + 1).min(last), place - before as f32);
            let [before, after] = [before, after].map(|sample| &window[sample * channels..][..channels]);
            for ((value, before), after) in values.iter_mut().zip(before).zip(after) {
                *value = before + part * (after - before);
            }
        }
        self.strengthen(stretch, channels, generator);
    }

    /// Scales the deviation of each channel from its mean.
    fn strengthen<R: Rng>(self, stretch: &mut [f32], channels: usize, generator: &mut R) {
        let mut normal = || -> f32 { StandardNormal.sample(generator) };
        let common = normal();
        for channel in 0..channels {
            let strength = (STRENGTH * (common + normal())).exp();
            let mean = stretch[channel..].iter().step_by(channels).sum::<f32>() / self.samples as f32;
            for value in stretch[channel..].iter_mut().step_by(channels) {
                *value = mean + strength * (*value - mean);
            }
        }
    }
}
