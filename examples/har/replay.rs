//! Playing a window differently: as the same person might have moved at another time, or another person.
//!
//! Of each window a stretch is drawn, each time it is trained on, and then
//!
//! - its *speed*: log-uniform between 0.8 and 1.25; samples between those of the window are interpolated linearly;
//! - its *strength*: what each channel does about its mean over the stretch is multiplied by `exp(0.15 (n + n_c))`,
//!   with `n` normal and the same for all channels and `n_c` normal and the channel's own. The mean of an accelerometer is
//!   gravity, which does not depend on how strongly somebody moves.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// The fastest, and one over the slowest.
const SPEED: f32 = 1.25;
/// Standard deviation of the logarithms of the common strength and of each channel's own.
const STRENGTH: f32 = 0.15;

/// Stretches of windows, at random speed and strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    samples: usize,
}

impl Replay {
    /// Of so many samples each, however fast they are played.
    pub fn new(samples: usize) -> Self {
        Replay { samples }
    }

    /// Samples of a stretch.
    pub fn samples(self) -> usize {
        self.samples
    }

    /// A stretch of a window of so many channels, in place of what stands in `stretch`.
    pub fn play<R: Rng>(self, window: &[f32], channels: usize, stretch: &mut Vec<f32>, generator: &mut R) {
        stretch.resize(self.samples * channels, 0.0);
        let (last, intervals) = (window.len() / channels - 1, (self.samples - 1).max(1) as f32);
        // As fast as the window has samples for.
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

    /// Multiplies what each channel does about its mean.
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
