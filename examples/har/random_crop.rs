//! Data augmentation: crops a training window at random and changes the speed and the amplitude of the movement.
//!
//! Each time a window is trained on, a random crop is taken and changed in
//!
//! - *speed*: a factor that is log-uniform between 0.8 and 1.25. Values between two samples are interpolated linearly;
//! - *amplitude*: the deviation of each channel from its mean over the crop is multiplied by `exp(0.15 (n + n_c))`.
//!   Here `n` and `n_c` are standard normal; `n` is common to all channels and `n_c` is drawn for each channel. The
//!   mean is kept: for an accelerometer it is gravity, which does not depend on the strength of the movement.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// The highest speed; the lowest is its inverse.
const SPEED: f32 = 1.25;
/// Standard deviation of the logarithm of the amplitude, for the common factor and for the factor of each channel.
const AMPLITUDE: f32 = 0.15;

/// Draws crops of a fixed length with random start, speed and amplitude.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RandomCrop {
    samples: usize,
}

impl RandomCrop {
    /// Creates crops of `samples` samples, whatever the speed.
    pub fn new(samples: usize) -> Self {
        RandomCrop { samples }
    }

    /// Number of samples per crop.
    pub fn samples(self) -> usize {
        self.samples
    }

    /// Writes a random crop of `window`, which has `channels` channels, to `crop`.
    pub fn draw<R: Rng>(self, window: &[f32], channels: usize, crop: &mut Vec<f32>, generator: &mut R) {
        crop.resize(self.samples * channels, 0.0);
        let (last, intervals) = (window.len() / channels - 1, (self.samples - 1).max(1) as f32);
        // A faster crop would need more samples than the window has.
        let speed = SPEED.powf(generator.random_range(-1.0..=1.0)).min(last as f32 / intervals);
        let start = generator.random::<f32>() * (last as f32 - speed * intervals).max(0.0);
        for (sample, values) in crop.chunks_exact_mut(channels).enumerate() {
            let position = start + speed * sample as f32;
            let before = (position as usize).min(last);
            let (after, fraction) = ((before + 1).min(last), position - before as f32);
            let [before, after] = [before, after].map(|sample| &window[sample * channels..][..channels]);
            for ((value, before), after) in values.iter_mut().zip(before).zip(after) {
                *value = before + fraction * (after - before);
            }
        }
        self.scale_amplitude(crop, channels, generator);
    }

    /// Multiplies the deviation of each channel from its mean by a random factor.
    fn scale_amplitude<R: Rng>(self, crop: &mut [f32], channels: usize, generator: &mut R) {
        let mut normal = || -> f32 { StandardNormal.sample(generator) };
        let common = normal();
        for channel in 0..channels {
            let factor = (AMPLITUDE * (common + normal())).exp();
            let mean = crop[channel..].iter().step_by(channels).sum::<f32>() / self.samples as f32;
            for value in crop[channel..].iter_mut().step_by(channels) {
                *value = mean + factor * (*value - mean);
            }
        }
    }
}
